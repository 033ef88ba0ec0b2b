"""The matcher's tables of many customers: restored from their changelogs, in how much memory and disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from schemas.topics import CUSTOMERS as CUSTOMERS_TABLE
from schemas.topics import RECENT, changelog
from streams.recent import sent, with_sent
from tests.bench import cpu, workers
from tests.bench.rules import profile
from tests.bench.sizes import CUSTOMERS, RULES
from tests.bench.topics import fill, provisioned

_SENDS = 5
_MOST_MB = 150
"""A worker's memory, whatever the number of its customers: their rows are on disk."""


def measure(settings: Settings, servers: Servers, say: Callable[[str], None]) -> dict[str, Any]:
    """Rows a second, CPU a row, memory and bytes on disk, with five recent sends a customer."""
    wiring = provisioned(settings, "tables")
    asyncio.run(fill(wiring, _changelog_rows(wiring)))
    with workers.pinned(servers):
        restored = workers.run(servers, "restore", wiring, 2 * CUSTOMERS)
        again = workers.run(servers, "restore", wiring, 0)
    files = (one for one in (Path(wiring.settings.data) / "restore").rglob("*") if one.is_file())
    bytes_each = sum(one.stat().st_size for one in files) / CUSTOMERS
    say(
        f"  {2 * CUSTOMERS:,} rows restored at {workers.rate(restored):,.0f} rows/s, "
        f"{cpu.shown(restored['cpu_us'], 'row')}; {bytes_each:.0f} bytes a customer on disk; "
        f"started again in {again['seconds']:.1f} s"
    )
    memory = max(restored["rss_mb"], again["rss_mb"])
    say(f"  {memory:.0f} MB with {CUSTOMERS:,} customers and {_SENDS} sends of each; wanted: at most {_MOST_MB}")
    return {"rows": 2 * CUSTOMERS, "rows_per_second": workers.rate(restored), "cpu_us_a_row": restored["cpu_us"],
            "rss_mb": memory, "bytes_a_customer": bytes_each, "second_start_s": again["seconds"]}  # fmt: skip


def _changelog_rows(wiring: Wiring) -> Iterator[Output]:
    """Records that matchers would have written: partitioned as the customers are."""
    now = datetime.now(UTC)
    customers, recent = (wiring.topic(changelog(name)) for name in (CUSTOMERS_TABLE, RECENT))
    for number in range(CUSTOMERS):
        one = profile(number, RULES)
        key = one["id"].encode()
        yield Output(customers, key, msgspec.json.encode(one))
        entries = [sent(f"dlv_{number:027x}{n:05x}", f"e{number}-{n}", now) for n in range(_SENDS)]
        yield Output(recent, key, with_sent([], entries))
