"""The suppression list in Postgres: nothing on it is ever shortened, and what it names is not sent to."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from agents.roles.sender.bounces import Bounces
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.work import Work
from agents.wiring import Wiring
from channels.fakes.email import SmtpSink
from console.control import suppressions as control
from console.control.files.suppression_file import SuppressionFile
from deploy.settings.settings import Settings
from schemas.channels.braze import BrazeAddress, BrazeDelivery
from schemas.closed import ChannelName
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.errors import DefinitionInvalid, TidingsError
from schemas.project import Project, Sandbox
from schemas.record_key import Keyed
from schemas.suppression import NewSuppression, address_keys, key_hash, suppression_key
from schemas.topics import DELIVERY_STATUS
from schemas.wire.read_as import read_as
from store.erasure import Erasure
from store.projects import Projects
from store.retention import Retention
from store.sending.consents import Given
from store.sending.ledger import Ledger, NewDelivery, Settlement, Stop
from store.sending.suppressions import Suppressions
from tests.factory import NOW, delivery
from tests.integration.test_providers import Running, mailbox, mails, running, until
from tests.integration.test_store import LEASE, claim
from tests.integration.test_store import new as new_delivery

__all__ = ["mailbox"]

LATER = datetime(2999, 1, 1, tzinfo=UTC)
LATER_STILL = datetime(3000, 1, 1, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def new(key: str = "ann@shop.example", **fields: Any) -> NewSuppression:
    return NewSuppression(
        **{"project_id": "shop", "key": key, "reason": "bounced", "source": "s", "added_by": "ann"} | fields
    )


@pytest.mark.parametrize(
    ("there", "added", "changes", "kept"),
    [
        (None, None, False, None),
        (None, LATER, False, None),
        (LATER, None, True, None),
        (LATER, LATER, False, LATER),
        (LATER, PAST, False, LATER),
        (LATER, LATER_STILL, True, LATER_STILL),
        (PAST, LATER, True, LATER),
    ],
)
async def test_an_entry_gives_way_only_to_what_lasts_longer(
    pool: asyncpg.Pool, there: datetime | None, added: datetime | None, changes: bool, kept: datetime | None
) -> None:
    listed = Suppressions(pool)
    assert await listed.add([new(expires_at=there)]) == 1
    assert await listed.add([new(expires_at=added)]) == int(changes)
    (found,) = await listed.find("shop", ["ann@shop.example"])
    assert found.expires_at == kept


@pytest.mark.parametrize(
    ("there", "until", "added", "kept"),
    [
        ("bounced", None, "complained", ("complained", None)),
        ("complained", None, "bounced", ("complained", None)),
        ("complained", LATER, "bounced", ("complained", None)),
        ("complained", PAST, "bounced", ("bounced", None)),
        ("other", LATER, "requested", ("requested", None)),
    ],
)
@pytest.mark.parametrize("are_together", [False, True])
async def test_a_reason_is_not_hidden_by_a_weaker_one(
    pool: asyncpg.Pool, there: str, until: datetime | None, added: str, kept: tuple[str, Any], are_together: bool
) -> None:
    listed, entries = Suppressions(pool), [new(reason=there, expires_at=until), new(reason=added)]
    if are_together and until == PAST:
        return
    for chunk in [entries] if are_together else [[one] for one in entries]:
        await listed.add(chunk)
    (found,) = await listed.find("shop", ["ann@shop.example"])
    assert (found.reason, found.expires_at) == kept
    assert await listed.add([new(reason=kept[0])]) == 0


async def test_an_entry_is_of_its_project_and_its_channel(pool: asyncpg.Pool) -> None:
    listed = Suppressions(pool)
    entries = [new(), new(channel="email"), new(project_id="outlet"), new("*.shop.example", lasts=timedelta(days=30))]
    assert await listed.add([*entries, *entries]) == 4
    assert await listed.add([]) == 0
    found = [(one.key, one.channel) async for one in listed.all("shop")]
    assert found == [("*.shop.example", None), ("ann@shop.example", None), ("ann@shop.example", "email")]
    assert await listed.remove("shop", "ann@shop.example", "webhook", by="me") == 0
    assert await listed.remove("shop", "ann@shop.example", "email", by="me") == 1
    assert await listed.remove("shop", "ann@shop.example", by="me") == 1
    assert [one.key async for one in listed.all("outlet")] == ["ann@shop.example"]


async def test_an_exported_list_comes_back_as_it_was(pool: asyncpg.Pool, tmp_path: Path) -> None:
    listed, file = Suppressions(pool), tmp_path / "list.csv"
    await listed.add(
        [new("b@shop.example", expires_at=LATER, channel="email", source='a, "b"'), new(), new("*.x.example")]
    )
    before = [one async for one in listed.all("shop")]
    file.write_text("".join([line async for line in control.export(listed, "shop")]))
    assert await control.import_entries(listed, opened(file), actor="me") == control.Imported(3, 0)
    await pool.execute("truncate suppressions")
    assert await control.import_entries(listed, opened(file), actor="me") == control.Imported(3, 3)
    assert [one async for one in listed.all("shop")] == before


async def test_a_file_with_a_wrong_line_changes_nothing(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("key\na@b.example\nnobody\n")
    with pytest.raises(DefinitionInvalid):
        await control.import_entries(Suppressions(pool), opened(file), actor="me")
    assert [one async for one in Suppressions(pool).all("shop")] == []


async def test_use_cases_say_what_covers_an_address(pool: asyncpg.Pool) -> None:
    listed = Suppressions(pool)
    added = await control.add(listed, new("", lasts=timedelta(days=1)), ["*.Shop.example", "a.shop.example"])
    assert added == 2
    for written in ("Ann@A.shop.example", "a.shop.example"):
        found = await control.covering(listed, "shop", written)
        assert [one.key for one in found] == ["*.shop.example", "a.shop.example"]
    with pytest.raises(TidingsError, match=r"ann@a.shop.example is not suppressed. What covers it: \*.shop.example"):
        await control.remove(listed, "shop", "ann@a.shop.example", None, actor="me")
    assert await control.remove(listed, "shop", "a.shop.example", None, actor="me") == 1
    with pytest.raises(TidingsError, match="single label"):
        await control.add(listed, new(), ["com"])


async def test_what_is_over_is_not_listed_and_goes_in_batches(pool: asyncpg.Pool) -> None:
    listed = Suppressions(pool)
    await listed.add([new(f"a{number}@shop.example", expires_at=PAST) for number in range(3)])
    await listed.add([new(), new("b@shop.example", expires_at=LATER)])
    assert [one.key async for one in listed.all("shop")] == ["ann@shop.example", "b@shop.example"]
    assert await listed.find("shop", ["a0@shop.example"]) == []
    retention = Retention(pool, timedelta(days=90), batch_size=2, each=timedelta())
    assert [await retention.tidy() for _ in range(3)] == [{"suppressions": 2}, {"suppressions": 1}, {}]
    assert await pool.fetchval("select count(*) from suppressions") == 2


@pytest.mark.parametrize(
    ("key", "fields", "stops"),
    [
        ("ann@a.shop.example", {}, "its address is suppressed: bounced, since "),
        ("a.shop.example", {"channel": "email"}, "a.shop.example is suppressed: bounced, since "),
        ("*.shop.example", {"expires_at": LATER}, "*.shop.example is suppressed: bounced, since "),
        ("shop.example", {}, None),
        ("bob@a.shop.example", {}, None),
        ("ann@a.shop.example", {"channel": "webhook"}, None),
        ("ann@a.shop.example", {"project_id": "outlet"}, None),
        ("ann@a.shop.example", {"expires_at": PAST}, None),
    ],
)
async def test_a_claim_stops_what_is_suppressed_and_nothing_else(
    pool: asyncpg.Pool, key: str, fields: dict[str, Any], stops: str | None
) -> None:
    ledger, now, later = Ledger(pool), mail(1), mail(2, wait=timedelta(microseconds=1))
    await claim(ledger, "s", [later])
    await Suppressions(pool).add([new(key, **fields)])
    assert await claim(ledger, "s", [now]) == (set() if stops else {"d1"})
    (row,) = await ledger.claim_due(owner="s", lease=LEASE, limit=10, a_destination=10)
    assert (row.stop.detail if row.stop else "").startswith(stops or "")
    assert bool(row.stop) == bool(stops) == bool(await ledger.stopped(["d2"]))
    if not stops:
        return
    ended = Settlement("d2", "failed", row.stop.detail if row.stop else "", reason="suppressed", tried=False)
    await ledger.settle([ended], owner="s")
    ends = await ledger.claim_unannounced(
        owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(days=-1), limit=10
    )
    assert {(one.reason, one.attempts, one.detail[: len(stops)]) for one in ends} == {("suppressed", 0, stops)}


@pytest.mark.parametrize(
    ("category", "given", "after", "stops"),
    [
        ("marketing", (), 1, True),
        ("marketing", ("loyalty",), 1, True),
        ("marketing", ("loyalty", "marketing"), 1, False),
        ("marketing", (), -1, False),
        ("transactional", (), 1, False),
        ("marketing", None, 1, False),
    ],
)
@pytest.mark.parametrize("is_old", [False, True])
async def test_a_claim_stops_what_the_consent_was_withdrawn_for(
    pool: asyncpg.Pool,
    category: str,
    given: tuple[str, ...] | None,
    after: int,
    stops: bool,
    is_old: bool,
) -> None:
    ledger, arrived = Ledger(pool), datetime.now(UTC) - timedelta(hours=1)
    record = msgspec.json.encode({"delivery": {"category": category}})
    fields: dict[str, Any] = {"arrived_at": arrived, "record": record, "category": category, "address_keys": ()}
    await claim(ledger, "s", [new_delivery(2, wait=timedelta(microseconds=1), **fields)])
    if is_old:  # entered by an earlier release
        await pool.execute("update open_deliveries set category = null, address_keys = null")
    if given is not None:
        said = Given(given, arrived + timedelta(seconds=after))
        await ledger.consents.note({Keyed("shop", "c1"): said, Keyed("outlet", "c1"): Given((), None)})
    (row,) = await ledger.claim_due(owner="s", lease=LEASE, limit=10, a_destination=10)
    assert row.stop == (Stop("consent", f"{category}: withdrawn after the decision") if stops else None)
    assert await claim(ledger, "s", [new_delivery(1, **fields)]) == (set() if stops else {"d1"})


async def test_a_consent_that_is_given_again_counts_and_an_older_word_does_not(pool: asyncpg.Pool) -> None:
    consents, one, now = Ledger(pool).consents, Keyed("shop", "c1"), datetime.now(UTC)
    for given, hours in ((("a",), 3), ((), 2), (("a", "b"), 1), ((), 2), (("a", "b"), 0)):
        await consents.note({one: Given(given, now - timedelta(hours=hours))})
    row = await pool.fetchrow("select given, changed_at from consents")
    assert (row["given"], row["changed_at"]) == (["a", "b"], now - timedelta(hours=1))
    await consents.note({Keyed("shop", "c2"): Given((), now - timedelta(days=91))})
    await Erasure(pool).note({one: None})
    assert await pool.fetchval("select count(*) from consents") == 0


@pytest.mark.parametrize(
    ("channel", "address", "passes"),
    [
        ("email", "Ann@Shop.example", True),
        ("email", "ann+news@shop.example", False),
        ("email", "bob@TEST.example", True),
        ("email", "bob@sub.test.example", False),
        ("email", "bob@test.example.evil.example", False),
        ("email", "ann@shop.example,bob@else.example", False),
        ("email", "", False),
        ("webhook", "a.hooks.example:8443", True),
        ("webhook", "hooks.example", False),
        ("webhook", "127.0.0.1:8080", True),
        ("webhook", "ann@shop.example", False),
    ],
)
async def test_a_claim_stops_what_a_sandbox_does_not_list(
    pool: asyncpg.Pool, channel: ChannelName, address: str, passes: bool
) -> None:
    ledger, keys = Ledger(pool), address_keys(channel, address)
    listed = [suppression_key(one) for one in ("Ann@shop.example", "test.example", "*.hooks.example", "127.0.0.1")]
    stage = Project(id="stage", name="Stage", version=1, sandbox=Sandbox(allow=listed), updated_at=NOW)
    closed = Project(id="closed", name="Closed", version=1, sandbox=Sandbox(), updated_at=NOW)
    await Projects(pool).save([(stage, ""), (closed, "")], applied_by="ann", now=NOW)
    rows = [
        new_delivery(number, project_id=project, channel=channel, address_keys=keys)
        for number, project in enumerate(("stage", "closed", "shop"))
    ]
    assert await claim(ledger, "s", rows) == ({"d0", "d2"} if passes else {"d2"})
    ends = await ledger.claim_unannounced(
        owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(days=-1), limit=10
    )
    assert {one.reason for one in ends} == {"suppressed"}
    assert all("sandbox" in one.detail for one in ends)
    await Projects(pool).save([(replace(stage, version=2, sandbox=None), "")], applied_by="ann", now=NOW)
    again = new_delivery(3, project_id="stage", channel=channel, address_keys=keys)
    assert await claim(ledger, "s", [again]) == {"d3"}


async def test_what_is_not_due_is_held_beside_the_list_when_it_is(pool: asyncpg.Pool) -> None:
    """Until then the entry may be over."""
    await Suppressions(pool).add([new("ann@a.shop.example")])
    await claim(Ledger(pool), "s", [mail(1, wait=timedelta(hours=1))])
    assert [row["state"] for row in await Ledger(pool).counts()] == ["waiting"]


@pytest.mark.parametrize(
    ("channel", "reached"),
    [
        ("email", "Ann@Shop.Example"),
        ("email", "ann@a.b.c.shop.example"),
        ("email", "+48600100200"),
        ("webhook", "api.shop.example:8443"),
        ("webhook", "localhost:8443"),
    ],
)
async def test_rows_of_earlier_releases_are_read_where_they_are(
    pool: asyncpg.Pool, channel: ChannelName, reached: str
) -> None:
    made = delivery(channel)
    changed: dict[str, Any] = (
        {"account": reached} if channel == "webhook" else {"email": replace(made.email, to=reached)}
    )
    row = row_of(Work(replace(made, **changed), 0, NOW), timedelta())
    found = await pool.fetchval("select stored_address_keys($1, $2)", channel, row.record)
    assert {one.hex for one in found} >= set(map(key_hash, row.address_keys))
    assert await pool.fetchval("select stored_address_keys($1, $2)", channel, b"r") == []


@pytest.mark.parametrize(
    ("key", "stops"),
    [
        ("jo@example.com", True),
        ("*.example.com", False),
        ("example.com", True),
        ("+48600100200", True),
        ("ann@example.com", False),
    ],
)
async def test_what_a_provider_knows_by_our_id_is_stopped_by_its_customers_addresses(
    pool: asyncpg.Pool, key: str, stops: bool
) -> None:
    known = {one: getattr(delivery("webhook"), one) for one in Delivery.__struct_fields__}
    made = BrazeDelivery(
        braze=BrazeAddress(external_id="crm-7"),
        **known | {"data": {"customer": {"id": "c1", "email": "Jo@Example.com", "phone": "+48 600-100-200"}}},
    )
    row = row_of(Work(made, 0, NOW), timedelta())
    found = await pool.fetchval("select stored_address_keys('braze', $1)", row.record)
    assert {one.hex for one in found} == set(map(key_hash, row.address_keys))
    await Suppressions(pool).add([new(key)])
    assert await claim(Ledger(pool), "s", [row]) == (set() if stops else {made.delivery_id})


async def test_a_sender_tells_what_it_did_not_send(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, pool: asyncpg.Pool, mailbox: SmtpSink
) -> None:
    monkeypatch.setattr("agents.roles.sender.outcomes._SWEEP", timedelta())
    monkeypatch.setattr("agents.roles.sender.sender._SWEEP_SECONDS", 0.1)
    first, second = mails(2)
    first, second = to(first, "Ann@Shop.example"), to(second, "bob@else.example")
    await Suppressions(pool).add([new("*.else.example"), new("ann@shop.example")])
    async with running(settings, pool, mailbox.port) as run:
        await run.take([first, second])

        codec = Wiring(settings).codec(DELIVERY_STATUS)

        def told_of() -> dict[str, DeliveryStatus]:
            """One of each: what is swept so soon may be told by both who settled it and who sweeps."""
            statuses = [read_as(codec.decode(one), DeliveryStatus) for one in run.topic.told]
            return {one.delivery_id: one for one in statuses}

        async def all_over() -> bool:
            return len(told_of()) == 2

        await until(all_over)
        assert await run.counts() == {"failed": 1, "sent": 1}
        told = told_of()
    assert [mail.recipients for mail in mailbox.mails] == [("bob@else.example",)]
    assert (told["dlv_0"].outcome, told["dlv_0"].reason) == ("suppressed", "suppressed")
    assert "Shop" not in told["dlv_0"].detail


async def test_an_address_that_is_refused_for_good_is_not_written_to_again(
    settings: Settings, pool: asyncpg.Pool, mailbox: SmtpSink
) -> None:
    mailbox.at_stage = "rcpt"
    mailbox.replies.extend(["550 5.7.1 rejected by policy", "550 5.1.1 no such user"])
    listed = Suppressions(pool)
    async with running(settings, pool, mailbox.port) as run:

        async def refused(number: int) -> None:
            await run.take([to(mails(3)[number], f"ann{number}@gone.example")])
            await until(lambda: is_failed(run, number + 1))

        await refused(0)
        await refused(1)
        await until(lambda: has_entries(listed))
        await run.take([to(mails(3)[2], "ANN1@gone.example")])
        await until(lambda: is_failed(run, 3))
    assert mailbox.mails == [] and not mailbox.replies
    (found,) = [one async for one in listed.all("shop")]
    assert (found.key, found.channel, found.reason) == ("ann1@gone.example", "email", "bounced")
    assert (found.source, found.added_by, found.expires_at) == ("delivery dlv_1", "sender", None)


async def test_a_consent_withdrawn_while_a_mail_waits_stops_it(
    settings: Settings, pool: asyncpg.Pool, mailbox: SmtpSink
) -> None:
    (made,) = mails(1)
    destination = Destination(made.project_id, "email", "main")
    async with running(settings, pool, mailbox.port) as run:
        await run.ledger.pause_destination(destination, "refused", "held")
        await until(lambda: is_paused(run, destination))
        await run.take([made])
        said = {"id": made.customer.id, "consents": {made.category: False}}
        key, at = made.customer.id.encode(), int(time.time() * 1000) + 1000
        record = SimpleNamespace(key=key, value=msgspec.json.encode(said), timestamp=at, headers=())
        await run.sender.take_customers(cast(Any, SimpleNamespace(records=[record])))
        await run.ledger.resume_destination(destination, by="me")
        await until(lambda: is_failed(run, 1))
        row = await run.ledger.delivery(made.delivery_id)
    assert row is not None
    assert (row["reason"], row["detail"], mailbox.mails) == ("consent", "marketing: withdrawn after the decision", [])


async def test_soft_bounces_are_counted_until_something_is_taken(pool: asyncpg.Pool) -> None:
    bounces, listed, ledger = Bounces(Suppressions(pool)), Suppressions(pool), Ledger(pool)
    (made,) = mails(1)
    other = replace(to(made, "other@shop.example"), customer=replace(made.customer, id="another"))
    soft = Settlement(made.delivery_id, "waiting", "452 4.2.2 over quota", is_bounce=True)
    for _ in range(4):
        await bounces.note([(soft, made), (soft, other)])
    await pool.execute("update soft_bounces set first_at = first_at - interval '3 days'")
    row = row_of(Work(replace(other, delivery_id="d"), 0, NOW), timedelta())
    await ledger.claim_new([row], owner="s", lease=LEASE)
    await ledger.settle([Settlement("d", "sent", "")], owner="s")
    await bounces.note([(soft, made), (soft, other)])
    (found,) = [one async for one in listed.all(made.project_id)]
    assert (found.key, found.reason, found.channel) == (address_keys("email", made.reaches)[0], "bounced", "email")
    assert found.expires_at is not None and found.expires_at - found.added_at == timedelta(days=30)
    assert await pool.fetchval("select array_agg(bounces order by bounces) from soft_bounces") == [1, 5]


async def test_what_is_taken_asks_nothing_of_postgres() -> None:
    """Most batches are such."""
    (made,) = mails(1)
    await Bounces(cast(Any, None)).note([(Settlement("d", "sent", ""), made), (Settlement("d", "failed", ""), made)])


async def is_paused(run: Running, destination: Destination) -> bool:
    return destination in run.sender._turns.capacity.paused


async def is_failed(run: Running, count: int) -> bool:
    counts: list[int] = [row["count"] for row in await run.ledger.counts() if row["state"] == "failed"]
    return sum(counts) == count


async def has_entries(listed: Suppressions) -> bool:
    return bool([one async for one in listed.all("shop")])


def mail(number: int, **changes: Any) -> NewDelivery:
    keys = address_keys("email", "Ann@a.shop.example")
    return new_delivery(number, channel="email", address_keys=keys, **changes)


def to(made: Any, address: str) -> Any:
    return replace(made, email=replace(made.email, to=address))


def opened(file: Path) -> SuppressionFile:
    return SuppressionFile(file, project_id="shop", reason="other", actor="ann")
