"""Holdout: some customers do not get a message that they would have got, so that both groups can be compared."""

from __future__ import annotations

from streams.checks.check import AudienceCheck, Message
from streams.experiment import has_holdout
from streams.verdict import GO, Skip, Verdict


def _judge(message: Message) -> Verdict:
    held_out = message.draw.held_out
    return GO if held_out is None else Skip("holdout", held_out)


def _shown(message: Message) -> tuple[str, str] | None:
    return ("not held out", message.draw.seen) if has_holdout(message.distribution) else None


HOLDOUT = AudienceCheck(_judge, _shown)
