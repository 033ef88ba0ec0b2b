"""Stories from the read models, with what recorders have not read yet from the topic."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from agents.broker.partitioner import partition_of
from agents.broker.records import Output
from agents.broker.writer import Writer, Written
from agents.recorded_rows import decision_row
from agents.wiring import Wiring
from console.control import decision_search
from console.control.decision_search import read_cursor
from console.control.doctor_recorder import examine_recorder
from console.control.explain import Asking, Story, story
from console.control.not_found import NotFound
from schemas.decision import Decision
from schemas.delivery import DistributionRef, EventRef
from schemas.errors import TidingsError
from schemas.record_key import Keyed
from schemas.topics import DECISIONS
from store.codes.claims import Claim
from store.codes.pool import Codes
from store.erasure import Erasure
from store.read_models.recorded import Recorded, Source, Sourced
from store.read_models.search import Asked, RecordedSearch
from tests.integration.test_codes import campaign, saved
from tests.integration.test_deliveries import rows_read
from tests.integration.test_recorder import KEEP, decision, put, status

NOW = datetime.now(UTC)


def of_customer(number: int, customer: str = "c1", **changes: Any) -> Decision:
    at = NOW - timedelta(minutes=1000 - number)
    return decision(number, at, customer_id=customer, **changes)


async def written(wiring: Wiring, decisions: Sequence[Decision]) -> list[Written]:
    """Decisions on their topic, where a matcher would have put them."""
    codec, topic = wiring.codec(DECISIONS), wiring.topic(DECISIONS)
    outputs = [
        Output(topic, wiring.key(one.project_id, one.customer_id), codec.encode(one), _partition(wiring, one))
        for one in decisions
    ]
    places = await asyncio.to_thread(Writer(wiring.settings.kafka.client()).write, outputs)
    assert not any(one.refused for one in places)
    return places


def _partition(wiring: Wiring, one: Decision) -> int:
    return partition_of(wiring.key(one.project_id, one.customer_id), wiring.settings.topics.partitions)


async def recorded(
    pool: asyncpg.Pool, wiring: Wiring, decisions: Sequence[Decision], places: Sequence[Written]
) -> None:
    """The same as a recorder would have put them."""
    for one, place in zip(decisions, places, strict=True):
        stamp = int((NOW - timedelta(seconds=90)).timestamp() * 1000)
        source = Source(wiring.topic(DECISIONS), place.partition, place.offset + 1, stamp)
        await Recorded(pool, KEEP).put_decisions(source, [Sourced(place.offset, stamp, decision_row(one))])


async def kept(pool: asyncpg.Pool, wiring: Wiring, decisions: Sequence[Decision]) -> None:
    """Decisions that recorders have, and the topic no more."""
    rows = [Sourced(place, 1_000 + place, decision_row(one)) for place, one in enumerate(decisions)]
    await Recorded(pool, KEEP).put_decisions(Source(wiring.topic(DECISIONS), 99, len(rows), 1_000), rows)


async def told(pool: asyncpg.Pool, wiring: Wiring, project: str = "shop", **asked: Any) -> Story:
    return await story(pool, wiring, project, Asking(**asked), NOW)


async def test_what_is_recorded_is_told_and_what_is_not_yet_from_the_topic(pool: asyncpg.Pool, wiring: Wiring) -> None:
    mine = [
        of_customer(number, arm="b", delivery_id=f"dlv_{number}", outcome="emitted", reason=None) for number in range(6)
    ]
    others = [of_customer(number, "c2") for number in range(10, 14)]
    places = await written(wiring, [*mine, *others])
    await recorded(pool, wiring, mine[:4], places[:4])
    found = await told(pool, wiring, who="c1")
    assert found.decisions == tuple(mine), "each as it was decided, in the order of the events"
    assert (found.reading.source, found.reading.behind, found.reading.older) == ("read models", 2, None)
    (note,) = found.reading.notes
    assert note.startswith("2 records of decisions and deliveries not recorded yet, the oldest for ")
    assert note.endswith("; decisions among them were read from their topic")


async def test_without_a_recorder_the_topic_is_read_and_that_is_said(pool: asyncpg.Pool, wiring: Wiring) -> None:
    mine = [of_customer(number) for number in range(3)]
    await written(wiring, [*mine, of_customer(3, "c2")])
    found = await told(pool, wiring, who="c1")
    assert (found.decisions, found.reading.source) == (tuple(mine), "topics")
    assert "no recorder has run" in found.reading.notes[0]


async def test_where_recorders_are_far_behind_it_is_said_what_to_do(
    pool: asyncpg.Pool, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_search, "_CHEAP", 2)
    mine = [of_customer(number) for number in range(6)]
    places = await written(wiring, mine)
    await recorded(pool, wiring, mine[:3], places[:3])
    found = await told(pool, wiring, who="c1")
    assert (found.decisions, found.reading.behind) == (tuple(mine[:3]), 3)
    assert "is not shown. Run one `tidings worker recorder` more, or ask with --from-topics" in found.reading.notes[0]
    assert (await told(pool, wiring, who="c1", from_topics=True)).decisions == tuple(mine)


async def test_what_is_older_than_what_is_kept_is_looked_for_in_the_topic(pool: asyncpg.Pool, wiring: Wiring) -> None:
    old = decision(1, NOW - KEEP - timedelta(days=3), customer_id="c1")
    new = of_customer(2)
    places = await written(wiring, [old, new])
    await recorded(pool, wiring, [old, new], places)
    assert (await told(pool, wiring, who="c1")).decisions == (new,)
    found = await told(pool, wiring, who="c1", since=NOW - KEEP - timedelta(days=9))
    assert (found.decisions, "recorders keep decisions from" in found.reading.notes[0]) == ((old, new), True)


async def test_pages_have_each_decision_once_and_no_event_on_two(pool: asyncpg.Pool, wiring: Wiring) -> None:
    made = [
        decision(number, NOW - timedelta(hours=6 * (number // 3)), customer_id="c1",
                 event=EventRef(id=f"ev{number // 3}", type="t", created_at=NOW - timedelta(hours=6 * (number // 3))))
        for number in range(330)
    ]  # fmt: skip
    places = await written(wiring, made[:5])
    await recorded(pool, wiring, made[:3], places[:3])
    await kept(pool, wiring, made[5:])
    pages, cursor = list[tuple[Decision, ...]](), None
    while cursor or not pages:
        found = await told(pool, wiring, who="c1", limit=37, after=read_cursor(cursor) if cursor else None)
        pages.append(found.decisions)
        assert len(found.decisions) <= 37
        cursor = found.reading.older
    ids = [one.decision_id for page in pages for one in page]
    assert sorted(ids) == sorted(one.decision_id for one in made)
    events = [{one.event.id for one in page} for page in pages]
    assert sum(map(len, events)) == len(set().union(*events)) == 110
    assert [one.event.id for page in reversed(pages) for one in page][::3] == [f"ev{n}" for n in reversed(range(110))]


async def test_events_of_one_moment_are_paged_in_one_order(pool: asyncpg.Pool, wiring: Wiring) -> None:
    """Collations order names in other ways than their characters do."""
    names = ["ev10", "Ev2", "ev_1", "é", "EV", "ev-1", "ev 1", "zz", "Zz", "\N{GRINNING FACE}", "\uffee"]
    made = [of_customer(number, event=EventRef(id=name, type="t", created_at=NOW)) for number, name in enumerate(names)]
    await kept(pool, wiring, made)
    seen, cursor = list[str](), None
    while cursor or not seen:
        found = await told(pool, wiring, who="c1", limit=2, after=read_cursor(cursor) if cursor else None)
        seen += [one.event.id for one in reversed(found.decisions)]
        cursor = found.reading.older
    assert seen == sorted(names, reverse=True)


async def test_an_event_that_fills_pages_alone_goes_on_over_them(pool: asyncpg.Pool, wiring: Wiring) -> None:
    event = EventRef(id="ev", type="t", created_at=NOW)
    made = [of_customer(number, event=event) for number in range(10)]
    await kept(pool, wiring, made)
    first = await told(pool, wiring, event="ev", limit=6)
    assert first.reading.older
    second = await told(pool, wiring, event="ev", limit=6, after=read_cursor(first.reading.older))
    assert {one.decision_id for one in (*first.decisions, *second.decisions)} == {one.decision_id for one in made}


async def test_a_customer_of_another_project_with_the_same_id_is_never_seen(pool: asyncpg.Pool, wiring: Wiring) -> None:
    ours, theirs = of_customer(1), of_customer(1, project_id="outlet")
    unread = of_customer(2, project_id="outlet"), of_customer(2)
    places = await written(wiring, [ours, theirs, *unread])
    await recorded(pool, wiring, [ours, theirs], places[:2])
    await put(Recorded(pool, KEEP), [status(1, project_id="outlet", delivery_id="dlv_9")])
    for asked in ({"who": "c1"}, {"event": "ev1"}, {"distribution": "thanks"}, {"who": "c1", "from_topics": True}):
        for project in ("shop", "outlet"):
            found = await told(pool, wiring, project, **asked)
            assert {one.project_id for one in found.decisions} == {project}, asked
            assert len(found.decisions) == (1 if asked == {"event": "ev1"} else 2), asked
    with pytest.raises(NotFound, match="dlv_9"):
        await told(pool, wiring, who="dlv_9")


async def test_nothing_is_told_of_an_erased_customer_that_was_blanked(pool: asyncpg.Pool, wiring: Wiring) -> None:
    before = [of_customer(1), of_customer(2)]
    after = decision(3, NOW + timedelta(seconds=5), customer_id="c1")
    places = await written(wiring, [*before, after])
    await recorded(pool, wiring, before[:1], places[:1])
    await Erasure(pool).note({Keyed("shop", "c1"): NOW})
    for from_topics in (False, True):
        found = await told(pool, wiring, who="c1", from_topics=from_topics)
        assert [(one.detail, one.checks) for one in found.decisions[:2]] == [(None, [])] * 2
        assert found.decisions[2] == after


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"event": "ev3"}, [3]),
        ({"event": "ev3", "who": "c2"}, []),
        ({"distribution": "hello"}, [4, 5]),
        ({"who": "c1", "distribution": "hello"}, [4]),
        ({"who": "c1", "since": NOW - timedelta(minutes=997)}, [3, 4]),
        ({"who": "c1", "until": NOW - timedelta(minutes=997)}, [1, 2]),
        ({"who": "c1", "since": NOW - timedelta(minutes=998), "until": NOW - timedelta(minutes=997)}, [2]),
        ({"distribution": "thanks", "until": NOW - timedelta(minutes=997)}, [1, 2]),
        ({"who": "nobody"}, []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
async def test_decisions_are_found_by_what_is_asked(
    pool: asyncpg.Pool, wiring: Wiring, asked: dict[str, Any], expected: list[int]
) -> None:
    hello = DistributionRef(id="hello", version=1, name="Hello")
    made = [of_customer(1), of_customer(2), of_customer(3), of_customer(4, distribution=hello),
            of_customer(5, "c2", distribution=hello)]  # fmt: skip
    places = await written(wiring, made)
    for count in (0, 3, 5):
        await recorded(pool, wiring, made[:count], places[:count])
        found = await told(pool, wiring, **asked)
        assert [one.event.id for one in found.decisions] == [f"ev{number}" for number in expected], count


async def test_a_code_leads_to_the_customer_and_the_event(pool: asyncpg.Pool, wiring: Wiring) -> None:
    made = [of_customer(1), of_customer(2), of_customer(3, "c2")]
    await kept(pool, wiring, made)
    await saved(pool, campaign())
    codes = Codes(pool)
    await codes.add("shop", "spring", ["A-1"], NOW)
    claim = Claim("req1", "shop", "spring", "c1", {"id": "c1"}, "thanks", "ev2", "Automation")
    await codes.claim([claim], NOW)
    assert [one.event.id for one in (await told(pool, wiring, code="A-1")).decisions] == ["ev2"]
    with pytest.raises(NotFound, match='no published code "A-2"'):
        await told(pool, wiring, code="A-2")


async def test_how_a_delivery_ended_is_known_for_longer_than_the_ledger_has_it(
    pool: asyncpg.Pool, wiring: Wiring
) -> None:
    emitted = of_customer(1, outcome="emitted", reason=None, delivery_id="dlv_1")
    ends = [
        status(1, emitted.event.created_at, customer_id="c1", delivery_id="dlv_1", outcome=outcome, detail=outcome)
        for outcome in ("sent", "delivered")
    ]
    await kept(pool, wiring, [emitted, of_customer(2)])
    await put(Recorded(pool, KEEP), ends)
    for who in ("c1", "dlv_1"):
        found = await told(pool, wiring, who=who)
        assert sorted((one.delivery_id, one.outcome) for one in found.ends) == [
            ("dlv_1", "delivered"),
            ("dlv_1", "sent"),
        ]
        assert (emitted in found.decisions, len(found.decisions)) == (True, 2 if who == "c1" else 1)
    with pytest.raises(NotFound, match="dlv_2"):
        await told(pool, wiring, who="dlv_2")


async def test_what_is_asked_has_to_name_somebody(pool: asyncpg.Pool, wiring: Wiring) -> None:
    with pytest.raises(TidingsError, match="name a customer, a delivery, an event, a code or a distribution"):
        await told(pool, wiring)


@pytest.mark.parametrize("cursor", ["", "x", "bm8", "W10", "é"])
def test_a_cursor_that_no_page_named_is_refused_by_name(cursor: str) -> None:
    with pytest.raises(TidingsError, match="cursor: .* is not valid: must be what the page before it named"):
        read_cursor(cursor)


async def test_while_kafka_is_away_what_is_recorded_is_told(
    pool: asyncpg.Pool, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker's address leads nowhere."""
    await kept(pool, wiring, [of_customer(1)])
    monkeypatch.setattr("agents.broker.extents.PATIENCE", 0.5)
    monkeypatch.setattr(type(wiring.settings.kafka), "client", lambda _: {"bootstrap.servers": "127.0.0.1:1"})
    found = await told(pool, wiring, who="c1")
    assert [one.event.id for one in found.decisions] == ["ev1"]
    assert "what recorders have not read yet is not shown" in found.reading.notes[0]
    assert "dead-letters are not shown" in found.reading.notes[1]


async def test_a_search_looks_at_the_newest_days_first_and_never_through_a_whole_one(pool: asyncpg.Pool) -> None:
    days = [
        [decision(day * 300 + n, NOW - timedelta(days=day), customer_id=f"c{n}") for n in range(300)]
        for day in range(40)
    ]
    for place, made in enumerate(days):
        await put(Recorded(pool, KEEP), made, partition=place)
    await pool.execute("analyze recorded_decisions")
    search, plans = RecordedSearch(pool), list[str]()
    fetch = search._fetch

    async def explained(name: str, *values: object) -> list[asyncpg.Record]:
        if name.startswith("decisions_of"):
            plan = await pool.fetch("explain (analyze, costs off, timing off) " + search._sql[name], *values)
            plans.append("\n".join(row[0] for row in plan))
        return await fetch(name, *values)

    search._fetch = explained  # type: ignore[method-assign]
    assert len(await search.decisions(Asked("shop", customer_id="c7"), 5, NOW)) == 5
    assert len(await search.decisions(Asked("shop", distribution_id="thanks"), 200, NOW)) == 200
    assert len(plans) == 2, "a page that is full needs no older stretch"
    for plan in plans:
        assert "Seq Scan" not in plan
        assert plan.count(" on recorded_decisions_2") <= 10, "a week, and the days around it"
    assert len(await search.decisions(Asked("shop", customer_id="c7"), 100, NOW)) == 40


@pytest.mark.parametrize(
    "few",
    [
        {"outcome": "emitted"},
        {"outcome": "deferred", "reason": "quiet_hours"},
        {"outcome": "skipped", "reason": "capped"},
    ],
    ids=["sent", "held", "skipped for a reason"],
)
async def test_of_a_distribution_the_few_of_an_outcome_are_found_without_reading_the_rest(
    pool: asyncpg.Pool, few: dict[str, Any]
) -> None:
    """The oldest of each day are the few, so that whoever reads the newest first reads nearly all."""
    for day in range(4):
        at = NOW - timedelta(days=day)
        rare = [decision(day * 9000 + n, at, **{"reason": None, **few}) for n in range(3)]
        rest = [decision(day * 9000 + 10 + n, at + timedelta(seconds=1 + n), reason="consent") for n in range(1000)]
        await put(Recorded(pool, KEEP), [*rare, *rest], partition=day)
    await pool.execute("vacuum analyze recorded_decisions")
    search, plans = RecordedSearch(pool), list[Any]()
    fetch = search._fetch

    async def explained(name: str, *values: object) -> list[asyncpg.Record]:
        plans.append(await pool.fetchval("explain (analyze, format json) " + search._sql[name], *values))
        return await fetch(name, *values)

    search._fetch = explained  # type: ignore[method-assign]
    found = await search.decisions(Asked("shop", distribution_id="thanks", **few), 10, NOW + timedelta(hours=1))
    assert [row["outcome"] for row in found] == [few["outcome"]] * 10
    assert found == sorted(found, key=lambda row: row["event_at"], reverse=True)
    assert sum(rows_read(json.loads(plan)[0]["Plan"], "recorded_decisions") for plan in plans) < 100, plans


async def test_the_doctor_names_what_is_not_recorded_and_that_nobody_does(pool: asyncpg.Pool, wiring: Wiring) -> None:
    assert (await examine_recorder(pool, wiring, NOW)).startswith("none has ever run")
    mine = [of_customer(number) for number in range(4)]
    places = await written(wiring, mine)
    await recorded(pool, wiring, mine[:1], places[:1])
    with pytest.raises(TidingsError, match="3 records of .* not recorded yet, .*; no recorder runs. Start one with"):
        await examine_recorder(pool, wiring, NOW)
    await recorded(pool, wiring, mine[1:], places[1:])
    assert await examine_recorder(pool, wiring, NOW) == "everything is recorded; no recorder runs"
