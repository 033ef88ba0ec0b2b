"""Profiles at Klaviyo in jobs of many, and one request each: within what Klaviyo lets through, at its bursts.

The fake takes 75 profiles a second one by one, or 10 jobs, and answers after some milliseconds. As many messages are
under way as the presets of either kind of account say. A job is done when it is asked for first, after a second.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from channels.accounts import fixed_accounts
from channels.fakes.http import Reply
from channels.fakes.klaviyo import KlaviyoFake
from channels.fakes.limit import Limit
from channels.http.ssrf import OWN_NETWORKS
from channels.klaviyo.channel import BULK, POLICY, Klaviyo
from schemas.account import read_account
from schemas.channels.klaviyo import KlaviyoAddress, KlaviyoDelivery
from schemas.delivery import Delivery
from schemas.receipt import Accepted, Throttled
from tests.bench.profiles import ANSWERS_AFTER, ATTRIBUTES, KEY, deliveries

ALONE, TOGETHER = 300, 6000
A_SECOND = {False: 75, True: 10}
"""Requests that are taken: of single profiles, of jobs."""


def _profiles(count: int) -> list[KlaviyoDelivery]:
    shared = [{name: getattr(one, name) for name in Delivery.__struct_fields__} for one in deliveries(count)]
    to = [KlaviyoAddress(external_id=f"crm-{number}", attributes=ATTRIBUTES) for number in range(count)]
    return [KlaviyoDelivery(klaviyo=one, **rest) for one, rest in zip(to, shared, strict=True)]


async def _rate(made: Sequence[KlaviyoDelivery], *, bulk: bool) -> float:
    """Messages a second, each rendered and sent until it is taken."""
    fake = KlaviyoFake(KEY)
    fake.usually, fake.limit = Reply(201, delay=ANSWERS_AFTER), Limit(A_SECOND[bulk], 1.0)
    await fake.start()
    form = read_account("klaviyo", {"url": fake.url, "api_key": KEY, "bulk": str(bulk).lower()})
    channel = Klaviyo(fixed_accounts("klaviyo", {"main": form}), reach=OWN_NETWORKS)
    left = iter(made)

    async def work() -> None:
        for one in left:
            while isinstance(receipt := await _sent(channel, one), Throttled):
                await asyncio.sleep(0.05)
            assert isinstance(receipt, Accepted), receipt

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range((BULK if bulk else POLICY).concurrency or 1)))
    took = time.perf_counter() - began
    assert len(fake.profiles) == len(made)
    await channel.close()
    await fake.stop()
    return len(made) / took


async def _sent(channel: Klaviyo, one: KlaviyoDelivery) -> object:
    return await channel.send(channel.render(one), timeout=60.0, now=datetime.now(UTC))


def measure(rounds: int) -> dict[str, float]:
    """Medians of interleaved rounds, and their ratio."""
    ways = {False: _profiles(ALONE), True: _profiles(TOGETHER)}
    rates: dict[bool, list[float]] = {bulk: [] for bulk in ways}
    for _ in range(rounds):
        for bulk, made in ways.items():
            rates[bulk].append(asyncio.run(_rate(made, bulk=bulk)))
    batched, single = (statistics.median(rates[bulk]) for bulk in (True, False))
    return {"batched": round(batched), "one request each": round(single), "ratio": round(batched / single, 1)}
