"""Pages and lists of the API on a million deliveries, each as it is asked for over HTTP.

`pages_filled.py` makes the project, `pages_asked.py` the addresses. CPU is told beside the time, since neighbours make
the one much larger and the other hardly.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import asyncpg

from agents.broker.topics import Provision
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from store.migrate import migrate
from tests.bench import cpu, pages_asked, pages_filled
from tests.integration.api_client import running_api
from tests.integration.test_web import Site, running
from tests.integration.test_web_projects import signed_in

_ASKED, _ASKED_BRIEFLY = 30, 4
"""Times; the second of what is filtered, unless it takes long."""
_LONG_MS, _MOST_MS = 50, 100
_SOME = os.environ.get("PAGES", "")
"""A part of the addresses that are asked for; empty for all."""
_ANSWERS = (200, 422)
"""The second of filters that do not go together, which is said quickly."""
_DATABASE = "bench_pages"

Report = dict[str, Any]
Say = Callable[[str], None]
Ask = Callable[[], Awaitable[int]]
"""Asks for an address and gives its status."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of an address: in the middle, the longest of a hundred, and CPU of each process."""

    p50: float
    p99: float
    cpu: dict[str, float]

    @property
    def is_late(self) -> bool:
        """True where it takes longer than a page may."""
        return self.p50 > _MOST_MS

    def line(self, path: str) -> str:
        """The same for people."""
        used = ", ".join(f"{name} {ms:.1f}" for name, ms in self.cpu.items())
        late = f"  MORE than {_MOST_MS} ms" if self.is_late else ""
        return f"  {path:<70} p50 {self.p50:6.1f} ms, p99 {self.p99:6.1f} ms, CPU {used}{late}"


async def measure(settings: Settings, servers: Servers, say: Say) -> Report:
    """Milliseconds of each address, one after the other, as a browser without scripts gets it."""
    dsn = settings.postgres.dsn.reveal()
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"drop database if exists {_DATABASE} with (force)")
    await admin.execute(f"create database {_DATABASE}")
    await admin.close()
    own = f"{dsn.rsplit('/', 1)[0]}/{_DATABASE}"
    mine = replace(settings, project_id="shop", postgres=Postgres(dsn=Secret(own)))
    await asyncio.to_thread(Provision(Wiring(mine)).apply)
    async with running(mine, own, Web()) as site:
        await migrate(site.pool, "shop")
        await pages_filled.fill(site, Wiring(mine), say)
        found = await ask_all(site, Wiring(mine), partial(cpu.so_far, servers, ()), say)
    return {"deliveries": pages_filled.DELIVERIES, **found}


async def ask_all(site: Site, wiring: Wiring, used: Callable[[], cpu.ByProcess], say: Say) -> Report:
    """Every address of the project, and of the API. Prints those without filters, and what is late."""
    mine = await signed_in(site, "admin")
    found: dict[str, Timed] = {}
    for one in _chosen(pages_asked.pages()):

        async def ask(path: str = f"/p/shop{one.path}") -> int:
            return (await mine.ask("GET", path)).status

        found[one.path] = await _timed(one, ask, used, say)
    async with running_api(wiring, requests_a_minute=1_000_000) as api:
        for one in _chosen(pages_asked.api_lists()):

            async def ask_api(path: str = one.path) -> int:
                return (await api.ask("GET", path)).status

            found[one.path] = await _timed(one, ask_api, used, say)
    late = [path for path, timed in found.items() if timed.is_late]
    say(f"  {len(found)} addresses, {len(late)} of them over {_MOST_MS} ms")
    shown = {path: {"p50": one.p50, "p99": one.p99, **one.cpu} for path, one in found.items()}
    return {"late": late, "pages": shown}


def _chosen(addresses: Iterator[pages_asked.Address]) -> Iterator[pages_asked.Address]:
    return (one for one in addresses if _SOME in one.path)


async def _timed(one: pages_asked.Address, ask: Ask, used: Callable[[], cpu.ByProcess], say: Say) -> Timed:
    """Asked some times; the first two warm it up. What takes long is asked more often before it is said to be late."""
    for _ in range(2):
        if (status := await ask()) not in _ANSWERS:
            raise SystemExit(f"{one.path} answers {status}")
    times = list[float]()
    with _spent(used) as spent:
        while len(times) < _ASKED:
            began = time.perf_counter()
            await ask()
            times.append((time.perf_counter() - began) * 1000)
            if not one.is_bare and len(times) >= _ASKED_BRIEFLY and min(times) < _LONG_MS:
                break
    times.sort()
    each = {name: round(seconds * 1000 / len(times), 1) for name, seconds in spent.items()}
    timed = Timed(round(times[len(times) // 2], 1), round(times[math.ceil(len(times) * 0.99) - 1], 1), each)
    if one.is_bare or timed.is_late or sum(each.values()) > _LONG_MS:
        say(timed.line(one.path))
    return timed


@contextmanager
def _spent(used: Callable[[], cpu.ByProcess]) -> Iterator[cpu.ByProcess]:
    found, before = cpu.ByProcess(), used()
    yield found
    found |= cpu.since(before, used())
