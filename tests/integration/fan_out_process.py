"""A fan-out as a process of its own, to be killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection
from dataclasses import replace

from agents.broker.lag import Lag
from agents.roles import fan_out
from agents.roles.fan_out import FanOut
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from deploy.settings.workers import Sends as SendSettings
from schemas.closed import ChannelName
from store.postgres import connect
from store.sends import Sends


async def nothing_ahead(_: Collection[ChannelName]) -> list[Lag]:
    """Whoever reads is always done."""
    return []


async def _run(bootstrap: str, dsn: str, prefix: str, owner: str) -> None:
    fan_out._PAGE = 50
    settings = replace(
        Settings(),
        project_id="shop",
        kafka=Kafka(bootstrap=bootstrap),
        postgres=Postgres(dsn=Secret(dsn)),
        topics=Topics(prefix=prefix, partitions=4),
        sends=SendSettings(least_ahead=1_000_000),
    )
    pool = await connect(dsn)
    await FanOut(Wiring(settings), Sends(pool), Metrics(), owner=owner, ahead=nothing_ahead).run()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
