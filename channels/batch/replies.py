"""Answers of Batch: what each says of the profiles of a request, or of an account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from channels.contract import AccountCheck, shortened
from channels.http.transport import Reply
from schemas.channels.batch import BatchAccountForm
from schemas.receipt import Accepted, Receipt, Refused

_SUCCESS = "SUCCESS"


def outcomes(reply: Reply, bodies: Sequence[bytes], receipt: Receipt) -> Sequence[Receipt | None]:
    """The receipt of each profile: an error names its own, by its place or its id, or none."""
    said = msgspec.json.decode(reply.body, type=dict[str, Any])
    errors = said.get("errors") or ([] if said.get("code") == _SUCCESS else [said])
    ids = [_custom_id(body) for body in bodies] if errors else []
    found: dict[int, Receipt] = {}
    for error in errors:
        owners = range(1) if len(bodies) == 1 else _owners(error, ids)
        if not owners:
            return [found.get(index) for index in range(len(bodies))]
        found |= dict.fromkeys(owners, Refused(shortened(f"HTTP {reply.status}: {_words(error)}")))
    other = receipt if isinstance(receipt, Accepted) else None
    return [found.get(index, other) for index in range(len(bodies))]


def _custom_id(body: bytes) -> str:
    (one,) = msgspec.json.decode(body)
    return str(one["identifiers"]["custom_id"])


def _owners(error: Any, ids: Sequence[str]) -> Sequence[int]:
    """The messages that an error is about."""
    if not isinstance(error, dict):
        return ()
    place = error.get("index")
    if isinstance(place, int) and not isinstance(place, bool):
        return (place,) if 0 <= place < len(ids) else ()
    named = error.get("custom_id") or (error.get("identifiers") or {}).get("custom_id")
    return [index for index, one in enumerate(ids) if one == named]


def _words(error: Any) -> str:
    said = error if isinstance(error, dict) else {"message": error}
    words = [str(said[name]) for name in ("code", "reason", "message", "attribute") if isinstance(said.get(name), str)]
    return ": ".join(words) or "the profile's update is not valid"


def checked(form: BatchAccountForm, answer: Reply | Receipt) -> AccountCheck:
    """The state of an account, by the answer to an empty list."""
    if not isinstance(answer, Reply):
        return AccountCheck(False, shortened(f"{form.url}: {answer.detail}. Check url"))
    if answer.status in (200, 202, 400):
        return AccountCheck(True, f"{form.url} lets the key update profiles of {form.project_key}")
    if answer.status in (401, 403):
        said = "refuses the key. Check rest_key, project_key, and that the key may use the Profile API of the project"
        return AccountCheck(False, f"{form.url} {said} (HTTP {answer.status})")
    return AccountCheck(False, f"{form.url} answers HTTP {answer.status}. Check url, version and project_key")
