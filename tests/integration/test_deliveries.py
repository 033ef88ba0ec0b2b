"""Deliveries chosen by a filter: listed, sent again, cancelled, hurried; on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection
from datetime import timedelta
from typing import Any, cast

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.main import app
from console.control.deliveries import STATUSES, carry_out, foresee, groups, newest, read_filter
from console.control.destinations import held as held_of
from console.control.destinations import resume_destination
from console.control.explain import stored_profiles
from console.control.resend import resend, resendable
from schemas.closed import DeliveryOutcome
from schemas.decision import DeliveryStatus
from schemas.delivery import DistributionRef, EventRef
from schemas.destination import Destination
from schemas.errors import TidingsError
from schemas.suppression import NewSuppression
from schemas.topics import CUSTOMERS
from store.first_steps import new_projects
from store.migrate import migrate
from store.postgres import connect
from store.sending.deliveries import Action, Deliveries, DeliveryFilter
from store.sending.ledger import Ledger, NewDelivery, Settlement
from store.sending.status_events import ReportedStatus, StatusEvents
from store.sending.suppressions import Suppressions
from store.sql import queries
from tests.factory import NOW
from tests.integration.test_store import LEASE, announce, new

HOST = Destination("shop", "webhook", "a")
DAY = timedelta(days=1)


def chosen(**given: Any) -> DeliveryFilter:
    return read_filter("shop", given, NOW)


async def settle(ledger: Ledger, *settlements: Settlement) -> None:
    now = time.monotonic()
    settled = await ledger.settle([msgspec.structs.replace(one, ended=now) for one in settlements], owner="s")
    assert len(settled) == len(settlements)
    await announce(ledger, *(one.delivery_id for one in settled))


def failed(identity: str, detail: str = "HTTP 501", **changes: Any) -> Settlement:
    return Settlement(identity, "failed", detail, **changes)


async def states(ledger: Ledger, count: int) -> dict[str, tuple[str, int]]:
    rows = [await ledger.delivery(f"d{number}") for number in range(count)]
    return {row["delivery_id"]: (row["state"], row["attempts"]) for row in rows if row is not None}


async def due(ledger: Ledger) -> dict[str, int]:
    leased = await ledger.claim_due(owner="s", lease=LEASE, limit=100, a_destination=100)
    return {one.delivery_id: one.attempts for one in leased}


async def test_failed_ones_are_sent_again_under_their_ids_with_a_schedule_that_begins_anew(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(number) for number in range(6)], owner="s", lease=LEASE)
    await settle(ledger, *(failed(f"d{number}") for number in range(3)), failed("d3", "HTTP 404"))
    await settle(ledger, Settlement("d4", "sent", "HTTP 200"))
    by_detail = chosen(detail="http 501", ids=[])
    foreseen = await foresee(deliveries, "resend", by_detail)
    assert (foreseen.standing.within, foreseen.standing.chosen) == (3, 3)
    assert [(one.detail, one.deliveries) for one in foreseen.groups] == [("HTTP 501", 3)]
    assert await due(ledger) == {}
    assert await carry_out(deliveries, "resend", by_detail, actor="me") == 3
    assert await due(ledger) == {"d0": 0, "d1": 0, "d2": 0}
    assert (
        await ledger.claim_unannounced(owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(), limit=10)
        == []
    )
    await settle(ledger, Settlement("d0", "sent", "HTTP 200"), failed("d1"), Settlement("d2", "waiting", "x", DAY))
    assert await states(ledger, 5) == {
        "d0": ("recovered", 2), "d1": ("failed", 2), "d2": ("waiting", 2), "d3": ("failed", 1), "d4": ("sent", 1),
    }  # fmt: skip
    assert [(row["action"], row["actor"]) for row in await deliveries.actions_of(["d0", "d3"])] == [("resend", "me")]


def record(category: str, to: str = "ann@shop.example") -> bytes:
    delivery = {"category": category, "account": "main", "email": {"to": to}}
    return json.dumps({"channel": "email", "delivery": delivery}).encode()


async def failed_mails(ledger: Ledger, *rows: NewDelivery) -> None:
    await ledger.claim_new(rows, owner="s", lease=LEASE)
    await settle(ledger, *(failed(row.delivery_id) for row in rows))


async def test_what_may_have_arrived_already_is_counted_before_it_is_sent_again(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(number) for number in range(3)], owner="s", lease=LEASE)
    await settle(ledger, failed("d0"), failed("d1", "TimeoutError", is_ambiguous=True), Settlement("d2", "sent", "x"))
    standing = (await foresee(deliveries, "resend", chosen(channel="webhook"))).standing
    assert (standing.within, standing.possibly_accepted) == (2, 1)


async def test_answers_that_name_the_message_are_counted_together(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await ledger.claim_new([new(number) for number in range(6)], owner="s", lease=LEASE)
    await settle(
        ledger,
        Settlement("d0", "sent", "250 2.0.0 queued as 105"),
        Settlement("d1", "sent", "250 Ok 0102018f-7c3a-4b1e-000000"),
        Settlement("d2", "sent", "HTTP 200"),
        failed("d3", "550 5.1.1 no such user (4Xk2Lq8Yz7)"),
        failed("d4", "550 5.1.1 no such user (4Xk2Lr0Ab1)"),
        failed("d5", "HTTP 501"),
    )
    found = {(one.state, one.detail): one.deliveries for one in await groups(Deliveries(pool), chosen(), 10)}
    assert found == {
        ("sent", "250"): 2,
        ("sent", "HTTP 200"): 1,
        ("failed", "550 5.1.1 no such user (…)"): 2,
        ("failed", "HTTP 501"): 1,
    }


async def test_what_has_no_consent_by_now_or_is_suppressed_is_not_sent_again(pool: asyncpg.Pool) -> None:
    async def profiles(customers: Collection[str]) -> dict[str, Any]:
        asked.append(set(customers))
        return {"c1": {"consents": {"marketing": True}}, "c2": {"consents": {"marketing": False}}}

    async def nobody(customers: Collection[str]) -> dict[str, Any]:
        raise AssertionError(customers)

    ledger, deliveries, asked = Ledger(pool), Deliveries(pool), list[set[str]]()
    mail: dict[str, Any] = {"channel": "email", "record": record("marketing")}
    await failed_mails(
        ledger, new(0, **mail), new(1, customer_id="c2", **mail), new(2, customer_id="c3", **mail),
        new(3, customer_id="c2", channel="email", record=record("transactional")),
        new(4, channel="email", record=record("marketing", "ann@dead.example")),
        new(5, channel="email", customer_id="c1", record=b"r"),
    )  # fmt: skip
    await Suppressions(pool).add([NewSuppression("shop", "dead.example", "other", "", "me")])
    all_failed = chosen(channel="email", status="failed")
    judged = await resendable(deliveries, all_failed, profiles)
    assert (judged.ids, judged.held) == (("d0", "d2", "d3"), {"consent": 2, "suppressed": 1})
    assert asked == [{"c1", "c2", "c3"}]
    assert (await resendable(deliveries, chosen(ids=["d3"]), nobody)).ids == ("d3",)
    seen: list[int] = []
    assert await resend(deliveries, all_failed, judged.ids, actor="me", on_progress=seen.append) == 3
    assert (seen, await due(ledger)) == ([3], {"d0": 0, "d2": 0, "d3": 0})
    assert await resend(deliveries, all_failed, judged.ids, actor="me") == 0


@pytest.mark.parametrize(
    ("channel", "state", "asked", "ids", "count"),
    [
        ("email", "failed", False, ("d1",), 1),
        ("email", "failed", True, ("d0", "d1"), 1),
        ("webhook", "failed", False, ("d0", "d1"), 0),
        ("email", "bounced", False, ("d0", "d1"), 0),
    ],
)
async def test_what_may_have_arrived_is_sent_again_only_where_it_is_known_again_or_asked_for(
    pool: asyncpg.Pool, channel: str, state: str, asked: bool, ids: tuple[str, ...], count: int
) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    made: dict[str, Any] = {"channel": channel, "record": record("transactional")}
    await ledger.claim_new([new(0, **made), new(1, **made)], owner="s", lease=LEASE)
    await settle(ledger, Settlement("d0", "waiting", "no answer", DAY, is_ambiguous=True, ended=time.monotonic()))
    await Deliveries(pool).act("hurry", chosen(ids=["d0"]), "me", after="", limit=1)
    assert await due(ledger) == {"d0": 1}
    if state == "failed":
        await settle(ledger, failed("d0"), failed("d1"))
    else:
        await settle(ledger, Settlement("d0", "sent", "250"), Settlement("d1", "sent", "250"))
        assert await report(pool, "d0", "bounced") and await report(pool, "d1", "bounced")
    judged = await resendable(deliveries, chosen(since="1d"), cast(Any, None), possibly_accepted=asked)
    assert (judged.ids, judged.possibly_accepted) == (ids, count)


AGAIN_AND_LATER: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"mode": "once_in", "seconds": 60}, {}, True),
    ({"mode": "once_per_customer"}, {}, True),
    ({"mode": "every_event"}, {}, False),
    ({"mode": "once_per", "path": "order.id"}, {}, False),
    ({"mode": "once_in", "seconds": 60}, {"event_id": "e"}, False),
    ({"mode": "once_in", "seconds": 60}, {"customer_id": "c2"}, False),
    ({"mode": "once_in", "seconds": 60}, {"destination": "b"}, False),
    ({"mode": "once_in", "seconds": 60}, {"channel": "webhook"}, False),
]
"""A rule of repetition, what is different about the later delivery, and if that is a duplicate then."""


async def test_what_was_sent_since_is_not_sent_twice(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    mail: dict[str, Any] = {"channel": "email", "record": record("transactional")}
    for number, (again, later, _) in enumerate(AGAIN_AND_LATER):
        await pool.execute(
            "insert into distribution_versions (project_id, distribution_id, version, definition, source, applied_by,"
            " applied_at) values ('shop', $1, 1, $2::jsonb, '', 'me', now())",
            f"x{number}",
            json.dumps({"again": again}),
        )
        of_it = {**mail, "distribution_id": f"x{number}"}
        await failed_mails(ledger, new(number, **of_it))
        await ledger.claim_new([new(100 + number, **{**of_it, "event_id": "e2", **later})], owner="s", lease=LEASE)
        await settle(ledger, Settlement(f"d{100 + number}", "sent", "250"))
    judged = await resendable(deliveries, chosen(status="failed", since="1d"), cast(Any, None))
    assert judged.ids == tuple(f"d{number}" for number, (*_, held) in enumerate(AGAIN_AND_LATER) if not held)
    assert judged.held == {"duplicate": 2}


async def test_profiles_are_read_in_one_pass_and_the_newest_counts(wiring: Wiring) -> None:
    def profile(identity: str, given: bool) -> bytes:
        return wiring.codec(CUSTOMERS).encode({"id": identity, "project_id": "shop", "consents": {"marketing": given}})

    outputs = [
        Output(wiring.topic(CUSTOMERS), identity.encode(), value)
        for identity, value in [
            ("c1", profile("c1", True)), ("c2", profile("c2", True)), ("c3", profile("c3", True)),
            ("c1", profile("c1", False)), ("c2", None),
        ]
    ]  # fmt: skip
    await write_all(Producer(wiring.settings.kafka.client()), outputs)
    found = await asyncio.to_thread(stored_profiles, wiring, "shop", ["c1", "c2", "c4"])
    assert {identity: row["consents"] for identity, row in found.items()} == {"c1": {"marketing": False}}


async def test_what_is_expired_erased_or_not_yet_told_is_not_sent_again(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    rows = [new(0, expires_at=NOW - 300 * DAY), new(1, record=b""), new(2)]
    await ledger.claim_new(rows, owner="s", lease=LEASE)
    await settle(ledger, failed("d0"), failed("d1"))
    await ledger.settle([failed("d2")], owner="s")
    everything = chosen(channel="webhook")
    standing = (await foresee(deliveries, "resend", everything)).standing
    assert (standing.within, standing.expired, standing.erased, standing.chosen) == (0, 1, 1, 3)
    assert await carry_out(deliveries, "resend", everything, actor="me") == 0
    await announce(ledger, "d2")
    assert await carry_out(deliveries, "resend", everything, actor="me") == 1


async def test_waiting_ones_are_cancelled_and_told_but_not_those_under_way(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(0), new(1), new(2, customer_id="c2", wait=DAY)], owner="s", lease=LEASE)
    await settle(ledger, Settlement("d1", "waiting", "HTTP 503", DAY))
    of_the_distribution = chosen(distribution="x", state="waiting")
    standing = (await foresee(deliveries, "cancel", of_the_distribution)).standing
    assert (standing.within, standing.under_way) == (2, 1)
    assert await carry_out(deliveries, "cancel", chosen(customer="c2"), actor="me") == 1
    assert await carry_out(deliveries, "cancel", of_the_distribution, actor="me") == 1
    assert await states(ledger, 3) == {"d0": ("waiting", 0), "d1": ("failed", 1), "d2": ("failed", 0)}
    told = await ledger.claim_unannounced(owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(), limit=10)
    assert {(one.delivery_id, one.reason, one.detail) for one in told} == {
        (one, "canceled", "cancelled by me") for one in ("d1", "d2")
    }
    await settle(ledger, Settlement("d0", "sent", "HTTP 200"))


async def test_what_waits_for_its_next_attempt_is_hurried_and_what_was_never_tried_is_not(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(0), new(1, wait=DAY), new(2, "b")], owner="s", lease=LEASE)
    await settle(ledger, Settlement("d0", "waiting", "HTTP 503", DAY), Settlement("d2", "waiting", "HTTP 503", DAY))
    assert await due(ledger) == {}
    assert await carry_out(deliveries, "hurry", chosen(destination="a"), actor="me") == 1
    assert await due(ledger) == {"d0": 1}
    assert list(await ledger.hurried_destinations()) == [HOST]


async def test_many_are_done_in_chunks(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(number, wait=DAY) for number in range(2500)], owner="s", lease=LEASE)
    seen: list[int] = []
    done = await carry_out(deliveries, "cancel", chosen(channel="webhook"), actor="me", on_progress=seen.append)
    assert (done, seen) == (2500, [1000, 2000, 2500])


async def test_another_projects_deliveries_are_out_of_reach(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(0, project_id="other", wait=DAY)], owner="s", lease=LEASE)
    assert await carry_out(deliveries, "cancel", chosen(ids=["d0"]), actor="me") == 0
    assert await deliveries.newest(chosen(channel="webhook"), 10) == []


async def test_deliveries_are_found_by_each_part_of_a_filter(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(0), new(1, "b", channel="email", customer_id="c2")], owner="s", lease=LEASE)
    await settle(ledger, failed("d0", reason="expired"), failed("d1"))
    now = await deliveries.now()
    for given in (
        {"ids": ["d1"]}, {"channel": "email"}, {"destination": "b"}, {"customer": "c2"}, {"reason": "none"},
        {"detail": "501", "reason": "none"},
    ):  # fmt: skip
        found = await deliveries.newest(read_filter("shop", given, now), 10)
        assert [row["delivery_id"] for row in found] == ["d1"], given
    assert len(await deliveries.newest(read_filter("shop", {"since": "1h ago", "state": "failed"}, now), 10)) == 2
    assert not await deliveries.newest(read_filter("shop", {"until": "1h"}, now), 10)
    assert not await deliveries.newest(read_filter("shop", {"since": "2126-01-01"}, now), 10)


RARE: list[dict[str, str]] = [
    {}, {"distribution": "rare"}, {"status": "failed"}, {"status": "recovered"}, {"status": "bounced"},
    {"status": "waiting"}, {"status": "held"}, {"status": "suppressed"}, {"reason": "no_address"},
    {"status": "bounced", "distribution": "often"}, {"status": "recovered", "distribution": "often"},
]  # fmt: skip


@pytest.mark.parametrize("given", RARE, ids=lambda given: " ".join(given.values()) or "all")
async def test_the_newest_of_many_are_found_without_reading_the_rest(pool: asyncpg.Pool, given: dict[str, str]) -> None:
    await _many(pool)
    deliveries, plans = explained(pool)
    await deliveries.newest(chosen(**given), 5)
    (plan,) = plans
    assert plan["Actual Rows"] == 5
    assert rows_read(plan) < 1000, plan


async def test_few_of_many_are_counted_and_judged_without_reading_the_rest(pool: asyncpg.Pool) -> None:
    await _many(pool)
    deliveries, plans = explained(pool)
    for given in ({"status": "bounced"}, {"status": "suppressed"}, {"status": "held"}, {"reason": "no_address"}):
        for asked in (deliveries.groups(chosen(**given), 5), deliveries.resendable(chosen(**given), after="", limit=5)):
            await asked
            assert rows_read(plans[-1]) < 1000, (given, plans[-1])
        with pytest.raises(ValueError, match="unpack"):  # a plan is none of its rows
            await deliveries.standing("resend", chosen(**given))
        assert rows_read(plans[-1]) < 1000, (given, plans[-1])


def explained(pool: asyncpg.Pool) -> tuple[Deliveries, list[dict[str, Any]]]:
    """A store that has its questions explained and answers none, and the plans of those that were asked."""
    deliveries, plans = Deliveries(pool), list[dict[str, Any]]()

    async def explain(sql: str, *arguments: object) -> list[asyncpg.Record]:
        plan = await pool.fetchval("explain (analyze, timing off, format json) " + sql, *arguments)
        plans.append(json.loads(plan)[0]["Plan"])
        return []

    deliveries._fetch = explain  # type: ignore[method-assign]
    return deliveries, plans


async def _many(pool: asyncpg.Pool) -> None:
    """Three thousand deliveries, mostly sent and of one distribution."""
    ledger = Ledger(pool)
    for start in range(0, 3000, 100):
        rows = [
            new(n, "b" if 90 <= n < 100 else "a", distribution_id="rare" if n % 100 == 0 else "often")
            for n in range(start, start + 100)
        ]
        await ledger.claim_new(rows, owner="s", lease=LEASE)
        ends = [Settlement(f"d{n}", "failed" if n % 100 == 1 else "sent", "") for n in range(start, start + 90)]
        await settle(ledger, *ends)
    await _the_few(pool, ledger)
    await pool.execute("vacuum analyze open_deliveries, ended_deliveries, status_events")


async def _the_few(pool: asyncpg.Pool, ledger: Ledger) -> None:
    """Of each kind that is rare some of the oldest, so that whoever reads the newest first reads nearly all of them."""
    await pool.execute(
        "update ended_deliveries set state = 'recovered' where delivery_id = any($1)", ids(2, 3, 4, 5, 6)
    )
    for reason, first in (("suppressed", 1), ("no_address", 501)):
        some = ids(*range(first, first + 500, 100))
        await pool.execute("update ended_deliveries set reason = $1 where delivery_id = any($2)", reason, some)
    told = (
        "insert into status_events (project_id, delivery_id, outcome, recorded_at)"
        " select 'shop', unnest($2::text[]), $1, now()"
    )
    await pool.execute(told, "delivered", ids(*range(2000)))
    await pool.execute(told, "bounced", ids(*range(10, 16)))
    await ledger.pause_destination(HOST._replace(name="b"), "refused", "HTTP 401")


def ids(*numbers: int) -> list[str]:
    return [f"d{number}" for number in numbers]


async def test_whether_a_project_has_a_message_is_told_by_its_first(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await ledger.claim_new([new(number) for number in range(500)], owner="s", lease=LEASE)
    await settle(ledger, *(Settlement(f"d{number}", "sent", "") for number in range(400)))
    await pool.execute("vacuum analyze open_deliveries, ended_deliveries")
    asked = "explain (analyze, format json) " + queries("first_steps")["new_projects"]
    plan = json.loads(await pool.fetchval(asked, ["shop"]))[0]["Plan"]
    assert (plan["Actual Rows"], rows_read(plan)) == (0, 1)
    assert await new_projects(pool, ["shop", "outlet"]) == {"outlet"}


def rows_read(plan: dict[str, Any], tables: str = "deliveries") -> int:
    """The rows that some tables gave and that a condition threw away again."""
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    below: int = sum(rows_read(one, tables) for one in plan.get("Plans", ()))
    return below + (own if tables in plan.get("Relation Name", "") else 0)


async def test_what_is_held_retried_or_ended_for_a_reason_of_our_own_is_told_apart_and_can_be_cancelled(
    pool: asyncpg.Pool,
) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(number) for number in range(6)], owner="s", lease=LEASE)
    await ledger.claim_new([new(6, "b", wait=DAY), new(7, wait=DAY)], owner="s", lease=LEASE)
    await settle(
        ledger,
        Settlement("d0", "waiting", "HTTP 503", DAY),
        Settlement("d1", "waiting", "HTTP 429", DAY, reason="throttled", tried=False),
        failed("d2", reason="expired"),
        failed("d3"),
        Settlement("d4", "sent", "HTTP 200"),
        failed("d5", reason="suppressed"),
    )
    await ledger.pause_destination(HOST._replace(name="b"), "refused", "HTTP 401")
    held = chosen(status="held", channel="webhook")
    assert await carry_out(deliveries, "cancel", chosen(status="held", destination="b"), actor="me") == 1
    expected = {
        "waiting": ["d0", "d1", "d7"], "held": ["d1"], "retried": ["d0"], "sent": ["d4"], "failed": ["d3"],
        "expired": ["d2"], "suppressed": ["d5"], "canceled": ["d6"], "recovered": [], "delivered": [], "bounced": [],
        "complained": [],
    }  # fmt: skip
    found = {
        status: sorted(one.delivery_id for one in await newest(deliveries, chosen(status=status), 10))
        for status in STATUSES
    }
    assert found == expected
    assert [one.status for one in await newest(deliveries, held, 10)] == ["held"]
    assert (await foresee(deliveries, "cancel", held)).standing.within == 1
    assert await carry_out(deliveries, "cancel", chosen(status="retried", channel="webhook"), actor="me") == 1


async def report(pool: asyncpg.Pool, identity: str, outcome: DeliveryOutcome) -> bool:
    ref, event = DistributionRef(id="x", version=1, name="X"), EventRef(id="e", type="t", created_at=NOW)
    status = DeliveryStatus(
        delivery_id=identity, project_id="shop", distribution=ref, event=event, customer_id="c1", channel="email",
        account="main", type=f"customer.email.{outcome}", outcome=outcome, attempts=1, occurred_at=NOW,
    )  # fmt: skip
    (is_new,) = await StatusEvents(pool).record([ReportedStatus(status)])
    return is_new


async def test_what_its_provider_reported_is_its_status_and_the_gravest_counts(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    await ledger.claim_new([new(number) for number in range(5)], owner="s", lease=LEASE)
    await settle(ledger, *(Settlement(f"d{number}", "sent", "250") for number in range(4)), failed("d4"))
    told = {"d0": "delivered", "d1": "delivered bounced", "d2": "complained bounced", "d4": "bounced"}
    for identity, outcomes in told.items():
        for outcome in outcomes.split():
            assert await report(pool, identity, cast(DeliveryOutcome, outcome))
    found = {
        status: sorted(one.delivery_id for one in await newest(deliveries, chosen(status=status), 10))
        for status in ("sent", "delivered", "bounced", "complained", "failed")
    }
    assert found == {
        "sent": ["d0", "d1", "d2", "d3"], "delivered": ["d0"], "bounced": ["d1"], "complained": ["d2"],
        "failed": ["d4"],
    }  # fmt: skip
    shown = {one.delivery_id: one.status for one in await newest(deliveries, chosen(channel="webhook"), 10)}
    assert shown == {"d0": "delivered", "d1": "bounced", "d2": "complained", "d3": "sent", "d4": "failed"}
    for action, within in (("resend", 2), ("cancel", 0)):
        standing = (await foresee(deliveries, cast(Action, action), chosen(channel="webhook"))).standing
        assert (standing.within, standing.expired, standing.erased) == (within, 0, 0)


async def test_what_bounced_is_sent_again_where_its_address_is_good_again(pool: asyncpg.Pool) -> None:
    ledger, deliveries = Ledger(pool), Deliveries(pool)
    mail: dict[str, Any] = {"channel": "email", "record": record("transactional")}
    good = {**mail, "record": record("transactional", "bob@shop.example")}
    await ledger.claim_new([new(0, **mail), new(1, **good), new(2, **good)], owner="s", lease=LEASE)
    await settle(ledger, *(Settlement(f"d{number}", "sent", "250") for number in range(3)))
    assert await report(pool, "d0", "bounced") and await report(pool, "d1", "bounced")
    await Suppressions(pool).add([NewSuppression("shop", "ann@shop.example", "bounced", "", "me")])
    bounced = chosen(status="bounced", since="1d")
    judged = await resendable(deliveries, bounced, cast(Any, None))
    assert (judged.ids, judged.held) == (("d1",), {"suppressed": 1})
    assert not await report(pool, "d1", "bounced")
    assert await resend(deliveries, bounced, judged.ids, actor="me") == 1
    assert await due(ledger) == {"d1": 0}
    await settle(ledger, Settlement("d1", "sent", "250"))
    assert await states(ledger, 3) == {"d0": ("sent", 1), "d1": ("recovered", 2), "d2": ("sent", 1)}
    (again,) = await newest(deliveries, chosen(ids=["d1"]), 1)
    assert again.status == "recovered", "what bounced was the first"
    assert [await report(pool, "d1", "bounced") for _ in range(2)] == [True, False]
    assert [one.delivery_id for one in await newest(deliveries, chosen(status="bounced"), 5)] == ["d0", "d1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"channel": "emial"}, "email"), ({"state": "done"}, "recovered"), ({"reason": "expird"}, "expired"),
        ({"since": "yesterday"}, "3d"), ({"status": "hold"}, "held"),
    ],
)  # fmt: skip
def test_a_filter_that_is_wrong_is_refused_with_what_would_be_right(given: dict[str, str], said: str) -> None:
    with pytest.raises(TidingsError, match=said):
        chosen(**given)


async def test_a_filter_that_lets_everything_through_is_refused(pool: asyncpg.Pool) -> None:
    with pytest.raises(TidingsError, match="nothing is chosen"):
        await carry_out(Deliveries(pool), "cancel", chosen(), actor="me")
    with pytest.raises(TidingsError, match="nothing is chosen"):
        await foresee(Deliveries(pool), "hurry", chosen(state="waiting"))


async def test_a_paused_destination_says_why_and_what_waits_and_goes_on_with_the_oldest(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    for number in range(3):
        await ledger.claim_new([new(number)], owner="s", lease=LEASE)
    await ledger.pause_destination(HOST, "refused", "HTTP 401: the receiver does not accept us")
    await settle(ledger, *(Settlement(f"d{n}", "waiting", "paused", reason="paused", tried=False) for n in (2, 0, 1)))
    await ledger.claim_new([new(4, "b")], owner="s", lease=LEASE)
    await settle(ledger, Settlement("d4", "waiting", "HTTP 429", DAY, reason="throttled", tried=False))
    held = [(one.destination, one.state, one.kind, one.waiting) for one in await held_of(ledger, "shop")]
    assert held == [("a", "paused", "refused", 3), ("b", "throttled", None, 1)]
    assert await due(ledger) == {}
    with pytest.raises(TidingsError, match=r"webhook/b is not paused.* Paused: webhook/a"):
        await resume_destination(ledger, "shop", "webhook/b", actor="me")
    with pytest.raises(TidingsError, match="CHANNEL/NAME"):
        await resume_destination(ledger, "shop", "a", actor="me")
    await resume_destination(ledger, "shop", "webhook/a", actor="me")
    order = [await ledger.claim_due(owner="s", lease=LEASE, limit=1, a_destination=1) for _ in range(3)]
    assert [one.delivery_id for (one,) in order] == ["d0", "d1", "d2"]


def test_the_commands_count_first_ask_and_say_what_was_done(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def prepare() -> None:
        pool = await connect(dsn)
        await migrate(pool, "shop")
        ledger = Ledger(pool)
        rows = [new(number, record=record("transactional")) for number in range(3)]
        await ledger.claim_new(rows, owner="s", lease=LEASE)
        await settle(ledger, *(failed(f"d{number}") for number in range(3)))
        await ledger.claim_new([new(7, channel="email", record=rows[0].record)], owner="s", lease=LEASE)
        await settle(ledger, failed("d7", "no answer", is_ambiguous=True))
        await ledger.pause_destination(HOST, "refused", "HTTP 401")
        await pool.close()

    asyncio.run(prepare())
    monkeypatch.setenv("TIDINGS_POSTGRES", dsn)
    monkeypatch.setenv("TIDINGS_PROJECT_ID", "shop")

    def tidings(*arguments: str, answer: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(app, arguments, input=answer)
        return result.exit_code, result.stdout

    assert "3 of 3 can be sent again" in tidings("deliveries", "resend", "--detail", "HTTP 501", "--dry-run")[1]
    said = tidings("deliveries", "resend", "d7", "--dry-run")[1]
    assert "0 of 1 can be sent again" in said and "1 may have arrived already" in said
    assert "1 of 1 can be" in tidings("deliveries", "resend", "d7", "--possibly-accepted", "--dry-run")[1]
    code, said = tidings("deliveries", "resend", "--detail", "HTTP 501", answer="n\n")
    assert (code, "sent again: 3" in said) == (1, False)
    said = tidings("deliveries", "resend", "d0", "d9", answer="y\n")[1]
    assert "1 of 1 can be" in said and "sent again: 1" in said and "d9: no delivery has this id" in said
    (missed,) = map(json.loads, tidings("deliveries", "resend", "d0", "--dry-run", "--json")[1].splitlines())
    assert missed["missed"] == {"d0": "held"}
    again = tidings("deliveries", "resend", "--channel", "webhook", "--yes", "--json")[1].splitlines()
    assert json.loads(again[-1]) == {"action": "resend", "done": 2}
    (group,) = tidings("deliveries", "list", "--state", "waiting", "--counts", "--json")[1].splitlines()
    assert json.loads(group)["deliveries"] == 3
    (held,) = tidings("destinations", "--json")[1].splitlines()
    assert (json.loads(held)["waiting"], json.loads(held)["reason"]) == (3, "HTTP 401")
    assert "cancelled: 3" in tidings("deliveries", "cancel", "--destination", "a", "--yes")[1]
    assert tidings("destinations", "--resume", "webhook/a") == (0, tidings("destinations")[1])
    assert "d0" in tidings("deliveries", "list", "d0")[1]
