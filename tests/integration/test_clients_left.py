"""Clients of the broker end with whoever made them, whoever still holds them, and not once they are collected.

Each has threads that wake up every second, and a connection. aiohttp keeps the handlers of applications that are over,
and with them all that they reach; and what is old is hardly ever looked through for cycles.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from agents.wiring import Wiring
from deploy.settings.settings import Settings
from schemas.topics import DEAD_LETTERS, DECISIONS
from tests.integration.api_client import wired

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names threads by /proc")

_USES = """
import asyncio, sys, time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agents.broker.groups import Groups, processes
from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.broker.topics import Provision
from agents.broker.writer import Writer
from agents.wiring import Wiring
from console.control.dead_letters import Replay
from console.web.lag import Lag
from deploy.settings.servers import Kafka
from deploy.settings.settings import load_settings
from schemas.errors import TidingsError
from schemas.topics import AUDIT, DECISIONS

use, bootstrap, prefix = sys.argv[1:]
settings = load_settings({})
wiring = Wiring(
    replace(settings, kafka=Kafka(bootstrap=bootstrap), topics=replace(settings.topics, prefix=prefix))
)
record = Output(wiring.topic(DECISIONS), b"key", b"value")
kept = []  # as whoever is in a cycle keeps it

async def producer():
    kept.append(Producer(wiring.kafka.client()))
    await write_all(kept[0], [record])
    kept[0].close()
    kept[0].close()
    kept[0].produce(record, print)

async def writer():
    kept.append(Writer(wiring.kafka.client()))
    assert kept[0].write([record])[0].refused is None
    kept[0].close()

async def replay():
    kept.append(Replay(wiring))
    assert list(kept[0].run([])) == []

async def reader_of_nothing():
    try:
        TopicReader(wiring, AUDIT)
    except TidingsError as error:
        kept.append(error)  # with all that was in its way

async def groups():
    kept.append(Groups(wiring))
    kept[0].read()
    kept[0].close()
    assert processes(wiring, "matcher") == set()

async def pages():
    kept.append(Lag(wiring))
    await kept[0].close()
    look = await kept[0].of_groups()
    assert look.groups
    await kept[0].close()

async def provision():
    kept.append(Provision(wiring))
    assert kept[0].plan()
    kept[0].close()

async def extents():
    kept.append(wiring)
    wiring.close()
    assert wiring.extents.read([DECISIONS])
    wiring.close()
    assert wiring.extents.read([DECISIONS])
    wiring.close()

def left():
    names = [one.read_text() for one in Path("/proc/self/task").glob("*/comm")]
    return sorted(name.strip() for name in names if name.startswith("rdk:"))

async def main():
    await globals()[use]()
    assert kept
    deadline = time.monotonic() + 60
    while left() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    print("left", left())

asyncio.run(main())
"""


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, (DECISIONS, DEAD_LETTERS)) as made:
        yield made


@LINUX
@pytest.mark.parametrize(
    "use", ["producer", "writer", "replay", "reader_of_nothing", "groups", "pages", "provision", "extents"]
)
def test_nothing_is_left_of_a_client_whose_maker_is_done_with_it(wiring: Wiring, use: str) -> None:
    command = [sys.executable, "-c", _USES, use, wiring.kafka.bootstrap, wiring.topics.prefix]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("left []\n", 0), done.stderr
