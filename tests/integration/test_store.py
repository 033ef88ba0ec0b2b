"""The ledger, the control plane and the migrations on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import math
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from deploy.embedded.postgres import PostgresServer
from schemas.destination import Destination
from schemas.distribution import Again
from schemas.errors import CannotStart, TryLater
from schemas.template import StoredTemplate
from store.distributions import Change, Control, OutboxEntry, VersionConflict
from store.horizon import held_for_long, said_of_held
from store.migrate import FOLDER, migrate
from store.postgres import connect, where
from store.sending.claim_keys import claim_key
from store.sending.deliveries import Deliveries, DeliveryFilter
from store.sending.ledger import Leased, Ledger, NewDelivery, Settlement
from store.sql import queries
from tests.factory import NOW, rule

LEASE = timedelta(seconds=60)
SOON = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
HOST = Destination("shop", "webhook", "a")


def new(number: int, destination: str = "a", **changes: Any) -> NewDelivery:
    fields: dict[str, Any] = {
        "delivery_id": f"d{number}", "project_id": "shop", "distribution_id": "x", "distribution_version": 1,
        "event_id": "e", "customer_id": "c1", "channel": "webhook", "destination": destination, "priority": 0,
        "expires_at": None, "record": b"r", "arrived_at": NOW, "happened_at": datetime.now(UTC), "repeats_until": None,
    }  # fmt: skip
    return NewDelivery(**{**fields, **changes})


def settlement(identity: str, state: Any = "sent", **changes: Any) -> Settlement:
    return Settlement(identity, state, "HTTP 200", **{"ended": time.monotonic(), **changes})


async def claim(ledger: Ledger, owner: str, rows: Sequence[NewDelivery]) -> set[str]:
    return set(await ledger.claim_new(rows, owner=owner, lease=LEASE))


async def due(ledger: Ledger, owner: str, **changes: Any) -> set[str]:
    options: dict[str, Any] = {"lease": LEASE, "limit": 100, "a_destination": 100, **changes}
    return {row.delivery_id for row in await ledger.claim_due(owner=owner, **options)}


async def announce(ledger: Ledger, *ids: str) -> None:
    """`delivery.status` has been told how these ended."""
    ends = await ledger.claim_unannounced(owner="teller", lease=timedelta(), settled_for=timedelta(days=-1), limit=1000)
    await ledger.mark_announced([(one.delivery_id, one.settled_at) for one in ends if one.delivery_id in ids])


async def later(pool: asyncpg.Pool, time_: timedelta) -> None:
    """So much time passes by the only clock that counts: all that is written down lies further back."""
    await pool.execute(
        "update open_deliveries set due_at = due_at - $1::interval, lease_until = lease_until - $1::interval,"
        " settled_at = settled_at - $1::interval, expires_at = expires_at - $1::interval,"
        " created_at = created_at - $1::interval",
        time_,
    )
    days = await pool.fetch(
        "select distinct ((announced_at - $1::interval) at time zone 'UTC')::date as day from ended_deliveries", time_
    )
    await pool.execute("select make_days(day, day) from unnest($1::date[]) as day", [row["day"] for row in days])
    await pool.execute("update ended_deliveries set announced_at = announced_at - $1::interval", time_)
    await pool.execute("update claims set last_day = last_day - $1::int", time_.days)


async def test_an_id_has_one_key_here_and_in_the_database(pool: asyncpg.Pool) -> None:
    ours = "dlv_" + "0a" * 16
    for identity in (ours, ours.upper(), ours + "0a", ours + "\n", "", "d1", "of sixteen chars", "ósixteen bytes!"):
        assert await pool.fetchval("select claim_key($1)", identity) == uuid.UUID(claim_key(identity)), identity


async def test_a_delivery_is_claimed_once(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    rows = [new(number) for number in range(200)]
    claims = await asyncio.gather(*(claim(ledger, f"s{sender}", rows) for sender in range(4)))
    assert sorted(identity for one in claims for identity in one) == sorted(row.delivery_id for row in rows)


async def test_a_claim_judges_each_delivery_once(pool: asyncpg.Pool) -> None:
    columns = [list[object]() for _ in NewDelivery.__struct_fields__]
    plan = await pool.fetch(
        "explain " + queries("ledger")["claim_new"], *columns[:-1], "s", LEASE, LEASE, [], columns[-1]
    )
    tables = "suppressions", "consent_choices", "consents", "erased_customers"
    assert Counter(name for (line,) in plan for name in tables if f" on {name} " in line) == Counter(tables)


async def test_due_deliveries_are_never_shared(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    assert await claim(ledger, "gone", [new(number, wait=LEASE) for number in range(300)]) == set()
    await later(pool, LEASE)
    chunks = await asyncio.gather(*(due(ledger, f"s{sender}", limit=500, a_destination=500) for sender in range(4)))
    assert sum(map(len, chunks)) == len(set().union(*chunks)) == 300


async def test_a_lease_that_ended_goes_to_another_sender_and_a_late_failure_changes_nothing(
    pool: asyncpg.Pool,
) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "late", [new(1)])
    assert await due(ledger, "next") == set()
    await later(pool, LEASE)
    assert await due(ledger, "next", take_over=False) == set()
    assert await due(ledger, "next") == {"d1"}
    assert await ledger.settle([settlement("d1", "failed")], owner="late") == []
    assert await ledger.renew(["d1"], owner="late", lease=LEASE) == set()
    (settled,) = await ledger.settle([settlement("d1", "failed")], owner="next")
    assert settled.state == "failed"


async def test_what_was_accepted_is_sent_whoever_holds_it_by_now(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "late", [new(1)])
    await later(pool, LEASE)
    assert await due(ledger, "next") == {"d1"}
    assert [one.state for one in await ledger.settle([settlement("d1")], owner="late")] == ["sent"]
    assert await ledger.renew(["d1"], owner="next", lease=LEASE) == set()
    assert await ledger.settle([settlement("d1", "waiting", wait=SOON)], owner="next") == []


async def test_what_was_accepted_counts_over_a_failure_that_came_first_whether_it_was_told_or_not(
    pool: asyncpg.Pool,
) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await claim(ledger, "late", [new(1), new(2), new(3)])
    await later(pool, LEASE)
    chosen = DeliveryFilter("shop", ids=("d1", "d2"))
    assert await deliveries.act("cancel", chosen, "me", after="", limit=9) == ["d1", "d2"]
    assert await due(ledger, "next") == {"d3"}
    await ledger.settle([settlement("d3", "failed", reason="expired")], owner="next")
    await announce(ledger, "d2", "d3")
    accepted = [settlement(one, provider_id="7") for one in ("d1", "d2", "d3", "d4")]
    settled = await ledger.settle(accepted, owner="late")
    assert {one.delivery_id: (one.state, one.attempts) for one in settled} == {
        "d1": ("sent", 1), "d2": ("sent", 1), "d3": ("recovered", 2),
    }  # fmt: skip
    told = await ledger.claim_unannounced(owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(), limit=10)
    assert {(one.delivery_id, one.state, one.reason, one.provider_id, one.is_unjudged) for one in told} == {
        ("d1", "sent", None, "7", False), ("d2", "sent", None, "7", False), ("d3", "recovered", None, "7", False),
    }  # fmt: skip
    await announce(ledger, "d1", "d2", "d3")
    assert await ledger.settle(accepted, owner="late") == []
    assert [row["number"] for row in await ledger.attempts_of(["d3"])] == [1, 2]


async def test_what_no_sender_judged_is_known_until_it_is_told(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    old = datetime.now(UTC) - timedelta(days=200)
    assert await claim(ledger, "s", [new(1, happened_at=old), new(2), new(3, wait=LEASE)]) == {"d2"}
    await ledger.settle([settlement("d2", "failed", reason="expired")], owner="s")
    await deliveries.act("cancel", DeliveryFilter("shop", ids=("d3",)), "me", after="", limit=9)
    told = await ledger.claim_unannounced(owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(), limit=10)
    assert {(one.delivery_id, one.reason, one.is_unjudged) for one in told} == {
        ("d1", "expired", True), ("d2", "expired", False), ("d3", "canceled", True),
    }  # fmt: skip


async def test_a_renewal_waits_for_nobody_who_settles(pool: asyncpg.Pool) -> None:
    """Each takes many rows, in the order of its own, so that the two would wait for each other."""
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(number) for number in range(4)])
    async with pool.acquire() as settling, settling.transaction():
        await settling.execute("update open_deliveries set detail = 'being settled' where delivery_id in ('d1', 'd3')")
        renewed = await asyncio.wait_for(ledger.renew([f"d{n}" for n in range(4)], owner="s", lease=2 * LEASE), 60)
    assert renewed == {"d0", "d2"}
    assert await ledger.renew(["d1"], owner="s", lease=LEASE) == {"d1"}


async def test_a_lease_that_ended_unnoticed_is_renewed_and_ones_own_is_taken_back_at_once(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1), new(2)])
    await later(pool, LEASE)
    assert await ledger.renew(["d1"], owner="s", lease=LEASE) == {"d1"}
    assert await due(ledger, "s", take_over=False) == {"d2"}
    assert await due(ledger, "next") == set()


async def test_a_restarted_sender_takes_its_leases_back_at_once(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s1", [new(1), new(2)])
    assert await ledger.release_leases("s1") == 2
    assert await due(ledger, "s1") == {"d1", "d2"}


async def test_attempts_are_counted_and_a_late_success_is_recovered(pool: asyncpg.Pool) -> None:
    ledger, minute = Ledger(pool), timedelta(minutes=1)
    await claim(ledger, "s", [new(1)])
    await ledger.settle([settlement("d1", "waiting", wait=minute)], owner="s")
    assert await due(ledger, "s") == set()
    await later(pool, minute)
    assert await due(ledger, "s") == {"d1"}
    await ledger.settle([settlement("d1", "waiting", wait=minute, tried=False)], owner="s")
    await later(pool, minute)
    await due(ledger, "s")
    (settled,) = await ledger.settle([settlement("d1")], owner="s")
    assert (settled.state, settled.attempts) == ("recovered", 2)
    logged = await ledger.attempts_of(["d1"])
    assert [(row["number"], row["outcome"]) for row in logged] == [(1, "deferred"), (2, "recovered")]


async def test_what_waits_until_the_end_of_the_calendar_does_not_keep_the_rest_from_being_asked_for(
    pool: asyncpg.Pool,
) -> None:
    ledger = Ledger(pool)
    never = datetime.max.replace(tzinfo=UTC)
    await claim(ledger, "s", [new(1, not_before=never)])
    assert (await due(ledger, "s"), ledger.due_in()) == (set(), math.inf)
    assert await ledger.claim_new([new(3, expires_at=never)], owner="s", lease=LEASE) == {"d3": None}
    await ledger.release_leases("s")
    assert [one.expires_in for one in await ledger.claim_due(owner="s", lease=LEASE, limit=9, a_destination=9)] == [
        None
    ]
    await claim(ledger, "s", [new(2, "b", wait=LEASE)])
    assert (await due(ledger, "s"), 0 < ledger.due_in() <= LEASE.total_seconds()) == (set(), True)


async def test_a_wait_counts_from_the_attempt_however_long_the_ledger_was_away(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool, ticks=lambda: 1000.0)
    await claim(ledger, "s", [new(1), new(2)])
    minutes = {"wait": timedelta(minutes=9), "duration_ms": 2000}
    await ledger.settle(
        [settlement("d1", "waiting", ended=400.0, **minutes), settlement("d2", "waiting", ended=1000.0, **minutes)],
        owner="s",
    )
    assert await due(ledger, "s") == {"d1"}
    began = {row["delivery_id"]: row["at"] for row in await ledger.attempts_of(["d1", "d2"])}
    assert (began["d2"] - began["d1"]).total_seconds() == 600


async def test_what_a_provider_says_is_kept_whatever_it_is(pool: asyncpg.Pool) -> None:
    ledger, odd = Ledger(pool), "no \0 such \ud83d thing"
    await claim(ledger, "s", [new(1), new(2)])
    (one, two) = await ledger.settle(
        [Settlement("d1", "failed", odd, provider_id=odd), Settlement("d2", "waiting", odd, SOON)], owner="s"
    )
    assert {one.state, two.state} == {"failed", "waiting"}
    await ledger.pause_destination(HOST, "refused", odd)
    (reason,) = (await ledger.paused_destinations()).values()
    assert reason == "no \N{REPLACEMENT CHARACTER} such ? thing"


async def test_what_is_valid_is_said_by_the_clock_of_the_database(pool: asyncpg.Pool) -> None:
    ledger, now = Ledger(pool), await pool.fetchval("select now()")
    valid = await ledger.claim_new([new(1, expires_at=now + LEASE), new(2)], owner="s", lease=LEASE)
    assert timedelta() < (valid["d1"] or timedelta()) <= LEASE
    assert valid["d2"] is None
    await later(pool, LEASE)
    assert {one.delivery_id: (one.expires_in or LEASE) > timedelta() for one in await _due_rows(ledger)} == {
        "d1": False,
        "d2": True,
    }


async def _due_rows(ledger: Ledger) -> list[Leased]:
    return await ledger.claim_due(owner="s", lease=LEASE, limit=10, a_destination=10)


async def test_a_dead_destination_cannot_fill_the_batch(pool: asyncpg.Pool) -> None:
    ledger, dead = Ledger(pool), Destination("shop", "webhook", "dead")
    await claim(ledger, "s", [new(number, "dead", wait=SOON) for number in range(50)])
    await claim(ledger, "s", [new(number, "alive", wait=SOON) for number in range(50, 60)])
    await later(pool, LEASE)
    found = await due(ledger, "s", limit=20, a_destination=10)
    assert len(found & {f"d{number}" for number in range(50, 60)}) == 10
    assert await due(ledger, "s", capacity={dead: 0}) == set()
    assert len(await due(ledger, "s", capacity={dead: 3})) == 3


async def fill(pool: asyncpg.Pool, lane: str, count: int, *, due_ago: timedelta, **columns: str) -> None:
    """Waiting deliveries like `d1`, with other ids."""
    await pool.execute(
        "insert into open_deliveries select made.* from generate_series(1, $4::int) n, open_deliveries d,"
        " jsonb_populate_record(d, $1::jsonb || jsonb_build_object("
        " 'delivery_id', $2::text || n, 'due_at', now() - $3::interval + n * interval '1 us')) made"
        " where d.delivery_id = 'd1'",
        json.dumps({"lane": lane, **columns}), uuid.uuid4().hex, due_ago, count,
    )  # fmt: skip


async def lanes_of(pool: asyncpg.Pool, ids: set[str]) -> Counter[str]:
    rows = await pool.fetch("select lane from open_deliveries where delivery_id = any($1::text[])", list(ids))
    return Counter(row["lane"] for row in rows)


async def test_a_live_message_passes_by_what_is_tried_again_or_sent_to_many_and_these_go_on(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1, wait=LEASE)])
    for lane, count, due_ago in (("retry", 3000, 2 * HOUR), ("bulk", 3000, 3 * HOUR), ("live", 300, SOON)):
        await fill(pool, lane, count, due_ago=due_ago)
    first = await lanes_of(pool, await due(ledger, "s", limit=500, a_destination=100))
    assert (first["live"] in range(78, 83), first["retry"] in range(13, 18), first["bulk"] in range(4, 7)) == (
        True,
    ) * 3
    await due(ledger, "s", limit=500, a_destination=400)
    rest = await lanes_of(pool, await due(ledger, "s", limit=500, a_destination=100))
    assert (rest["live"], rest["retry"] in range(73, 78)) == (0, True)


async def test_what_is_sent_to_many_leaves_places_for_what_comes_live(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1, wait=LEASE)])
    await fill(pool, "bulk", 100, due_ago=HOUR)
    assert await due(ledger, "s", capacity={HOST: 20}, for_bulk={HOST: 0}) == set()
    await later(pool, timedelta(seconds=2))
    assert len(await due(Ledger(pool), "s", capacity={HOST: 20}, for_bulk={HOST: 15})) == 15
    await fill(pool, "live", 10, due_ago=HOUR)
    found = await lanes_of(pool, await due(Ledger(pool), "s", capacity={HOST: 5}, for_bulk={HOST: 0}))
    assert found.keys() == {"live"}


async def test_lanes_take_turns_where_there_is_room_for_one_alone(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1, wait=LEASE)])
    for lane in ("live", "retry"):
        await fill(pool, lane, 250, due_ago=HOUR)
    drawn = Counter[str]()
    for _ in range(200):
        drawn += await lanes_of(pool, await due(ledger, "s", capacity={HOST: 1}))
    assert drawn["live"] > drawn["retry"] > 0


async def test_a_project_that_floods_leaves_the_others_their_turn(pool: asyncpg.Pool) -> None:
    """A hundred to one, on many destinations, older and of a higher priority."""
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1, wait=LEASE)])
    for number in range(50):
        columns = {"destination": f"host-{number}", "project_id": "flood", "priority": "9"}
        await fill(pool, "live", 200, due_ago=HOUR, **columns)
    await fill(pool, "live", 100, due_ago=SOON, destination="quiet")
    found = await due(ledger, "s", limit=200, a_destination=200)
    rows = await pool.fetch("select project_id from open_deliveries where delivery_id = any($1::text[])", list(found))
    assert Counter(row["project_id"] for row in rows) == {"flood": 100, "shop": 100}


async def test_a_message_of_one_distribution_passes_by_what_waits_of_another_for_the_same_destination(
    pool: asyncpg.Pool,
) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1, wait=LEASE)])
    await fill(pool, "live", 3000, due_ago=2 * HOUR, distribution_id="flood")
    await fill(pool, "live", 10, due_ago=SOON, distribution_id="quiet")
    found = await due(ledger, "s", capacity={HOST: 20})
    rows = await pool.fetch(
        "select distribution_id from open_deliveries where delivery_id = any($1::text[])", list(found)
    )
    assert Counter(row["distribution_id"] for row in rows) == {"flood": 10, "quiet": 10}
    await due(ledger, "s", capacity={HOST: 20})
    assert len(await due(ledger, "s", capacity={HOST: 20})) == 20


async def test_what_was_put_back_older_than_what_was_claimed_last_is_found(pool: asyncpg.Pool) -> None:
    """By whoever put it back: at once, by this ledger; with the next look, by another."""
    ledger, other = Ledger(pool), Ledger(pool)
    await claim(ledger, "s", [new(1, wait=LEASE)])
    await fill(pool, "live", 40, due_ago=HOUR)
    (mine, *_), (theirs, *_) = [sorted(await due(one, "s", a_destination=5)) for one in (ledger, other)]
    assert len(await due(ledger, "s", look=False, a_destination=25)) == 25
    await ledger.settle([settlement(mine, "waiting", tried=False)], owner="s")
    assert mine in await due(ledger, "s", look=False, a_destination=1)
    await other.settle([settlement(theirs, "waiting", tried=False)], owner="s")
    assert theirs in await due(ledger, "s", a_destination=1)


async def test_a_claim_reads_no_more_than_it_takes_of_a_queue_that_was_empty_when_it_was_planned(dsn: str) -> None:
    watching = await connect(dsn, size=1)
    await migrate(watching, "shop")
    await watching.execute("alter table open_deliveries set (autovacuum_enabled = off)")
    await watching.execute("analyze open_deliveries")
    claiming = await connect(dsn, size=1)  # so that each claim is on the connection that has its plan
    ledger = Ledger(claiming)
    for _ in range(10):
        assert await due(ledger, "s") == set()
    await Ledger(watching).claim_new([new(0, wait=SOON)], owner="none", lease=LEASE)
    await watching.execute(
        "insert into open_deliveries select made.* from generate_series(1, 1000) n, open_deliveries d,"
        " jsonb_populate_record(d, jsonb_build_object('delivery_id', 'd' || n)) made"
    )
    assert len(await due(ledger, "s")) == 100
    await claiming.close()  # what it counted is told then
    read = "select seq_tup_read from pg_stat_user_tables where relname = 'open_deliveries'"
    assert await watching.fetchval(read) < 1000
    await watching.close()


async def test_of_more_queues_than_a_claim_looks_at_each_has_its_turn(pool: asyncpg.Pool) -> None:
    ledger, hosts = Ledger(pool), [f"host-{number:04}" for number in range(700)]
    await claim(ledger, "s", [new(number, host, wait=SOON) for number, host in enumerate(hosts)])
    await later(pool, LEASE)
    found = [await due(ledger, "s", limit=2000) for _ in range(15)]
    assert [len(one) for one in found] == [50] * 14 + [0]
    assert set().union(*found) == {f"d{number}" for number in range(700)}


async def test_what_can_be_claimed_is_found_behind_many_that_are_paused(pool: asyncpg.Pool) -> None:
    ledger, hosts = Ledger(pool), [f"host-{number:04}" for number in range(700)]
    await claim(ledger, "s", [new(number, host, wait=SOON) for number, host in enumerate(hosts)])
    await later(pool, LEASE)
    for host in hosts[:650]:
        await ledger.pause_destination(Destination("shop", "webhook", host), "gone", "HTTP 410")
    assert len(await due(ledger, "s")) == 50
    assert await due(ledger, "s") == set()


async def test_what_waits_for_a_paused_destination_is_not_looked_at(pool: asyncpg.Pool) -> None:
    """However much it is: counted in pages, since time says little here."""
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1, "b", wait=SOON), new(2, "c", wait=LEASE)])
    await fill(pool, "live", 30_000, due_ago=timedelta(), destination="a")
    await ledger.pause_destination(HOST, "gone", "HTTP 410")
    assert await due(ledger, "s") == {"d1"}
    assert await due(ledger, "s") == set()
    assert 0 < ledger.due_in() <= LEASE.total_seconds()
    sql, queue = queries("ledger"), ("shop", "webhook", "a", "live", "thanks")
    for name, arguments in (
        ("claim_due", ("s", LEASE, 500, 200, True, [], [], [], [], *([one] for one in queue), [NOW], [False], [])),
        ("look", ("", "", "", "", "", 200, [], [], [])),
    ):
        plan = await pool.fetchval(f"explain (analyze, buffers, format json) {sql[name]}", *arguments)
        (top,) = json.loads(plan)
        pages = top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"]
        assert pages < 100, f"{name} looked at {pages} pages"


async def test_a_paused_destination_waits_until_it_is_resumed(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1, wait=SOON)])
    await later(pool, LEASE)
    await ledger.pause_destination(HOST, "gone", "HTTP 410")
    assert await due(ledger, "s") == set()
    await ledger.resume_destination(HOST, by="me")
    assert await due(ledger, "s") == {"d1"}


async def test_a_destination_of_one_project_says_nothing_of_another_projects(pool: asyncpg.Pool) -> None:
    """Paused, full or abandoned: what waits for the same name elsewhere is claimed, and only that."""
    ledger, other = Ledger(pool), Destination("outlet", "webhook", "a")
    rows = [new(n, project_id=("shop", "outlet")[n % 2], wait=SOON) for n in range(8)]
    await claim(ledger, "s", rows)
    await claim(ledger, "gone", [new(n, project_id=("shop", "outlet")[n % 2]) for n in range(8, 12)])
    await later(pool, LEASE * 2)
    await ledger.pause_destination(HOST, "gone", "HTTP 410")
    assert not await ledger.resume_destination(other, by="me")
    assert await due(ledger, "s", capacity={other: 0}) == set()
    assert (ledger.due_in({other}), ledger.due_in({HOST}) < SOON.total_seconds()) == (math.inf, True)
    first = await due(ledger, "s", capacity={other: 2})
    assert (len(first), first | await due(ledger, "s")) == (2, {f"d{n}" for n in range(1, 12, 2)})
    assert await ledger.resume_destination(HOST, by="me")
    assert await due(ledger, "s") == {f"d{n}" for n in range(0, 12, 2)}


async def test_an_outcome_is_announced_until_it_is_acknowledged(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1)])
    await ledger.settle([settlement("d1")], owner="s")
    assert await ledger.claim_unannounced(owner="teller", lease=timedelta(minutes=1), settled_for=LEASE, limit=10) == []
    await later(pool, LEASE)
    assert [
        one.delivery_id
        for one in await ledger.claim_unannounced(
            owner="teller", lease=timedelta(minutes=1), settled_for=LEASE, limit=10
        )
    ] == ["d1"]
    await announce(ledger, "d1")
    assert await ledger.claim_unannounced(owner="teller", lease=timedelta(minutes=1), settled_for=LEASE, limit=10) == []


async def test_two_senders_that_look_at_once_do_not_tell_the_same_end(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(number) for number in range(1, 41)])
    await ledger.settle([settlement(f"d{number}") for number in range(1, 41)], owner="s")
    await later(pool, LEASE)

    async def sweep(owner: str) -> list[str]:
        ends = await ledger.claim_unannounced(owner=owner, lease=LEASE, settled_for=LEASE, limit=15)
        return [one.delivery_id for one in ends]

    told = [one for ends in await asyncio.gather(*map(sweep, ("a", "b", "c"))) for one in ends]
    assert len(told) == len(set(told)) == 40
    assert await sweep("a") == [], "they are being told"
    await ledger.release_leases("a")
    again = await sweep("b")
    assert len(again) in (10, 15) and set(again) <= set(told), "one that has ended has told nothing"
    await later(pool, LEASE + timedelta(seconds=1))
    assert len(await sweep("d")) == 15, "nor has one that does not come back"
    await announce(ledger, *told)
    assert await sweep("d") == []


async def test_a_late_acknowledgement_of_an_earlier_end_hides_no_later_one(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1)])
    (failed,) = await ledger.settle([settlement("d1", "failed")], owner="s")
    await announce(ledger, "d1")
    await Deliveries(pool).act("resend", DeliveryFilter("shop"), "me", after="", limit=1)
    assert await due(ledger, "s") == {"d1"}
    await ledger.settle([settlement("d1")], owner="s")
    assert failed.settled_at is not None
    await ledger.mark_announced([("d1", failed.settled_at)])
    (untold,) = await ledger.claim_unannounced(
        owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(days=-1), limit=10
    )
    assert untold.state == "recovered"


async def test_how_often_a_version_may_be_sent_is_known_by_project_id_and_version(pool: asyncpg.Pool) -> None:
    once = msgspec.structs.replace(rule(), again=Again(mode="once_in", seconds=60))
    await Control(pool).save([Change(once, "", ())], applied_by="me", now=NOW)
    known = (once.project_id, once.id, once.version)
    asked = [known, ("other", *known[1:]), (*known[:2], known[2] + 1)]
    assert await Ledger(pool).again_of(asked) == {known: once.again}


async def test_a_destination_is_bounded_over_its_lanes_and_what_was_tried_waits_in_one_of_its_own(
    pool: asyncpg.Pool,
) -> None:
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1), new(2, lane="bulk", wait=SOON), new(3, wait=SOON), new(4, lane="bulk")])
    await ledger.settle([settlement("d1", "waiting", wait=SOON), settlement("d4", "waiting", tried=False)], owner="s")
    lanes = await pool.fetch("select delivery_id, lane from open_deliveries")
    assert {row["delivery_id"]: row["lane"] for row in lanes} == {
        "d1": "retry", "d2": "bulk", "d3": "live", "d4": "bulk",
    }  # fmt: skip
    await later(pool, LEASE)
    assert len(await due(ledger, "s", a_destination=3)) == 3
    assert len(await due(ledger, "next", a_destination=3)) == 1


async def test_migrations_run_once_however_many_start(empty_dsn: str) -> None:
    pools = [await connect(empty_dsn) for _ in range(3)]
    applied = await asyncio.gather(*(migrate(pool, "shop") for pool in pools))
    assert sorted(name for one in applied for name in one) == sorted(file.stem for file in FOLDER.glob("*.sql"))
    await pools[0].execute("insert into migrations (name, digest) values ('9999_future', 'x')")
    with pytest.raises(CannotStart, match="newer than this version"):
        await migrate(pools[1], "shop")
    for pool in pools:
        pool.terminate()


async def test_versions_templates_and_outbox_are_kept_together_or_not_at_all(pool: asyncpg.Pool) -> None:
    control = Control(pool)
    template = StoredTemplate(name="t", subject="s", text="x")
    made = rule()
    await control.save([Change(made, "source", (template,))], applied_by="me", now=NOW)
    other = rule(distribution="other")
    with pytest.raises(VersionConflict, match="thanks v1"):
        await control.save([Change(other, "", ()), Change(made, "", ())], applied_by="me", now=NOW)
    assert await control.current("shop") == {"thanks": made}
    assert await control.template(template.ref.digest) == template
    second = msgspec.structs.replace(made, version=2)
    await control.save([Change(second, "", ())], applied_by="me", now=NOW)
    assert [row["version"] for row in await control.history("shop", "thanks")] == [2, 1]


async def test_the_outbox_keeps_what_was_not_published(pool: asyncpg.Pool) -> None:
    control = Control(pool)
    await control.save([Change(rule(), "", ())], applied_by="me", now=NOW)
    seen: list[OutboxEntry] = []

    async def refuse(_: Sequence[OutboxEntry]) -> None:
        raise TryLater("no Kafka")

    async def take(entries: Sequence[OutboxEntry]) -> None:
        seen.extend(entries)

    with pytest.raises(TryLater):
        await control.publish_outbox(refuse)
    assert await control.publish_outbox(take) == 1
    assert [entry.key for entry in seen] == ["thanks"]
    assert await control.publish_outbox(take) == 0


async def test_a_server_that_is_gone_is_said_to_pass_and_its_password_is_not_said(tmp_path: Any) -> None:
    import os

    server = PostgresServer(tmp_path / "postgres", os.environ)
    opened = await connect(server.start())
    await migrate(opened, "shop")
    ledger = Ledger(opened)
    await claim(ledger, "s", [new(1)])
    server.kill()
    with pytest.raises(TryLater):
        await claim(ledger, "s", [new(2)])
    server.start()
    assert await claim(ledger, "s", [new(1), new(3)]) == {"d3"}
    opened.terminate()
    server.stop()
    with pytest.raises(TryLater) as caught:
        await connect("postgresql://u:hush@127.0.0.1:1/x")
    assert "hush" not in str(caught.value)
    assert where("postgresql://u:hush@h:5,g:6/x") == "h:5,g:6/x"


async def test_what_keeps_rows_that_are_over_is_named_while_it_is_open(pool: asyncpg.Pool) -> None:
    """A forgotten session, as `pg_dump` or a report would be."""
    moment = timedelta(0)
    assert not [row for row in await held_for_long(pool, moment) if "forgotten" in row["name"]]
    async with pool.acquire() as connection:
        await connection.execute("set application_name = 'forgotten'")
        async with connection.transaction(isolation="repeatable_read"):
            await connection.fetchval("select 1")
            pid = connection.get_server_pid()
            (held,) = [row for row in await held_for_long(pool, moment) if "forgotten" in row["name"]]
            assert (held["kind"], f"pid {pid}, forgotten" in held["name"]) == ("the transaction of", True)
            assert held["held_for"] > moment
            assert await held_for_long(pool) == []
            assert f"(pid {pid}, forgotten) for 0 min" in said_of_held([held])
    assert not [row for row in await held_for_long(pool, moment) if "forgotten" in row["name"]]
