"""The pure core alone: reading, finding and matching at several counts of rules; building, adding, removing."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.contract import topic_codec
from schemas.distribution import Distribution
from schemas.wire.codec import TopicCodec
from streams.event_context import EventContext
from streams.events import EventReader
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.bench.rules import order, profile, realistic

EVENTS = 4000
CHUNK_SIZE = 50

Made = tuple[bytes, bytes, bytes]
"""An event's record, its key, and its customer's row."""

NOW = datetime.now(UTC)


def measure(counts: tuple[int, ...] = (100, 10_000, 100_000)) -> dict[str, Any]:
    """Microseconds an event by count of rules, and what building and changing the index costs."""
    gc.disable()
    try:
        return {str(count): _at(realistic(count)) for count in counts}
    finally:
        gc.enable()


def _at(rules: list[Distribution]) -> dict[str, float]:
    index = RuleIndex()
    build = _seconds(lambda: [index.insert(rule) for rule in rules])
    reader = EventReader(
        "events.orders", _codec(), max_future=timedelta(hours=1), max_bytes=1 << 20, default_project="shop"
    )
    events = events_for(len(rules))

    def heads(chunk: list[Made]) -> list[EventContext]:
        return [EventContext(reader.read(raw, key, NOW), raw, reader.decode, row) for raw, key, row in chunk]

    def whole(chunk: list[Made]) -> list[EventContext]:
        contexts = heads(chunk)
        for one in contexts:
            one.customer, one.facts  # noqa: B018 - decoding is measured by itself
        return contexts

    contexts = whole(events)
    candidates = sum(len(index.candidates(context)[0]) for context in contexts)
    matches = sum(match_event(context, index, NOW).matched for context in contexts)
    return {
        "build_s": round(build, 2),
        "build_us_a_rule": _us(build, len(rules)),
        "read_head_us": _each(events, list, heads),
        "decode_whole_us": _each(events, heads, lambda all_: [one.facts for one in all_]),
        "find_us": _each(events, whole, lambda all_: [index.candidates(one) for one in all_]),
        "match_us": _each(events, whole, lambda all_: [_judge(one, index) for one in all_]),
        "match_and_decide_us": _each(events, whole, lambda all_: [match_event(one, index, NOW) for one in all_]),
        "candidates_an_event": round(candidates / EVENTS, 2),
        "matches_an_event": round(matches / EVENTS, 3),
        "add_us": _changes(index, rules, index.insert),
        "remove_us": _changes(index, rules, lambda rule: index.remove(rule.project_id, rule.id)),
        "unindexed": len(index.unindexed()),
    }


def _judge(context: EventContext, index: RuleIndex) -> int:
    """Candidates, their guards, nothing built."""
    count = 0
    for _, tests in index.candidates(context)[0]:
        for test in tests:
            if test(context, NOW) is not True:
                break
        else:
            count += 1
    return count


def events_for(rules: int) -> list[Made]:
    """Orders of customers of the shops that so many rules are for."""
    rng = random.Random(1)
    made = []
    for number in range(EVENTS):
        customer = profile(rng.randrange(1_000_000), rules)
        raw = order(number, customer, amount=rng.randrange(500, 60_000), now=NOW)
        made.append((raw, customer["id"].encode(), msgspec.json.encode(customer)))
    return made


def _codec() -> TopicCodec:
    return topic_codec("events.orders", "avro", None)


def _changes(index: RuleIndex, rules: list[Distribution], change: Callable[[Distribution], object]) -> float:
    chosen = random.Random(3).sample(rules, min(100, len(rules)))
    took = [_seconds(lambda rule=rule: change(rule)) for rule in chosen]  # type: ignore[misc]
    for rule in chosen:
        index.insert(rule)
    return round(statistics.median(took) * 1e6, 1)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _us(seconds: float, count: int) -> float:
    return round(seconds / count * 1e6, 2)


def _each(events: list[Made], prepare: Callable[[list[Made]], Any], work: Callable[[Any], object]) -> float:
    """Microseconds an event, prepared by the chunk as in a worker, so that an event is as warm as it is there."""
    took = []
    for _ in range(3):
        seconds = 0.0
        for start in range(0, EVENTS, CHUNK_SIZE):
            made = prepare(events[start : start + CHUNK_SIZE])
            seconds += _seconds(lambda made=made: work(made))  # type: ignore[misc]
        took.append(seconds)
    return _us(min(took), EVENTS)


if __name__ == "__main__":
    for count, found in measure().items():
        print(count, found)  # noqa: T201
