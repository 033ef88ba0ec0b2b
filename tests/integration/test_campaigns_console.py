"""Campaigns on the command line as a user meets them, on real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.wiring import Wiring

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
def tidings(wired: Wiring, tmp_path: Path) -> Run:
    """Run a command in a folder of its own."""
    settings = wired.settings
    environ = {
        **os.environ,
        "TIDINGS_KAFKA": settings.kafka.bootstrap,
        "TIDINGS_POSTGRES": settings.postgres.dsn.reveal(),
        "TIDINGS_PROJECT_ID": "shop",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "console", "campaigns", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
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
    assert "Did you mean charset?" in wrong.stderr
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
    assert "Did you mean spring?" in tidings("show", "sprin").stderr


def test_codes_are_generated_only_where_all_of_them_fit(tidings: Run, tmp_path: Path) -> None:
    (tmp_path / "spring.yaml").write_text(SPRING)
    (tmp_path / "summer.yaml").write_text(SUMMER)
    assert tidings("apply", "spring.yaml", "summer.yaml", "--yes").returncode == 0
    assert "30 codes made" in tidings("generate", "spring", "--count", "30").stdout
    refused = tidings("generate", "spring", "--count", "71")
    assert refused.returncode == 1
    assert "can give 100, and 30 of them are used, which leaves 70" in " ".join(refused.stderr.split())
    count = counted(tidings)
    assert (count["total"], count["free"], count["left"], count["low"]) == (30, 30, 100, False)
    assert json.loads(tidings("generate", "spring", "--count", "70", "--json").stdout)["made"] == 70
    assert counted(tidings)["total"] == 100
    assert "which has no codes" in tidings("generate", "summer", "--count", "1").stderr
    assert tidings("generate", "spring", "--count", "0").returncode == 2
