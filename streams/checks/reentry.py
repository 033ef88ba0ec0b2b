"""Re-entry: no other event may have caused the same delivery. The distribution's `again` says which are the same."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.checks.check import AudienceCheck, Message
from streams.recent import other_event_sent
from streams.verdict import GO, Skip, Verdict


def _judge(message: Message) -> Verdict:
    if message.distribution.publish:  # the publication knows: one for all messages of a send
        return GO
    found = other_event_sent(message.recent(), message.delivery_id, message.event.id)
    if found is None:
        return GO
    when = datetime.fromtimestamp(found.at, UTC).isoformat()
    return Skip("duplicate", f"waits or was sent already, for an event of {when}")


REENTRY = AudienceCheck(_judge)
