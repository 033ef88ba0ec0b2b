"""Databases and records of released versions, read and migrated by this one."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.event_readers import event_reader
from agents.roles.sender.ledger_rows import read_stored
from agents.roles.sender.outcomes import status_of
from agents.wiring import Wiring
from deploy.embedded.servers import Endpoints
from deploy.settings.settings import load_settings
from schemas.campaign import Campaign
from schemas.channels.tables import DELIVERY_TYPES
from schemas.closed import ChannelName
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision, DeliveryStatus
from schemas.distribution import Distribution
from schemas.errors import BadRecord
from schemas.events.triggers import EVENT_TOPICS
from schemas.publication_request import PublicationRequest
from schemas.segment import SegmentDefinition
from schemas.topics import (
    CUSTOMERS,
    DEAD_LETTERS,
    DECISIONS,
    DELIVERY_STATUS,
    DISTRIBUTIONS,
    PUBLICATION_REQUESTS,
    RECENT,
    TOPICS,
    changelog,
    deliveries,
)
from schemas.wire.read_as import read_as
from store.campaigns import Campaigns
from store.codes.claims import Claim, Published
from store.codes.held import Held
from store.codes.pool import Codes
from store.distributions import Control, OutboxEntry
from store.migrate import FOLDER as MIGRATIONS
from store.migrate import migrate
from store.postgres import connect
from store.segment_transaction import EventRow
from store.segments import Segments
from store.sending.deliveries import Deliveries
from store.sending.ledger import Ledger, NewDelivery
from store.templates import NamedTemplates
from streams.event_context import EventContext
from streams.events import EventReader, read_customer, read_tombstone
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.recent import read_recent
from tests.released.kept import RELEASES, KeptRecord, database, records
from tests.released.story import BROKEN

PROJECT = "shop"
LEASE = timedelta(seconds=60)
WIRING = Wiring(load_settings({"TIDINGS_PROJECT_ID": PROJECT}))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A migrated database's name, and its rows before that, by table."""

    name: str
    rows: dict[str, list[asyncpg.Record]]


@dataclass(frozen=True, slots=True)
class Migrated:
    """A released database of today's schema, and its rows as the release left them."""

    release: str
    pool: asyncpg.Pool
    before: dict[str, list[asyncpg.Record]]

    def rows(self, table: str) -> list[asyncpg.Record]:
        """None of a table that the release did not have."""
        return self.before.get(table, [])


@pytest.fixture(scope="module")
def loaded(servers: Endpoints) -> Iterator[dict[str, Loaded]]:
    """Databases that each test begins with a copy of, by release; migrating once is enough."""
    made: dict[str, Loaded] = {}
    yield made
    asyncio.run(_drop(servers.postgres, [one.name for one in made.values()]))


async def _drop(postgres: str, names: list[str]) -> None:
    admin = await asyncpg.connect(postgres)
    for name in names:
        await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture(params=RELEASES)
async def migrated(
    servers: Endpoints, loaded: dict[str, Loaded], request: pytest.FixtureRequest
) -> AsyncIterator[Migrated]:
    admin, release, name = await asyncpg.connect(servers.postgres), request.param, f"t{uuid.uuid4().hex[:12]}"
    if release not in loaded:
        loaded[release] = await _load(admin, servers.postgres, release)
    await admin.execute(f"create database {name} template {loaded[release].name}")
    pool = await connect(_dsn(servers.postgres, name))
    yield Migrated(release, pool, loaded[release].rows)
    pool.terminate()
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


async def _load(admin: asyncpg.Connection, postgres: str, release: str) -> Loaded:
    name = f"t{uuid.uuid4().hex[:12]}"
    await admin.execute(f"create database {name}")
    connection = await asyncpg.connect(_dsn(postgres, name))
    await connection.execute(database(release))
    found = await connection.fetch("select table_name from information_schema.tables where table_schema = 'public'")
    tables = [row["table_name"] for row in found]
    rows = {table: await connection.fetch(f"select * from public.{table}") for table in tables}  # noqa: S608
    await connection.close()
    pool = await connect(_dsn(postgres, name))
    applied, files = {row["name"] for row in rows["migrations"]}, sorted(path.stem for path in MIGRATIONS.glob("*.sql"))
    assert await migrate(pool, PROJECT) == [file for file in files if file not in applied]
    await pool.close()
    return Loaded(name, rows)


def _dsn(postgres: str, name: str) -> str:
    return postgres.rsplit("/", 1)[0] + f"/{name}"


# -- deliveries -----------------------------------------------------------------------------------------------------


async def test_every_delivery_is_found_with_its_attempts(migrated: Migrated) -> None:
    ledger, old = Ledger(migrated.pool), migrated.rows("deliveries")
    assert {row["state"] for row in old} == {"waiting", "sent", "recovered", "failed"}
    for row in old:
        found = await ledger.delivery(row["delivery_id"])
        assert found is not None
        _unchanged_row(found, row)
        assert read_stored(row["record"]).delivery_id == row["delivery_id"]
    logged = await ledger.attempts_of([row["delivery_id"] for row in old])
    assert logged == sorted(migrated.rows("attempts"), key=lambda row: (row["delivery_id"], row["number"]))
    of_customer = await ledger.deliveries_of(PROJECT, "c1", 1000)
    assert {row["delivery_id"] for row in of_customer} == {
        row["delivery_id"] for row in old if row["customer_id"] == "c1"
    }


async def test_ids_that_were_claimed_are_not_new(migrated: Migrated) -> None:
    """Those of deliveries that the ledger has dropped since among them: an event that is read again makes them anew."""
    ledger = Ledger(migrated.pool)
    ids = {row["delivery_id"] for row in migrated.rows("deliveries")}
    ids |= {f"dlv_{row['key'].hex()}" for row in migrated.rows("past_deliveries")}
    arrived = datetime.now(UTC)
    claims = [
        NewDelivery(identity, PROJECT, "x", 1, "e", "c1", "webhook", "a", 0, None, b"r", arrived, arrived, None)
        for identity in sorted({*ids, "dlv_" + "0" * 32})
    ]
    assert set(await ledger.claim_new(claims, owner="today", lease=LEASE)) == {"dlv_" + "0" * 32}


async def test_what_was_leased_by_a_sender_that_is_gone_is_claimed_and_what_is_paused_is_not(
    migrated: Migrated,
) -> None:
    ledger, now = Ledger(migrated.pool), await Deliveries(migrated.pool).now()
    paused = {(row["channel"], row["destination"]) for row in migrated.rows("paused_destinations")}
    waiting = [row for row in migrated.rows("deliveries") if row["state"] == "waiting"]
    free = {row["delivery_id"] for row in waiting if (row["channel"], row["destination"]) not in paused}
    leased = {row["delivery_id"] for row in waiting if row["lease_owner"]}
    assert leased
    assert len(free) < len(waiting)
    claimed = await ledger.claim_due(owner="today", lease=LEASE, limit=1000, a_destination=1000)
    ids = {row.delivery_id for row in claimed}
    assert leased <= ids <= free
    assert ids == {row["delivery_id"] for row in waiting if row["delivery_id"] in free and row["due_at"] <= now}
    assert [read_stored(row.record).delivery_id for row in claimed] == [row.delivery_id for row in claimed]
    assert {(one.channel, one.name) for one in await ledger.paused_destinations()} == paused


async def test_ends_that_were_not_announced_are(migrated: Migrated) -> None:
    ledger = Ledger(migrated.pool)
    untold = {
        row["delivery_id"] for row in migrated.rows("deliveries") if row["state"] != "waiting" and not row["announced"]
    }
    assert untold
    ended = await ledger.claim_unannounced(
        owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(), limit=1000
    )
    assert {status_of(one, read_stored(one.record)).delivery_id for one in ended} == untold


async def test_what_people_did_to_deliveries_is_known(migrated: Migrated) -> None:
    old = migrated.rows("delivery_actions")
    actions = await Deliveries(migrated.pool).actions_of([row["delivery_id"] for row in old])
    assert sorted(map(tuple, actions)) == sorted(map(tuple, old))


# -- documents ------------------------------------------------------------------------------------------------------


async def test_every_version_of_every_distribution_is_read_with_its_templates(migrated: Migrated) -> None:
    control, old = Control(migrated.pool), migrated.rows("distribution_versions")
    newest = {row["distribution_id"]: row["version"] for row in sorted(old, key=lambda row: row["version"])}
    assert {one.id: one.version for one in (await control.current(PROJECT)).values()} == newest
    for identity in newest:
        rows = await control.history(PROJECT, identity)
        of_this = [row for row in old if row["distribution_id"] == identity]
        for row, before in zip(rows, sorted(of_this, key=lambda row: -row["version"]), strict=True):
            _unchanged_row(row, before)
            assert msgspec.json.decode(row["definition"], type=Distribution).id == identity
    for row in migrated.rows("templates"):
        stored = await control.template(row["digest"])
        assert stored is not None
        assert stored.name == row["name"]


async def test_what_kafka_was_not_told_is_told(migrated: Migrated) -> None:
    entries: list[OutboxEntry] = []
    events: list[EventRow] = []

    async def publish(taken: Sequence[OutboxEntry]) -> None:
        entries.extend(taken)

    async def publish_events(taken: Sequence[EventRow]) -> None:
        events.extend(taken)

    old = migrated.rows("outbox")
    assert old
    assert await Control(migrated.pool).publish_outbox(publish) == len(old)
    assert [(one.topic, one.key) for one in entries] == [(row["topic"], row["key"]) for row in old]
    assert all(msgspec.json.decode(one.payload or b"", type=Distribution).id == one.key for one in entries)
    await Segments(migrated.pool).publish_outbox(publish_events)
    told = [event for row in migrated.rows("segment_outbox") for event in row["events"]]
    assert [one.event for one in events] == told
    reader = _event_reader("events.segments")
    for one in events:
        assert reader.read(one.event, one.key.encode(), datetime.now(UTC)).customer_id == one.key


async def test_a_database_that_was_restored_counts_on(migrated: Migrated) -> None:
    """New rows come behind those of the dump, by their number and in the order in which they go out."""
    control, entries = Control(migrated.pool), list[OutboxEntry]()

    async def publish(taken: Sequence[OutboxEntry]) -> None:
        entries.extend(taken)

    before = (await control.current(PROJECT))["thanks"]
    await control.set_status(before, "PAUSED", applied_by="today", now=datetime.now(UTC))
    assert (await control.current(PROJECT))["thanks"].version == before.version + 1
    assert await control.publish_outbox(publish) == len(migrated.rows("outbox")) + 1
    assert entries[-1].id > max(row["id"] for row in migrated.rows("outbox"))
    assert msgspec.json.decode(entries[-1].payload or b"", type=Distribution).status == "PAUSED"


async def test_every_version_of_a_stored_template_is_found(migrated: Migrated) -> None:
    templates, old = NamedTemplates(migrated.pool), migrated.rows("named_template_versions")
    newest = {row["name"]: row["version"] for row in migrated.rows("named_templates")}
    assert {name: one.version for name, one in (await templates.current(PROJECT)).items()} == newest
    for row in old:
        kept = await templates.find(PROJECT, row["name"], row["version"])
        assert kept is not None
        assert (kept.template.version, kept.applied_by) == (row["version"], row["applied_by"])
    for name in newest:
        assert len(await templates.history(PROJECT, name)) == sum(row["name"] == name for row in old)
        assert {use.distribution_id for use in await templates.uses(PROJECT, name)} == {"points"}


# -- codes ----------------------------------------------------------------------------------------------------------


async def test_campaigns_their_counts_and_who_has_which_code(migrated: Migrated) -> None:
    codes, now = Codes(migrated.pool), await Codes(migrated.pool).now()
    old = {row["id"]: row for row in migrated.rows("campaigns")}
    current = await Campaigns(migrated.pool).current(PROJECT)
    assert {name: one.version for name, one in current.items()} == {name: row["version"] for name, row in old.items()}
    for row in migrated.rows("campaign_versions"):
        assert msgspec.json.decode(row["definition"], type=Campaign).version == row["version"]
    for count in await codes.counts(PROJECT, now):
        row = old[count.campaign_id]
        assert (count.total, count.published, count.inactive) == (row["total"], row["published"], row["inactive"])
    by_key = {row["key"]: row["id"] for row in old.values()}
    code_of = {(row["campaign_key"], row["position"]): row["code"] for row in migrated.rows("codes")}
    published = migrated.rows("publications")
    claims = [_claim(row, by_key[row["campaign_key"]]) for row in published]
    answers = await codes.claim(claims, now)
    for row, answer in zip(published, answers, strict=True):
        assert isinstance(answer, Published)
        assert not answer.is_new
        assert answer.voucher["code"] == code_of[row["campaign_key"], row["position"]]
        assert answer.publication["id"] == row["publication_id"]


def _claim(row: asyncpg.Record, campaign: str) -> Claim:
    asked = (row["publication_id"], PROJECT, campaign, row["customer_id"], {"id": row["customer_id"]})
    return Claim(*asked, row["distribution_id"], row["event_id"], "webhook")


async def test_requests_that_wait_for_codes_are_taken_up(migrated: Migrated) -> None:
    held, old = Held(migrated.pool), migrated.rows("held_requests")
    assert await held.count() == len(old)
    async with held.take(timedelta(), 1000) as batch:
        taken = {one.request.publication_id: one.partition for one in batch.requests}
    assert taken == {row["publication_id"]: row["partition"] for row in old}


# -- segments -------------------------------------------------------------------------------------------------------


async def test_segments_keep_their_members(migrated: Migrated) -> None:
    segments, old = Segments(migrated.pool), migrated.rows("segments")
    current = {one.definition.id: one for one in await segments.current(PROJECT)}
    assert {name: one.definition.version for name, one in current.items()} == {
        row["segment_id"]: row["version"] for row in old
    }
    assert await segments.customers(PROJECT) == len(migrated.rows("segment_customers"))
    for row in old:
        assert msgspec.json.decode(row["definition"], type=SegmentDefinition).id == row["segment_id"]
        members = {
            one["customer_id"]: one["since"]
            for one in migrated.rows("segment_memberships")
            if one["segment_id"] == row["segment_id"] and one["is_member"]
        }
        found = await segments.members(PROJECT, row["segment_id"], 1000)
        assert {one["customer_id"]: one["since"] for one in found} == members


def _unchanged_row(row: asyncpg.Record, before: asyncpg.Record) -> None:
    """A row says what the release's said, wherever both have a column."""
    shared = set(row.keys()) & set(before.keys())
    assert {name: row[name] for name in shared} == {name: before[name] for name in shared}


# -- records --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES)
def test_every_record_of_every_topic_is_read(release: str) -> None:
    """Those that the release itself could not read are not read today either: it says so in its dead-letters."""
    kept = records(release)
    broken = {(one.topic, one.key, one.value) for one in kept if one.topic != DEAD_LETTERS and _refusal(one)}
    facts = [(DeadLetter.from_headers(list(one.headers)), one) for one in kept if one.topic == DEAD_LETTERS]
    assert broken == {(fact.topic, one.key, one.value) for fact, one in facts}
    assert len(broken) == len(BROKEN)
    assert {one.topic for one in kept} <= {*TOPICS, *map(changelog, (CUSTOMERS, RECENT))}


@pytest.mark.parametrize("release", RELEASES)
def test_events_of_a_release_make_the_same_ids_again(release: str) -> None:
    """So who upgrades in the middle, or reads everything once more, sends nothing twice."""
    kept = [one for one in records(release) if one.topic != DEAD_LETTERS and not _refusal(one)]
    newest = {one.key: one.value for one in kept if one.topic == DISTRIBUTIONS}
    profiles = {one.key: msgspec.json.encode(_read(one)) for one in kept if one.topic == CUSTOMERS and one.value}
    index = RuleIndex(UTC)
    for value in newest.values():
        index.insert(read_as(WIRING.codec(DISTRIBUTIONS).decode(value or b""), Distribution))
    ids: set[str] = set()
    for record in kept:
        if record.topic in EVENT_TOPICS:
            head, decode = _read(record), WIRING.codec(record.topic).decode
            context = EventContext(head, record.value, decode, profiles.get(record.key))
            matched = match_event(context, index, datetime.now(UTC))
            ids |= {one.delivery_id for one in matched.deliveries} | _of_drafts(matched.requests)
    made = {_read(one).delivery_id for one in kept if one.topic in map(deliveries, DELIVERY_TYPES)}
    asked = _of_drafts(_read(one) for one in kept if one.topic == PUBLICATION_REQUESTS)
    assert made <= ids
    assert ids == made | asked


def _of_drafts(requests: Iterable[PublicationRequest]) -> set[str]:
    return {draft.delivery["delivery_id"] for request in requests for draft in request.drafts}


def _refusal(record: KeptRecord) -> str:
    try:
        _read(record)
    except (BadRecord, msgspec.ValidationError) as error:
        return str(error)
    return ""


def _read(record: KeptRecord) -> Any:
    """As the worker or the command that it is for reads it."""
    topic, value = record.topic, record.value
    if topic == changelog(RECENT):
        assert read_recent(value) or value is None
        return None
    if value is None:
        assert record.key is not None
        return read_tombstone(record.key, WIRING.default_project)
    if topic == changelog(CUSTOMERS):
        return read_customer(msgspec.json.decode(value), record.key, WIRING.default_project)
    if topic in EVENT_TOPICS:
        return event_reader(WIRING, topic, WIRING.settings.matcher).read(
            value, record.key, datetime.now(UTC), record.headers
        )
    decoded = WIRING.codec(topic).decode(value)
    if topic == CUSTOMERS:
        return read_customer(decoded, record.key, WIRING.default_project)
    read = read_as(decoded, _KINDS[topic])
    assert msgspec.to_builtins(read)
    return read


def _event_reader(topic: str) -> EventReader:
    return event_reader(WIRING, topic, WIRING.settings.matcher)


def _delivery_kinds() -> dict[str, Any]:
    channels: tuple[ChannelName, ...] = tuple(DELIVERY_TYPES)
    return {deliveries(channel): DELIVERY_TYPES[channel] for channel in channels}


_KINDS: dict[str, Any] = {
    DISTRIBUTIONS: Distribution,
    PUBLICATION_REQUESTS: PublicationRequest,
    DECISIONS: Decision,
    DELIVERY_STATUS: DeliveryStatus,
    **_delivery_kinds(),
}
