"""Links by which an e-mail is seen in a browser: each shows one delivery, and leads to no other page of its customer.

Whoever gets a mail passed on may open it; a token of its own keeps them from choosing for its customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from channels.link_tokens import opened, sealed

VIEW_PATH = "/view/"
_PURPOSE = b"tidings view link"


class Viewed(NamedTuple):
    """The delivery that a link shows."""

    project_id: str
    delivery_id: str


def view_token(viewed: Viewed, secret: str) -> str:
    """The token of a link, in base64url. Raises ValueError for an empty secret."""
    return sealed(viewed, secret, _PURPOSE)


def viewed_of(token: str, secrets: Sequence[str]) -> Viewed | None:
    """The content of a token; None where no secret proves it."""
    parts = opened(token, secrets, _PURPOSE)
    return Viewed(*parts) if parts is not None and len(parts) == len(Viewed._fields) else None
