"""The judgement of a delivery that was held for sending: it ends, or it waits in the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

from schemas.closed import HoldKind, Reason


class Judgement(msgspec.Struct, frozen=True):
    """The end of a delivery (`sent`, `failed`), or `waiting`: for `wait`, or without one as old as it is.

    `tried`: its provider was asked, or should count as asked; else this was no attempt. `pauses` is why nothing more
    is sent to its destination until somebody resumes it; None where it goes on. `is_bounce`: the recipient's mailbox
    does not take it for now. `is_ambiguous`: it may have been accepted all the same.
    """

    state: Literal["waiting", "sent", "failed"]
    detail: str
    wait: timedelta | None = None
    reason: Reason | None = None
    provider_id: str | None = None
    tried: bool = True
    pauses: HoldKind | None = None
    is_bounce: bool = False
    is_ambiguous: bool = False


def held_back(detail: str, reason: Reason | None = None, wait: timedelta | None = None) -> Judgement:
    """Not the delivery's fault: it waits, and this was no attempt."""
    return Judgement("waiting", detail, wait, reason, tried=False)


def impossible(reason: Reason | None, detail: str) -> Judgement:
    """It ends without its provider being asked."""
    return Judgement("failed", detail, reason=reason, tried=False)
