"""Readers of event topics by the limits that hold for matchers: what one of them refuses, nobody else counts."""

from __future__ import annotations

from agents.broker.wire import Wire
from deploy.settings.workers import Matcher
from streams.events import EventReader


def event_reader(wire: Wire, topic: str, limits: Matcher) -> EventReader:
    """The reader of a topic, named without prefix."""
    return EventReader(
        topic,
        wire.codec(topic),
        max_future=limits.max_future,
        max_bytes=limits.max_event_bytes,
        default_project=wire.default_project,
    )
