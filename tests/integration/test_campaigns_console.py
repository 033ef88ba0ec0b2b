"""Campaigns on the command line as a user meets them, on real servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.wiring import Wiring
from console.control import codes as doing
from console.control.files.code_check import folded
from console.control.files.code_file import CodeFile
from console.control.files.code_row import RowReader
from console.control.preview.messages import from_store
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.distribution import Publish
from schemas.errors import BadRecord, TidingsError
from store.campaigns import CampaignChange, Campaigns
from store.codes.imports import CodeImport, Merged, NewCode
from store.codes.names import CodeName, alike_codes
from store.codes.pool import Codes
from store.distributions import Change, Control
from tests import ROOT
from tests.factory import NOW, rule
from tests.integration.test_codes import campaign

Run = Callable[..., subprocess.CompletedProcess[str]]

SPRING = """\
campaign: spring
kind: DISCOUNT_COUPONS
type: AUTO_UPDATE
discount: {type: PERCENT, percent_off: 10}
code_config:
  pattern: "S-##"
  charset: "0123456789"
low_water: 90
"""
SUMMER = """\
campaign: summer
kind: PROMOTION
tiers:
  - {id: gold}
"""


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Wiring:
    """No topics are needed here."""
    return Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))


@pytest.fixture
def tidings(wiring: Wiring, tmp_path: Path) -> Run:
    """Run a command in a folder of its own, where no Kafka is known."""
    settings = wiring.settings
    environ = {
        **os.environ,
        "TIDINGS_KAFKA": "",
        "TIDINGS_POSTGRES": settings.postgres.dsn.reveal(),
        "TIDINGS_PROJECT_ID": "shop",
        "PYTHONPATH": str(ROOT),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "console", "campaigns", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=240, check=False
        )

    return run


def counted(tidings: Run, campaign: str = "spring") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tidings("codes", campaign, "--json").stdout)
    return found


def test_a_campaign_is_checked_planned_and_applied(tidings: Run, tmp_path: Path) -> None:
    folder = tmp_path / "campaigns"
    folder.mkdir()
    (folder / "summer.yaml").write_text(SUMMER)
    file = folder / "spring.yaml"
    file.write_text(SPRING.replace("charset", "charst"))
    wrong = tidings("apply", "campaigns", "--yes")
    assert wrong.returncode == 1
    assert "campaigns/spring.yaml:7  code_config.charst" in wrong.stderr
    assert 'Did you mean "charset"?' in wrong.stderr
    assert "nothing was applied" in wrong.stderr
    file.write_text(SPRING)
    unasked = tidings("apply", "campaigns")
    assert (unasked.returncode, "use --yes" in unasked.stderr) == (1, True)
    assert tidings("list", "--json").stdout == ""
    assert tidings("apply", "campaigns", "--yes").returncode == 0
    file.write_text(SPRING.replace("percent_off: 10", "percent_off: 20"))
    (planned, other) = map(json.loads, tidings("apply", "campaigns", "--dry-run", "--json").stdout.splitlines())
    assert (planned["plan"], planned["version"], other["plan"]) == ("changed", 2, "unchanged")
    assert "10" in planned["changes"][0] and "20" in planned["changes"][0]
    (spring, summer) = map(json.loads, tidings("list", "--json").stdout.splitlines())
    assert (spring["campaign"], spring["version"], spring["type"], spring["left"]) == ("spring", 1, "AUTO_UPDATE", 100)
    assert (summer["kind"], summer["left"]) == ("PROMOTION", None)
    assert json.loads(tidings("show", "summer").stdout)["tiers"][0]["id"] == "gold"
    assert 'Did you mean "spring"?' in tidings("show", "sprin").stderr


def test_codes_are_generated_only_where_all_of_them_fit(tidings: Run, tmp_path: Path) -> None:
    (tmp_path / "spring.yaml").write_text(SPRING)
    assert tidings("apply", "spring.yaml", "--yes").returncode == 0
    assert "30 codes made" in tidings("generate", "spring", "--count", "30").stdout
    refused = tidings("generate", "spring", "--count", "71")
    assert refused.returncode == 1
    assert "can give 100, and 30 of them are used, which leaves 70" in " ".join(refused.stderr.split())
    count = counted(tidings)
    assert (count["total"], count["free"], count["left"], count["low"]) == (30, 30, 100, False)
    assert json.loads(tidings("generate", "spring", "--count", "70", "--json").stdout)["made"] == 70
    assert counted(tidings)["total"] == 100


def test_a_file_is_imported_once_however_often_it_is_given(tidings: Run, tmp_path: Path) -> None:
    (tmp_path / "spring.yaml").write_text(SPRING)
    assert tidings("apply", "spring.yaml", "--yes").returncode == 0
    rows = ["code,active,metadata.region", *(f"C{n},{n % 10 != 0},PL" for n in range(20)), "C3,true,", "C19,,"]
    (tmp_path / "codes.csv").write_text("\n".join(rows))
    first = json.loads(tidings("import", "codes.csv", "--campaign", "spring", "--batch", "7", "--json").stdout)
    assert (first["rows"], first["added"], first["doubled_in_file"], first["there_already"]) == (22, 20, 2, 0)
    assert [(one["line"], one["code"], one["in_file"]) for one in first["first"]] == [
        (22, "C3", True),
        (23, "C19", True),
    ]
    again = tidings("import", "codes.csv", "--campaign", "spring").stdout
    assert "0 of 22 codes added; 22 were there already" in again
    assert "codes.csv:2  C0 is in spring" in again
    assert "and 12 more" in again
    count = counted(tidings)
    assert (count["total"], count["inactive"], count["free"]) == (20, 2, 18)


def test_an_import_says_what_is_strange_about_its_codes(tidings: Run, tmp_path: Path) -> None:
    (tmp_path / "spring.yaml").write_text(SPRING)
    assert tidings("apply", "spring.yaml", "--yes").returncode == 0
    (tmp_path / "old.csv").write_text("code,expiration_date\nold-1,\nALWAYS,2999-12-31\n")
    assert tidings("import", "old.csv", "--campaign", "spring").returncode == 0
    rows = [
        "code,expiration_date",
        "SAVE10,2026-01-31",
        "save10,2999-12-31",
        "Save10,",
        "OLD-1,",
        "ALWAYS,",
        "123,",
        "12,",
    ]
    (tmp_path / "codes.csv").write_text("\n".join(rows))
    done = tidings("import", "codes.csv", "--campaign", "spring")
    assert "6 of 7 codes added; 1 were there already" in done.stdout
    assert "they end from 2026-01-31T23:59:59.999Z to 2999-12-31T23:59:59.999Z" in done.stdout
    assert "codes.csv:3  save10 is like SAVE10 above it" in done.stdout
    assert "codes.csv:5  OLD-1 is like old-1 of spring" in done.stdout
    said = " ".join(done.stderr.split())
    assert "3 codes are like another one but for capitals" in said
    assert "1 of them have ended already" in said and "codes.csv:2" in said
    assert "from 2 to 3 of them and none begins with 0" in said and "codes.csv:8" in said
    again = json.loads(tidings("import", "codes.csv", "--campaign", "spring", "--json").stdout)
    assert (again["added"], again["alike"], again["expired"]) == (0, 3, 1)
    (tmp_path / "sheet.csv").write_text("code\nA-1\n1.23457E+11\n")
    refused = tidings("import", "sheet.csv", "--campaign", "spring")
    assert (refused.returncode, "sheet.csv:3" in refused.stderr) == (1, True)
    assert "2 of 2" in tidings("import", "sheet.csv", "--campaign", "spring", "--as-written").stdout


async def test_codes_that_are_alike_are_found_in_the_file_and_in_the_project(pool: asyncpg.Pool) -> None:
    await Campaigns(pool).save([CampaignChange(campaign(), "")], applied_by="t", now=NOW)
    there = ["KEPT", "\u00c4PFEL", "00777", "Gone", "plain"]
    await Codes(pool).add("shop", "spring", there, NOW)
    codes = ["plain", "kept", "KEPT", "\u00e4pfel", "777", "gone", "GONE", "Plain2", "x", "X", "x"]
    found = await alike_codes(
        pool, "shop", (CodeName(line, code) for line, code in enumerate(codes, 2)), folded, name=20
    )
    assert found.total == len(found.first) == 6
    assert [one[1:] for one in found.first] == [
        ("KEPT", "kept", None), ("\u00e4pfel", "\u00c4PFEL", "spring"), ("777", "00777", "spring"),
        ("gone", "Gone", "spring"), ("GONE", "gone", None), ("X", "x", None),
    ]  # fmt: skip
    assert (await alike_codes(pool, "other", iter(()), folded, name=20)).total == 0
    several = (CodeName(line, code) for line, code in enumerate(codes, 2))
    assert len((await alike_codes(pool, "shop", several, folded, name=1)).first) == 1


def test_a_wrong_file_changes_nothing(tidings: Run, tmp_path: Path) -> None:
    (tmp_path / "spring.yaml").write_text(SPRING)
    assert tidings("apply", "spring.yaml", "--yes").returncode == 0
    (tmp_path / "codes.csv").write_text("code\nA\n\n" + '""\n')
    wrong = tidings("import", "codes.csv", "--campaign", "spring", "--batch", "1")
    assert wrong.returncode == 1
    assert "codes.csv:4" in wrong.stderr and "nothing was applied" in wrong.stderr
    assert counted(tidings)["total"] == 0


async def test_a_campaign_without_codes_or_without_a_pattern_says_so(tmp_path: Path, pool: asyncpg.Pool) -> None:
    kinds = [campaign("spring"), campaign("summer", kind="PROMOTION", discount=None)]
    await Campaigns(pool).save([CampaignChange(one, "") for one in kinds], applied_by="t", now=NOW)
    for identity, said in (("summer", "which has no codes"), ("spring", "no code_config"), ("sprin", 'mean "spring"?')):
        with pytest.raises(TidingsError, match=said):
            await doing.generate(pool, "shop", identity, 1, actor="me", now=NOW)
    for identity, said in (("summer", "which has no codes"), ("sprin", 'mean "spring"?')):
        with pytest.raises(TidingsError, match=said):
            await doing.import_codes(
                pool, "shop", identity, CodeFile(tmp_path / "none.csv", RowReader()), batch=1, now=NOW, actor="me"
            )


async def test_what_is_applied_is_previewed_with_its_campaign(wiring: Wiring, pool: asyncpg.Pool) -> None:
    spring = campaign("spring")
    publishing = msgspec.structs.replace(rule(), publish=Publish(campaign="spring"))
    await Campaigns(pool).save([CampaignChange(spring, "")], applied_by="t", now=NOW)
    await Control(pool).save([Change(publishing, "", ())], applied_by="t", now=NOW)
    candidate = await from_store(pool, "shop", publishing.id)
    assert (candidate.distribution.publish, candidate.campaign) == (publishing.publish, spring)


async def test_an_import_that_is_killed_goes_on_where_it_was(
    tidings: Run, wiring: Wiring, tmp_path: Path, pool: asyncpg.Pool
) -> None:
    rows = 50_000
    await Campaigns(pool).save([CampaignChange(campaign(), "")], applied_by="t", now=NOW)
    file = tmp_path / "codes.csv"
    file.write_text("code\n" + "".join(f"CODE-{n}\n" for n in range(rows)))
    command = [sys.executable, "-m", "console", "campaigns", "import", str(file), "--campaign", "spring"]
    environ = {
        **os.environ,
        "TIDINGS_KAFKA": "",
        "TIDINGS_POSTGRES": wiring.settings.postgres.dsn.reveal(),
        "TIDINGS_PROJECT_ID": "shop",
    }
    process = await asyncio.create_subprocess_exec(*command, "--batch", "200", env=environ)
    async with asyncio.timeout(240):
        while not await pool.fetchval("select total from campaigns"):
            await asyncio.sleep(0.02)
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    before = await pool.fetchval("select total from campaigns")
    assert 0 < before < rows and before % 200 == 0
    done = await asyncio.to_thread(tidings, "import", str(file), "--campaign", "spring", "--json")
    after = json.loads(done.stdout)
    assert (after["added"], after["there_already"], after["doubled_in_file"]) == (rows - before, before, 0)
    assert await pool.fetchval("select count(*) from codes") == await pool.fetchval("select total from campaigns")
    [first, second] = await pool.fetch("select code from codes order by position limit 2")
    assert (first["code"], second["code"]) == ("CODE-0", "CODE-1")


async def test_a_batch_that_fails_leaves_nothing(pool: asyncpg.Pool) -> None:
    await Campaigns(pool).save([CampaignChange(campaign(), "")], applied_by="t", now=NOW)
    good = NewCode(2, "A", True, None, None, None, "{}")
    importing = CodeImport(pool, "shop", "spring", by="me")
    with pytest.raises(BadRecord):
        await importing.merge([good, good._replace(code="B", metadata="{")], NOW)
    assert await pool.fetchval("select count(*) from codes") == 0
    merged = await importing.merge([good, good._replace(line=3), good._replace(line=4, code="C", active=False)], NOW)
    assert merged == Merged(2, 1, 0, ())
    assert [(c.total, c.inactive) for c in await Codes(pool).counts("shop", NOW)] == [(2, 1)]
    with pytest.raises(TidingsError, match='no campaign "other"'):
        await CodeImport(pool, "shop", "other", by="me").merge([good], NOW)
