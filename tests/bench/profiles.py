"""Updates of profiles at a provider that takes many in one request: in batches, and one request each to the same fake.

The fake is on loopback and in this process, and reads and checks every object either way. Once it takes some
milliseconds to answer, as a provider far away does, and as many requests are under way on both sides. Once it answers
at once, and as many messages are under way as a sender has: that compares the work of this process and the fake's.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from channels.accounts import fixed_accounts
from channels.braze import POLICY, Braze
from channels.fakes.braze import BrazeFake
from channels.fakes.http import Reply
from channels.http.ssrf import OWN_NETWORKS
from schemas.account import read_account
from schemas.channels.braze import BrazeAddress, BrazeDelivery
from schemas.delivery import DistributionRef, EventRef, Recipient
from schemas.receipt import Accepted

KEY = "bench-key"
AT_ONCE = POLICY.concurrency or 0
REQUESTS_AT_ONCE = 4
ANSWERS_AFTER = 0.02
MESSAGES, FAR_MESSAGES = 10_000, 1000
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ATTRIBUTES = {
    "voucher_code": {"from": "voucher.code"},
    "voucher_value": {"from": "voucher.value"},
    "publication_date": {"from": "publication.created_at"},
    "source": "bench",
}


def deliveries(count: int) -> list[BrazeDelivery]:
    """Codes for as many customers."""
    return [
        BrazeDelivery(
            delivery_id=f"dlv_{number}",
            project_id="shop",
            distribution=DistributionRef(id="codes", version=1, name="Codes"),
            event=EventRef(id=f"ev_{number}", type="customer.segment.entered", created_at=NOW),
            customer=Recipient(id=f"c{number}"),
            account="main",
            priority=5,
            category="marketing",
            data={
                "voucher": {"code": f"SPRING-{number:06}", "discount": {"type": "PERCENT", "percent_off": 10}},
                "publication": {"id": f"pub_{number}", "created_at": NOW.isoformat()},
            },
            braze=BrazeAddress(external_id=f"crm-{number}", attributes=ATTRIBUTES),
        )
        for number in range(count)
    ]


async def _rate(batch_size: int, made: Sequence[BrazeDelivery], at_once: int, delay: float) -> float:
    """Messages a second, each rendered and sent, and each taken."""
    fake = BrazeFake(KEY)
    fake.usually = Reply(201, delay=delay)
    await fake.start()
    form = read_account("braze", {"url": fake.url, "api_key": KEY, "batch_size": batch_size})
    channel = Braze(fixed_accounts("braze", {"main": form}), reach=OWN_NETWORKS)
    left = iter(made)

    async def work() -> None:
        for one in left:
            receipt = await channel.send(channel.render(one), timeout=60.0, now=NOW)
            assert isinstance(receipt, Accepted), receipt

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    took = time.perf_counter() - began
    assert len(fake.profiles) == len(made)
    await channel.close()
    await fake.stop()
    return len(made) / took


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Medians of interleaved rounds, and their ratios."""
    batch = 50
    near, far = deliveries(MESSAGES), deliveries(FAR_MESSAGES)
    few = {batch: REQUESTS_AT_ONCE * batch, 1: REQUESTS_AT_ONCE}
    ways = {
        f"answers after {ANSWERS_AFTER * 1000:g} ms": (far, few, ANSWERS_AFTER),
        "answers at once": (near, {batch: AT_ONCE, 1: AT_ONCE}, 0.0),
    }
    found: dict[str, dict[str, float]] = {}
    for name, (made, sizes, delay) in ways.items():
        rates: dict[int, list[float]] = {size: [] for size in sizes}
        for _ in range(rounds):
            for size, at_once in sizes.items():
                rates[size].append(asyncio.run(_rate(size, made, at_once, delay)))
        batched, single = (statistics.median(rates[size]) for size in (batch, 1))
        figures = {"batched": round(batched), "one request each": round(single), "ratio": round(batched / single, 1)}
        found[name] = figures
    return found
