"""Messages through a provider that counts: real senders on one ledger, and a token bucket that says 429."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from channels.fakes.webhook import WebhookReceiver
from deploy.embedded.servers import Servers
from store.migrate import migrate
from store.postgres import connect
from tests.bench import cpu
from tests.factory import SECRET
from tests.integration.sender_process import fill, sender_processes

RATE = int(os.environ.get("RATE", "100"))
SECONDS = int(os.environ.get("LIMIT_SECONDS", "20"))
SENDERS = (1, 3)
_WARM_UP, _LEARNS = 8.0, 40.0
_DATABASE = "bench_limits"
_SENDER = "tests.integration.sender_process"
"""The module that the command of a sender names."""

Report = dict[str, Any]


@dataclass(slots=True)
class Bucket:
    """So many a second, and a tenth of that at once."""

    rate: float
    taken: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    _tokens: float = 0.0
    _at: float = 0.0

    def takes(self) -> bool:
        """Tell whether one more is taken now, and count it."""
        now, most = time.monotonic(), max(1.0, self.rate / 10)
        self._tokens = min(most, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            self.refused.append(now)
            return False
        self._tokens -= 1
        self.taken.append(now)
        return True

    @property
    def free_in(self) -> float:
        """Seconds until the next would be taken."""
        return max(0.0, (1 - self._tokens) / self.rate)


async def measure(dsn: str, servers: Servers, say: Callable[[str], None]) -> Report:
    """The share of the limit that is accepted, where it is written down and where it is only learned."""
    found: Report = {}
    for senders in SENDERS:
        for rate in (str(RATE), ""):
            name = f"{senders} sender{'s' * (senders > 1)}, limit {'written' if rate else 'learned'}"
            found[name] = await _round(dsn, servers, senders, rate)
            say(
                f"  {name:<28} accepted {found[name]['accepted']:.1%} of {RATE}/s, most in any second"
                f" {found[name]['most']:.0%}; {found[name]['refused']:.1%} of what was asked was too much;"
                f" {cpu.shown(found[name]['cpu_us'], 'delivery')}"
            )
    return found


async def _round(dsn: str, servers: Servers, senders: int, rate: str) -> Report:
    own = await _own_database(dsn)
    pool, receiver, bucket = await connect(own), WebhookReceiver(SECRET), Bucket(RATE)
    await migrate(pool, "shop")
    await receiver.start()
    receiver.limit = bucket  # type: ignore[assignment]
    warm_up = _WARM_UP if rate else _LEARNS
    await fill(pool, receiver.url, int(RATE * (SECONDS + warm_up) * 1.3))
    with sender_processes(own, senders, rate=rate):
        deadline = time.monotonic() + 60
        while not bucket.taken and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        begins = time.monotonic() + warm_up
        await asyncio.sleep(warm_up)
        with cpu.spent(servers, (_SENDER,)) as used:
            await asyncio.sleep(SECONDS)
        ends = begins + SECONDS
    await receiver.stop()
    await pool.close()
    taken = [at for at in bucket.taken if begins <= at < ends]
    refused = sum(begins <= at < ends for at in bucket.refused)
    most = max((sum(at <= other < at + 1.0 for other in taken) for at in taken[:: max(1, RATE // 20)]), default=0)
    return {
        "accepted": len(taken) / (RATE * SECONDS),
        "most": most / RATE,
        "refused": refused / max(1, refused + len(taken)),
        "cpu_us": cpu.a_unit(used, len(taken)),
    }


async def _own_database(dsn: str) -> str:
    pool = await connect(dsn, size=1)
    await pool.execute(f"drop database if exists {_DATABASE} with (force)")
    await pool.execute(f"create database {_DATABASE}")
    await pool.close()
    return urlsplit(dsn)._replace(path=f"/{_DATABASE}").geturl()
