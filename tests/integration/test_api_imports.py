"""Files of codes that are handed in over the API, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from agents.clock import utc_now
from agents.wiring import Wiring
from console.control.imports import ImportWork
from console.http.long_work import LongWork
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from store.imports import StagedImports
from tests.integration.api_client import Answer, Api, running_api
from tests.integration.test_api_campaigns import OWN, SUMMER, left

ROWS = 1000
FILE = "code\n" + "".join(f"C{number:07d}\n" for number in range(ROWS))
MOST = 1 << 20


@dataclass
class Stage:
    """An API, and whoever works on what is handed in."""

    api: Api
    settings: Settings
    is_stopping: bool = False

    def worker(self, owner: str = "one", **changes: Any) -> ImportWork:
        made = ImportWork(
            self.api.pool, Wiring(self.settings), owner, utc_now, lambda: self.is_stopping, batch_size=100
        )
        return replace(made, **changes)

    async def hand_in(self, text: str = FILE, query: str = "", **more: Any) -> Answer:
        more = {"role": "editor", "content_type": "text/csv", **more}
        return await self.api.ask("POST", f"/campaigns/own/imports{query}", text.encode(), **more)

    async def begin(self, text: str = FILE, **more: Any) -> str:
        answer = await self.hand_in(text, **more)
        assert answer.status == 202, answer.json
        assert answer.headers["location"].endswith(answer.json["import"]["id"])
        return str(answer.json["import"]["id"])

    async def see(self, identity: str) -> Any:
        return (await self.api.ask("GET", f"/imports/{identity}", role="viewer")).json

    async def parts(self) -> int:
        return int(await self.api.pool.fetchval("select count(*) from import_parts"))


@pytest.fixture
async def stage(settings: Settings, dsn: str) -> AsyncIterator[Stage]:
    mine = replace(settings, postgres=Postgres(dsn=Secret(dsn)))
    async with running_api(Wiring(mine), import_max_bytes=MOST) as api:
        for name, document in (("own", OWN), ("summer", SUMMER)):
            assert (await api.ask("PUT", f"/campaigns/{name}", document)).status == 201
        yield Stage(api, mine)


def counts(found: Any) -> tuple[Any, ...]:
    names = ("state", "rows", "rows_read", "added", "there_already", "doubled")
    return tuple(found[name] for name in names)


async def test_a_file_is_added_and_the_same_again_adds_nothing(stage: Stage) -> None:
    first = await stage.begin(FILE + "C0000001\n")
    waiting = await stage.see(first)
    assert (*counts(waiting), waiting["bytes"]) == ("waiting", 0, 0, 0, 0, 0, len(FILE) + 9)
    assert await stage.worker().work()
    done = await stage.see(first)
    assert counts(done) == ("done", ROWS + 1, ROWS + 1, ROWS, 0, 1)
    assert done["started_at"] <= done["ended_at"]
    assert (await left(stage.api, "own"), await stage.parts()) == ((ROWS, ROWS), 0)
    again = await stage.begin()
    await stage.worker().work()
    assert counts(await stage.see(again)) == ("done", ROWS, ROWS, 0, ROWS, 0)
    assert not await stage.worker().work()
    assert [one["id"] for one in (await stage.api.ask("GET", "/imports")).json["items"]] == [again, first]
    outlet = await stage.api.ask("GET", f"/imports/{first}", project="outlet")
    assert outlet.status == 404


async def test_a_file_with_wrong_lines_is_refused_with_the_first_of_them_and_adds_nothing(stage: Stage) -> None:
    wrong = "".join(f"W{number},soon\n" for number in range(12))
    identity = await stage.begin("code,expiration_date\nA1,2030-01-01\n" + wrong)
    await stage.worker().work()
    found = await stage.see(identity)
    assert counts(found) == ("refused", 0, 0, 0, 0, 0)
    assert len(found["problems"]) == 11
    assert (found["problems"][0]["line"], found["wrong"]) == (3, 12)
    assert "2 more lines are wrong" in found["problems"][-1]["detail"]
    assert (await left(stage.api, "own"), await stage.parts()) == ((0, 0), 0)


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_takes_it_up_after_a_crash_goes_on_behind_the_last_batch(stage: Stage, seed: int) -> None:
    identity, batches = await stage.begin(), random.Random(seed).randrange(1, 9)
    asked = iter(range(batches + 1))

    def until_it_dies() -> datetime:
        """One look for the check, and one for each batch."""
        if next(asked, None) is None:
            raise asyncio.CancelledError
        return utc_now()

    with pytest.raises(asyncio.CancelledError):
        await stage.worker("dead", clock=until_it_dies).work()
    assert counts(await stage.see(identity)) == ("adding", ROWS, batches * 100, batches * 100, 0, 0)
    assert not await stage.worker("two").work(), "its lease has not ended"
    await stage.api.pool.execute("update imports set lease_until = now() - interval '1 second'")
    assert await stage.worker("two").work()
    assert counts(await stage.see(identity)) == ("done", ROWS, ROWS, ROWS, 0, 0)
    assert await left(stage.api, "own") == (ROWS, ROWS)


async def test_who_has_lost_its_lease_adds_nothing_more(stage: Stage) -> None:
    identity = await stage.begin()
    task = asyncio.ensure_future(stage.worker("slow", batch_size=5).work())
    while (await stage.see(identity))["rows_read"] < 100:
        await asyncio.sleep(0)
    await stage.api.pool.execute("update imports set lease_owner = 'other', lease_until = 'infinity'")
    await task
    found = await stage.see(identity)
    assert (found["state"], found["added"]) == ("adding", (await left(stage.api, "own"))[0])
    assert found["added"] < ROWS


async def test_a_process_that_stops_leaves_it_to_the_next(stage: Stage) -> None:
    identity = await stage.begin()
    stage.is_stopping = True
    await stage.worker().work()
    stage.is_stopping = False
    assert await stage.worker("two").work()
    assert counts(await stage.see(identity)) == ("done", ROWS, ROWS, ROWS, 0, 0)


async def test_a_cancel_ends_what_waits_at_once_and_what_is_added_with_its_batch(stage: Stage) -> None:
    waiting = await stage.begin()
    dry = await stage.api.ask("POST", f"/imports/{waiting}/cancel?dry_run=true", role="editor")
    assert (dry.json["import"]["state"], (await stage.see(waiting))["state"]) == ("canceled", "waiting")
    done = await stage.api.ask("POST", f"/imports/{waiting}/cancel", role="editor")
    assert (done.json["import"]["state"], await stage.parts()) == ("canceled", 0)
    running = await stage.begin()
    task = asyncio.ensure_future(stage.worker(batch_size=5).work())
    while (await stage.see(running))["rows_read"] < 100:
        await asyncio.sleep(0)
    await stage.api.ask("POST", f"/imports/{running}/cancel", role="editor")
    await task
    found = await stage.see(running)
    assert (found["state"], found["added"], await stage.parts()) == ("canceled", (await left(stage.api, "own"))[0], 0)
    again = await stage.api.ask("POST", f"/imports/{running}/cancel")
    assert (again.status, "is canceled and cannot be" in again.json["detail"]) == (409, True)


async def test_a_file_that_is_handed_in_again_with_its_key_is_one_import(stage: Stage) -> None:
    first = await stage.hand_in(idempotency_key="monday")
    again = await stage.hand_in(idempotency_key="monday")
    assert (again.raw, again.headers["idempotency-replayed"]) == (first.raw, "true")
    other = await stage.hand_in(FILE + "D1\n", idempotency_key="monday")
    assert (other.status, other.json["type"]) == (409, "/api/v1/problems/key_reused")


async def test_a_file_that_cannot_be_taken_leaves_nothing(stage: Stage) -> None:
    large = await stage.hand_in("code\n" + "x" * MOST)
    assert (large.status, large.json["type"]) == (413, "/api/v1/problems/too_large")
    kind = await stage.hand_in(content_type="text/html")
    assert kind.status == 415
    viewer = await stage.hand_in(role="viewer")
    assert viewer.json["permission"] == "campaigns:write"
    dry = (await stage.hand_in(query="?dry_run=true")).json
    assert (dry["dry_run"], dry["is_right"], dry["looked_at"], dry["problems"]) == (True, True, ROWS, [])
    wrong = (await stage.hand_in("code,expiration_date\nA1,soon\n", query="?dry_run=true")).json
    assert (wrong["is_right"], wrong["wrong"], wrong["problems"][0]["line"]) == (False, 1, 2)
    none = await stage.api.ask("POST", "/campaigns/summer/imports", FILE.encode(), content_type="text/csv")
    assert (none.status, "has no codes" in none.json["detail"]) == (409, True)
    assert (await stage.api.ask("GET", "/imports")).json["items"] == []
    assert await stage.parts() == 0


async def test_a_connection_that_breaks_off_leaves_nothing(stage: Stage) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield FILE.encode()
        raise ConnectionResetError

    headers = {"authorization": f"Bearer {stage.api.keys['shop', 'editor']}", "content-type": "text/csv"}
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await stage.api.session.post(f"{stage.api.base}/api/v1/campaigns/own/imports", data=half(), headers=headers)
    assert (await stage.api.ask("GET", "/imports")).json["items"] == []


async def test_no_more_than_ten_are_open_in_a_project(stage: Stage) -> None:
    for _ in range(10):
        await stage.begin("code\nA\n")
    more = await stage.hand_in("code\nA\n")
    assert (more.status, "10 imports are not over" in more.json["detail"]) == (409, True)


async def test_the_loop_of_the_process_adds_what_is_handed_in(stage: Stage) -> None:
    loop = LongWork(Wiring(stage.settings), utc_now)
    loop.start()
    try:
        identity = await stage.begin()
        async with asyncio.timeout(120):
            while (await StagedImports(stage.api.pool).find("shop", identity)).ended_at is None:  # type: ignore[union-attr]
                await asyncio.sleep(0.05)
        assert counts(await stage.see(identity)) == ("done", ROWS, ROWS, ROWS, 0, 0)
    finally:
        await loop.stop()
