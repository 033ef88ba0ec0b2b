"""A sender that is killed between acceptance and mark, and access that is revoked, at every provider, counted.

A row is one of the demo's: a channel that joins it is tried here as well.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import psutil
import pytest

from agents.wiring import Wiring
from channels.contract import Channel
from channels.fakes.http import HttpFake
from channels.registry import CHANNEL_TYPES
from console.cli.context import database
from console.cli.supervisor import WorkerProcess
from console.control.destinations import resume_destination
from console.control.files.documents import read_documents
from console.demo.compare import Compared, compare
from console.demo.expected import Expected, expect
from console.demo.population import customers, events
from console.demo.stage import ROLES, add_accounts, apply_examples
from console.demo.stands import STANDS, Due, said
from schemas.closed import ChannelName
from schemas.distribution import Distribution
from schemas.events.event import Event
from store.sending.ledger import Ledger
from tests.contract.channels.case import revoked
from tests.e2e.harness import PATIENCE, Product, product
from tests.faults.harness import FULL

pytestmark = pytest.mark.timeout(600)

PEOPLE, CANDIDATES, SEED = 40, 4000, 5
SLOW = 3.0
"""Seconds that a provider takes to accept, so that all of them have something under way as the ledger stands still."""
PROVIDERS = tuple(channel for channel in STANDS if STANDS[channel].account("http://127.0.0.1:1"))


def one_each(people: list[dict[str, Any]], rules: list[Distribution]) -> list[Event]:
    """Events by which each customer gets each distribution once at most: what is left at a provider is then certain."""
    now = datetime.now(UTC)
    made = [
        msgspec.convert({**one.event, "created_at": now}, Event)
        for one in events(CANDIDATES, people, SEED, "shop")
        if one.event is not None
    ]
    caused: dict[str, set[str]] = {}
    for cause in expect(made, {one["id"]: one for one in people}, rules).causes.values():
        caused.setdefault(cause.event.id, set()).add(cause.distribution)
    seen, chosen = dict[str, set[str]](), []
    for event in made:
        of_customer, more = seen.setdefault(event.customer_id, set()), caused.get(event.id, set())
        if more and not more & of_customer:
            of_customer |= more
            chosen.append(event)
    return chosen


@dataclass(slots=True)
class Providers:
    """The product before all fakes. `written` are the channels of each distribution as its file has them."""

    running: Product
    fakes: Mapping[ChannelName, Any]
    written: Mapping[str, Any]

    def due(self, channel: ChannelName, expected: Expected) -> Iterable[tuple[str, str]]:
        for identity in expected.deliveries[channel]:
            cause = expected.causes[identity]
            written = self.written[cause.distribution][cause.step][channel]
            key, what = STANDS[channel].due(Due(identity, cause.event, cause.customer, written))
            yield key, said(what)

    def compared(self) -> dict[ChannelName, Compared]:
        expected = self.running.expected()
        return {
            channel: compare(STANDS[channel].told(fake), self.due(channel, expected))
            for channel, fake in self.fakes.items()
        }

    def taken(self) -> Counter[ChannelName]:
        """Messages that each provider has accepted; a call that is only a part of one does not count."""
        return Counter({channel: len(list(STANDS[channel].told(fake))) for channel, fake in self.fakes.items()})

    def hurry(self, delay: float) -> None:
        for fake in self.fakes.values():
            fake.usually = replace(fake.usually, delay=delay)

    async def killed(self, sender: WorkerProcess) -> dict[ChannelName, tuple[int, int]]:
        """Kill it once every provider has accepted something that the ledger does not take.

        How many each had then accepted since, and how many it had been asked for and not answered.
        """
        ledger = await asyncpg.connect(self.running.wiring.settings.postgres.dsn.reveal())
        async with ledger.transaction():
            await ledger.execute("lock table open_deliveries in exclusive mode")
            before = self.taken()
            while not all((self.taken() - before)[channel] for channel in self.fakes):
                await asyncio.sleep(0.05)
            sender.send(signal.SIGKILL)
            while psutil.pid_exists(sender.pid) and psutil.Process(sender.pid).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.01)
            accepted = self.taken() - before
            await asyncio.sleep(SLOW + 0.5)  # what was handed over is accepted by then, whoever asked for it
            later = self.taken() - before
            await ledger.execute(  # else what it has asked goes on without it
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        await ledger.close()
        return {channel: (accepted[channel], later[channel]) for channel in self.fakes}


async def set_up(wiring: Wiring, folder: Path, opened: AsyncExitStack) -> Providers:
    fakes: dict[ChannelName, Any] = {channel: STANDS[channel].fake() for channel in PROVIDERS}
    for fake in fakes.values():
        await fake.start()
        opened.push_async_callback(fake.stop)
    key = base64.b64encode(os.urandom(32)).decode()
    run = product(
        wiring.settings,
        folder,
        roles=ROLES,
        environ={"TIDINGS_SENDER_LEASE": "3s"},
        more=f'\n[accounts]\nkeys = ["k1:{key}"]\n',
    )
    running = await opened.enter_async_context(run)
    await add_accounts(running.wiring, fakes)
    running.rules = await apply_examples(running.wiring, folder, running.receiver.url, ("providers",))
    documents = read_documents([folder / "examples" / "providers"])
    return Providers(running, fakes, {one.plain["distribution"]: one.plain["channels"] for one in documents})


async def load(running: Product, people: list[dict[str, Any]]) -> None:
    await running.load_customers(0)
    running.customers = {one["id"]: one for one in people}
    for one in people:
        row = running.wiring.codec("customers").encode(one)
        await running.publish_raw("customers", one["id"].encode(), row)
    await running.until(running.all_processed, "customers are in the table")


@pytest.mark.skipif(not FULL, reason="about half a minute: make faults")
async def test_a_sender_killed_between_acceptance_and_mark_doubles_nothing_that_its_provider_could_know(
    wiring: Wiring, tmp_path: Path
) -> None:
    """Nothing is lost or changed. A provider without a key may get again what it had under way, and no more."""
    async with AsyncExitStack() as opened:
        providers = await set_up(wiring, tmp_path, opened)
        running, people = providers.running, customers(PEOPLE, SEED)
        await load(running, people)
        (sender,) = [worker for worker in running.workers.workers if worker.role == "sender"]
        providers.hurry(SLOW)
        await running.publish(one_each(people, running.rules))
        await running.until(lambda: all(fake.tried for fake in providers.fakes.values()), "all are under way")
        unmarked = await asyncio.wait_for(providers.killed(sender), PATIENCE)
        providers.hurry(0.0)
        await running.until(lambda: not any(one.missing for one in providers.compared().values()), "all has come")
        await running.until(running.all_processed, "no lag is left")
        await running.until(lambda: not open_left(running), "nothing is left to send")
        for channel, found in providers.compared().items():
            judge(channel, found, providers.fakes[channel], *unmarked[channel])


@pytest.mark.skipif(not FULL, reason="about half a minute: make faults")
async def test_while_every_provider_refuses_our_access_nothing_is_lost_and_afterwards_each_message_leaves_once(
    wiring: Wiring, tmp_path: Path
) -> None:
    async with AsyncExitStack() as opened:
        providers = await set_up(wiring, tmp_path, opened)
        running, people = providers.running, customers(PEOPLE, SEED)
        await load(running, people)
        with revoked(*providers.fakes.values()):
            await running.publish(one_each(people, running.rules))
            await running.until(lambda: set(paused(running)) == set(PROVIDERS), "all are paused")
            await running.until(running.all_processed, "no lag is left")
            due = sum(map(len, running.expected().deliveries.values()))
            await running.until(lambda: open_left(running) == due, "all that is due waits")
        assert not any(found.received for found in providers.compared().values())
        async with database(running.wiring) as pool:
            for channel in PROVIDERS:
                await resume_destination(Ledger(pool), "shop", f"{channel}/main", actor="me")
        await running.until(lambda: not any(one.missing for one in providers.compared().values()), "all has come")
        await running.until(lambda: not open_left(running), "nothing is left to send")
        assert {channel: found for channel, found in providers.compared().items() if not found.is_right} == {}


def paused(running: Product) -> list[ChannelName]:
    async def listed() -> list[ChannelName]:
        async with database(running.wiring) as pool:
            return [one.channel for one in await Ledger(pool).paused_destinations()]

    return asyncio.run(listed())


def open_left(running: Product) -> int:
    async def count() -> int:
        ledger = await asyncpg.connect(running.wiring.settings.postgres.dsn.reveal())
        try:
            return int(await ledger.fetchval("select count(*) from open_deliveries"))
        finally:
            await ledger.close()

    return asyncio.run(count())


def judge(channel: ChannelName, found: Compared, fake: HttpFake, accepted: int, handed_over: int) -> None:
    kind = CHANNEL_TYPES[channel]
    assert (found.missing, found.wrong, found.unexpected) == (0, 0, 0), f"{channel}: {found.said}"
    assert accepted > 0
    if kind.look_up is not Channel.look_up:
        assert found.doubled == 0, f"{channel} was looked up first: {found.said}"
        return
    assert accepted <= found.doubled <= handed_over, f"{channel}: {found.said}, of {accepted} to {handed_over}"
    if kind.repeats != "none":
        assert len(fake.by_key) == found.received - found.doubled, f"{channel} had each message once"
