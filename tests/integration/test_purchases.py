"""Purchases in the read models: each once, joined with the delivery that gave the very code, whichever comes first."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.broker.partitioner import partition_of
from agents.broker.records import Output
from agents.broker.writer import Writer
from agents.recorded_rows import PurchaseReader, status_row
from agents.wiring import Wiring
from console.cli.context import database
from console.control.rebuild import rebuild_read_models
from schemas.code_key import code_key
from schemas.decision import DeliveryStatus
from schemas.record_key import Keyed
from schemas.topics import DELIVERY_STATUS
from store.erasure import Erasure
from store.postgres import connect
from store.read_models.recorded import PurchaseRow, Put, Recorded, Row, Source, Sourced
from store.read_models.results import Redeemed, ResultFilter, redemptions
from tests.integration.test_recorder import KEEP, NOW, status

REDEMPTIONS = "events.redemptions"
HOUR = timedelta(hours=1)
TODAY = ResultFilter("shop", NOW - timedelta(days=30), NOW + HOUR)


def purchase(number: int = 0, at: datetime = NOW, **changes: Any) -> PurchaseRow:
    """A redemption of the code of its number."""
    given: dict[str, Any] = {
        "day": at.date(), "project_id": "shop", "event_id": f"ev_r{number}", "customer_id": f"c{number}",
        "event_at": at,
        "kind": "redemption", "subject_id": f"r{number}", "code_key": code_key("shop", f"CODE-{number}"),
        "amount": 1_000, "currency": "EUR",
    }  # fmt: skip
    return PurchaseRow(**(given | changes))


def gave(number: int = 0, at: datetime = NOW - HOUR, **changes: Any) -> DeliveryStatus:
    """The end of a delivery that gave the code of a number."""
    return status(number, at, **({"code_key": code_key("shop", f"CODE-{number}"), "arm": "a"} | changes))


async def put(recorded: Recorded, rows: Sequence[PurchaseRow | DeliveryStatus], start: int = 0) -> Put:
    """Rows of one kind, at the offsets from `start` on."""
    made: list[Row] = [status_row(one) if isinstance(one, DeliveryStatus) else one for one in rows]
    is_status = isinstance(rows[0], DeliveryStatus)
    source = Source("delivery.status" if is_status else "events.redemptions", 0, start + len(made), start + len(made))
    sourced = [Sourced(start + place, start + place, row) for place, row in enumerate(made)]
    return await (recorded.put_statuses if is_status else recorded.put_purchases)(source, sourced)


async def found_by(pool: asyncpg.Pool) -> dict[str, str | None]:
    """The delivery that each redemption names."""
    rows = await pool.fetch("select event_id, delivery_id from recorded_purchases where kind = 'redemption'")
    return {row["event_id"]: row["delivery_id"] for row in rows}


async def test_an_event_is_one_row_however_often_it_is_read(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    first = [purchase(number) for number in range(5)]
    assert await put(recorded, first) == Put(new=5)
    assert await put(recorded, first) == Put(known=5)
    assert await put(recorded, [*first[1:], purchase(5)], start=5) == Put(new=1, known=4)
    assert await put(recorded, [purchase(9, NOW - KEEP - timedelta(days=2))], start=10) == Put(late=1)
    assert await pool.fetchval("select count(*) from recorded_purchases") == 6


RECORDS: tuple[PurchaseRow | DeliveryStatus, ...] = (
    gave(1, NOW - 3 * HOUR, delivery_id="dlv_first"),
    gave(1, NOW - 2 * HOUR, delivery_id="dlv_second"),
    gave(1, NOW + HOUR, delivery_id="dlv_after"),
    purchase(1),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
async def test_a_redemption_names_the_last_delivery_before_it_in_whatever_order_they_are_recorded(
    pool: asyncpg.Pool, order: tuple[int, ...]
) -> None:
    recorded = Recorded(pool, KEEP)
    for place, one in enumerate(order):
        await put(recorded, [RECORDS[one]], start=place)
    assert await found_by(pool) == {"ev_r1": "dlv_second"}
    [row] = await redemptions(pool, TODAY, most=10)
    assert row == Redeemed("thanks", "a", "EUR", 1, 0, 1, 1_000)


@pytest.mark.parametrize(
    "other",
    [
        gave(2),
        gave(1, project_id="outlet"),
        gave(1, outcome="failed"),
        gave(1, outcome="delivered"),
        gave(1, code_key=None),
        gave(1, NOW + timedelta(minutes=2)),
    ],
)
async def test_what_did_not_give_this_code_is_not_named(pool: asyncpg.Pool, other: DeliveryStatus) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [other])
    await put(recorded, [purchase(1)])
    await put(recorded, [other, other], start=1)
    assert await found_by(pool) == {"ev_r1": None}
    assert await redemptions(pool, TODAY, most=10) == [Redeemed(None, None, "EUR", 1, 0, 1, 1_000)]


async def test_of_recorders_that_write_at_once_none_misses_what_the_other_writes(dsn: str, pool: asyncpg.Pool) -> None:
    """Each pair's two records are put at once, from two connections, in chunks of their own."""
    several, rng = await connect(dsn, size=8), random.Random(69)
    try:
        recorded = Recorded(several, KEEP)
        for number in range(0, 240, 4):
            numbers = range(number, number + 4)
            work = [put(recorded, [gave(one) for one in numbers], number)]
            work += [put(recorded, [purchase(one) for one in numbers], number)]
            rng.shuffle(work)
            await asyncio.gather(*work)
        found = await found_by(pool)
        assert len(found) == 240
        assert [one for one, delivery in found.items() if delivery is None] == []
    finally:
        await several.close()


async def test_revenue_is_that_of_what_was_not_taken_back_by_distribution_arm_and_currency(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [gave(one, arm="ab"[one % 2]) for one in range(6)])
    bought = [purchase(one, amount=100 * (one + 1)) for one in range(6)]
    back = purchase(2, event_id="ev_back", kind="rollback", code_key=None)
    dollars = purchase(0, event_id="ev_usd", subject_id="r_usd", currency="USD", amount=5)
    more = [purchase(1, event_id="ev_none", subject_id="r_none", amount=None), purchase(7, code_key=None, amount=40)]
    other = purchase(1, project_id="outlet", event_id="ev_outlet")
    await put(recorded, [back, *bought, dollars, *more, other])
    assert await redemptions(pool, TODAY, most=10) == [
        Redeemed("thanks", "a", "EUR", 3, 1, 3, 100 + 500),
        Redeemed("thanks", "a", "USD", 1, 0, 1, 5),
        Redeemed("thanks", "b", "EUR", 4, 0, 3, 200 + 400 + 600),
        Redeemed(None, None, "EUR", 1, 0, 1, 40),
    ]
    earlier = ResultFilter("shop", NOW - 2 * HOUR, NOW - HOUR, "thanks")
    assert await redemptions(pool, earlier, most=10) == []
    assert len(await redemptions(pool, TODAY, most=1)) == 2, "one more says that there are more"


async def test_of_an_erased_customer_no_code_is_kept_and_nothing_is_found_any_more(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [gave(1, customer_id="c1"), gave(2, customer_id="c2")])
    await put(recorded, [purchase(1), purchase(2)])
    await Erasure(pool).note({Keyed("shop", "c1"): NOW + HOUR})
    await put(recorded, [purchase(1, event_id="ev_late"), purchase(2, event_id="ev_late2")], start=2)
    assert await found_by(pool) == {
        "ev_r1": f"dlv_{1:032x}", "ev_r2": f"dlv_{2:032x}", "ev_late": None, "ev_late2": f"dlv_{2:032x}",
    }  # fmt: skip
    kept = await pool.fetch("select customer_id from recorded_purchases where code_key is not null")
    assert {row["customer_id"] for row in kept} == {"c2"}
    kept = await pool.fetch("select customer_id from recorded_statuses where code_key is not null")
    assert {row["customer_id"] for row in kept} == {"c2"}


async def test_days_that_are_over_are_dropped(pool: asyncpg.Pool) -> None:
    await put(Recorded(pool, KEEP), [purchase(1, NOW - timedelta(days=40)), purchase(2)])
    assert await Recorded(pool, timedelta(days=30), each=timedelta()).tidy() == 1
    assert set(await found_by(pool)) == {"ev_r2"}


async def on_topics(wiring: Wiring, ends: Sequence[DeliveryStatus], events: Sequence[dict[str, Any]]) -> None:
    """Ends of deliveries and redemptions where senders and upstream would have put them."""
    outputs = []
    for topic, customer, raw in (
        *((DELIVERY_STATUS, one.customer_id, wiring.codec(DELIVERY_STATUS).encode(one)) for one in ends),
        *((REDEMPTIONS, one["data"]["customer"]["id"], msgspec.json.encode(one)) for one in events),
    ):
        key = wiring.key("shop", customer)
        partition = partition_of(key, wiring.settings.topics.partitions)
        outputs.append(Output(wiring.topic(topic), key, raw, partition))
    places = await asyncio.to_thread(Writer(wiring.settings.kafka.client()).write, outputs)
    assert not any(one.refused for one in places)


async def rows(pool: asyncpg.Pool) -> list[tuple[Any, ...]]:
    """All that is kept of purchases, but for the moment at which a row came to be."""
    found = await pool.fetch("select * from recorded_purchases order by event_id")
    return [tuple(value for name, value in row.items() if name != "recorded_at") for row in found]


@pytest.mark.parametrize(
    "damage", ["delete from recorded_purchases", "update recorded_purchases set amount = 1, arm = 'x'"]
)
async def test_made_anew_from_the_topics_they_are_the_same(wiring: Wiring, damage: str) -> None:
    days = [NOW - timedelta(days=one) for one in (3, 2, 1)]
    ends = [gave(number, days[number % 3], customer_id=f"c{number}") for number in range(12)]
    events = [redeemed(number, days[number % 3] + HOUR) for number in range(15)]
    async with database(wiring) as pool:
        recorded = Recorded(pool, KEEP)
        reader = PurchaseReader(wiring, REDEMPTIONS)
        made = [reader.row(msgspec.json.encode(one), one["data"]["customer"]["id"].encode(), (), NOW) for one in events]
        await put(recorded, [one for one in made if one])
        await put(recorded, ends)
        before = await rows(pool)
        assert len(before) == 15
        assert sum(one is not None for one in (await found_by(pool)).values()) == 12
        await on_topics(wiring, ends, events)
        await pool.execute(damage)
        done = await rebuild_read_models(pool, wiring, actor="ann", now=NOW)
        assert await rows(pool) == before
        assert sum(one.purchases for one in done.replaced) == 15


def redeemed(number: int, at: datetime = NOW) -> dict[str, Any]:
    """The event of a redemption."""
    return {
        "id": f"e{number}", "project_id": "shop", "type": "customer.redemption.succeeded", "created_at": at.isoformat(),
        "data": {
            "customer": {"id": f"c{number}"}, "redemption": {"id": f"r{number}"}, "voucher": {"code": f"CODE-{number}"},
            "order": {"id": f"o{number}", "amount": 1_200, "total_amount": 1_000, "currency": "EUR"},
        },
    }  # fmt: skip


def test_events_that_are_not_purchases_or_not_events_are_passed_by(wiring: Wiring) -> None:
    reader, event = PurchaseReader(wiring, REDEMPTIONS), redeemed(1)
    encode = msgspec.json.encode
    found = reader.row(encode(event), b"c1", (), NOW)
    assert found == purchase(1, event_id="e1")
    for value, key in ((None, b"c1"), (b"{", b"c1"), (encode(event), b"c2"), (encode(event), None)):
        assert reader.row(value, key, (), NOW) is None
    assert reader.row(encode({**event, "created_at": (NOW + HOUR).isoformat()}), b"c1", (), NOW) is None
