"""Manual sends on a real Kafka and PostgreSQL: held, edited, paused, stopped, and each member's event once."""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from subprocess import Popen
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace as with_fields
from typer.testing import CliRunner

from agents.broker.lag import Lag
from agents.broker.reader import TopicReader
from agents.roles.fan_out import AheadInKafka, FanOut
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from console.cli.main import app
from console.control import sends
from console.control.context import ProjectContext
from console.control.distributions import set_status
from console.control.doctor_sends import examine_sends
from console.control.recipients import Recipients, ToCondition, ToCustomers, ToSegment
from console.control.segments import remove
from console.control.sends import NotPossible
from deploy.settings.workers import Sends as SendSettings
from schemas.closed import ChannelName
from schemas.delivery import Delivery, DistributionRef, EventRef
from schemas.errors import DefinitionInvalid, TidingsError
from schemas.publication_request import PublicationRequest
from schemas.record_key import Keyed
from schemas.segment import SegmentDefinition
from schemas.send import Started, When
from store.codes.held import CodeRequest, Held
from store.distributions import Change, Control
from store.erasure import Erasure
from store.holds import HoldRow, Holds
from store.segment_transaction import MembershipRow
from store.segments import Segments
from store.send_rows import SendRow
from store.sending.ledger import Ledger
from store.sends import Sends
from tests.factory import rule
from tests.faults.harness import FULL
from tests.integration.test_holds import TOLD
from tests.integration.test_providers import webhooks

PROJECT = ProjectContext("shop")
MAIL: Any = {"email": {"account": "main", "subject": "Spring", "text": "Hello"}}
MANUAL: Any = {"trigger": "manual_distribution_schedule", "when": None, "channels": [MAIL]}
NO_HOLD, HOLD = timedelta(), timedelta(minutes=10)
LEASE = timedelta(minutes=1)


async def put_segment(pool: asyncpg.Pool, identity: str, members: Collection[str]) -> None:
    """A segment and its members, as segmenters leave them while it is not complete."""
    segments, now = Segments(pool), datetime.now(UTC)
    made = SegmentDefinition(
        id=identity, project_id="shop", name=identity, version=1, members=list(members), updated_at=now
    )
    await segments.save([(made, "")], applied_by="test", now=now)
    async with segments.transaction() as work:
        await work.put_memberships("shop", [MembershipRow(one, identity, True, 1, now) for one in members])


@dataclass
class Stage:
    """Sends of one distribution, and fan-outs in this process."""

    wiring: Wiring
    pool: asyncpg.Pool
    ahead: int = 0
    read: int = 0
    channels: Collection[str] = ()

    async def count_ahead(self, channels: Collection[ChannelName]) -> list[Lag]:
        self.channels = set(channels)
        return [Lag("matcher", "events.manual", 0, committed=self.read, end=self.read + self.ahead)]

    def fan_out(self, owner: str = "one", *, least_ahead: int = 1_000_000) -> FanOut:
        settings = replace(self.wiring.settings, sends=SendSettings(least_ahead=least_ahead))
        return FanOut(Wiring(settings), Sends(self.pool), Metrics(), owner=owner, ahead=self.count_ahead)

    async def draft(self, to: Recipients, when: When | None = None, hold: timedelta = NO_HOLD) -> SendRow:
        given = "spring", to, when or When(), hold
        return await sends.draft(self.pool, PROJECT, *given, actor="ann", now=datetime.now(UTC))

    async def send(self, to: Recipients, when: When | None = None, hold: timedelta = NO_HOLD) -> SendRow:
        made = await self.draft(to, when, hold)
        return await sends.confirm(self.pool, PROJECT, made.send_id, actor="ann")

    async def find(self, send: SendRow) -> SendRow:
        return await sends.find(self.pool, "shop", send.send_id)

    async def look_now(self) -> None:
        await self.pool.execute("update sends set look_at = now() where look_at > now()")

    async def work(self, by: FanOut, turns: int = 10) -> None:
        for _ in range(turns):
            await self.look_now()
            await by.work()

    async def segment(self, identity: str, members: Sequence[str], *, is_complete: bool = True) -> None:
        await put_segment(self.pool, identity, members)
        if is_complete:
            await self.complete()

    async def complete(self) -> None:
        await self.pool.execute("update segments set computed_version = version")

    def events(self) -> list[dict[str, Any]]:
        with TopicReader(self.wiring, "events.manual") as reader:
            return [reader.decode(message) for message in reader.until_now()]

    async def until_events(self) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 60
        while not (found := self.events()):
            assert time.monotonic() < deadline
            await self.work(self.fan_out(), turns=1)
        return found

    def members(self) -> list[str]:
        return [one["data"]["customer"]["id"] for one in self.events()]


@pytest.fixture
async def stage(wiring: Wiring, pool: asyncpg.Pool) -> Stage:
    await Control(pool).save(
        [Change(rule(distribution="spring", **MANUAL), "", ())], applied_by="ann", now=datetime.now(UTC)
    )
    return Stage(wiring, pool)


def many(count: int) -> list[str]:
    return [f"c{number:05}" for number in range(count)]


async def test_each_member_of_a_list_gets_one_event_and_the_send_is_done(stage: Stage) -> None:
    send = await stage.send(ToCustomers(["c2", "c1", "c2"]))
    await stage.work(stage.fan_out())
    after = await stage.find(send)
    assert (after.status, after.audience, after.emitted, after.version) == ("DONE", 2, 2, 1)
    events = stage.events()
    assert sorted(stage.members()) == ["c1", "c2"]
    assert {datetime.fromisoformat(one["created_at"]) for one in events} == {after.starts_at}
    assert events[0]["data"]["send"] == {"id": send.send_id, "version": 1}
    said = events[0]["data"]["distribution"]
    fields = ["id", "created_at", "updated_at", "status", "consents", "set_live_at", "distribution_channels"]
    assert list(said) == fields
    assert (said["id"], said["status"], said["set_live_at"]) == ("spring", "TO SEND", None)


async def test_a_send_to_a_segment_goes_to_those_in_it_when_its_turn_comes(stage: Stage) -> None:
    await stage.segment("vip", ["c1", "c2"])
    send = await stage.send(ToSegment("vip"))
    with pytest.raises(TidingsError, match="vip"):
        await remove(stage.pool, "shop", "vip", actor="ann")
    async with Segments(stage.pool).transaction() as work:
        await work.put_memberships("shop", [MembershipRow("c3", "vip", True, 1, datetime.now(UTC))])
    await stage.work(stage.fan_out())
    assert sorted(stage.members()) == ["c1", "c2", "c3"]
    assert (await stage.find(send)).status == "DONE"
    await remove(stage.pool, "shop", "vip", actor="ann")


async def test_a_new_segment_is_complete_before_the_hold_begins_and_goes_with_the_send(stage: Stage) -> None:
    send = await stage.draft(ToCondition({"customer.metadata.country": "PL"}))
    assert (await sends.counted(stage.pool, "shop", send.send_id)).is_complete is False
    send = await sends.confirm(stage.pool, PROJECT, send.send_id, actor="ann")
    assert send.starts_at is None
    await stage.work(stage.fan_out(), turns=2)
    assert (await stage.find(send)).status == "TO SEND"
    async with Segments(stage.pool).transaction() as work:
        await work.put_memberships("shop", [MembershipRow("c1", str(send.to.segment), True, 1, datetime.now(UTC))])
    await stage.complete()
    await stage.work(stage.fan_out())
    assert (await stage.find(send)).status == "DONE"
    assert stage.members() == ["c1"]
    assert await Segments(stage.pool).current("shop") == []


async def test_a_condition_can_keep_its_name(stage: Stage) -> None:
    send = await stage.draft(ToCondition({"customer.metadata.country": "PL"}, name="poles"))
    await sends.discard(stage.pool, "shop", send.send_id, actor="ann")
    assert [one.definition.id for one in await Segments(stage.pool).current("shop")] == ["poles"]


async def test_nothing_goes_out_within_the_hold_and_edits_apply(stage: Stage) -> None:
    send = await stage.send(ToCustomers(["c1"]), hold=HOLD)
    assert send.confirmed_at is not None and send.starts_at == send.confirmed_at + HOLD
    await set_status(stage.pool, "shop", "spring", "PAUSED", _tell_nobody, actor="ann", now=datetime.now(UTC))
    await set_status(stage.pool, "shop", "spring", "LIVE", _tell_nobody, actor="ann", now=datetime.now(UTC))
    await stage.work(stage.fan_out(), turns=2)
    assert stage.events() == []
    of = {"actor": "ann", "now": datetime.now(UTC)}
    longer = await sends.edit(stage.pool, PROJECT, send.send_id, hold=2 * HOLD, **of)  # type: ignore[arg-type]
    assert longer.starts_at == send.confirmed_at + 2 * HOLD, "the clock goes on"
    anew = await sends.edit(stage.pool, PROJECT, send.send_id, restarts=True, **of)  # type: ignore[arg-type]
    assert anew.starts_at is not None and anew.starts_at > longer.starts_at
    await sends.edit(stage.pool, PROJECT, send.send_id, hold=NO_HOLD, **of)  # type: ignore[arg-type]
    await stage.work(stage.fan_out())
    assert [one["data"]["send"]["version"] for one in stage.events()] == [3], "as it is when it begins"
    with pytest.raises(NotPossible, match="is DONE and cannot be edited"):
        await sends.edit(stage.pool, PROJECT, send.send_id, hold=HOLD, **of)  # type: ignore[arg-type]
    shown = await sends.show(stage.pool, "shop", send.send_id)
    assert [one.action for one in shown.actions] == ["draft", "confirm", "edit", "edit", "edit"]
    assert shown.actions[2].detail == "hold 10m → 20m"


async def test_a_send_with_other_recipients_is_confirmed_for_them_and_goes_to_them_alone(stage: Stage) -> None:
    of: Any = {"actor": "ann", "now": datetime.now(UTC)}
    await stage.segment("vips", ["v1", "v2"])
    send = await stage.send(ToCondition({"customer.metadata.country": "PL"}), hold=HOLD)
    own = send.to.segment
    changed = await sends.edit(stage.pool, PROJECT, send.send_id, to=ToCustomers(["c1", "c2"]), hold=NO_HOLD, **of)
    assert (changed.status, changed.confirmed_at, changed.starts_at) == ("DRAFT", None, None)
    assert own not in {one.definition.id for one in await Segments(stage.pool).current("shop")}
    await stage.work(stage.fan_out(), turns=2)
    assert stage.events() == [], "nobody has confirmed it for those"
    another = ToCondition({"customer.metadata.country": "DE"})
    for to in (another, another, ToSegment("vips")):  # its own segment may be followed by another of its own
        await sends.edit(stage.pool, PROJECT, send.send_id, to=to, **of)
    assert [one.definition.id for one in await Segments(stage.pool).current("shop")] == ["vips"]
    await sends.confirm(stage.pool, PROJECT, send.send_id, actor="ann")
    await stage.work(stage.fan_out())
    assert sorted(stage.members()) == ["v1", "v2"]
    shown = await sends.show(stage.pool, "shop", send.send_id)
    assert shown.actions[2].detail == f"to {own} → a list; hold 10m → 0s"
    with pytest.raises(NotPossible, match="is DONE and cannot be edited"):
        await sends.edit(stage.pool, PROJECT, send.send_id, to=ToCustomers(["c1"]), **of)


async def test_wrong_recipients_leave_a_send_as_it_was(stage: Stage) -> None:
    of: Any = {"actor": "ann", "now": datetime.now(UTC)}
    send = await stage.send(ToCustomers(["c1"]), hold=HOLD)
    for to in (ToCustomers([]), ToCustomers(["x" * 5000]), ToSegment("nobody")):
        with pytest.raises(TidingsError):
            await sends.edit(stage.pool, PROJECT, send.send_id, to=to, hold=NO_HOLD, **of)
    assert await stage.find(send) == send
    assert await sends.counted(stage.pool, "shop", send.send_id) == sends.Counted(1, True)


async def test_who_took_a_send_up_before_its_recipients_changed_sends_nothing(stage: Stage) -> None:
    send = await stage.send(ToCustomers(["c1"]))
    store = Sends(stage.pool)
    claimed = await store.claim("one", LEASE)
    assert claimed is not None
    of: Any = {"actor": "ann", "now": datetime.now(UTC)}
    await sends.edit(stage.pool, PROJECT, send.send_id, to=ToCustomers(["c2"]), **of)
    await sends.confirm(stage.pool, PROJECT, send.send_id, actor="ann")
    started = Started(at=datetime.now(UTC), version=1, distribution={})
    async with store.change() as change:
        assert not await change.begin(claimed.send, "one", started, None)
    await stage.work(stage.fan_out("two"))
    assert stage.members() == ["c2"]


async def test_a_send_that_is_stopped_within_its_hold_sends_nothing(stage: Stage) -> None:
    send = await stage.send(ToCustomers(["c1"]), hold=HOLD)
    stopped = await sends.stop(stage.pool, "shop", send.send_id, actor="bob")
    assert (stopped.gone, stopped.canceled, stopped.send.status) == (0, 0, "STOPPED")
    await stage.work(stage.fan_out(), turns=2)
    assert stage.events() == []


async def test_a_paused_send_goes_on_where_it_was(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.roles.fan_out._PAGE", 10)
    monkeypatch.setattr("agents.roles.fan_out._TURN", 30)
    send, one = await stage.send(ToCustomers(many(100))), stage.fan_out()
    await one.work()
    await sends.pause(stage.pool, "shop", send.send_id, actor="ann")
    await stage.work(one, turns=3)
    assert (await stage.find(send)).emitted == 30 == len(stage.events())
    await sends.resume(stage.pool, "shop", send.send_id, actor="ann")
    await stage.work(one)
    assert sorted(stage.members()) == many(100)
    assert (await stage.find(send)).emitted == 100


async def test_it_waits_while_its_distribution_is_not_live(stage: Stage) -> None:
    send = await stage.send(ToCustomers(["c1"]))
    await set_status(stage.pool, "shop", "spring", "PAUSED", _tell_nobody, actor="ann", now=datetime.now(UTC))
    await stage.work(stage.fan_out(), turns=2)
    assert (await stage.find(send)).waits_for == "its distribution is PAUSED"
    await set_status(stage.pool, "shop", "spring", "LIVE", _tell_nobody, actor="ann", now=datetime.now(UTC))
    await stage.work(stage.fan_out())
    assert stage.members() == ["c1"]


async def test_it_is_no_further_ahead_than_what_left_within_a_minute(stage: Stage) -> None:
    send, one = await stage.send(ToCustomers(many(100))), stage.fan_out(least_ahead=20)
    stage.ahead = 15
    await stage.work(one, turns=1)
    assert (await stage.find(send)).emitted == 5
    stage.ahead = 20
    await stage.work(one, turns=2)
    after = await stage.find(send)
    assert (after.emitted, after.waits_for) == (5, "as many are ahead as left within the last minute")


async def test_a_send_is_done_although_topics_are_never_empty(stage: Stage) -> None:
    """Other traffic goes through the same topics: what counts is that what was there has been read."""
    send, one = await stage.send(ToCustomers(["c1"])), stage.fan_out()
    stage.ahead = 7
    await stage.work(one, turns=5)
    assert (await stage.find(send)).status == "SENDING", "its own event may be among those that nobody has read"
    for _ in range(4):
        stage.read += 7
        await stage.work(one, turns=1)
    assert (await stage.find(send)).status == "DONE"
    assert stage.channels == {"email"}, "what is behind on other channels does not concern it"


async def test_of_all_lag_a_send_asks_for_that_of_its_own_topics(stage: Stage) -> None:
    found = {(one.group, one.topic) for one in await AheadInKafka(stage.wiring)({"email", "sms"})}
    reads = {
        "matcher": ("events.manual", "events.due"),
        "holder": ("holds",),
        "publisher": ("publications.requests",),
        "sender": ("deliveries.email", "deliveries.sms"),
    }
    group, topic = stage.wiring.group, stage.wiring.topic
    assert found == {(group(role), topic(name)) for role, names in reads.items() for name in names}


async def test_a_send_waits_until_its_distribution_starts(stage: Stage) -> None:
    starts = datetime.now(UTC) + timedelta(seconds=8)
    later = with_fields(rule(distribution="spring", starts_at=starts.isoformat(), **MANUAL), version=2)
    send = await stage.send(ToCustomers(["c1"]))
    await Control(stage.pool).save([Change(later, "", ())], applied_by="ann", now=datetime.now(UTC))
    await stage.work(stage.fan_out(), turns=2)
    assert (await stage.find(send)).waits_for == f"its distribution starts at {starts.isoformat()}"
    (event,) = await stage.until_events()
    assert datetime.fromisoformat(event["created_at"]) == starts, "else each would be skipped as too early"


async def test_a_send_is_not_done_while_some_of_it_is_held(stage: Stage) -> None:
    send, one = await stage.send(ToCustomers(["c1", "c2"])), stage.fan_out()
    await stage.work(one, turns=1)
    holds, later = Holds(stage.pool), datetime.now(UTC) + timedelta(hours=1)
    await holds.add([held_of(send, later)])
    await Held(stage.pool).hold([code_request_of(send)])
    await stage.work(one)
    after = await stage.find(send)
    assert (after.status, after.waits_for) == ("SENDING", "2 that are held")
    assert (await sends.show(stage.pool, "shop", send.send_id)).progress.held == 2
    async with Held(stage.pool).take(timedelta(), 10) as batch:
        await batch.note(settled=["pub_1"], still_held=[])
    await stage.work(one)
    assert (await stage.find(send)).waits_for == "1 that are held"
    await stage.pool.execute("update holds set until_at = now()")
    async with holds.due(10, TOLD) as due:
        assert len(due) == 1
    await stage.work(one)
    assert (await stage.find(send)).status == "DONE"


async def test_a_stop_calls_off_what_is_held_and_counts_it(stage: Stage) -> None:
    send, other = await stage.send(ToCustomers(["c1"])), await stage.send(ToCustomers(["c1"]))
    await stage.work(stage.fan_out(), turns=2)
    holds, later = Holds(stage.pool), datetime.now(UTC) + timedelta(hours=1)
    await holds.add([held_of(send, later), held_of(other, later, "hld_2")])
    stopped = await sends.stop(stage.pool, "shop", send.send_id, actor="bob")
    assert (stopped.gone, stopped.canceled) == (0, 1)
    async with holds.due(10, TOLD) as due:
        assert [(one.hold_id, one.canceled_by) for one in due] == [("hld_1", "bob")]


def held_of(send: SendRow, until: datetime, identity: str = "hld_1") -> HoldRow:
    now = datetime.now(UTC)
    return HoldRow("shop", identity, 0, "spring", "c1", "quiet_hours", until, now, b"record", send.send_id)


def code_request_of(send: SendRow) -> CodeRequest:
    now = datetime.now(UTC)
    event = EventRef(id="e1", type="manual_distribution_schedule", created_at=now, send_id=send.send_id)
    request = PublicationRequest(
        publication_id="pub_1",
        project_id="shop",
        campaign="spring-codes",
        when_empty="wait",
        distribution=DistributionRef(id="spring", version=1, name="Spring"),
        event=event,
        customer_id="c2",
        data={},
        drafts=[],
    )
    return CodeRequest(request, 0, now)


async def test_the_doctor_names_a_send_that_nobody_takes_up(stage: Stage) -> None:
    send = await stage.send(ToCustomers(["c1"]))
    assert await examine_sends(stage.pool) == "0 under way"
    await stage.pool.execute("update sends set starts_at = '2020-01-01', look_at = '2020-01-01'")
    with pytest.raises(TidingsError, match=f"as on {send.send_id}. Start a fan-out with `tidings worker fan_out`"):
        await examine_sends(stage.pool)


async def test_an_erased_customer_is_left_out_of_every_list(stage: Stage) -> None:
    await stage.send(ToCustomers(["c1", "gone", "c2"]))
    await Erasure(stage.pool).note({Keyed("shop", "gone"): None})
    await stage.work(stage.fan_out())
    assert sorted(stage.members()) == ["c1", "c2"]


async def test_two_that_lose_a_send_to_each_other_count_each_member_once(stage: Stage) -> None:
    """A fan-out that hung past its lease makes the events of its page, and does not count them."""
    send, store = await stage.send(ToCustomers(many(10))), Sends(stage.pool)
    lost = await store.claim("slow", timedelta(microseconds=1))
    assert lost is not None
    await stage.work(stage.fan_out())
    moved = await store.advance(lost.send, "slow", LEASE, after="", upto="c00004", count=5, is_last=False)
    assert not moved
    assert (await stage.find(send)).emitted == 10


async def test_a_killed_fan_out_leaves_no_gap_and_counts_no_double(stage: Stage) -> None:
    members, fewest_kills, patience = (80_000, 20, 400) if FULL else (3000, 2, 300)
    expected, rng = many(members), random.Random(7)
    send = await stage.send(ToCustomers(expected))
    settings = stage.wiring.settings
    command = [sys.executable, "-m", "tests.integration.fan_out_process", settings.kafka.bootstrap]
    command += [settings.postgres.dsn.reveal(), settings.topics.prefix, "one"]
    deadline, kills = time.monotonic() + patience, 0
    while (await stage.find(send)).is_open:
        assert time.monotonic() < deadline
        before, process = (await stage.find(send)).emitted, Popen(command)  # noqa: ASYNC220 - a moment
        try:
            enough = before + rng.randrange(600, 1200)
            while (now := await stage.find(send)).is_open and now.emitted < enough and time.monotonic() < deadline:
                await asyncio.sleep(0.005)
        finally:
            process.kill()
            process.wait(30)
            kills += 1
    assert kills >= fewest_kills
    assert (await stage.find(send)).emitted == len(expected)
    events = stage.events()
    assert {one["data"]["customer"]["id"] for one in events} == set(expected)
    assert len({one["id"] for one in events}) == len(expected), "a double has the id of the first"


# -- in the ledger ------------------------------------------------------------------------------------------------


def deliveries(send: SendRow, count: int, first: int = 0) -> list[Delivery]:
    made = webhooks(first + count, "https://shop.example/hook")[first:]
    return [_of(one, send) for one in made]


def _of(delivery: Any, send: SendRow) -> Any:
    return with_fields(delivery, event=with_fields(delivery.event, send_id=send.send_id))


async def enter(ledger: Ledger, made: Sequence[Delivery], owner: str = "s") -> set[str]:
    rows = [row_of(Work(one, 0, datetime.now(UTC)), timedelta()) for one in made]
    return set(await ledger.claim_new(rows, owner=owner, lease=LEASE))


async def claimed(ledger: Ledger) -> list[Any]:
    found = []
    while some := await ledger.claim_due(owner="t", lease=LEASE, limit=100, a_destination=100):
        found += some
    return found


async def test_a_stop_reaches_what_is_queued_and_counts_what_had_gone(stage: Stage) -> None:
    send, ledger = await stage.send(ToCustomers(many(4))), Ledger(stage.pool)
    await stage.work(stage.fan_out(), turns=1)
    queued = deliveries(send, 3)
    assert len(await enter(ledger, queued[:1], "sending")) == 1
    await enter(ledger, queued[1:])
    await ledger.release_leases("s")
    stopped = await sends.stop(stage.pool, "shop", send.send_id, actor="bob")
    assert (stopped.gone, stopped.canceled) == (1, 2)
    assert await enter(ledger, deliveries(send, 1, first=3)) == set(), "what comes later is refused"
    assert await claimed(Ledger(stage.pool)) == []
    shown = (await sends.show(stage.pool, "shop", send.send_id)).progress
    assert (shown.under_way, shown.waiting, shown.failed) == (1, 0, 3)
    rows = await stage.pool.fetch("select reason, detail from deliveries where state = 'failed' order by detail")
    assert [(row["reason"], row["detail"]) for row in rows] == [
        ("canceled", "its send was stopped"),
        *[("canceled", "its send was stopped by bob")] * 2,
    ]


async def test_what_is_queued_of_a_paused_send_waits_until_it_is_resumed(stage: Stage) -> None:
    send, ledger = await stage.send(ToCustomers(many(4))), Ledger(stage.pool)
    await stage.work(stage.fan_out(), turns=1)
    await enter(ledger, deliveries(send, 2))
    await ledger.release_leases("s")
    await sends.pause(stage.pool, "shop", send.send_id, actor="bob")
    assert await enter(ledger, deliveries(send, 1, first=2)) == set(), "what comes meanwhile waits as well"
    assert await claimed(Ledger(stage.pool)) == []
    await sends.resume(stage.pool, "shop", send.send_id, actor="bob")
    assert len(await claimed(Ledger(stage.pool))) == 3


# -- what is refused ----------------------------------------------------------------------------------------------


async def test_what_cannot_be_sent_is_refused_with_what_is_right(stage: Stage) -> None:
    paused = rule(distribution="summer", status="PAUSED", **MANUAL)
    await Control(stage.pool).save(
        [Change(one, "", ()) for one in (rule(), paused)], applied_by="ann", now=datetime.now(UTC)
    )
    past = When(at=datetime.now(UTC) - timedelta(days=1))
    cases: list[tuple[str, Recipients, When, str]] = [
        ("thanks", ToCustomers(["c1"]), When(), "reacts to customer.order.paid by itself; .* trigger: manual"),
        ("sprin", ToCustomers(["c1"]), When(), 'Did you mean "spring"'),
        ("summer", ToCustomers(["c1"]), When(), "summer is PAUSED: nothing of it would be sent"),
        ("spring", ToCustomers(["c1"]), past, "is past; leave it out to send at once"),
        ("spring", ToCustomers([], "list.txt"), When(), "names no customer"),
        ("spring", ToCustomers(["c1", "x" * 257]), When(), "an id has 1 to 256 characters, this has 257"),
        ("spring", ToSegment("vip"), When(), 'no segment "vip"'),
        ("spring", ToCondition({"customer.metadata.x": {"biger": 1}}), When(), "biger"),
    ]
    for distribution, to, when, said in cases:
        with pytest.raises(TidingsError) as error:
            await sends.draft(stage.pool, PROJECT, distribution, to, when, HOLD, actor="a", now=datetime.now(UTC))
        problems = error.value.problems if isinstance(error.value, DefinitionInvalid) else [error.value]
        assert re.search(said, " ".join(map(str, problems))), said
    assert await sends.listed(stage.pool, "shop", 10) == []


async def test_a_send_to_nobody_is_not_confirmed(stage: Stage) -> None:
    await stage.segment("empty", [])
    send = await stage.draft(ToSegment("empty"))
    with pytest.raises(NotPossible, match="goes to nobody"):
        await sends.confirm(stage.pool, PROJECT, send.send_id, actor="ann")
    assert (await stage.find(send)).status == "DRAFT"


# -- by command ---------------------------------------------------------------------------------------------------


async def test_the_commands_of_a_send_from_its_count_to_its_stop(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.segment("vip", many(3))
    monkeypatch.setenv("TIDINGS_POSTGRES", stage.wiring.settings.postgres.dsn.reveal())
    monkeypatch.setenv("TIDINGS_PROJECT_ID", "shop")

    async def run(*arguments: str, said: str = "") -> Any:
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, input=said))

    refused = await run("send", "spring", "--to-segment", "vip", said="n\n")
    assert (refused.exit_code, "spring goes to 3 customers, 10m from now" in refused.output) == (1, True)
    assert await sends.listed(stage.pool, "shop", 10) == []
    made = json.loads((await run("send", "spring", "--to-customer", "c1", "--yes", "--json")).output)
    assert (made["status"], made["audience"], made["hold"]) == ("TO SEND", 1, "PT600S")
    edited = await run("sends", "edit", made["send_id"], "--at", "2999-01-01T09:00", "--customer-zone", "--json")
    assert json.loads(edited.output)["starts_at"] == "2998-12-31T19:00:00Z"
    (listed,) = (await run("sends", "list", "--json")).output.splitlines()
    assert (json.loads(listed)["audience"], json.loads(listed)["out"]) == (1, 0)
    assert "is PAUSED" in (await run("sends", "pause", made["send_id"])).output
    assert "is TO SEND, begins 2998-12-31" in (await run("sends", "resume", made["send_id"])).output
    stopped = await run("sends", "stop", made["send_id"])
    assert "is stopped: 0 had gone, 0 that were queued are cancelled" in stopped.output
    shown = json.loads((await run("sends", "show", made["send_id"])).output)
    assert [one["action"] for one in shown["actions"]] == ["draft", "confirm", "edit", "pause", "resume", "stop"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "exactly one of --to-customer, --to-list, --to-segment, --where"),
        (("--to-segment", "vip", "--to-customer", "c1"), "exactly one of"),
        (("--to-segment", "vip", "--save-as", "x"), "--save-as names the segment of a --where"),
        (("--to-list", "no/such.csv"), "there is no no/such.csv"),
    ],
)
def test_a_send_to_nobody_in_particular_is_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["send", "spring", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


async def _tell_nobody(_: Control) -> None:
    """Kafka need not know."""
