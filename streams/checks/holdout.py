"""Holdout: some customers do not get a message that they would have got, so that both groups can be compared."""

from __future__ import annotations

from streams.checks.check import AudienceCheck, Finding, Message
from streams.experiment import has_holdout
from streams.verdict import GO, Skip


def _judge(message: Message) -> Finding:
    held_out = message.draw.held_out
    verdict = GO if held_out is None else Skip("holdout", held_out)
    return (
        Finding(verdict, "not held out", message.draw.seen) if has_holdout(message.distribution) else Finding(verdict)
    )


HOLDOUT = AudienceCheck(_judge)
