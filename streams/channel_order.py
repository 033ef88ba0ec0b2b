"""The order of channels: of those in which only one sends, the first that can be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from schemas.closed import Reason
from schemas.hold import Hold
from streams.checks.check import Message
from streams.outcome import Judged
from streams.recent import Sent, own_places
from streams.verdict import Defer, Skip

_OF_THE_CHANNEL: frozenset[Reason] = frozenset({"no_address", "suppressed", "capped", "quiet_hours", "expired"})
"""Reasons for which a channel gives way to the next. Any other is one against the whole send: who was sent it already,
or is held out, is not sent it over another channel either."""


def gives_way(objection: Skip | Defer | None) -> bool:
    """True for an objection to this channel alone. One that waits keeps its turn."""
    return isinstance(objection, Skip) and objection.reason in _OF_THE_CHANNEL


def until_one_sends(judged: Iterable[Judged]) -> Iterator[Judged]:
    """Messages up to the first that is sent, waits or may not be sent at all; each says which one comes after it."""
    passed: Judged | None = None
    for one in judged:
        if passed is not None:
            yield _passed_over(passed, one)
        if not gives_way(one.objection):
            yield one
            return
        passed = one
    if passed is not None:
        yield passed


def sent_since(ids: Sequence[str], recent: list[Sent], event_id: str, hold: Hold) -> bool:
    """True where what follows a message was sent already: its release is read again."""
    return any(one.channel for _, one in _own(ids, recent, event_id, hold))


def _own(ids: Sequence[str], recent: list[Sent], event_id: str, hold: Hold | None) -> list[tuple[int, Sent]]:
    """The entries of an event, with the places of their messages; without those that are followed."""
    begins = (hold.step or 0) if hold and hold.follows else 0
    return [(place, one) for place, one in own_places(recent, ids, event_id) if place >= begins]


def _passed_over(one: Judged, following: Judged) -> Judged:
    assert isinstance(one.objection, Skip)  # noqa: S101 - asked before
    channel, number = following.message.plan.channel, following.message.step + 1
    said = f"{one.objection.detail}; passed over for {channel}, channel {number}"
    return one._replace(objection=replace(one.objection, detail=said))


def still_to_try(messages: Sequence[Message], recent: list[Sent], hold: Hold | None = None) -> list[Message]:
    """Those of some messages that may still be sent for their event.

    What the same event has sent already is sent so again, as a replay does, and nothing instead of it; what follows a
    message by its `hold` is sent beside it. Where one of its messages waits, the order has come to that one: those
    before it were passed over.
    """
    own = _own(messages[0].instead, recent, messages[0].event.id, hold)
    sent = [place for place, one in own if one.channel]
    if sent:
        return [one for one in messages if one.step in sent][:1]
    reached = max((place for place, _ in own), default=0)
    return [one for one in messages if one.step >= reached]
