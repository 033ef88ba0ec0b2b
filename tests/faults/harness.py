"""Matchers under load that are broken on purpose, and what they have to come to all the same."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agents.broker.producer import write_all
from agents.broker.records import Output
from deploy.settings.settings import Settings
from schemas.events.event import Event
from tests.e2e.harness import PATIENCE, Product, product, profile, thanks
from tests.faults.check import check_outputs, check_tables

FULL = os.environ.get("FAULTS") == "full"
"""`make faults` runs the whole of it; the tests of every change a selection that fits their time."""

CUSTOMERS = 300


@dataclass(slots=True)
class Load:
    """Feeds orders, segment entries and profile updates, and checks what came of them."""

    running: Product
    number: int = 0

    async def feed(self, count: int, rate: float, rng: random.Random, meanwhile: Callable[[int], None]) -> None:
        """`count` events at `rate` a second; `meanwhile` is told how many are out. Workers that end are replaced."""
        began = time.monotonic()
        for done in range(0, count, 100):
            await self.running.publish([self._event(rng) for _ in range(100)])
            await self._update_profiles(rng)
            meanwhile(done + 100)
            self.running.workers.look()
            while time.monotonic() < began + (done + 100) / rate:
                await _pause()

    def _event(self, rng: random.Random) -> Event:
        """Three orders for each segment entry; the same customer enters more than once, and is welcomed once."""
        self.number += 1
        customer = {"id": f"c{rng.randrange(CUSTOMERS)}"}
        data: dict[str, Any] = {"customer": customer, "order": {"id": f"o{self.number}", "amount": rng.randrange(2000)}}
        kind = "customer.order.paid"
        if self.number % 4 == 0:
            kind, data = "customer.segment.entered", {"customer": customer, "segment": {"id": "seg_new"}}
        return Event(id=f"ev{self.number}", project_id="shop", type=kind, created_at=datetime.now(UTC), data=data)

    async def _update_profiles(self, rng: random.Random) -> None:
        """New versions of some rows, alike in all that rules look at."""
        outputs, wiring = [], self.running.wiring
        for _ in range(10):
            key = f"c{rng.randrange(CUSTOMERS)}"
            row = {**self.running.customers[key], "metadata": {"version": self.number}}
            self.running.customers[key] = row
            outputs.append(Output(wiring.topic("customers"), key.encode(), wiring.codec("customers").encode(row)))
        await write_all(self.running.producer, outputs, patience=PATIENCE)

    async def check(self) -> dict[str, int]:
        """Wait until everything is processed, for as long as that goes on, then compare."""
        left = math.inf

        def goes_on() -> bool:
            nonlocal left
            before, left = left, min(left, self.running.lag_left())
            return left < before

        while left:
            await self.running.until(goes_on, "some of the rest is processed")
        found = check_outputs(self.running)
        check_tables(self.running)
        return found


async def _pause() -> None:
    import asyncio

    await asyncio.sleep(0.01)


@asynccontextmanager
async def matchers(
    settings: Settings, folder: Path, *, processes: int = 2, environ: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Load]:
    """Matchers with three distributions and some customers in their table."""
    async with product(settings, folder, roles=("matcher",), processes=processes, environ=environ) as running:
        running.lag.roles = ("matcher",)
        hook = [{"webhook": {"url": "http://127.0.0.1:1/hook", "type": "fault"}}]
        await running.apply(thanks("", distribution="orders", channels=hook))
        await running.apply(
            thanks("", distribution="big", channels=hook, when={"order.amount": {"at_least": 1900}}, priority=5)
        )
        await running.apply(
            thanks(
                "",
                distribution="welcome",
                trigger={"event": "customer.segment.entered"},
                when={"segment.id": "seg_new"},
                again="once_per_customer",
                channels=hook,
            )
        )
        running.customers = {f"c{number}": profile(number) for number in range(CUSTOMERS)}
        await running.load_customers(CUSTOMERS)
        yield Load(running)
