"""Backfills on a real Kafka and PostgreSQL: begun with SET LIVE, each entry once, stopped with what they are of."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from subprocess import Popen
from typing import Any

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from agents.wiring import Wiring
from console.cli.main import app
from console.control import distributions, sends
from console.control.context import ProjectContext
from console.control.documents import parse_documents
from console.control.segments import remove
from console.control.sends import NotPossible
from schemas.closed import DistributionStatus
from schemas.errors import DefinitionInvalid, TidingsError
from store.backfills import SegmentMissing
from store.distributions import Change, Control
from store.segment_transaction import MembershipRow, Profile
from store.segments import Segments
from store.send_rows import SendRow
from streams.identity import segment_event_id
from tests.environment import set_environment
from tests.factory import rule
from tests.faults.harness import FULL
from tests.integration.test_sends import Stage, many

PROJECT = ProjectContext("shop", accounts={"sms": ("main",)})
TRIGGER = {"event": "customer.segment.entered", "segment": "vip"}
SMS: Any = [{"sms": {"account": "main", "text": "Welcome"}}]
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Backfills(Stage):
    """Distributions on a segment whose members are put there by hand."""

    version = 0

    async def members_are(self, *members: str, since: datetime = LONG_AGO, number: int = 1) -> None:
        async with Segments(self.pool).transaction() as work:
            await work.put_customers("shop", [Profile(one, 0, 7, b"{}") for one in members])
            await work.put_memberships("shop", [MembershipRow(one, "vip", True, number, since) for one in members])

    async def vip(self, *members: str, is_complete: bool = True) -> None:
        await self.segment("vip", [], is_complete=is_complete)
        await self.members_are(*members)

    async def save(self, who: str = "now_and_later", status: DistributionStatus = "LIVE", **changes: Any) -> None:
        self.version += 1
        trigger = changes.pop("trigger", TRIGGER)
        made = rule(distribution="welcome", trigger=trigger, channels=SMS, backfill=who, status=status, **changes)
        made = msgspec.structs.replace(made, version=self.version)
        await Control(self.pool).save([Change(made, "", ())], applied_by="ann", now=datetime.now(UTC))

    async def set(self, status: DistributionStatus) -> None:
        async def nobody(_: Control) -> None:
            """Kafka need not know."""

        self.version += 1
        given = "shop", "welcome", status, nobody
        await distributions.set_status(self.pool, *given, actor="ann", now=datetime.now(UTC))

    async def all(self) -> list[SendRow]:
        return sorted(await sends.listed(self.pool, "shop", 10), key=lambda one: one.created_at)

    async def only(self) -> SendRow:
        (send,) = await self.all()
        return send


@pytest.fixture
async def stage(wiring: Wiring, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> Backfills:
    monkeypatch.setattr("agents.roles.fan_out._SETTLED", timedelta())
    return Backfills(wiring, pool)


async def test_each_member_gets_the_entry_of_its_membership_and_it_is_done(stage: Backfills) -> None:
    await stage.vip("c1", "c2")
    await stage.save()
    await stage.work(stage.fan_out())
    send = await stage.only()
    assert (send.status, send.audience, send.emitted, send.backfill) == ("DONE", 2, 2, "now_and_later")
    assert send.created_by == "ann"
    current = (await Control(stage.pool).current("shop"))["welcome"].backfill
    assert current is not None and current.at == send.live_at is not None
    serial = await stage.pool.fetchval("select serial from segments where segment_id = 'vip'")
    events = {one["data"]["customer"]["id"]: one for one in stage.events()}
    assert sorted(events) == ["c1", "c2"]
    for customer, one in events.items():
        assert one["id"] == segment_event_id("shop", "vip", serial, customer, 7, TRIGGER["event"], 1)
        assert (one["type"], one["data"]["segment"]) == (TRIGGER["event"], {"id": "vip", "name": "vip"})
        assert one["data"]["send"] == {"id": send.send_id, "version": 1}
        assert one["data"]["distribution"]["id"] == "welcome"
        assert datetime.fromisoformat(one["created_at"]) == send.live_at


@pytest.mark.parametrize(("who", "gets"), [("now_and_later", {"c1", "c2", "c3"}), ("members_now", {"c1", "c2"})])
async def test_who_enters_while_it_goes_out_gets_it_where_it_is_for_them(
    stage: Backfills, who: str, gets: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Customers who enter behind the page of the fan-out, before matchers know, are found when all is out."""
    monkeypatch.setattr("agents.roles.fan_out._PAGE", 1)
    monkeypatch.setattr("agents.roles.fan_out._TURN", 2)
    await stage.vip("c1", "c2")
    await stage.save(who)
    one = stage.fan_out()
    await one.work()
    await stage.members_are("c0" if who == "now_and_later" else "c3", since=datetime.now(UTC))
    await stage.work(one)
    send = await stage.only()
    assert send.status == "DONE"
    found = {"c3" if member == "c0" else member for member in stage.members()}
    assert found == gets
    assert send.emitted == 2


async def test_only_later_makes_nothing_begin(stage: Backfills) -> None:
    await stage.save("only_later")
    assert await stage.all() == []


async def test_it_begins_once_a_segment_is_complete_with_all_who_are_in_it_then(stage: Backfills) -> None:
    await stage.vip(is_complete=False)
    await stage.save("members_now")
    await stage.work(stage.fan_out(), turns=2)
    assert (await stage.only()).status == "TO SEND"
    await stage.members_are("c1", since=datetime.now(UTC))
    await stage.complete()
    await stage.work(stage.fan_out())
    assert (await stage.only()).status == "DONE"
    assert set(stage.members()) == {"c1"}


async def test_it_is_made_once_however_often_it_is_set_live(stage: Backfills) -> None:
    await stage.vip("c1")
    await stage.save(status="DRAFT")
    assert await stage.all() == []
    await stage.set("LIVE")
    await stage.work(stage.fan_out())
    for status in ("PAUSED", "LIVE", "STOPPED", "LIVE"):
        await stage.set(status)
    await stage.save(priority=5)
    assert len(await stage.all()) == 1
    await stage.save("only_later")
    await stage.save("members_now")
    assert [one.backfill for one in await stage.all()] == ["now_and_later", "members_now"]
    await stage.work(stage.fan_out())
    ids = Counter(one["id"] for one in stage.events())
    assert len(ids) == 1, "who asks again reaches nobody twice: it is the same entry"


async def test_it_moves_with_the_start_of_its_distribution(stage: Backfills) -> None:
    await stage.vip("c1")
    first, second = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (1, 4))
    await stage.save(starts_at=first.isoformat())
    await stage.save(starts_at=second.isoformat())
    moments = {datetime.fromisoformat(one["created_at"]) for one in await stage.until_events()}
    assert moments == {second}, "by its first start every member would be skipped as too early"
    await stage.work(stage.fan_out())
    assert {datetime.fromisoformat(one["created_at"]) for one in stage.events()} == {second}


async def test_one_that_was_stopped_before_anything_was_out_begins_anew(stage: Backfills) -> None:
    await stage.vip("c1")
    await stage.save()
    await stage.set("STOPPED")
    await stage.set("LIVE")
    assert [one.status for one in await stage.all()] == ["STOPPED", "TO SEND"]
    await stage.work(stage.fan_out())
    assert set(stage.members()) == {"c1"}
    await stage.set("STOPPED")
    await stage.set("LIVE")
    assert len(await stage.all()) == 2, "now they have it"


async def test_it_waits_while_its_distribution_is_paused(stage: Backfills) -> None:
    await stage.vip("c1")
    await stage.save()
    await stage.set("PAUSED")
    await stage.work(stage.fan_out(), turns=2)
    assert (await stage.only()).waits_for == "its distribution is PAUSED"
    await stage.set("LIVE")
    await stage.work(stage.fan_out())
    assert set(stage.members()) == {"c1"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "STOPPED"}, "welcome v2 is STOPPED; 0 had gone, 0 were queued"),
        ({"status": "ENDED"}, "welcome v2 is ENDED; 0 had gone, 0 were queued"),
        ({"status": "DRAFT"}, "welcome v2 is DRAFT; 0 had gone, 0 were queued"),
        ({"who": "only_later"}, "welcome v2 is LIVE; 0 had gone, 0 were queued"),
        ({"trigger": {"event": "customer.order.paid"}, "who": None}, "welcome v2 is LIVE; 0 had gone, 0 were queued"),
    ],
)
async def test_it_is_stopped_with_what_it_is_a_part_of(stage: Backfills, changes: dict[str, Any], said: str) -> None:
    await stage.vip("c1")
    await stage.save()
    await stage.save(**changes)
    await stage.work(stage.fan_out(), turns=2)
    send = await stage.only()
    assert (send.status, stage.events()) == ("STOPPED", [])
    shown = await sends.show(stage.pool, "shop", send.send_id)
    assert [(one.action, one.actor) for one in shown.actions] == [("set live", "ann"), ("stop", "ann")]
    assert (shown.actions[0].detail, shown.actions[1].detail) == ("welcome v1, 1 customers", said)


async def test_it_ends_with_its_distributions_time(stage: Backfills) -> None:
    await stage.vip("c1")
    await stage.save(ends_at="2026-01-02")
    await stage.work(stage.fan_out(), turns=2)
    send = await stage.only()
    assert (send.status, stage.events()) == ("STOPPED", [])


async def test_another_segment_takes_the_place_of_the_first(stage: Backfills) -> None:
    await stage.vip("c1")
    await stage.segment("gold", [])
    await stage.save()
    await stage.save(trigger={**TRIGGER, "segment": "gold"})
    assert [(one.to.segment, one.status) for one in await stage.all()] == [("vip", "STOPPED"), ("gold", "TO SEND")]


async def test_a_person_pauses_resumes_and_stops_it_and_cannot_edit_it(stage: Backfills) -> None:
    await stage.vip("c1")
    await stage.save()
    send = await stage.only()
    with pytest.raises(NotPossible, match="is a backfill, which began when welcome was set live"):
        await sends.edit(stage.pool, PROJECT, send.send_id, hold=timedelta(1), actor="ann", now=datetime.now(UTC))
    with pytest.raises(TidingsError, match="is used by welcome"):
        await remove(stage.pool, "shop", "vip", actor="ann")
    await sends.pause(stage.pool, "shop", send.send_id, actor="bob")
    await stage.work(stage.fan_out(), turns=2)
    assert stage.events() == []
    await sends.resume(stage.pool, "shop", send.send_id, actor="bob")
    await sends.stop(stage.pool, "shop", send.send_id, actor="bob")
    await stage.work(stage.fan_out(), turns=2)
    assert stage.events() == []


async def test_a_segment_that_is_not_there_keeps_it_from_being_saved(stage: Backfills) -> None:
    with pytest.raises(SegmentMissing, match="there is no segment vip"):
        await stage.save()
    assert await Control(stage.pool).current("shop") == {}
    assert await stage.all() == []


async def test_a_killed_fan_out_leaves_no_gap_and_counts_no_double(stage: Backfills) -> None:
    members, fewest_kills, patience = (80_000, 20, 400) if FULL else (3000, 2, 300)
    expected, rng = many(members), random.Random(11)
    await stage.vip(*expected)
    await stage.save()
    settings = stage.wiring.settings
    command = [sys.executable, "-m", "tests.integration.fan_out_process", settings.kafka.bootstrap]
    command += [settings.postgres.dsn.reveal(), settings.topics.prefix, "one"]
    deadline, kills = time.monotonic() + patience, 0
    while not is_out(await stage.only()):
        assert time.monotonic() < deadline
        before, process = (await stage.only()).emitted, Popen(command)  # noqa: ASYNC220 - a moment
        try:
            enough = before + rng.randrange(600, 1200)
            while not is_out(now := await stage.only()) and now.emitted < enough:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.005)
        finally:
            process.kill()
            process.wait(30)
            kills += 1
    assert kills >= fewest_kills
    assert (await stage.only()).emitted == len(expected)
    events = stage.events()
    assert {one["data"]["customer"]["id"] for one in events} == set(expected)
    assert len({one["id"] for one in events}) == len(expected), "a double has the id of the first"


def is_out(send: SendRow) -> bool:
    """True once the events of all members are out."""
    return send.emitted_at is not None or send.is_swept


# -- before it is applied -----------------------------------------------------------------------------------------

SOURCE = """\
distribution: welcome
trigger: {{event: customer.segment.entered, segment: {segment}}}
backfill: {who}
consent: marketing
channels: [{{sms: {{account: main, text: Welcome}}}}]
status: {status}
"""


def document(who: str = "now_and_later", segment: str = "vip", status: str = "LIVE") -> list[Any]:
    return list(parse_documents(SOURCE.format(who=who, segment=segment, status=status), "welcome.yaml"))


@pytest.mark.parametrize(
    ("who", "is_complete", "said"),
    [
        ("now_and_later", True, "backfill: 3 customers in vip get it now; then each who enters"),
        ("members_now", True, "backfill: 3 customers in vip get it now; nobody who enters later"),
        (
            "members_now",
            False,
            "backfill: 3 customers in vip get it now so far: the segment is being computed, and they get it after "
            "that; nobody who enters later",
        ),
        ("only_later", True, ""),
    ],
)
async def test_a_plan_says_how_many_get_it_at_once(stage: Backfills, who: str, is_complete: bool, said: str) -> None:
    await stage.vip(*many(3), is_complete=is_complete)
    (planned,) = await distributions.plan(stage.pool, document(who), PROJECT, datetime.now(UTC))
    assert planned.lines == ("; ".join(filter(None, ("live from now on", said))),)
    (draft,) = await distributions.plan(stage.pool, document(who, status="DRAFT"), PROJECT, datetime.now(UTC))
    assert draft.lines == ("DRAFT",)


async def test_a_version_that_asks_for_nothing_new_is_planned_as_it_is(stage: Backfills) -> None:
    async def nobody(_: Control) -> None:
        """Kafka need not know."""

    await stage.vip("c1")
    now = datetime.now(UTC)
    plan = await distributions.plan(stage.pool, document(), PROJECT, now)
    await distributions.save(stage.pool, plan, nobody, actor="ann", now=now)
    (again,) = await distributions.plan(stage.pool, document(), PROJECT, now)
    assert (again.what, again.lines) == ("unchanged", ())
    (other,) = await distributions.plan(stage.pool, document("members_now"), PROJECT, now)
    assert other.lines == ("backfill: now_and_later → members_now",)


async def test_a_segment_of_which_nobody_knows_the_members_is_refused_with_its_line(stage: Backfills) -> None:
    await stage.vip("c1")
    with pytest.raises(DefinitionInvalid) as caught:
        await distributions.plan(stage.pool, document(segment="vips"), PROJECT, datetime.now(UTC))
    said = str(caught.value)
    assert "welcome.yaml:2" in said and 'Did you mean "vip"?' in said and "which backfill needs" in said
    assert await distributions.plan(stage.pool, document("only_later", "vips"), PROJECT, datetime.now(UTC))


async def test_resume_says_how_many_get_it_and_asks(stage: Backfills, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.vip(*many(3))
    await stage.save(status="PAUSED")
    set_environment(monkeypatch, stage.wiring)

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments))

    refused = await run("distributions", "resume", "welcome")
    assert "backfill: 3 customers in vip get it now; then each who enters" in refused.output
    assert refused.exit_code != 0
    assert await stage.all() == []
    assert "welcome v2 is LIVE" in (await run("distributions", "resume", "welcome", "--yes")).output
    (listed,) = (await run("sends", "list", "--json")).output.splitlines()
    shown = json.loads(listed)
    assert (shown["to"], shown["backfill"], shown["audience"], shown["out"]) == ("vip", "now_and_later", 3, 0)
