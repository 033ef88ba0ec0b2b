"""Retention of the past: ids for ever, content for a while, and nothing of those who were erased."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import msgspec
import pytest

from agents.ingest_time import moment
from agents.roles.sender.claimant import Claimant
from agents.roles.sender.entry import Entry
from agents.roles.sender.erasures import Erasures
from agents.roles.sender.leases import Leases
from agents.roles.sender.ledger_rows import read_stored, row_of
from agents.roles.sender.work import Work
from agents.transport.batch import Batch
from schemas.channels.email import EmailAddress, EmailDelivery
from schemas.channels.webhook import WebhookAddress, WebhookDelivery
from schemas.delivery import Delivery, DistributionRef, EventRef, Recipient
from schemas.record_key import Keyed
from schemas.template import StoredTemplate
from schemas.topics import REPLAYABLE
from store.codes.pool import Codes
from store.distributions import Change, Control
from store.erasure import Erasure
from store.retention import Retention
from store.sending.deliveries import Deliveries, DeliveryFilter
from store.sending.ledger import Ledger, NewDelivery
from tests.factory import NOW, rule
from tests.integration.test_codes import campaign, filled, saved
from tests.integration.test_codes import claim as code_claim
from tests.integration.test_store import LEASE, announce, claim, due, later, new, settlement

KEEP, DAY = timedelta(days=90), timedelta(days=1)
IDS = ("dlv_" + "0a" * 16, "dlv_" + "0b" * 16, "dlv_abcdefghijklmnopqrstuvwx")
PAST = KEEP + 4 * DAY
"""Longer ago than anything is kept."""


def retention(pool: asyncpg.Pool, keep: timedelta = KEEP) -> Retention:
    return Retention(pool, keep, batch_size=2, each=timedelta())


async def ended(ledger: Ledger, *ids: str, announced: bool = True, **changes: Any) -> list[NewDelivery]:
    rows = [new(0, delivery_id=one, **changes) for one in ids]
    await claim(ledger, "s", rows)
    await ledger.settle([settlement(one) for one in ids], owner="s")
    if announced:
        await announce(ledger, *ids)
    return rows


async def kept(pool: asyncpg.Pool) -> dict[str, str]:
    return {row["delivery_id"]: row["state"] for row in await pool.fetch("select delivery_id, state from deliveries")}


async def tidied(pool: asyncpg.Pool) -> None:
    """The days go, and a round after it is known that nothing older is sent, the ids."""
    for _ in range(4):
        await retention(pool).tidy()


async def test_days_that_are_long_over_go_and_no_other(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await ended(ledger, "old")
    await later(pool, 30 * DAY)
    await ended(ledger, "younger")
    await later(pool, KEEP - 30 * DAY + DAY)
    await ended(ledger, "today")
    assert (await retention(pool).tidy())["days"] >= 1
    assert await kept(pool) == {"younger": "sent", "today": "sent"}
    assert await ledger.attempts_of(["old"]) == []


async def test_what_waits_or_is_not_told_yet_never_goes_with_a_day(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await ended(ledger, "untold", announced=False)
    await claim(ledger, "s", [new(1)])
    await later(pool, PAST)
    await tidied(pool)
    assert await kept(pool) == {"untold": "sent", "d1": "waiting"}
    await announce(ledger, "untold")
    await tidied(pool)
    assert await kept(pool) == {"untold": "sent", "d1": "waiting"}, "it is over since today"


@pytest.mark.parametrize("lasts", [True, False])
async def test_an_id_is_known_as_long_as_its_event_would_be_sent_and_for_ever_where_it_is_sent_once(
    pool: asyncpg.Pool, lasts: bool
) -> None:
    ledger = Ledger(pool, keep=KEEP)
    happened_at = datetime.now(UTC)
    repeats_until = None if lasts else happened_at
    rows = await ended(ledger, *IDS, happened_at=happened_at, repeats_until=repeats_until)
    await later(pool, KEEP - DAY)
    await tidied(pool)
    assert await claim(ledger, "s", rows) == set()
    await later(pool, 5 * DAY)
    await tidied(pool)
    assert await pool.fetchval("select count(*) from claims") == (3 if lasts else 0)
    assert await kept(pool) == {}
    again = [msgspec.structs.replace(one, happened_at=happened_at - PAST) for one in rows]
    assert await claim(ledger, "s", [*again, new(1)]) == {"d1"}, "known, or too old: never sent again"
    assert await kept(pool) == {"d1": "waiting"} | ({} if lasts else dict.fromkeys(IDS, "failed"))


async def test_ids_outlive_the_content_of_what_waited_for_long(pool: asyncpg.Pool) -> None:
    ledger, now = Ledger(pool, keep=KEEP), datetime.now(UTC)
    rows = [new(number, happened_at=now, repeats_until=now) for number in range(2)]
    await claim(ledger, "s", rows)
    await later(pool, PAST)
    await tidied(pool)
    await ledger.settle([settlement("d0")], owner="s")
    await announce(ledger, "d0")
    await later(pool, 3 * DAY)
    await tidied(pool)
    assert await claim(ledger, "s", [msgspec.structs.replace(one, happened_at=now - PAST) for one in rows]) == set()
    assert await kept(pool) == {"d0": "sent", "d1": "waiting"}
    assert (
        await ledger.claim_unannounced(owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(), limit=9)
        == []
    ), "nothing is said of them a second time"


async def test_what_is_longer_ago_than_is_kept_is_expired_and_told_and_never_sent(pool: asyncpg.Pool) -> None:
    ledger, now = Ledger(pool, keep=KEEP), datetime.now(UTC)
    ages = {"young": KEEP - DAY, "past": KEEP + DAY, "future": -KEEP}
    rows = [new(0, delivery_id=one, happened_at=now - age, repeats_until=now - age) for one, age in ages.items()]
    assert await claim(ledger, "s", rows) == {"young", "future"}
    (told,) = await ledger.claim_unannounced(
        owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(), limit=9
    )
    assert (told.delivery_id, told.state, told.reason, told.attempts) == ("past", "failed", "expired", 0)
    assert await claim(ledger, "s", rows) == set()
    await announce(ledger, "past")
    everything = DeliveryFilter("shop", ids=("past",))
    assert await Deliveries(pool).act("resend", everything, "me", after="", limit=9) == []


async def test_what_may_be_forgotten_stays_too_old_when_more_is_kept_from_now_on(pool: asyncpg.Pool) -> None:
    await retention(pool).tidy()
    years, now = Ledger(pool, keep=1000 * DAY), datetime.now(UTC)
    rows = [new(number, happened_at=now - age, repeats_until=now - age) for number, age in enumerate((PAST, DAY))]
    assert await claim(years, "s", rows) == {"d1"}


async def test_erasures_are_known_as_long_as_events_may_still_be_sent(pool: asyncpg.Pool) -> None:
    now = datetime.now(UTC)
    rows = [("shop", "young", now - REPLAYABLE + DAY), ("shop", "old", now - REPLAYABLE - DAY)]
    await pool.executemany(
        "insert into erased_customers (project_id, customer_id, erased_at) values ($1, $2, $3)", rows
    )
    await Retention(pool, DAY).tidy()
    assert [row["customer_id"] for row in await pool.fetch("select customer_id from erased_customers")] == ["young"]


async def test_two_senders_at_once_enter_each_delivery_once_while_ids_are_forgotten(pool: asyncpg.Pool) -> None:
    ledger, now = Ledger(pool, keep=KEEP), datetime.now(UTC)
    rows = [new(number, happened_at=now, repeats_until=now) for number in range(200)]
    shuffled = [rows, rows[::-1], rows[100:] + rows[:100]]
    claims = await asyncio.gather(
        *(claim(ledger, f"s{number}", one) for number, one in enumerate(shuffled)), tidied(pool)
    )
    assert sorted(identity for one in claims[:3] for identity in one or ()) == sorted(row.delivery_id for row in rows)


async def test_who_reads_for_long_keeps_a_day_and_stops_nobody(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await ended(ledger, "old")
    await later(pool, PAST)
    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("select count(*) from deliveries")
        assert "days" not in await retention(pool).tidy()
        await ended(ledger, "new")
    assert (await retention(pool).tidy())["days"] >= 1
    assert await kept(pool) == {"new": "sent"}


async def test_days_are_made_where_the_clock_has_gone_past_them(pool: asyncpg.Pool) -> None:
    days = await pool.fetch("select inhrelid::regclass::text as day from pg_inherits where inhparent = $1::regclass",
                            "ended_deliveries")  # fmt: skip
    for row in days:
        await pool.execute(f"drop table {row['day']}")
    await ended(Ledger(pool), "d1")
    assert await kept(pool) == {"d1": "sent"}


async def test_one_process_at_a_time_tidies(pool: asyncpg.Pool) -> None:
    await ended(Ledger(pool), *IDS)
    first, second = (Retention(pool, KEEP) for _ in range(2))
    await first.tidy()
    await later(pool, PAST)
    assert [await one.tidy() for one in (first, second)] == [{}] * 2, "two minutes have not passed"
    assert len(await kept(pool)) == 3


async def test_texts_go_once_nothing_sends_them(pool: asyncpg.Pool) -> None:
    control, ledger = Control(pool), Ledger(pool)
    texts = [StoredTemplate(name="t", subject=subject, text="x") for subject in ("old", "waits", "newest")]
    for version, text in enumerate(texts, 1):
        one = rule(channels=[{"webhook": {"url": "https://hooks.example.com/x", "type": "t"}}])
        definition = msgspec.to_builtins(msgspec.structs.replace(one, version=version))
        await control.save(
            [Change(msgspec.structs.replace(one, version=version), "", (text,))], applied_by="me", now=NOW
        )
        definition["channels"][0]["template"] = {"name": "t", "digest": text.ref.digest}
        await pool.execute(
            "update distribution_versions set definition = $2, applied_at = now() - interval '200 days'"
            " where version = $1",
            version,
            msgspec.json.encode(definition).decode(),
        )
    await pool.execute("update templates set created_at = now() - interval '200 days'")
    await claim(ledger, "s", [new(1, distribution_id=one.id, distribution_version=2)])
    assert await retention(pool).tidy() == {"templates": 1}
    assert [await control.template(text.ref.digest) for text in texts] == [None, *texts[1:]]
    await ledger.settle([settlement("d1", "failed")], owner="s")
    await announce(ledger, "d1")
    await pool.execute("delete from chores")
    assert await retention(pool).tidy() == {}, "what failed may be sent again"
    await later(pool, PAST)
    await pool.execute("delete from chores")
    assert (await retention(pool).tidy())["templates"] == 1


# -- erasure ----------------------------------------------------------------------------------------------------


@dataclass
class Record:
    key: bytes | None
    value: bytes | None
    timestamp: int | None


@dataclass
class Records:
    records: list[Record]


def delivery(number: int, customer: str) -> Delivery:
    shared: dict[str, Any] = {
        "delivery_id": f"d{number}", "project_id": "shop", "distribution": DistributionRef(id="x", version=1, name="X"),
        "event": EventRef(id="e", type="customer.order.paid", created_at=datetime.now(UTC)),
        "priority": 0, "category": "marketing",
        "customer": Recipient(id=customer, locale="pl-PL"), "data": {"customer": {"email": "jo@example.com"}},
    }  # fmt: skip
    if number % 2:
        address = WebhookAddress(url="https://h.example.com/jo@example.com", type="t", headers={"x": "jo@example.com"})
        return WebhookDelivery(account="h.example.com", webhook=address, **shared)
    ref = StoredTemplate(name="t", subject="s", text="x").ref
    return EmailDelivery(account="main", email=EmailAddress(to="jo@example.com", name="Jo", template=ref), **shared)


class Stage:
    """A sender's ledger and what it does at tombstones; `at` is when events arrived, in seconds from a start."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool, self.ledger, self.leases = pool, Ledger(pool), Leases(LEASE)
        self.erasures = Erasures(Erasure(pool), self.leases, owner="s", default_project="shop")

    async def enter(self, number: int, customer: str = "jo", *, at: int = 0, wait: timedelta = timedelta()) -> bool:
        row = row_of(Work(delivery(number, customer), 0, moment(at * 1000)), wait)
        return f"d{number}" in await claim(self.ledger, "s", [row])

    async def tombstone(self, *customers: str, at: int | None) -> None:
        records = [Record(one.encode(), None, None if at is None else at * 1000) for one in customers]
        others = [Record(None, None, 0), Record(b"x", b"{}", 0), Record(b"a\0b", None, 0), Record(b"\xff", None, 0)]
        await self.erasures.take(cast(Batch, Records([*others, *records])))

    async def rows(self) -> Mapping[str, asyncpg.Record]:
        found = await self.pool.fetch("select * from deliveries")
        return {row["delivery_id"]: row for row in found}


@pytest.fixture
def stage(pool: asyncpg.Pool) -> Stage:
    return Stage(pool)


def says_nothing(row: asyncpg.Record) -> bool:
    return b"jo@example" not in row["record"] and b"pl-PL" not in row["record"] and not row["provider_id"]


async def test_a_tombstone_ends_what_waits_and_blanks_what_was_sent(stage: Stage) -> None:
    for number in (1, 2):
        await stage.enter(number)
    await stage.ledger.settle([settlement("d1", provider_id="jo"), settlement("d2", "waiting", wait=LEASE)], owner="s")
    await stage.enter(3, wait=LEASE)
    await stage.enter(4, "other")
    await stage.tombstone("jo", at=10)
    rows = await stage.rows()
    assert {one: (row["state"], row["reason"]) for one, row in rows.items()} == {
        "d1": ("sent", None), "d2": ("failed", "no_address"), "d3": ("failed", "no_address"), "d4": ("waiting", None),
    }  # fmt: skip
    assert [says_nothing(rows[one]) for one in ("d1", "d2", "d3", "d4")] == [True, True, True, False]
    assert {row["detail"] for row in await stage.ledger.attempts_of(["d1", "d2"])} == {""}
    kept = read_stored(rows["d3"]["record"])
    assert (kept.delivery_id, kept.customer, kept.event.type) == ("d3", Recipient(id="jo"), "customer.order.paid")
    await stage.pool.execute("update open_deliveries set settled_at = settled_at - interval '1 minute'")
    told = await stage.ledger.claim_unannounced(
        owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(seconds=1), limit=10
    )
    assert {one.delivery_id: read_stored(one.record).customer.id for one in told} == dict.fromkeys(
        ["d1", "d2", "d3"], "jo"
    )


async def test_what_had_arrived_before_the_tombstone_and_is_read_after_it_is_not_sent(stage: Stage) -> None:
    await stage.tombstone("jo", at=10)
    assert not await stage.enter(1, at=10)
    assert await stage.enter(2, at=11), "who comes back is a new customer"
    await stage.tombstone("jo", at=5)
    assert not await stage.enter(3, at=10), "an older tombstone that is read again takes nothing back"
    await stage.erasures.sweep([Keyed("shop", "jo"), Keyed("shop", "nobody")])
    rows = await stage.rows()
    assert [rows[one]["state"] for one in ("d1", "d2", "d3")] == ["failed", "waiting", "failed"]
    assert [says_nothing(rows[one]) for one in ("d1", "d2", "d3")] == [True, False, True]


async def test_what_is_entered_while_the_tombstone_is_read_is_blanked_as_well(stage: Stage) -> None:
    claimant = Claimant(stage.ledger, owner="s", lease=LEASE)
    attempts: Any = SimpleNamespace(start=lambda work: None)
    capacity: Any = SimpleNamespace(wait_for=takes_more)
    entry = Entry(claimant, attempts, capacity, stage.erasures, {}, poll=timedelta(seconds=1))
    entry.open()
    chunk: Any = SimpleNamespace(items=[Work(delivery(1, "jo"), 0, moment(0))])
    async with stage.pool.acquire() as other:
        entering_too = other.transaction()
        await entering_too.start()
        await other.execute("insert into claims (delivery_key) values (claim_key('d1'))")
        entering = asyncio.create_task(entry.enter(chunk))
        waiting = "select exists (select from pg_stat_activity where datname = current_database()"
        async with asyncio.timeout(90):
            while not await other.fetchval(f"{waiting} and wait_event_type = 'Lock' and query like '%claimed as%')"):
                await other.execute("select pg_stat_clear_snapshot()")
                await asyncio.sleep(0.05)
        await stage.tombstone("jo", at=10)
        await entering_too.rollback()
    assert await entering == 1
    assert says_nothing((await stage.rows())["d1"])


async def takes_more(destination: object) -> bool:
    return True


async def test_a_tombstone_that_does_not_say_when_counts_from_now(stage: Stage) -> None:
    await stage.enter(1, wait=LEASE)
    await stage.tombstone("jo", at=None)
    assert (await stage.rows())["d1"]["reason"] == "no_address"
    assert await stage.enter(2, at=32_503_680_000)


async def test_what_is_in_memory_is_not_begun_and_ends_with_its_lease(stage: Stage) -> None:
    assert await stage.enter(1)
    stage.leases.taken(["d1"], asked=1e12)
    await stage.tombstone("jo", at=10)
    assert not stage.leases.is_ours("d1")
    row = (await stage.rows())["d1"]
    assert (row["state"], says_nothing(row)) == ("waiting", True)
    await later(stage.pool, LEASE)
    (leased,) = await stage.ledger.claim_due(owner="s", lease=LEASE, limit=9, a_destination=9)
    assert leased.is_erased
    await stage.erasures.end({leased.delivery_id: leased.record})
    assert (await stage.rows())["d1"]["reason"] == "no_address"
    assert await due(stage.ledger, "s") == set()


async def test_what_a_provider_answers_after_the_tombstone_is_not_kept(stage: Stage) -> None:
    assert await stage.enter(1)
    await stage.tombstone("jo", at=10)
    refused = msgspec.structs.replace(settlement("d1", "failed"), detail="550 <jo@example.com>: no such user")
    (settled,) = await stage.ledger.settle([refused], owner="s")
    assert (settled.state, settled.detail) == ("failed", "")
    assert {row["detail"] for row in await stage.ledger.attempts_of(["d1"])} == {""}


async def test_a_code_stays_and_says_nothing_of_whom_it_went_to(stage: Stage) -> None:
    await saved(stage.pool, campaign())
    await filled(stage.pool, ["A", "B"])
    asked = msgspec.structs.replace(code_claim(1), customer={"id": "c1", "name": "Jo"})
    other = msgspec.structs.replace(code_claim(2), customer={"id": "c2", "name": "Al"})
    codes, now = Codes(stage.pool), datetime.now(NOW.tzinfo)
    await codes.claim([asked, other], now)
    await stage.tombstone("c1", at=10)
    first, second = await codes.claim([asked, other], now)
    assert [one.publication["customer"].get("name") for one in (first, second)] == [None, "Al"]  # type: ignore[union-attr]
