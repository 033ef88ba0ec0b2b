"""Limits of projects in a real PostgreSQL: exactly so many leave, whoever claims, and each of them counts once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from agents.clock import utc_now
from agents.roles.sender.notifier import Notifier
from console.control import projects
from console.control.documents import parse_documents
from deploy.settings.settings import Settings
from schemas.errors import CannotStart
from schemas.plan import MessageLimits
from schemas.suppression import NewSuppression
from store.notices import Notices
from store.postgres import connect
from store.sending.deliveries import Deliveries
from store.sending.ledger import Ledger, Settlement
from tests.integration.test_deliveries import chosen, due, failed, settle
from tests.integration.test_notices import told
from tests.integration.test_store import LEASE, new


async def limited(pool: asyncpg.Pool, zone: str = "UTC", **limits: int) -> Ledger:
    ledger = Ledger(pool)
    await ledger.limits.put("shop", MessageLimits(**limits), zone)
    return ledger


async def used(ledger: Ledger) -> dict[str, int]:
    return {one.span: one.used for one in await ledger.limits.used("shop")}


async def stops(ledger: Ledger, **options: Any) -> dict[str, str | None]:
    given: dict[str, Any] = {"owner": "s", "lease": LEASE, "limit": 100, "a_destination": 100} | options
    leased = await ledger.claim_due(**given)
    return {one.delivery_id: one.stop and one.stop.reason for one in leased}


async def test_parallel_claims_of_new_ones_take_exactly_what_there_is(dsn: str, pool: asyncpg.Pool) -> None:
    await limited(pool, a_day=37, a_month=100)
    many = await connect(dsn, size=8)
    batches = [[new(20 * batch + number) for number in range(20)] for batch in range(16)]
    try:
        claimed = await asyncio.gather(
            *(
                Ledger(many).claim_new(batch, owner=f"s{number % 4}", lease=LEASE)
                for number, batch in enumerate([*batches, *reversed(batches)])  # each twice, at the same time
            )
        )
    finally:
        many.terminate()
    assert sum(map(len, claimed)) == 37
    assert await used(Ledger(pool)) == {"a_month": 37, "a_day": 37}
    rows = await pool.fetch("select state, reason, count(*) from deliveries group by 1, 2 order by 1")
    assert [tuple(row) for row in rows] == [("failed", "limit", 320 - 37), ("waiting", None, 37)]
    detail = await pool.fetchval("select detail from deliveries where reason = 'limit' limit 1")
    assert "37 messages leave a day; there is room again from 20" in detail


async def test_parallel_claims_of_what_is_due_take_exactly_what_there_is(dsn: str, pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await ledger.claim_new([new(number) for number in range(200)], owner="s", lease=LEASE)
    await pool.execute("update open_deliveries set lease_owner = null, lease_until = null")
    await limited(pool, in_all=41)
    many, reasons = await connect(dsn, size=8), dict[str, str | None]()
    try:
        async with asyncio.timeout(90):
            while len(reasons) < 200:  # what another claims at the moment is left to it
                claims = [stops(Ledger(many), owner=f"s{number}", limit=25) for number in range(16)]
                for one in await asyncio.gather(*claims):
                    assert not reasons.keys() & one.keys()
                    reasons |= one
    finally:
        many.terminate()
    assert sorted(map(str, reasons.values())) == ["None"] * 41 + ["limit"] * 159
    assert await used(ledger) == {"in_all": 41}


async def test_what_was_counted_does_not_count_again(pool: asyncpg.Pool) -> None:
    ledger = await limited(pool, a_day=2)
    assert len(await ledger.claim_new([new(0), new(0), new(1), new(2)], owner="s", lease=LEASE)) == 2
    await ledger.release_leases("s")
    assert await stops(ledger) == {"d0": None, "d1": None}
    await pool.execute("update open_deliveries set lease_until = now() - interval '1 s' where state = 'waiting'")
    assert await stops(ledger, owner="other") == {"d0": None, "d1": None}
    settlements = [Settlement(name, "waiting", "HTTP 503", wait=timedelta()) for name in ("d0", "d1")]
    assert len(await ledger.settle(settlements, owner="other")) == 2
    assert await stops(ledger) == {"d0": None, "d1": None}
    await settle(ledger, failed("d0"), Settlement("d1", "sent", "HTTP 200"))
    assert await Deliveries(pool).act("resend", chosen(ids=["d0"]), "ann", after="", limit=9) == ["d0"]
    assert await due(ledger) == {"d0": 0}
    assert await used(ledger) == {"a_day": 2}


async def test_what_ends_without_an_attempt_gives_back_what_it_took(pool: asyncpg.Pool) -> None:
    ledger = await limited(pool, a_day=3)
    await ledger.claim_new([new(number) for number in range(3)], owner="s", lease=LEASE)
    ends = [
        Settlement("d0", "failed", "suppressed", reason="suppressed", tried=False),
        Settlement("d1", "failed", "HTTP 501"),
        Settlement("d2", "failed", "no answer", tried=False, is_ambiguous=True),
    ]
    assert len(await ledger.settle(ends, owner="s")) == 3
    assert await used(ledger) == {"a_day": 2}
    assert list(await ledger.claim_new([new(7), new(8)], owner="s", lease=LEASE)) == ["d7"]
    assert await used(ledger) == {"a_day": 3}
    assert await pool.fetchval("select count(*) from project_usage_returned") == 0


async def test_what_may_not_leave_does_not_count(pool: asyncpg.Pool) -> None:
    ledger = await limited(pool, a_day=1)
    listed = NewSuppression("shop", "example.com", reason="other", source="test", added_by="ann")
    await ledger.suppressions.add([listed])
    mail: dict[str, Any] = {"channel": "email", "address_keys": ("a@example.com", "example.com")}
    past = utc_now() - timedelta(days=1)
    await ledger.claim_new(
        [new(0, **mail), new(1, expires_at=past), new(2, wait=timedelta(days=1))], owner="s", lease=LEASE
    )
    assert await used(ledger) == {"a_day": 0}
    assert list(await ledger.claim_new([new(3), new(4)], owner="s", lease=LEASE)) == ["d3"]


async def test_the_limit_of_one_project_does_not_touch_another(pool: asyncpg.Pool) -> None:
    ledger = await limited(pool, in_all=1)
    batch = [new(number, project_id=("shop", "outlet")[number % 2]) for number in range(10)]
    claimed = await ledger.claim_new(batch, owner="s", lease=LEASE)
    assert len(claimed) == 6
    assert await ledger.limits.used("outlet") == []
    await ledger.limits.put("shop", MessageLimits(), "UTC")
    assert len(await ledger.claim_new([new(20), new(21)], owner="s", lease=LEASE)) == 2


@pytest.mark.parametrize(
    ("zone", "before", "after", "hours"),
    [
        ("Europe/Warsaw", "2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", 23),  # the night that has no hour from two on
        ("Europe/Warsaw", "2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", 25),
        ("Africa/Cairo", "2026-04-23T21:59:59Z", "2026-04-23T22:00:00Z", 23),  # the day that begins at one
        ("Pacific/Kiritimati", "2026-05-01T09:59:59Z", "2026-05-01T10:00:00Z", 24),
        ("Asia/Kathmandu", "2026-02-28T18:14:59Z", "2026-02-28T18:15:00Z", 24),
    ],
    ids=["spring", "autumn", "midnight-missing", "far-east", "month-too"],
)
async def test_days_and_months_are_those_of_the_projects_zone(
    pool: asyncpg.Pool, zone: str, before: str, after: str, hours: int
) -> None:
    ledger = await limited(pool, zone, a_day=5, a_month=8)

    async def take(at: str) -> int:
        moment = datetime.fromisoformat(at)
        return int(await pool.fetchval("select granted from take_of_limits('shop', 100, $1)", moment))

    assert (await take(before), await take(before), await take(after)) == (5, 0, 5 if zone == "Asia/Kathmandu" else 3)
    day = "select free_at from used_of_limits('shop', $1) where span = 'a_day'"
    ends = [await pool.fetchval(day, datetime.fromisoformat(at)) for at in (before, after)]
    assert ends[0] == datetime.fromisoformat(after)
    assert ends[1] - ends[0] == timedelta(hours=hours)
    assert len(await ledger.limits.used("shop")) == 2


async def test_a_zone_that_the_database_lacks_is_refused_before_claims_meet_it(pool: asyncpg.Pool) -> None:
    with pytest.raises(CannotStart, match="Mars/Olympus, which the database does not know"):
        await limited(pool, "Mars/Olympus", a_day=1)
    assert await Ledger(pool).claim_new([new(0)], owner="s", lease=LEASE)


async def test_a_document_gives_a_project_its_plan_and_own_numbers(pool: asyncpg.Pool) -> None:
    settings = Settings(project_id="shop", timezone="Europe/Warsaw")

    async def apply(source: str) -> list[tuple[str, int]]:
        plan = await projects.plan(pool, parse_documents(source, "p.yaml"), settings, utc_now())
        await projects.save(pool, plan, actor="ann", now=utc_now(), timezone=settings.timezone)
        shown = await projects.show(pool, "spa", settings)
        assert [one.used for one in shown.uses] == [0] * len(shown.uses)
        return [(one.span, one.allowed) for one in shown.uses]

    assert await apply("project: spa\nplan: trial\n") == [("in_all", 10)]
    assert await apply("project: spa\nplan: verified\nlimits: {a_day: 50}\n") == [("a_month", 100), ("a_day", 50)]
    (use,) = [one for one in await Ledger(pool).limits.used("spa") if one.span == "a_day"]
    assert use.free_at is not None
    assert use.free_at.astimezone(settings.zone).timetz().replace(tzinfo=None).isoformat() == "00:00:00"
    assert await apply("project: spa\n") == []
    assert (await projects.show(pool, "shop", settings)).uses == []


async def test_thresholds_are_told_once_a_day_and_limit(pool: asyncpg.Pool) -> None:
    ledger, notices = await limited(pool, a_day=10), Notices(pool, lambda notice: ["webhook:https://ops.example.com/"])

    async def flush() -> None:
        """Nothing: what reaches Kafka is another test's."""

    who = [Notifier(notices, ledger, {}, flush, account="", owner=f"n{one}", clock=utc_now) for one in range(3)]
    reached: list[list[str]] = []
    for count in (7, 1, 0, 2, 0):
        first = await pool.fetchval("select count(*) from claims")
        await ledger.claim_new([new(first + number) for number in range(count)], owner="s", lease=LEASE)
        await asyncio.gather(*(one.look() for one in who))
        reached.append([one.about.rpartition(": ")[2] for one in await told(pool) if one.kind == "limit_used"])
    assert reached == [[], ["80%"], ["80%"], ["80%", "100%"], ["80%", "100%"]]
    opened, full = await told(pool)
    assert "has used 8 of the 10 messages a day" in opened.summary
    assert "fails as limit" in full.summary
    assert full.look_at.startswith("tidings projects show shop")

    await pool.execute("update project_usage set day = day - 1")  # the next day begins
    await asyncio.gather(*(one.look() for one in who))
    assert [one.state for one in await told(pool)] == ["opened", "opened", "closed", "closed"]
