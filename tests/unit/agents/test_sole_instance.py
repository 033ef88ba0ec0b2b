"""A name is held by one process at a time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.sole_instance import sole_instance
from schemas.errors import CannotStart

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the name."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process
        process.kill()


async def test_a_name_in_use_is_refused_in_words_and_free_when_its_process_ends(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(CannotStart, match="instance 'shop-1' is at work already on this machine"):
        await _hold(tmp_path, seconds=0.0)
    waiting = asyncio.ensure_future(_hold(tmp_path))
    await asyncio.sleep(0)
    assert not waiting.done()
    holder.kill()
    assert await waiting == "held"


async def _hold(folder: Path, seconds: float = 60.0) -> str:
    async with sole_instance(folder, "shop-1", seconds=seconds):
        return "held"
