"""Read models made anew as the API is asked to, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from agents.clock import utc_now
from agents.wiring import Wiring
from console.cli.main import app
from console.control.rebuilds import RebuildWork, find
from console.http.long_work import LongWork
from deploy.settings.settings import Settings
from schemas.purchase import PURCHASE_TOPICS
from schemas.topics import DECISIONS, DELIVERY_STATUS
from store.read_models.rebuild import Rebuild
from tests.environment import environment_of
from tests.integration.api_client import Answer, Api, running_api, wired
from tests.integration.test_rebuild import Record, Shop, expected, records


@dataclass
class Stage:
    """An API, the topics of decisions and ends, read models that differ from them, and who makes them anew."""

    api: Api
    shop: Shop
    made: list[Record]
    is_stopping: bool = False

    def worker(self, owner: str = "one", **changes: Any) -> RebuildWork:
        return RebuildWork(
            self.api.pool, self.shop.wiring, owner, utc_now, lambda: self.is_stopping, beat_seconds=0.05, **changes
        )

    async def begin(self, **more: Any) -> Answer:
        return await self.api.ask("POST", "/read-models/rebuilds", **{"role": "operator", **more})

    async def begun(self) -> str:
        answer = await self.begin()
        assert answer.status == 202, answer.json
        assert answer.headers["location"].endswith(answer.json["rebuild"]["id"])
        return str(answer.json["rebuild"]["id"])

    async def see(self, identity: str) -> Any:
        answer = await self.api.ask("GET", f"/read-models/rebuilds/{identity}", role="operator")
        assert answer.status == 200, answer.json
        return answer.json

    async def is_right(self) -> bool:
        return await self.shop.rows() == expected(self.made)


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    topics = (DECISIONS, DELIVERY_STATUS, *PURCHASE_TOPICS)
    with wired(settings, dsn, topics, settings.topics.partitions) as made:
        yield made


@pytest.fixture
async def stage(wiring: Wiring) -> AsyncIterator[Stage]:
    async with running_api(wiring) as api:
        made, shop = records(100), Shop(wiring, api.pool)
        await shop.record(made, await shop.write(made))
        await shop.spoil()
        yield Stage(api, shop, made)


async def test_read_models_are_made_anew_as_asked_for_and_what_was_done_is_told(stage: Stage) -> None:
    identity = await stage.begun()
    waiting = await stage.see(identity)
    assert [waiting[name] for name in ("state", "tries", "read", "replaced")] == ["waiting", 0, 0, []]
    assert not await stage.is_right()
    assert await stage.worker().work()
    done = await stage.see(identity)
    assert [done[name] for name in ("state", "tries", "read", "to_read", "unreadable", "kept", "waits", "why")] == [
        "done", 1, 200, 200, 0, [], "", "",
    ]  # fmt: skip
    assert [one["decisions"] for one in done["replaced"]] == [25] * 4
    assert (done["created_by"][:4], done["started_at"] <= done["ended_at"]) == ("key:", True)
    assert (await stage.is_right(), await stage.shop.is_clean()) == (True, True)
    assert not await stage.worker().work()
    again = await stage.begun()
    listed = await stage.api.listed("/read-models/rebuilds?limit=1", "id", role="operator")
    assert listed == [again, identity]


async def test_one_is_made_at_a_time_and_a_dry_run_asks_for_none(stage: Stage) -> None:
    tried = await stage.begin()
    assert tried.status == 202
    second = await stage.begin()
    assert (second.status, tried.json["rebuild"]["id"] in second.json["detail"]) == (409, True)
    await stage.worker().work()
    dry = await stage.api.ask("POST", "/read-models/rebuilds?dry_run=true", role="operator")
    assert (dry.status, dry.json["dry_run"]) == (200, True)
    assert len(await stage.api.listed("/read-models/rebuilds", "id", role="operator")) == 1


async def test_keys_of_another_project_are_refused_since_all_share_the_read_models(stage: Stage) -> None:
    identity = await stage.begun()
    for method, path in (("POST", ""), ("GET", ""), ("GET", f"/{identity}"), ("POST", f"/{identity}/cancel")):
        answer = await stage.api.ask(method, f"/read-models/rebuilds{path}", project="outlet")
        assert answer.status == 403, (method, path)
    assert (await stage.begin(role="approver")).status == 403
    assert (await stage.api.ask("GET", "/read-models/rebuilds/rebuild_no", role="operator")).status == 404


async def until(stage: Stage, identity: str, field: str) -> None:
    async with asyncio.timeout(120):
        while not (await stage.see(identity))[field]:
            await asyncio.sleep(0.02)


class Stuck:
    """The second day is not replaced before it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_stuck, self.may_go_on = asyncio.Event(), asyncio.Event()
        replace_day, count = Rebuild.replace, iter(range(100))

        async def wait_first(one: Rebuild, *given: Any) -> Any:
            if next(count) == 1:
                self.is_stuck.set()
                await self.may_go_on.wait()
            return await replace_day(one, *given)

        monkeypatch.setattr(Rebuild, "replace", wait_first)


async def test_what_a_process_that_died_had_begun_is_made_anew_by_the_next(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands still for longer than its lease, a day in its place already; awake again, it changes nothing."""
    stuck, identity = Stuck(monkeypatch), await stage.begun()
    dead = asyncio.ensure_future(replace(stage.worker("dead"), beat_seconds=600.0).work())
    await asyncio.wait_for(stuck.is_stuck.wait(), 120)
    assert not await stage.worker("two").work(), "its lease has not ended"
    await stage.api.pool.execute("update read_model_rebuilds set lease_until = now() - interval '1 second'")
    assert await stage.worker("two").work()
    done = await stage.see(identity)
    assert (done["state"], done["tries"], len(done["replaced"])) == ("done", 2, 4)
    stuck.may_go_on.set()
    await asyncio.wait_for(dead, 120)
    assert await stage.see(identity) == done
    assert (await stage.is_right(), await stage.shop.is_clean()) == (True, True)


async def test_one_that_is_canceled_ends_with_what_is_in_its_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    Stuck(monkeypatch)
    identity = await stage.begun()
    task = asyncio.ensure_future(stage.worker().work())
    await until(stage, identity, "replaced")
    canceled = await stage.api.ask("POST", f"/read-models/rebuilds/{identity}/cancel", role="operator")
    assert canceled.status == 200
    await asyncio.wait_for(task, 60)
    found = await stage.see(identity)
    assert (found["state"], len(found["replaced"]), found["canceled_by"][:4]) == ("canceled", 1, "key:")
    assert await stage.shop.is_clean()
    over = await stage.api.ask("POST", f"/read-models/rebuilds/{identity}/cancel", role="operator")
    assert over.status == 409


async def test_a_cancel_of_one_whose_process_died_forgets_what_it_made(stage: Stage) -> None:
    identity = await stage.begun()
    await Rebuild(stage.api.pool, "dead").begin("ann")
    await stage.api.pool.execute("update read_model_rebuilds set tries = 1")
    dry = await stage.api.ask("POST", f"/read-models/rebuilds/{identity}/cancel?dry_run=true", role="operator")
    assert (dry.json["rebuild"]["state"], await stage.shop.is_clean()) == ("canceled", False)
    await stage.api.ask("POST", f"/read-models/rebuilds/{identity}/cancel", role="operator")
    assert ((await stage.see(identity))["state"], await stage.shop.is_clean()) == ("canceled", True)


async def test_a_process_that_stops_leaves_it_to_the_next(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, identity = Stuck(monkeypatch), await stage.begun()
    task = asyncio.ensure_future(stage.worker().work())
    await until(stage, identity, "replaced")
    stage.is_stopping = True
    await asyncio.wait_for(task, 60)
    assert (await stage.see(identity))["state"] == "waiting"
    stage.is_stopping = False
    stuck.may_go_on.set()
    assert await stage.worker("two").work()
    assert ((await stage.see(identity))["tries"], await stage.is_right()) == (2, True)


async def test_the_loop_of_the_process_makes_them(stage: Stage) -> None:
    loop = LongWork(stage.shop.wiring, utc_now)
    loop.start()
    try:
        await until(stage, identity := await stage.begun(), "ended_at")
        assert ((await stage.see(identity))["state"], await stage.is_right()) == ("done", True)
    finally:
        await loop.stop()


async def test_the_command_asks_for_one_and_does_it_or_waits_for_the_one_under_way(stage: Stage) -> None:
    async def run() -> Any:
        runner = CliRunner(env=environment_of(stage.shop.wiring))
        return await asyncio.to_thread(runner.invoke, app, ["rebuild", "read-models", "--json"])

    done = await run()
    found = msgspec.json.decode(done.stdout)
    assert (done.exit_code, found["state"], found["read"], await stage.is_right()) == (0, "done", 200, True)
    identity = await stage.begun()
    joined = msgspec.json.decode((await run()).stdout)
    assert (joined["rebuild_id"], joined["state"]) == (identity, "done")


async def test_who_ends_early_cancels_what_it_began_and_leaves_what_others_did(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    Stuck(monkeypatch)
    for actor, state in (("bob", "waiting"), (None, "canceled")):
        one = await find(stage.api.pool, await stage.begun())
        work = stage.worker().see_through(one, lambda _: None, project_id="shop", actor=actor or one.created_by)
        task = asyncio.ensure_future(work)
        await until(stage, one.rebuild_id, "tries")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await stage.see(one.rebuild_id))["state"] == state
        await stage.api.ask("POST", f"/read-models/rebuilds/{one.rebuild_id}/cancel", role="operator")
