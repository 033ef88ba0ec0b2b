"""The brand of a project over the API and from the command line, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from agents.wiring import Wiring
from console.cli.main import app
from deploy.settings.settings import Settings
from tests.environment import environment_of
from tests.integration.api_client import Answer, Api, running_api, wired

BRAND = {"name": "Outlet", "color": "#0f766e", "font": "Georgia, serif", "x_url": "https://x.example/outlet"}


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("distributions",)) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


async def put(api: Api, brand: Any, query: str = "", **more: Any) -> Answer:
    return await api.ask("PUT", f"/project/brand{query}", brand, **{"project": "outlet", **more})


async def get(api: Api) -> Answer:
    return await api.ask("GET", "/project/brand", role="viewer", project="outlet")


async def test_a_brand_is_versioned_with_the_document_that_says_all_else_as_before(api: Api) -> None:
    document = {"project": "outlet", "name": "The outlet", "timezone": "Europe/Warsaw", "plan": "verified"}
    first = (await api.ask("PUT", "/project", document, project="outlet")).headers["etag"]
    tried = await put(api, BRAND, "?dry_run=true")
    assert (tried.status, tried.json["plan"], (await get(api)).json["is_own"]) == (200, "changed", False)
    done = await put(api, BRAND, if_match=first)
    assert (done.status, done.json["version"]) == (200, 2)
    found = await get(api)
    assert (found.json["is_own"], found.json["version"]) == (True, 2)
    assert found.headers["etag"] == done.headers["etag"] != first
    assert found.json["brand"] == {**BRAND, "on_color": "#ffffff", "timezone": "Europe/Warsaw"}
    assert "address" in found.json["missing"] and "font" not in found.json["missing"]
    kept = (await api.ask("GET", "/project", project="outlet")).json["document"]["definition"]
    assert (kept["timezone"], kept["plan"], kept["brand"]) == ("Europe/Warsaw", "verified", BRAND)
    assert (await put(api, {"name": "Other"}, if_match=first)).status == 412
    assert (await put(api, BRAND)).json["plan"] == "unchanged"
    assert (await put(api, {"name": "Other"})).json["version"] == 3
    assert (await get(api)).json["brand"] == {"name": "Other", "timezone": "Europe/Warsaw"}


@pytest.mark.parametrize("project", ["outlet", "shop"], ids=["another", "the-default-one"])
async def test_a_project_without_a_document_gets_one(api: Api, project: str) -> None:
    made = await put(api, BRAND, if_none_match="*", project=project)
    assert (made.status, made.json["plan"], made.json["version"]) == (201, "new", 1)
    found = (await api.ask("GET", "/project/brand", role="viewer", project=project)).json
    assert (found["is_own"], found["brand"]) == (True, {**BRAND, "on_color": "#ffffff"})


async def test_all_that_is_wrong_is_told_with_what_is_allowed(api: Api) -> None:
    wrong = {
        "color": "blue", "letters_color": "#fff", "logo_url": "javascript:alert(1)", "font": 'Georgia", x', "sise": "1"
    }  # fmt: skip
    refused = await put(api, wrong)
    told = {one["pointer"]: one["detail"] for one in refused.json["errors"]}
    assert (refused.status, {*told}) == (422, {"/color", "/letters_color", "/logo_url", "/font", "/sise"})
    assert ["#1d4ed8" in told["/color"], "https://" in told["/logo_url"], "Georgia" in told["/font"]] == [True] * 3
    assert "color" in told["/sise"]
    assert (await put(api, ["Outlet"])).status in (400, 422)
    assert (await put(api, BRAND, role="approver")).status == 403


@pytest.mark.parametrize(
    ("colors", "said"),
    [
        ({"color": "#0f766e", "letters_color": "#0d9488"}, ["letters_color #0d9488 on color #0f766e"]),
        ({"color": "#ffee00"}, ["of 1.2 on white"]),
        ({"color": "#ffee00", "letters_color": "#ffffff"}, ["it is #000000, of 17.5", "on white"]),
        ({"color": "#0f766e", "letters_color": "#ffffff"}, []), ({"letters_color": "#ffffff"}, []),
    ],
)  # fmt: skip
async def test_colors_that_are_hard_to_read_are_kept_and_warned_of(api: Api, colors: Any, said: list[str]) -> None:
    done = await put(api, {"name": "Outlet", **colors})
    assert done.status == 201
    assert len(done.json["warnings"]) == len(said)
    assert all(part in one for part, one in zip(said, done.json["warnings"], strict=True)), done.json["warnings"]
    found = (await get(api)).json
    assert found["warnings"] == done.json["warnings"]
    if "color" in colors and "letters_color" in colors:
        assert found["brand"]["on_color"] == colors["letters_color"]


async def test_a_template_that_names_what_no_brand_has_is_refused(api: Api) -> None:
    def files(text: str) -> Any:
        return {"files": {"hello.txt": text}}

    wrong = await api.ask("PUT", "/templates/hello", files("Hi\n{{ brand.nmae }}"), project="outlet")
    assert wrong.status == 422, wrong.json
    assert "brand has no nmae" in wrong.json["errors"][0]["detail"]
    right = "{{ brand.name }} {% if brand.x_url %}{{ brand.x_url }}{% endif %}"
    assert (await api.ask("PUT", "/templates/hello", files(right), project="outlet")).status == 201


async def test_the_command_shows_and_sets_it(api: Api, wiring: Wiring, tmp_path: Path) -> None:
    async def run(*arguments: str) -> Any:
        runner = CliRunner(env=environment_of(wiring))
        return await asyncio.to_thread(runner.invoke, app, ["brand", *arguments, "--project", "outlet"])

    (tmp_path / "brand.yaml").write_text("name: Outlet\ncolor: '#ffee00'\n")
    (tmp_path / "wrong.yaml").write_text("name: Outlet\n\ncolor: yellow\n")
    wrong = await run("set", str(tmp_path / "wrong.yaml"), "--yes")
    assert (wrong.exit_code, "wrong.yaml:3  color" in f"{wrong.output}{wrong.exception}") == (1, True)
    done = await run("set", str(tmp_path / "brand.yaml"), "--yes")
    assert (done.exit_code, "on white" in done.output) == (0, True), done.output
    shown = await run("show", "--json")
    found = msgspec.json.decode(shown.stdout)
    assert (found["texts"], found["version"]) == ({"name": "Outlet", "color": "#ffee00", "on_color": "#000000"}, 1)
    assert (await get(api)).json["brand"] == found["texts"]
