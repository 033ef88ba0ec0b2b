"""Whoever judges by time is told the time: use cases and the core read no clock."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import ROOT

CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "utc_now"}
FOLDERS = ("console/control", "streams")


def readings(source: str) -> list[str]:
    """Calls that read the wall clock, as `datetime.now`."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [ast.unparse(call) for call in calls]
    return [
        name
        for name in names
        if name.rpartition(".")[2] in CLOCKS and name.rpartition(".")[0] in {"", "datetime", "time", "date", "dt"}
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("datetime.now(UTC)", ["datetime.now"]),
        ("time.time()", ["time.time"]),
        ("utc_now()", ["utc_now"]),
        ("datetime.utcnow()", ["datetime.utcnow"]),
        ("time.monotonic()", []),
        ("await segments.now()", []),
        ("datetime.fromisoformat(x)", []),
    ],
)
def test_a_reading_of_the_clock_is_seen(source: str, found: list[str]) -> None:
    assert readings(source) == found


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_clock_is_read(folder: str) -> None:
    files = sorted(Path(ROOT / folder).rglob("*.py"))
    assert files
    assert {str(file): found for file in files if (found := readings(file.read_text()))} == {}
