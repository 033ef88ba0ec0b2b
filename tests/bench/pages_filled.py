"""A project with very many deliveries, as its workers leave them: rows of the ledger, of recorders and of a holder."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from agents.broker.records import Output
from agents.clock import utc_now
from agents.recorded_rows import decision_row, status_row
from agents.roles.sender.ledger_rows import kept_record
from agents.wiring import Wiring
from schemas.closed import ChannelName, Reason
from schemas.code_key import code_key
from schemas.destination import Destination
from schemas.segment import SegmentDefinition
from store.codes.pool import Codes
from store.holds import HoldRow, Holds
from store.notices import Notices, nobody
from store.read_models.recorded import DecisionRow, PurchaseRow, Recorded, Row, Source, Sourced, StatusRow
from store.segment_transaction import Profile
from store.segments import Segments
from store.sending.ledger import Ledger, Settlement
from streams.notices import codes_low
from tests.bench import topics
from tests.factory import delivery
from tests.integration.test_api_dead_letters import FACTS
from tests.integration.test_codes import campaign, claim, filled, saved
from tests.integration.test_named_templates import named
from tests.integration.test_named_templates import save as save_template
from tests.integration.test_recorder import KEEP, decision, status
from tests.integration.test_store import LEASE, new
from tests.integration.test_web import Site
from tests.integration.test_web_campaigns import hand_in
from tests.integration.test_web_projects import apply
from tests.integration.test_web_segments import inside
from tests.integration.test_web_sends import keep_send
from tests.integration.test_web_suppressions import have as suppressed

DELIVERIES = int(os.environ.get("DELIVERIES", "1000000"))
DAYS = 7
DISTRIBUTIONS = 50
"""Half of all deliveries are of the first of them, which skips hardly anybody."""
CUSTOMERS = 100_000
"""One delivery in 200 goes to the first of them."""
BIG, ONE = "rule0", "rule7"
_CHUNK = 2_000
_POLES = {"customer.metadata.country": "PL"}
_CHANNELS: tuple[ChannelName, ...] = ("webhook", "email", "webhook", "sms", "webhook")
_HOSTS = {"webhook": tuple(f"{number}.example.com" for number in range(3)), "email": ("main",), "sms": ("main",)}
_SKIPPED: tuple[Reason, ...] = ("consent", "capped", "duplicate", "no_address", "holdout")
_OPEN = 20_000
"""The last ones are still on their way."""


async def fill(site: Site, wiring: Wiring, say: Callable[[str], None]) -> None:
    """Everything that pages show, of which there may be much."""
    steps = (_things, _customers, _deliveries, _reports, _holds, _purchases, _dead_letters)
    for step in steps:
        began = time.perf_counter()
        await step(site, wiring)
        say(f"  filled {step.__name__.strip('_')} in {time.perf_counter() - began:.0f} s")
        await site.pool.execute("vacuum analyze", timeout=1800)


async def _things(site: Site, _: Wiring) -> None:
    await apply(site, *(f"rule{number}" for number in range(DISTRIBUTIONS)))
    await save_template(site.pool, named())
    await saved(site.pool, campaign())
    await hand_in(site, "code\nZ-1\n")
    for start in range(0, CUSTOMERS, _CHUNK):
        await filled(site.pool, [f"CODE-{number}" for number in range(start, start + _CHUNK)])
    await Codes(site.pool).claim([claim(0)], utc_now())
    poland = SegmentDefinition(
        id="poland", project_id="shop", name="Poland", version=1, updated_at=utc_now(), when=_POLES
    )  # fmt: skip
    source = "segment: poland\nwhen: {customer.metadata.country: PL}\n"
    await Segments(site.pool).save([(poland, source)], applied_by="ann", now=utc_now())
    await keep_send(site, "send_1", "SENDING", BIG)
    for number in range(20):
        await suppressed(site, *(f"c{number}.{place}@shop.example" for place in range(1_000)))
        await Notices(site.pool, nobody).open(codes_low("shop", f"c{number}", 5, 100))


async def _customers(site: Site, _: Wiring) -> None:
    for start in range(0, CUSTOMERS, _CHUNK):
        profiles = [
            {"id": f"c{number}", "source_id": f"s{number}", "name": f"Ann {number}", "email": f"c{number}@shop.example"}
            for number in range(start, start + _CHUNK)
        ]
        async with Segments(site.pool).transaction() as work:
            await work.put_customers("shop", [Profile(one["id"], 0, 0, msgspec.json.encode(one)) for one in profiles])
        if start < CUSTOMERS // 2:
            await inside(site, "poland", *(one["id"] for one in profiles))


# -- deliveries, and what was decided ---------------------------------------------------------------------------------


async def _deliveries(site: Site, _: Wiring) -> None:
    """For each its decision, its row in the ledger, and what became of it; the ledger beside the recorder."""
    now = utc_now()
    await asyncio.gather(_in_ledger(site, now), _recorded(site, now))
    await Ledger(site.pool).pause_destination(Destination("shop", "sms", "main"), "refused", "HTTP 401")


def _chunks(now: datetime) -> Iterator[tuple[range, datetime]]:
    for start in range(0, DELIVERIES, _CHUNK):
        yield range(start, min(start + _CHUNK, DELIVERIES)), now - timedelta(days=DAYS * (1 - start / DELIVERIES))


async def _in_ledger(site: Site, now: datetime) -> None:
    """The first and the last by the ledger itself; those between them are copies of the first that ended so."""
    by_ledger: Mapping[str, str] = {}
    for numbers, at in _chunks(now):
        if by_ledger and not _is_open(numbers[-1]):
            await _copied(site, by_ledger, numbers, at)
            continue
        await _claimed(Ledger(site.pool), site, numbers, at)
        by_ledger = by_ledger or {_kind(number): f"d{number}" for number in numbers}


async def _claimed(ledger: Ledger, site: Site, numbers: Sequence[int], at: datetime) -> None:
    """Through the ledger; the moment at which they came in is that of their events."""
    records = {channel: kept_record(delivery(channel)) for channel in _HOSTS}
    rows = [
        new(
            number, _destination(number), channel=_channel(number), distribution_id=_rule(number),
            event_id=f"ev{number}", customer_id=_customer(number), record=records[_channel(number)],
            happened_at=at, arrived_at=at,
        )
        for number in numbers
    ]  # fmt: skip
    await ledger.claim_new(rows, owner="bench", lease=LEASE)
    came = "update open_deliveries set created_at = $1 where delivery_id = any($2)"
    await site.pool.execute(came, at, [row.delivery_id for row in rows])
    settled = await ledger.settle([_end(number) for number in numbers], owner="bench")
    await ledger.mark_announced([(one.delivery_id, one.settled_at) for one in settled if one.settled_at])


async def _copied(site: Site, by_ledger: Mapping[str, str], numbers: Sequence[int], at: datetime) -> None:
    """Rows of the ledger as it left others of their kind, with ids, places and times of their own."""
    ended = at + timedelta(seconds=2)
    rows = [
        (by_ledger[_kind(number)], f"d{number}", _rule(number), f"ev{number}", _customer(number), _destination(number))
        for number in numbers
    ]
    await site.pool.execute(await _copy_of(site), *map(list, zip(*rows, strict=True)), at, ended)


_OWN = {
    "delivery_id": "o.delivery_id", "distribution_id": "o.distribution_id", "event_id": "o.event_id",
    "customer_id": "o.customer_id", "destination": "o.destination", "created_at": "$7", "arrived_at": "$7",
    "settled_at": "$8",
}  # fmt: skip


async def _copy_of(site: Site) -> str:
    columns = "select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = $1::regclass"
    names = (await site.pool.fetchval(f"{columns} and attnum > 0 and not attisdropped", "ended_deliveries")).split(",")
    copied = ", ".join(_OWN.get(name, f"t.{name}") for name in names)
    return (
        f"insert into ended_deliveries ({', '.join(names)}) select {copied}"  # noqa: S608
        " from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])"
        " as o (like_id, delivery_id, distribution_id, event_id, customer_id, destination)"
        " join ended_deliveries t on t.delivery_id = o.like_id"
    )


def _kind(number: int) -> str:
    return f"{_channel(number)} {_end(number).state} {_end(number).reason}"


def _end(number: int) -> Settlement:
    identity, ended = f"d{number}", time.monotonic()
    if _is_open(number):
        return Settlement(identity, "waiting", "HTTP 503", timedelta(days=1), tried=number % 2 == 0, ended=ended)
    if _is_failed(number):
        reason: Any = {1: "suppressed", 2: "expired", 3: "canceled"}.get(number // 50 % 20)
        return Settlement(identity, "failed", "HTTP 501", reason=reason, ended=ended)
    return Settlement(identity, "sent", "HTTP 200", ended=ended)


async def _recorded(site: Site, now: datetime) -> None:
    """Decisions and ends of deliveries, by the recorder's own rows."""
    recorded = Recorded(site.pool, KEEP)
    put = {"decisions": recorded.put_decisions, "delivery.status": recorded.put_statuses}
    offsets = dict.fromkeys(put, 0)
    for numbers, at in _chunks(now):
        made: dict[str, list[Row]] = {
            "decisions": [one for number in numbers for one in _decided(number, at)],
            "delivery.status": [one for number in numbers for one in _became(number, at)],
        }
        for name, rows in made.items():
            first, offsets[name] = offsets[name], offsets[name] + len(rows)
            placed = [Sourced(first + place, first + place, row) for place, row in enumerate(rows)]
            await put[name](Source(name, 0, offsets[name], offsets[name]), placed)


_EMITTED = decision_row(decision(outcome="emitted", reason=None, detail=None))
_DEFERRED = decision_row(decision(outcome="deferred", reason="quiet_hours", until=utc_now()))
_SKIPS = decision_row(decision())
_ENDED = status_row(status())


def _decided(number: int, at: datetime) -> Iterator[DecisionRow]:
    """One that emits; beside it one that was put off, or, of another customer, one that skips."""
    of = _of(number, at) | {"decided_at": at}
    yield _EMITTED._replace(decision_id=f"dec_{number:032x}", delivery_id=f"d{number}", **of)
    if number % (20_000 if _rule(number) == BIG else 4) == (4 if _rule(number) == BIG else 1):
        other = of | {"customer_id": _customer(number + 1), "reason": _SKIPPED[number // 4 % len(_SKIPPED)]}
        yield _SKIPS._replace(decision_id=f"dec_{DELIVERIES + number:032x}", **other)
    elif number % 100 == 2:
        yield _DEFERRED._replace(decision_id=f"dec_{2 * DELIVERIES + number:032x}", **of)


def _became(number: int, at: datetime) -> Iterator[StatusRow]:
    """Its end, and reports of it: most are delivered, some opened, and one in a thousand comes back."""
    if _is_open(number):
        return
    end = _ENDED._replace(delivery_id=f"d{number}", occurred_at=at + timedelta(seconds=2), **_of(number, at))
    if _is_failed(number):
        yield end._replace(outcome="failed", reason=_end(number).reason)
        return
    yield end._replace(code_key=_code(number))
    if report := _report(number):
        yield end._replace(outcome=report)
        if number % 7 == 0:
            yield end._replace(outcome="opened")


def _report(number: int) -> str | None:
    if _channel(number) == "webhook":
        return None
    return "bounced" if number % 997 == 0 else "complained" if number % 99_991 == 0 else "delivered"


def _of(number: int, at: datetime) -> dict[str, Any]:
    return {
        "day": at.date(), "distribution_id": _rule(number), "event_id": f"ev{number}", "event_at": at,
        "customer_id": _customer(number), "channel": _channel(number),
    }  # fmt: skip


def _is_open(number: int) -> bool:
    return number >= DELIVERIES - min(_OPEN, DELIVERIES // 10)


def _is_failed(number: int) -> bool:
    return number % 50 == 0


def _rule(number: int) -> str:
    return BIG if number % 2 == 0 else f"rule{number // 2 % (DISTRIBUTIONS - 1) + 1}"


def _customer(number: int) -> str:
    return "c0" if number % 200 == 0 else f"c{number * 7919 % CUSTOMERS}"


def _channel(number: int) -> ChannelName:
    return _CHANNELS[number % len(_CHANNELS)]


def _destination(number: int) -> str:
    hosts = _HOSTS[_channel(number)]
    return hosts[number % len(hosts)]


def _code(number: int) -> str | None:
    return code_key("shop", f"CODE-{number // 10}") if number % 10 == 3 else None


# -- what is told later -----------------------------------------------------------------------------------------------


async def _reports(site: Site, _: Wiring) -> None:
    """The ends that providers told of, as those who take their calls keep them."""
    now = utc_now()
    for numbers, at in _chunks(now):
        rows = [
            ("shop", f"d{number}", report, at + timedelta(minutes=1))
            for number in numbers
            if not _is_open(number) and not _is_failed(number) and (report := _report(number))
        ]
        columns = "project_id", "delivery_id", "outcome", "recorded_at"
        await site.pool.copy_records_to_table("status_events", records=rows, columns=columns)


async def _holds(site: Site, _: Wiring) -> None:
    now, holds = utc_now(), Holds(site.pool)
    for start in range(0, DELIVERIES // 10, _CHUNK):
        rows = [
            HoldRow("shop", f"hld_{n}", 0, _rule(n), _customer(n), ("delayed", "quiet_hours")[n % 2],
                    now + timedelta(days=1, seconds=n), now, b"record")
            for n in range(start, start + _CHUNK)
        ]  # fmt: skip
        await holds.add(rows)


async def _purchases(site: Site, _: Wiring) -> None:
    """Codes that were redeemed, each by the customer whose message gave it."""
    recorded, offset = Recorded(site.pool, KEEP), 0
    for numbers, at in _chunks(utc_now()):
        rows = [
            PurchaseRow(
                day=(at + timedelta(hours=1)).date(), project_id="shop", event_id=f"ev_r{number}",
                customer_id=_customer(number), event_at=at + timedelta(hours=1), kind="redemption",
                subject_id=f"r{number}", code_key=code, amount=1_000, currency="EUR",
            )
            for number in numbers
            if number % 50 == 3 and (code := _code(number))
        ]  # fmt: skip
        first, offset = offset, offset + len(rows)
        placed = [Sourced(first + place, first + place, row) for place, row in enumerate(rows)]
        await recorded.put_purchases(Source("events.redemptions", 0, offset, offset), placed)


async def _dead_letters(_: Site, wiring: Wiring) -> None:
    await topics.fill(wiring, _letters(wiring))


def _letters(wiring: Wiring) -> Iterator[Output]:
    topic, headers = wiring.topic("dead-letters"), FACTS.headers([])
    for number in range(5_000):
        yield Output(topic, f"c{number}".encode(), b'{"id": "ev", "bad": 1}', 0, headers)
