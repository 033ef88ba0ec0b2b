"""`tidings customers import`, which is an import as over the API, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from console.cli.main import app
from console.control.imports import MOST_TRIED, find
from store.imports import ImportRow
from tests.environment import environment_of
from tests.integration.test_api_customer_imports import FILE, LINES, ROWS, WRONG_CSV, Stage, stage, wiring
from tests.integration.test_api_customers import CSV, told

__all__ = ["stage", "wiring"]


async def run(stage: Stage, file: Path, *options: str) -> Any:
    runner = CliRunner(env=environment_of(stage.wiring))
    return await asyncio.to_thread(runner.invoke, app, ["customers", "import", str(file), *options])


async def listed(stage: Stage) -> list[Any]:
    return list((await stage.api.ask("GET", "/imports")).json["items"])


async def test_the_command_takes_the_files_that_the_api_takes(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(CSV)
    (tmp_path / "people.jsonl").write_text(LINES)
    tried = await run(stage, tmp_path / "people.csv", "--dry-run")
    assert (tried.exit_code, tried.output) == (0, "3 profiles would be written\n")
    assert (told(stage.wiring), await listed(stage)) == ([], [])
    done = await run(stage, tmp_path / "people.csv", "--json")
    (made,) = await listed(stage)
    assert (done.exit_code, msgspec.json.decode(done.stdout)) == (
        0,
        {"import": made["id"], "state": "done", "why": "", "rows": 3, "added": 3, "wrong": 0, "erased": 0,
         "problems": [], "dry_run": False},
    )  # fmt: skip
    assert [key for key, _ in told(stage.wiring)] == [b"c1", b"c2", b"'+48501234567"]
    more = await run(stage, tmp_path / "people.jsonl")
    assert (more.exit_code, f"is done: {ROWS:,} profiles are written" in more.output) == (0, True), more.output


async def test_wrong_lines_are_named_by_field_and_the_exit_code_says_so(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "wrong.csv").write_text(WRONG_CSV)
    for options, count in ((["--dry-run"], 0), ([], 0), (["--dry-run", "--skip-wrong"], 0), (["--skip-wrong"], 2)):
        done = await run(stage, tmp_path / "wrong.csv", *options)
        said = " ".join(done.output.split())
        assert done.exit_code == 1, said
        for one in (
            "wrong.csv:2: consents.marketing:",
            "wrong.csv:4: has 2 fields",
            "wrong.csv:8: id: is the id of line 7",
        ):
            assert one in said
        assert len(told(stage.wiring)) == count
    assert {one["state"] for one in await listed(stage)} == {"refused", "done"}


async def test_a_dry_run_of_the_command_looks_at_every_line(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("id\n" + "".join(f"c{number}\n" for number in range(MOST_TRIED + 5)) + "c1\n")
    tried = await run(stage, tmp_path / "long.csv", "--dry-run", "--json")
    found = msgspec.json.decode(tried.stdout)
    assert (tried.exit_code, found["rows"], found["problems"][0]["line"]) == (1, MOST_TRIED + 6, MOST_TRIED + 7)


async def begun(stage: Stage, text: str = FILE) -> ImportRow:
    return await find(stage.api.pool, "shop", await stage.begin(text))


async def test_what_was_handed_in_before_is_written_before(stage: Stage) -> None:
    """Of two profiles of a customer the later file has the last word, also where nobody took up the first."""
    other = await stage.begin("id,name\nc1,Other\n", project="outlet")
    await stage.begin("id,name\nc1,First\n")
    one = await begun(stage, "id,name\nc1,Second\n")
    later = await stage.begin("id,name\nc1,Third\n")
    done = await stage.worker().see_through(one, lambda _: None)
    assert (done.state, [profile["name"] for _, profile in told(stage.wiring)]) == ("done", ["First", "Second"])
    assert [(await stage.see(*of))["state"] for of in ((other, "outlet"), (later, "shop"))] == ["waiting"] * 2


async def test_who_sees_it_through_waits_for_who_has_it_and_goes_on_where_that_one_died(stage: Stage) -> None:
    one, shown = await begun(stage), list[str]()
    pool = stage.api.pool
    await pool.execute("update imports set lease_owner = 'other', lease_until = 'infinity', state = 'checking'")
    task = asyncio.ensure_future(stage.worker().see_through(one, lambda now: shown.append(now.state)))
    async with asyncio.timeout(60):
        while len(shown) < 3:
            await asyncio.sleep(0.05)
    assert {*shown} == {"checking"}
    await pool.execute("update imports set lease_until = now() - interval '1 second'")
    done = await task
    assert (done.state, done.added, len(told(stage.wiring))) == ("done", ROWS, ROWS)


@pytest.mark.parametrize("is_ours", [True, False])
async def test_an_import_whose_command_ends_early_is_canceled(stage: Stage, is_ours: bool) -> None:
    one = await begun(stage)
    if not is_ours:
        await stage.api.pool.execute("update imports set lease_owner = 'other', lease_until = 'infinity'")
    seen: list[ImportRow] = []
    task = asyncio.ensure_future(stage.worker(batch_size=1).see_through(one, seen.append))
    async with asyncio.timeout(60):
        while not seen or (is_ours and not (await stage.see(one.import_id))["rows_read"]):
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found = await stage.see(one.import_id)
    assert (task.cancelled(), found["canceled_by"]) == (True, one.created_by)
    if is_ours:
        assert (found["state"], found["added"] < ROWS) == ("canceled", True)
        assert await stage.api.pool.fetchval("select count(*) from import_parts") == 0
