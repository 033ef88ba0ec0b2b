"""Re-entry: no other event may have caused the same delivery, nor one that is sent instead of it.

The distribution's `again` says which are the same.
"""

from __future__ import annotations

from datetime import UTC, datetime

from streams.checks.check import AudienceCheck, Finding, Message
from streams.recent import Sent, other_event_sent
from streams.verdict import GO, Skip


def _judge(message: Message) -> Finding:
    if message.distribution.publish:  # the publication knows: one for all messages of a send
        return Finding(GO)
    recent, event = message.recent(), message.event.id
    found = (asked_before(recent, one, event) for one in message.instead or (message.delivery_id,))
    return Finding(next(filter(None, found), GO))


def asked_before(recent: list[Sent], identity: str, event_id: str) -> Skip | None:
    """An objection to a delivery, or to a send that waits, which another event has asked for already."""
    found = other_event_sent(recent, identity, event_id)
    if found is None:
        return None
    when = datetime.fromtimestamp(found.at, UTC).isoformat()
    return Skip("duplicate", f"waits or was sent already, for an event of {when}")


REENTRY = AudienceCheck(_judge, is_shown=False)
