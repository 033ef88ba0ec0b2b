"""Calls of endpoints as people look at them: what was asked and answered, without anything secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from schemas.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Call:
    """One request and what came back. `status` is None where nothing did; `outcome` is the receipt in a word.

    Bodies are beginnings, of so many bytes; of a reply only its first bytes are read.
    """

    project_id: str
    endpoint: str
    delivery_id: str
    url: str
    headers: tuple[str, ...]
    body: str = field(repr=False)
    body_bytes: int
    outcome: str
    detail: str = field(repr=False)
    milliseconds: int
    status: int | None = None
    reply_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    reply_body: str = field(default="", repr=False)


class Calls(Protocol):
    """Whoever wants to see calls. `wants` is asked at each, and has to be quick."""

    def wants(self, project_id: str, endpoint: str, receipt: Receipt) -> bool: ...

    def add(self, call: Call) -> None: ...
