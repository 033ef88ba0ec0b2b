"""The page about measurements names every part that can be run, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.bench.run import PARTS

_PAGE = Path(__file__).parents[2] / "bench" / "README.md"


def test_the_page_names_every_part() -> None:
    rows = re.findall(r"^\| (`[\w`, ]+) \|", _PAGE.read_text(), re.MULTILINE)
    assert sorted(part for row in rows for part in re.findall(r"`(\w+)`", row)) == sorted(PARTS)
