"""Files of customers that are handed in over the API, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.broker.producer import write_all
from agents.clock import utc_now
from agents.wiring import Wiring
from console.control import import_of_customers
from console.control.import_of_customers import NAMED
from console.control.imports import MOST_TRIED, ImportWork
from deploy.settings.settings import Settings
from store.retention import Retention
from tests.integration.api_client import Answer, Api, running_api, wired
from tests.integration.test_api_customers import CSV, told

ROWS = 1000
FILE = "id,metadata.n:number\n" + "".join(f"c{number},{number}\n" for number in range(ROWS))
LINES = "".join(f'{{"id": "c{number}", "metadata": {{"n": {number}}}}}\n' for number in range(ROWS))
JSON = {"content_type": "application/x-ndjson"}


@dataclass
class Stage:
    """An API, the topic of customers, and whoever works on what is handed in."""

    api: Api
    wiring: Wiring
    is_stopping: bool = False

    def worker(self, owner: str = "one", **changes: Any) -> ImportWork:
        made = ImportWork(self.api.pool, self.wiring, owner, utc_now, lambda: self.is_stopping, batch_size=100)
        return replace(made, **changes)

    async def hand_in(self, text: str | bytes = FILE, query: str = "", **more: Any) -> Answer:
        more = {"role": "operator", "content_type": "text/csv", **more}
        raw = text if isinstance(text, bytes) else text.encode()
        return await self.api.ask("POST", f"/customers/imports{query}", raw, **more)

    async def begin(self, text: str | bytes = FILE, query: str = "", **more: Any) -> str:
        answer = await self.hand_in(text, query, **more)
        assert answer.status == 202, answer.json
        return str(answer.json["import"]["id"])

    async def see(self, identity: str, project: str = "shop") -> Any:
        return (await self.api.ask("GET", f"/imports/{identity}", role="viewer", project=project)).json

    async def done(self, text: str | bytes = FILE, query: str = "", **more: Any) -> Any:
        """Handed in and worked on to its end."""
        identity = await self.begin(text, query, **more)
        assert await self.worker().work()
        return await self.see(identity, more.get("project", "shop"))

    def profiles(self) -> dict[bytes, Any]:
        """The newest of each on the topic."""
        return dict(told(self.wiring))


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("customers",)) as made:
        yield made


@pytest.fixture
async def stage(wiring: Wiring) -> AsyncIterator[Stage]:
    async with running_api(wiring, import_max_bytes=4 << 20) as api:
        yield Stage(api, wiring)


def counts(found: Any) -> tuple[Any, ...]:
    return tuple(found[name] for name in ("state", "rows", "rows_read", "added", "wrong", "erased"))


@pytest.mark.parametrize(("text", "more"), [(FILE, {}), (LINES, JSON), ("\ufeff" + LINES, JSON)])
async def test_a_file_is_written_whole(stage: Stage, text: str, more: Any) -> None:
    found = await stage.done(text, **more)
    assert counts(found) == ("done", ROWS, ROWS, ROWS, 0, 0)
    assert (found["kind"], found["campaign"], found["created_by"][:4]) == ("customers", None, "key:")
    written = told(stage.wiring)
    assert len(written) == ROWS
    assert {key: profile["metadata"]["n"] for key, profile in written} == {f"c{n}".encode(): n for n in range(ROWS)}
    assert await stage.api.pool.fetchval("select count(*) from import_parts") == 0


async def test_columns_and_cells_are_read_as_by_the_command(stage: Stage) -> None:
    assert (await stage.done(CSV))["added"] == 3
    found = stage.profiles()
    assert {name: found[b"c1"][name] for name in ("name", "email", "consents", "metadata")} == {
        "name": 'Ann "A" O\'Neil',
        "email": "ann@shop.example",
        "consents": {"marketing": True, "news.daily": False},
        "metadata": {"zip": "00123", "a": {"b": 12.5}, "v": True},
    }
    assert found[b"'+48501234567"]["name"] == "=x"
    await stage.done("id\nc1\n", project="outlet")
    assert [*stage.profiles()][3:] == [b"outlet\x1fc1"]


WRONG_CSV = "id,email,consents.marketing,metadata.a:number\n" + "\n".join(
    ["c1,a@b.example,maybe,1", "c2,,true,one", "c3,a", ",x@y.example,,", "c1,,,", "c4,,,9", "c4,,,8"]
)
WRONG_JSON = (
    '{"id": "c1", "email": ["a@b.example"]}\n[1]\n{"id": "c2", "id": "c3"}\nnot json\n\n{"id": "c4"}\n'
    '{"id": "c4"}\n{"id": "c5", "project_id": "outlet"}\n'
)


@pytest.mark.parametrize(
    ("text", "more", "places", "right"),
    [
        (
            WRONG_CSV,
            {},
            [(2, "consents.marketing"), (3, "metadata.a:number"), (4, ""), (5, "id"), (8, "id")],
            {b"c1", b"c4"},
        ),
        (WRONG_JSON, JSON, [(1, "email"), (2, ""), (3, ""), (4, ""), (7, "id"), (8, "project_id")], {b"c4"}),
    ],
)
async def test_each_wrong_line_is_named_and_none_is_written_or_the_others(
    stage: Stage, text: str, more: Any, places: list[Any], right: set[bytes]
) -> None:
    found = await stage.done(text, **more)
    assert [(one["line"], one.get("field", "")) for one in found["problems"]] == places
    assert (found["state"], found["added"], found["wrong"], stage.profiles()) == ("refused", 0, len(places), {})
    assert not any(private in msgspec.json.encode(found).decode() for private in ("b.example", "y.example", "maybe"))
    skipped = await stage.done(text, "?skip_wrong=true", **more)
    assert (skipped["state"], skipped["wrong"], skipped["added"]) == ("done", len(places), len(right))
    assert skipped["rows_read"] == skipped["rows"] == len(places) + len(right)
    assert {*stage.profiles()} == right


async def test_what_is_given_and_allowed_is_said_by_its_kind(stage: Stage) -> None:
    (problem,) = (await stage.done("id,consents.a\nc1,perhaps\n"))["problems"]
    assert (problem["given"], problem["allowed"]) == ("a text of 7 characters", "true or false")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("email\na@b.example\n", '"id" is not among them'), ("id;email\nc1;a\n", "separated by commas"),
        ("id,emial\nc1,a\n", 'Did you mean "email"'), ('id,name\nc1,"Ann\n', "cannot be read as CSV"),
        ("id,name\nc1,Ann\n".encode("utf-16"), "UTF-16"), (b"id,name\nc1,Ann\xf3\n", "is not UTF-8"),
        ("", "names the columns"), ("id\n", "has no customers"), ("id,id\nc1,c1\n", "stands there twice"),
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_read_to_its_end_is_refused_also_where_lines_are_skipped(
    stage: Stage, text: str | bytes, said: str
) -> None:
    found = await stage.done(text, "?skip_wrong=true")
    assert (found["state"], said in found["problems"][0]["detail"], stage.profiles()) == ("refused", True, {}), found


async def test_no_more_wrong_lines_are_kept_than_a_hundred(stage: Stage) -> None:
    found = await stage.done("id,consents.a\n" + "".join(f"c{number},x\n" for number in range(300)))
    assert (len(found["problems"]), found["wrong"]) == (NAMED, 300)


async def test_a_dry_run_looks_at_the_first_lines_and_keeps_nothing(stage: Stage) -> None:
    text = "id\n" + "".join(f"c{number}\n" for number in range(MOST_TRIED)) + "c1\n"
    found = (await stage.hand_in(text, "?dry_run=true")).json
    assert (found["is_right"], found["looked_at"], found["problems"]) == (True, MOST_TRIED, [])
    wrong = (await stage.hand_in(WRONG_JSON, "?dry_run=true", **JSON)).json
    assert (wrong["is_right"], wrong["wrong"], wrong["problems"][0]["line"]) == (False, 6, 1)
    assert (await stage.hand_in(WRONG_JSON, "?dry_run=true&skip_wrong=true", **JSON)).json["is_right"]
    assert (await stage.api.ask("GET", "/imports")).json["items"] == []


@pytest.mark.parametrize("seed", range(3))
async def test_whoever_takes_it_up_after_a_crash_writes_what_is_missing(
    stage: Stage, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies between Kafka and the note of a batch: that batch alone is written again."""
    identity, batches = await stage.begin(), random.Random(seed).randrange(1, 9)
    left = iter(range(batches))

    async def until_it_dies(*given: Any) -> None:
        await write_all(*given)
        if next(left, None) is None:
            raise asyncio.CancelledError

    monkeypatch.setattr(import_of_customers, "write_all", until_it_dies)
    with pytest.raises(asyncio.CancelledError):
        await stage.worker("dead").work()
    monkeypatch.undo()
    assert counts(await stage.see(identity)) == ("adding", ROWS, batches * 100, batches * 100, 0, 0)
    await stage.api.pool.execute("update imports set lease_until = now() - interval '1 second'")
    assert await stage.worker("two").work()
    assert counts(await stage.see(identity)) == ("done", ROWS, ROWS, ROWS, 0, 0)
    written = told(stage.wiring)
    assert (len({key for key, _ in written}), len(written)) == (ROWS, ROWS + 100)


async def test_who_is_erased_meanwhile_does_not_come_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first batch c5, while one is written c950: its tombstone stands behind, or nothing is written."""
    identity = await stage.begin()
    assert (await stage.api.ask("DELETE", "/customers/c5")).status == 200
    erasing: list[asyncio.Task[Answer]] = []

    async def with_erasures(*given: Any) -> None:
        if not erasing:
            for customer in ("c7", "c950"):
                erasing.append(asyncio.ensure_future(stage.api.ask("DELETE", f"/customers/{customer}")))
            waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
            async with asyncio.timeout(60):
                while not await stage.api.pool.fetchval(waiting):
                    await asyncio.sleep(0.01)
        await write_all(*given)

    monkeypatch.setattr(import_of_customers, "write_all", with_erasures)
    await stage.worker().work()
    assert [(await one).status for one in erasing] == [200, 200]
    found, newest = await stage.see(identity), stage.profiles()
    assert [newest.get(one) for one in (b"c5", b"c7")] == [None, None]
    assert newest[b"c950"] is None
    assert (found["state"], found["rows_read"], found["added"] + found["erased"]) == ("done", ROWS, ROWS)
    assert found["erased"] >= 1


async def test_a_cancel_ends_it_with_its_batch(stage: Stage) -> None:
    identity = await stage.begin()
    task = asyncio.ensure_future(stage.worker(batch_size=5).work())
    while (await stage.see(identity))["rows_read"] < 50:
        await asyncio.sleep(0)
    assert (await stage.api.ask("POST", f"/imports/{identity}/cancel", role="operator")).status == 200
    await task
    found = await stage.see(identity)
    assert (found["state"], found["added"]) == ("canceled", len(stage.profiles()))
    assert found["added"] < ROWS


async def test_the_list_is_of_both_kinds_or_of_one(stage: Stage) -> None:
    identity = await stage.begin("id\nc1\n")
    listed = [(await stage.api.ask("GET", f"/imports{one}")).json["items"] for one in ("", "?kind=codes")]
    assert ([one["id"] for one in listed[0]], listed[1]) == ([identity], [])
    assert (await stage.api.ask("GET", f"/imports/{identity}", project="outlet")).status == 404
    assert (await stage.hand_in(role="viewer")).status == 403
    assert (await stage.hand_in(content_type="application/json")).headers["accept"] == "text/csv, application/x-ndjson"


async def test_what_became_of_an_import_is_kept_for_as_long_as_the_setting_says(stage: Stage) -> None:
    over, waits = (await stage.done("id\nc1\n"))["id"], await stage.begin("id\nc1\n")
    pool = stage.api.pool
    await pool.execute("update imports set created_at = now() - interval '9 days'")
    await pool.execute("update imports set ended_at = now() - interval '8 days' where ended_at is not null")
    keep = timedelta(days=90)
    assert "imports" not in await Retention(pool, keep, imports=timedelta(days=9), each=timedelta()).tidy()
    assert (await Retention(pool, keep, imports=timedelta(days=7), each=timedelta()).tidy())["imports"] == 1
    assert [one["import_id"] for one in await pool.fetch("select import_id from imports")] == [waits]
    assert over != waits
