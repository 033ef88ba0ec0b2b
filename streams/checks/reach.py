"""Reach: the customer needs an address on the message's channel. The channel was asked; here its answer counts."""

from __future__ import annotations

from streams.checks.check import AudienceCheck, Finding, Message
from streams.verdict import GO, Skip


def _judge(message: Message) -> Finding:
    return Finding(message.address if isinstance(message.address, Skip) else GO)


REACH = AudienceCheck(_judge, is_shown=False)
