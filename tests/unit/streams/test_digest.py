"""Digests: the window of an event, its place among what is gathered, and what becomes of all at their release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.roles.matcher.source import Source, leading, waits_as
from console.control.preview.trial import trial_problems
from schemas.digest import Joining, KnownDigest, Placed
from schemas.distribution import Digest, Distribution
from schemas.errors import DefinitionInvalid
from schemas.hold import Hold
from streams.digest import MOST, MOST_BYTES, joining_of, place_all, released, window_end
from streams.documents.distribution import parse_definition
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.outcome import Matched
from streams.waiting import ended_by, with_changes
from tests.factory import CONTEXT, NOW, context, customer, definition, order_event, rule

HOUR = timedelta(hours=1)
WARSAW, NEW_YORK = ZoneInfo("Europe/Warsaw"), ZoneInfo("America/New_York")
FOR_4H = {"for": "4h"}


@pytest.mark.parametrize(
    ("digest", "happened", "zone", "end"),
    [
        (Digest(seconds=14_400), "2026-11-20T12:00:00+00:00", UTC, "2026-11-20T16:00:00+00:00"),
        (Digest(at="09:00"), "2026-11-20T07:59:59+00:00", WARSAW, "2026-11-20T08:00:00+00:00"),
        (Digest(at="09:00"), "2026-11-20T08:00:00+00:00", WARSAW, "2026-11-21T08:00:00+00:00"),
        (Digest(at="09:00", days=["monday"]), "2026-11-20T12:00:00+00:00", WARSAW, "2026-11-23T08:00:00+00:00"),
        (Digest(at="09:00", days=["monday"]), "2026-11-23T08:00:00+00:00", WARSAW, "2026-11-30T08:00:00+00:00"),
        (Digest(at="09:00"), "2026-11-20T12:00:00+00:00", NEW_YORK, "2026-11-20T14:00:00+00:00"),
        (Digest(at="02:30"), "2026-03-28T12:00:00+00:00", WARSAW, "2026-03-29T01:00:00+00:00"),
        (Digest(at="02:30"), "2026-10-24T12:00:00+00:00", WARSAW, "2026-10-25T00:30:00+00:00"),
        (Digest(at="02:30"), "2026-10-25T00:30:00+00:00", WARSAW, "2026-10-26T01:30:00+00:00"),
        (Digest(at="00:00", days=["sunday"]), "2028-02-28T12:00:00+00:00", UTC, "2028-03-05T00:00:00+00:00"),
    ],
    ids=str,
)
def test_a_window_ends_after_its_first_event(digest: Digest, happened: str, zone: Any, end: str) -> None:
    assert window_end(digest, datetime.fromisoformat(happened), zone) == datetime.fromisoformat(end)


def at(hours: float) -> datetime:
    return NOW + hours * HOUR


def joining(hours: float, *, first: bool = False, size: int = 10, until: float | None = None) -> Joining:
    end = hours + 4 if until is None else until
    return Joining("dig_1", at(hours), at(end), at(end + 4), size, first)


def placed(*events: Joining, known: tuple[KnownDigest, ...] = ()) -> list[float]:
    return [(one.until - NOW) / HOUR for one in place_all(known, events)]


@pytest.mark.parametrize(
    ("known", "events", "until"),
    [
        ((), [0, 1, 3.9], [4, 4, 4]),
        ((), [0, 4, 5, 9], [4, 8, 8, 13]),
        ((), [3, 0, 6], [7, 7, 7]),
        ((KnownDigest("dig_1", at(4), 1, 10),), [1], [4]),
        ((KnownDigest("dig_1", at(4), 1, 10, is_closed=True),), [1], [5]),
        ((KnownDigest("dig_1", at(4), 1, 10, is_closed=True),), [0], [8]),
        ((KnownDigest("dig_2", at(4), 1, 10),), [1], [5]),
        ((KnownDigest("dig_1", at(4), 1), KnownDigest("dig_1", at(9), 1)), [3, 5], [4, 9]),
    ],
)
def test_an_event_joins_what_is_open_and_opens_the_next_else(
    known: tuple[KnownDigest, ...], events: list[float], until: list[float]
) -> None:
    assert placed(*map(joining, events), known=known) == until


def test_the_first_goes_alone_and_what_follows_is_gathered_until_its_window_ends() -> None:
    events = [joining(hours, first=True) for hours in (0, 1, 3, 4, 5)]
    assert place_all((), events) == [
        Placed(at(0), first_until=at(4)), Placed(at(4)), Placed(at(4)), Placed(at(4), first_until=at(8)), Placed(at(8))
    ]  # fmt: skip


def test_after_both_were_released_a_late_one_opens_the_next() -> None:
    known = (
        KnownDigest("dig_1", at(0), is_closed=True, first_until=at(4)),
        KnownDigest("dig_1", at(4), is_closed=True),
    )
    assert placed(joining(3, first=True), known=known) == [7]


def test_a_hundred_are_kept_and_no_more_than_fit_into_a_record() -> None:
    many = place_all((), [joining(0.001 * number) for number in range(MOST + 5)])
    assert [one.is_kept for one in many] == [True] * MOST + [False] * 5
    large = place_all((), [joining(0, size=MOST_BYTES * 2), joining(0, size=1)])
    assert [one.is_kept for one in large] == [True, False]


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 3), st.booleans()), max_size=30),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_each_event_goes_into_one_digest_whatever_the_order_redeliveries_and_crashes(
    arrivals: list[tuple[float, int, bool]], first: bool, random: Any
) -> None:
    """`closes` after an event: all that is due by then is closed; a crash releases what is closed once more."""
    order = [number for number, (_, times, _) in enumerate(arrivals) for _ in range(times)]
    random.shuffle(order)
    known: list[KnownDigest] = []
    members: dict[tuple[float, int | None], set[int]] = {}
    sent: dict[tuple[float, int | None], frozenset[int]] = {}
    seen: set[int] = set()
    for number in order:
        hours, _, closes = arrivals[number]
        if number not in seen:  # what is known changes nothing
            seen.add(number)
            (place,) = place_all(known, [joining(hours, first=first)])
            key = ((place.until - NOW) / HOUR, number if place.first_until else None)
            assert key not in sent, "what is closed is never joined"
            members.setdefault(key, set()).add(number)
            known = known_of(members, sent, arrivals, first=first)
        for key in [key for key in members if closes and key[0] <= hours]:
            assert sent.setdefault(key, frozenset(members[key])) == members[key]
            known = known_of(members, sent, arrivals, first=first)
    counted = [number for gathered in members.values() for number in gathered]
    assert sorted(counted) == sorted(seen)
    for (until, one), gathered in members.items():
        assert all(arrivals[number][0] < until or one is not None for number in gathered)
        assert one is None or gathered == {one}


def known_of(members: Any, sent: Any, arrivals: Any, *, first: bool) -> list[KnownDigest]:
    """As Postgres tells it: rows by digest and moment."""
    found = []
    for (until, alone), gathered in members.items():
        ends = None if alone is None else at(first_end(arrivals[alone][0]))
        is_closed = alone is not None or (until, alone) in sent
        found.append(KnownDigest("dig_1", at(until), len(gathered), 10, is_closed, ends))
    return found


def first_end(hours: float) -> float:
    return hours + 4


# -- from the event to the message ------------------------------------------------------------------------------------


def order(number: int, hours: float = 0, **data: Any) -> dict[str, Any]:
    made = order_event(id=f"ev{number}", created_at=at(hours).isoformat())
    made["data"] = {**made["data"], "order": {"id": f"o{number}", "amount": 100 * number}, **data}
    return made


def about(event: dict[str, Any], profile: dict[str, Any] | None = None) -> EventContext:
    return context(profile, **event)


def matched(one: Distribution, event: dict[str, Any]) -> Matched:
    index = RuleIndex()
    index.insert(one)
    return match_event(about(event), index, NOW)


def held(found: Matched) -> Hold:
    (waits,) = found.holds
    return Source("events.orders", b"c1", waits.event.id.encode(), [], 0).hold(waits)


def gathered(one: Distribution, events: list[dict[str, Any]], count: int | None = None) -> Hold:
    first, *others = [held(matched(one, event)) for event in events]
    assert first.until
    return released(first, others, count or len(events), first.until)


def due(
    hold: Hold, one: Distribution | None, events: list[dict[str, Any]], ended: Any = None, **profile: Any
) -> Matched:
    index = RuleIndex()
    if one is not None:
        index.insert(one)
    contexts = [about(event, customer(**profile)) for event in events]
    return match_due(contexts[0], hold, index, hold.due_at, ended, gathered=contexts[1:])


def told(found: Matched) -> list[tuple[str, str, str | None]]:
    return sorted((one.event.id, one.outcome, one.reason) for one in found.decisions)


EVENTS = [order(1), order(2, 1), order(3, 2)]
DIGEST = rule(digest=FOR_4H)


def test_each_event_waits_in_a_digest_and_all_become_one_message() -> None:
    first = matched(DIGEST, EVENTS[0])
    assert not first.deliveries
    (decision,) = first.decisions
    assert (decision.outcome, decision.reason, decision.until) == ("deferred", "digest", at(4))
    hold = gathered(DIGEST, EVENTS)
    found = due(hold, DIGEST, EVENTS)
    (delivery,) = found.deliveries
    assert delivery.delivery_id == matched(rule(), EVENTS[0]).deliveries[0].delivery_id, "that of the first event alone"
    assert delivery.data["digest"] == {"events": [{"order": event["data"]["order"]} for event in EVENTS], "count": 3}
    assert delivery.not_before == at(4)
    assert told(found) == [(f"ev{number}", "emitted", None) for number in (1, 2, 3)]
    assert {one.delivery_id for one in found.decisions} == {delivery.delivery_id}
    assert all("digest of 3 events" in str(one.detail) for one in found.decisions)
    waiting = [one.decision_id for event in EVENTS for one in matched(DIGEST, event).decisions]
    assert len({*waiting, *(one.decision_id for one in found.decisions)}) == 6
    assert found.decisions == due(hold, DIGEST, EVENTS).decisions, "a replay says the same"


def test_events_beyond_those_that_are_kept_count() -> None:
    (delivery,) = due(gathered(DIGEST, EVENTS, 250), DIGEST, EVENTS).deliveries
    assert delivery.data["digest"]["count"] == 250


def test_events_of_another_value_have_a_digest_of_their_own() -> None:
    one = rule(digest={"for": "4h", "by": "order.id"})
    ids = [held(matched(one, order(number))).gathers for number in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]
    blank = matched(one, order(1, order={"amount": 5}))
    assert told(blank) == [("ev1", "skipped", "rule_error")]
    assert blank.decisions[0].detail == "digest by order.id: not set"


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({}, "emitted", None),
        ({"digest": None}, "emitted", None),
        ({"status": "PAUSED"}, "deferred", "paused"),
        ({"status": "STOPPED"}, "skipped", "stopped"),
        ({"status": "ENDED"}, "skipped", "ended"),
        ({"ends_at": "2026-11-20T14:00:00Z"}, "skipped", "ended"),
        ({"consent": "surveys"}, "skipped", "consent"),
        ({"window": {"from": "08:00", "to": "09:00"}}, "deferred", "quiet_hours"),
        ({"when": {"order.amount": {"at_least": 100_000}}}, "skipped", "no_match"),
        ({"expires_after": "1m"}, "emitted", None),
        (None, "skipped", "stopped"),
    ],
)
def test_the_distribution_of_its_release_decides_for_all_of_them(
    changes: dict[str, Any] | None, outcome: str, reason: str | None
) -> None:
    live = None if changes is None else rule(**{"digest": FOR_4H, **changes})
    found = due(gathered(DIGEST, EVENTS), live, EVENTS)
    assert told(found) == [(f"ev{number}", outcome, reason) for number in (1, 2, 3)]
    if outcome == "deferred":
        (waits,) = found.holds
        hold = Source("events.orders", b"c1", b"ev1", [], 0).hold(waits)
        assert ([one.event.id for one in hold.gathered], hold.events, hold.round) == (["ev2", "ev3"], 3, 1)
        assert joining_of(hold, 1) is None, "nothing is added to what was released"
        (delivery,) = due(hold, DIGEST, EVENTS).deliveries
        assert delivery.data["digest"]["count"] == 3


def test_an_event_that_no_longer_fits_leaves_the_others_to_go() -> None:
    live = rule(digest=FOR_4H, when={"order.amount": {"at_least": 200}})
    found = due(gathered(DIGEST, EVENTS), live, EVENTS)
    assert told(found) == [("ev1", "skipped", "no_match"), ("ev2", "emitted", None), ("ev3", "emitted", None)]
    (delivery,) = found.deliveries
    assert (delivery.event.id, delivery.data["digest"]["count"]) == ("ev2", 2)
    assert delivery.delivery_id == due(gathered(DIGEST, EVENTS), DIGEST, EVENTS).deliveries[0].delivery_id
    paused = due(gathered(DIGEST, EVENTS), rule(digest=FOR_4H, window={"from": "08:00", "to": "09:00"}), EVENTS)
    assert leading(paused.holds, [about(one).head for one in EVENTS]) == 0


UNLESS = rule(digest={"for": "4h", "by": "order.id"}, unless={"trigger": "customer.order.canceled", "same": "order.id"})


def canceled(number: int, hours: float) -> dict[str, Any]:
    return order(number, hours, order={"id": "o1", "status": "CANCELED"}) | {"type": "customer.order.canceled"}


@pytest.mark.parametrize(
    ("read", "left"),
    [
        (["e1", "e2", "e3", "c1.5"], ["ev3"]),
        (["c1.5", "e1", "e2", "e3"], ["ev3"]),
        (["e3", "c1.5", "e2", "e1"], ["ev3"]),
        (["e1", "e2", "e3", "c5"], []),
        (["e1", "c1.5", "e2", "c0.5", "e3"], ["ev3"]),
        (["c-1", "e1", "e2", "e3"], ["ev1", "ev2", "ev3"]),
    ],
)
def test_an_ending_event_takes_out_those_that_are_not_later_whichever_was_read_first(
    read: list[str], left: list[str]
) -> None:
    same = [order(number, number - 1, order={"id": "o1"}) for number in (1, 2, 3)]
    row: bytes | None = None
    for number, one in enumerate(read):
        event = same[int(one[1:]) - 1] if one[0] == "e" else canceled(10 + number, float(one[1:]))
        if changes := matched(UNLESS, event).waiting:
            row = with_changes(row, changes, NOW)
    hold = gathered(UNLESS, same)
    found = due(hold, UNLESS, same, ended_by(row, waits_as(hold)))
    emitted = [one.event.id for one in found.decisions if one.outcome == "emitted"]
    assert emitted == left
    assert [one.data["digest"]["count"] for one in found.deliveries] == ([len(left)] if left else [])
    assert {one.reason for one in found.decisions if one.outcome == "skipped"} <= {"canceled"}
    assert len(found.decisions) == 3


def test_what_somebody_ended_is_skipped_with_who_it_was_for_each_event() -> None:
    hold = msgspec.structs.replace(gathered(DIGEST, EVENTS), canceled_by="ann")
    found = due(hold, DIGEST, EVENTS)
    assert told(found) == [(f"ev{number}", "skipped", "canceled") for number in (1, 2, 3)]
    assert not found.deliveries


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"digest": {}}, "digest", "has either for or at"),
        ({"digest": {"for": "4h", "at": "09:00"}}, "digest", "has either for or at"),
        ({"digest": {"for": "4h", "days": ["monday"]}}, "digest.days", "needs at"),
        ({"digest": {"at": "09:00", "days": []}}, "digest.days", ""),
        ({"digest": {"at": "9"}}, "digest.at", 'a time from "00:00"'),
        ({"digest": {"for": "0s"}}, "digest.for", ""),
        ({"digest": {"for": "91d"}}, "digest.for", "at most 90d"),
        ({"digest": {"for": "4h", "by": "ordr.id"}}, "digest.by", 'Did you mean "order"'),
        ({"digest": {"for": "4h", "by": "order.items"}}, "digest.by", "one value"),
        ({"digest": {"for": "4h", "evry": 1}}, "digest.evry", "for, at, days, by, first"),
        ({"digest": FOR_4H, "delay": "1h"}, "delay", "does not go with digest"),
        ({"digest": FOR_4H, "again": "once_per_customer"}, "again", "every_event"),
        (
            {"digest": FOR_4H, "unless": {"trigger": "customer.order.canceled", "same": "order.id"}},
            "unless.same",
            "digest.by",
        ),
        ({"digest": FOR_4H, "trigger": "manual_distribution_schedule"}, "digest", "for one customer once"),
    ],
)
def test_a_digest_that_cannot_be_is_refused_with_what_would_be_right(
    changes: dict[str, Any], path: str, said: str
) -> None:
    with pytest.raises(DefinitionInvalid) as error:
        parse_definition(definition(**changes), CONTEXT)
    assert any(one.path == path and said in one.message for one in error.value.problems), error.value.problems


def test_payloads_name_the_list_and_a_path_that_leads_nowhere_is_refused() -> None:
    def with_payload(path: str, **changes: Any) -> Distribution:
        hook = {"url": "https://hooks.example.com/x", "type": "t", "payload": {"x": {"from": path}}}
        return parse_definition(definition(channels=[{"webhook": hook}], **changes), CONTEXT).distribution

    with_payload("digest.events[0].order.id", digest=FOR_4H)
    with_payload("digest.count", digest=FOR_4H)
    for path, changes in (("digest.cuont", {"digest": FOR_4H}), ("digest.count", {})):
        with pytest.raises(DefinitionInvalid):
            with_payload(path, **changes)


def test_templates_show_the_list() -> None:
    shows = "{% for one in digest.events %}{{ one.order.id }} {% endfor %}{{ digest.count }}"
    mail = [{"email": {"account": "main", "subject": "{{ digest.count }} orders", "text": shows}}]
    made = parse_definition(definition(channels=mail, digest=FOR_4H), CONTEXT)
    assert trial_problems(made, links=True) == ()
