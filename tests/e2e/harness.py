"""The product under test: worker processes, receivers that verify, and a recomputation of what has to arrive."""

from __future__ import annotations

import asyncio
import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from agents.broker.lag import LagReader
from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.broker.topics import Provision
from agents.wiring import Wiring
from channels.fakes.email import SmtpSink
from channels.fakes.webhook import WebhookReceiver
from console.cli.context import database
from console.cli.supervisor import Supervisor, WorkerProcess, workers
from console.control.distributions import announcer
from console.demo.expected import Expected, expect
from deploy.settings.settings import Settings, load_settings
from schemas.closed import Role
from schemas.decision import Decision
from schemas.distribution import Distribution
from schemas.errors import TryLater
from schemas.events.event import Event
from schemas.events.triggers import TRIGGERS
from store.campaigns import Campaigns
from store.distributions import Change, Control
from streams.documents.distribution import DefinitionContext, parse_definition

GREETING = "Hi {{ customer.name | default('you') }}"
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
PATIENCE = 110.0

BRAND = """\
[brand]
name = "The Shop"
address = "ul. Prosta 1, 00-001 Warszawa, Poland"
contact = "help@example.com"
privacy_url = "https://example.com/privacy"
terms_url = "https://example.com/terms"
logo_url = "https://example.com/logo.png"
permission_reminder = "You get this e-mail because you are a customer of The Shop."
"""
SETTINGS = """\
project_id = "shop"
data = "{data}"
[kafka]
bootstrap = "{kafka}"
session_timeout = "{session}"
[postgres]
dsn = "{postgres}"
[topics]
prefix = "{prefix}"
partitions = {partitions}
replication = {replication}
[matcher]
standby_replicas = {standby}
[sender]
webhook_allow_private = true
lease = "10s"
webhook_timeout = "30s"
webhook_retries = ["1s", "1s", "2s", "2s"]
email_retries = ["1s", "1s", "2s", "2s"]
[webhook]
secrets = ["{secret}"]
{brand}[email_accounts.main]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "shop@example.com"
"""


def settings_text(settings: Settings, mail_port: int) -> str:
    """The file in which a process finds what a test decides; everything else is the same for all of them."""
    return SETTINGS.format(
        data=settings.data,
        kafka=settings.kafka.bootstrap,
        session=f"{settings.kafka.session_timeout.seconds}s",
        postgres=settings.postgres.dsn.reveal(),
        prefix=settings.topics.prefix,
        partitions=settings.topics.partitions,
        replication=settings.topics.replication,
        standby=settings.matcher.standby_replicas,
        secret=SECRET,
        brand=BRAND,
        port=mail_port,
    )


def thanks(url: str, **changes: Any) -> dict[str, Any]:
    """A distribution on paid orders of at least 1000, over both channels."""
    return {
        "distribution": "thanks",
        "trigger": {"event": "customer.order.paid"},
        "when": {"order.amount": {"at_least": 1000}},
        "consent": "marketing",
        "channels": [
            {"webhook": {"url": url, "type": "thanks"}},
            {"email": {"account": "main", "subject": "Order {{ order.id }}", "text": GREETING}},
        ],
        **changes,
    }


def kill(worker: WorkerProcess) -> None:
    """Kill a process and see it end: the next kill is to meet another one."""
    worker.send(signal.SIGKILL)
    worker.wait(PATIENCE)


def profile(number: int) -> dict[str, Any]:
    """Every tenth has not consented."""
    return {
        "id": f"c{number}", "name": f"Customer {number}", "email": f"c{number}@example.com",
        "consents": {"marketing": number % 10 != 0},
    }  # fmt: skip


@dataclass(slots=True)
class Product:
    """The workers and servers that a test drives."""

    wiring: Wiring
    receiver: WebhookReceiver
    mailbox: SmtpSink
    workers: Supervisor
    producer: Producer
    lag: LagReader
    folder: Path
    published: list[Event] = field(default_factory=list)
    rules: list[Distribution] = field(default_factory=list)
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def apply(self, definition: dict[str, Any], version: int = 1) -> Distribution:
        """Save a distribution and publish it, as the command does."""
        async with database(self.wiring) as pool:
            campaigns = await Campaigns(pool).current("shop")
            around = DefinitionContext("shop", version, datetime.now(UTC), {"email": ("main",)}, {}, campaigns)
            made = parse_definition(definition, around)
            templates = tuple(template for _, template in made.templates)
            control = Control(pool)
            await control.save([Change(made.distribution, "", templates)], applied_by="test", now=datetime.now(UTC))
            await announcer(self.wiring)(control)
        self.rules = [*(one for one in self.rules if one.id != made.distribution.id), made.distribution]
        return made.distribution

    async def load_customers(self, count: int) -> None:
        """Publish profiles and wait until the matchers have them."""
        self.customers = {f"c{number}": profile(number) for number in range(count)}
        codec, topic = self.wiring.codec("customers"), self.wiring.topic("customers")
        rows = [Output(topic, key.encode(), codec.encode(row)) for key, row in self.customers.items()]
        await write_all(self.producer, rows, patience=PATIENCE)
        await self.until(self.all_processed, "customers are in the table")

    def order(self, number: int, rng: random.Random) -> Event:
        """One paid order; about half are large enough."""
        customer = f"c{rng.randrange(max(1, len(self.customers)))}"
        data = {"customer": {"id": customer}, "order": {"id": f"o{number}", "amount": rng.randrange(2000)}}
        kind = "customer.order.paid"
        return Event(id=f"ev{number}", project_id="shop", type=kind, created_at=datetime.now(UTC), data=data)

    async def publish(self, events: Iterable[Event]) -> None:
        """Publish events, remembering them."""
        outputs = []
        for event in events:
            topic = TRIGGERS[event.type].topic
            self.published.append(event)
            outputs.append(
                Output(self.wiring.topic(topic), event.customer_id.encode(), self.wiring.codec(topic).encode(event))
            )
        await write_all(self.producer, outputs, patience=PATIENCE)

    async def publish_raw(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Publish bytes as they are."""
        await write_all(self.producer, [Output(self.wiring.topic(topic), key, value)], patience=PATIENCE)

    async def feed(self, count: int, rate: float, seed: int, meanwhile: Callable[[int], Any] | None = None) -> None:
        """Orders at a rate (events a second), calling `meanwhile` with the number so far."""
        rng, began, first = random.Random(seed), time.monotonic(), len(self.published)
        for start in range(0, count, 50):
            await self.publish(self.order(first + number, rng) for number in range(start, min(start + 50, count)))
            if meanwhile:
                meanwhile(start + 50)
            self.workers.look()
            await asyncio.sleep(max(0.0, began + (start + 50) / rate - time.monotonic()))

    def lag_left(self) -> float:
        """Records that are still to be processed; infinitely many where that cannot be known now."""
        try:
            return sum(one.lag for one in self.lag.read())
        except TryLater:
            return math.inf

    def all_processed(self) -> bool:
        """True where no consumer group has lag."""
        return self.lag_left() == 0

    async def until(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait for a condition; workers that end are started again meanwhile."""
        deadline = time.monotonic() + patience
        while not await asyncio.to_thread(holds):
            assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}\n{self.logs()}"
            self.workers.look()
            await asyncio.sleep(0.05)

    def expected(self) -> Expected:
        """Deliveries that have to arrive."""
        return expect(self.published, self.customers, self.rules)

    def received(self) -> dict[str, Counter[str]]:
        """Deliveries that have arrived, by channel, as a multiset of ids."""
        return {
            "webhook": Counter(one.id for one in self.receiver.received),
            "email": Counter(mail.message_id for mail in self.mailbox.mails),
        }

    async def until_delivered(self) -> None:
        """Wait until everything expected has arrived, for as long as more arrives, and nothing is in between."""
        wanted = {channel: set(found) for channel, found in self.expected().deliveries.items()}
        left = math.inf

        def goes_on() -> bool:
            nonlocal left
            before, received = left, self.received()
            left = sum(len(ids - set(received.get(channel, ()))) for channel, ids in wanted.items())
            return left < before

        while left:
            await self.until(goes_on, "every delivery arrives, or at least another one")
        await self.until(self.all_processed, "no lag is left")

    def check(self, *, doubles: int = 0) -> None:
        """Compare as multisets: nothing missing, nothing that should not be there, at most `doubles` repeats."""
        wanted = {channel: Counter(found.keys()) for channel, found in self.expected().deliveries.items()}
        received = self.received()
        for channel, ids in wanted.items():
            came = received.get(channel, Counter())
            assert not ids - came, f"{channel}: {len(ids - came)} missing"
            assert not set(came) - set(ids), f"{channel}: unexpected"
        doubled = sum(found.total() - len(found) for found in received.values())
        assert doubled <= doubles, f"{doubled} doubled, at most {doubles} allowed"
        assert self.receiver.unverified == 0

    def decisions(self) -> list[Decision]:
        """Everything on the topic."""
        with TopicReader(self.wiring, "decisions") as reader:
            return [msgspec.convert(reader.decode(message), Decision) for message in reader.until_now()]

    def dead_letters(self) -> list[tuple[bytes | None, bytes | None, dict[str, Any]]]:
        """Key, value and facts."""
        with TopicReader(self.wiring, "dead-letters") as reader:
            return [(message.key(), message.value(), reader.decode(message)) for message in reader.until_now()]

    def logs_of(self, role: str) -> str:
        """All that the workers of a role have logged."""
        return "".join(file.read_text() for file in self.folder.glob(f"{role}-*.log"))

    def logs(self) -> str:
        """The last lines of every worker."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{file.name}:\n" + "\n".join(file.read_text().splitlines()[-5:]) for file in files)


@asynccontextmanager
async def product(
    settings: Settings,
    folder: Path,
    *,
    roles: tuple[Role, ...] = ("matcher", "sender"),
    processes: int = 1,
    environ: Mapping[str, str] = MappingProxyType({}),
    more: str = "",
) -> AsyncIterator[Product]:
    """Start everything on the servers of `settings`, workers with `environ` on top; stop all of it in the end.

    `more` stands at the end of the settings' file.
    """
    receiver, mailbox = WebhookReceiver(SECRET), SmtpSink()
    await receiver.start()
    await mailbox.start()
    file = folder / "tidings.toml"
    file.write_text(settings_text(replace(settings, data=str(folder / "data")), mailbox.port) + more)
    wiring = Wiring(load_settings({}, file))
    await asyncio.to_thread(Provision(wiring).apply)
    async with database(wiring):
        pass
    around = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    everyone = Supervisor(workers(roles, processes, {**around, **environ, "TIDINGS_SETTINGS": str(file)}, folder))
    producer, lag = Producer(wiring.settings.kafka.client()), LagReader(wiring)
    lag.roles = roles
    everyone.start()
    try:
        yield Product(wiring, receiver, mailbox, everyone, producer, lag, folder)
    finally:
        await asyncio.to_thread(everyone.stop)
        producer.close(1.0)
        await asyncio.to_thread(lag.close)
        await receiver.stop()
        await mailbox.stop()
