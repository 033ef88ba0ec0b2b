"""From an event in Kafka to a message at a receiver."""

from __future__ import annotations

import asyncio
import json
import math
import re
import signal
import urllib.request
from pathlib import Path
from zlib import crc32

import pytest

from agents.broker.groups import Groups
from agents.transport.crash import CRASHED
from agents.wiring import Wiring
from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from console.cli.supervisor import WorkerProcess
from deploy.settings.settings import Settings
from schemas.events.triggers import EVENT_TOPICS
from schemas.topics import CUSTOMERS, DUE, MEMBERSHIPS
from tests.e2e.harness import SECRET, product, thanks

pytestmark = pytest.mark.timeout(600)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        text: str = answer.read().decode()
        return text


def rules_of(worker: WorkerProcess) -> float:
    """The number of distributions that a matcher knows."""
    assert worker.status_file
    found = re.search(r"^tidings_rules (\S+)$", get(worker.status_file.read_text() + "/metrics"), re.MULTILINE)
    return float(found[1]) if found else math.nan


@pytest.fixture
def placed(settings: Settings, wiring: Wiring) -> Settings:
    """The test's own topics and database."""
    return wiring.settings


async def test_bad_records_are_dead_lettered_with_their_bytes_and_disturb_nobody(
    placed: Settings, tmp_path: Path
) -> None:
    good = {"id": "c1"}
    event = {"id": "e", "project_id": "shop", "type": "customer.order.paid", "created_at": "2026-01-01T00:00:00Z"}
    whole = {**event, "data": {"customer": good, "order": {"id": "o", "amount": 1}}}
    bad: list[tuple[str, bytes | None, bytes | None, str]] = [
        ("events.orders", b"c1", b"{", "undecodable"),
        ("events.orders", b"c1", b"\xff\xff\xff", "undecodable"),
        ("events.orders", b"c1", b"\xc3\x01" + b"12345678" + b"x", "undecodable"),
        ("events.orders", b"c1", b"", "undecodable"),
        ("events.orders", b"c1", None, "undecodable"),
        ("events.orders", b"c1", b'{"id":"\xff"}', "undecodable"),
        ("events.orders", b"c1", b'{"a":' * 500 + b"1" + b"}" * 500, "too_deep"),
        ("events.orders", b"c1", json.dumps({**whole, "pad": "x" * 10 * 1024 * 1024}).encode(), "too_large"),
        ("events.orders", None, json.dumps(whole).encode(), "invalid_event"),
        ("events.orders", b"c1", json.dumps({**whole, "type": "customer.unknown"}).encode(), "invalid_event"),
        ("events.orders", b"c1", json.dumps({**whole, "created_at": "2999-01-01T00:00:00Z"}).encode(), "invalid_event"),
        ("events.orders", b"c1", json.dumps({**whole, "data": {"order": {"id": "o"}}}).encode(), "invalid_event"),
        ("events.segments", b"c1", json.dumps({**whole, "data": {"customer": good}}).encode(), "invalid_event"),
        ("customers", b"c1", b'{"name": "no id"}', "invalid_event"),
        ("deliveries.email", b"c1", b"{}", "invalid_event"),
    ]
    async with product(placed, tmp_path) as running:
        await running.apply(thanks(running.receiver.url))
        await running.load_customers(20)
        await running.feed(100, 2000, seed=1)
        for topic, key, value, _ in bad:
            await running.publish_raw(topic, key, value)
        await running.feed(100, 2000, seed=2)
        await running.until_delivered()
        running.check()
        found = running.dead_letters()
        assert sorted((facts["topic"], facts["kind"]) for _, _, facts in found) == sorted(
            (t, kind) for t, _, _, kind in bad
        )
        values = {value for _, value, _ in found}
        assert {value for _, _, value, _ in bad} == values


async def test_a_skipped_event_says_why(placed: Settings, tmp_path: Path) -> None:
    """Always where its rule fits; where it does not, for as many events as one asked for."""
    async with product(placed, tmp_path, environ={"TIDINGS_MATCHER_NO_MATCH_ONE_IN": "2"}) as running:
        await running.apply(thanks(running.receiver.url))
        await running.load_customers(20)
        await running.feed(200, 2000, seed=3)
        await running.until_delivered()
        decisions = running.decisions()
        skipped = [one for one in decisions if one.outcome == "skipped" and one.reason != "no_match"]
        assert len(skipped) == running.expected().skipped["consent"] > 0
        assert {one.detail for one in skipped} == {"marketing: withdrawn"}
        unfit = {one.event.id for one in decisions if one.reason == "no_match"}
        small = {event.id for event in running.published if event.data["order"]["amount"] < 1000}
        assert unfit == {id_ for id_ in small if crc32(id_.encode()) % 2 == 0}
        assert 0 < len(unfit) < len(small)


async def test_a_rule_is_live_on_every_matcher_and_a_new_version_replaces_it(placed: Settings, tmp_path: Path) -> None:
    async with product(placed, tmp_path, processes=2) as running:
        await running.apply(thanks(running.receiver.url))
        await running.load_customers(20)
        await running.feed(100, 2000, seed=4)
        await running.until_delivered()
        await running.apply({**thanks(running.receiver.url), "status": "STOPPED"}, version=2)
        before = running.received()
        await running.apply(thanks(running.receiver.url, distribution="later", status="STOPPED"))  # read after it
        matchers = [worker for worker in running.workers.workers if worker.role == "matcher"]
        await running.until(lambda: all(rules_of(one) == 2 for one in matchers), "every matcher has the change")
        await running.feed(100, 2000, seed=5)
        await running.until(running.all_processed, "no lag is left")
        assert running.received() == before


async def test_a_dead_receiver_is_retried_on_schedule_and_others_are_not_kept_waiting(
    placed: Settings, tmp_path: Path
) -> None:
    async with product(placed, tmp_path) as running:
        running.receiver.usually = Reply(503)
        await running.apply(thanks(running.receiver.url))
        await running.load_customers(20)
        await running.feed(300, 2000, seed=6)
        emails = set(running.expected().deliveries["email"])
        await running.until(lambda: set(running.received()["email"]) >= emails, "e-mails arrive")
        assert not running.receiver.received
        running.receiver.usually = Reply(200)
        await running.until_delivered()
        running.check()


async def test_a_worker_drains_on_sigterm_and_answers_for_its_health(placed: Settings, tmp_path: Path) -> None:
    async with product(placed, tmp_path) as running:
        await running.apply(thanks(running.receiver.url))
        await running.load_customers(20)
        await running.feed(500, 2000, seed=7)
        for worker in running.workers.workers:
            assert worker.status_file
            address = worker.status_file.read_text()
            assert "tidings_lag" in await asyncio.to_thread(get, f"{address}/metrics")
            assert json.loads(await asyncio.to_thread(get, f"{address}/healthz"))["healthy"] is True
        for worker in running.workers.workers:
            worker.send(signal.SIGTERM)
        codes = [await asyncio.to_thread(worker.wait, 60) for worker in running.workers.workers]
        assert set(codes) <= {0, CRASHED}, "ended in order, or said that a busy machine gave it no time for its batch"
        running.workers.start()
        await running.until_delivered()
        running.check()


async def test_a_slow_receiver_does_not_keep_the_others_waiting(placed: Settings, tmp_path: Path) -> None:
    async with product(placed, tmp_path) as running:
        slow = WebhookReceiver(SECRET)
        slow.usually = Reply(delay=600.0)
        await slow.start()
        await running.apply(thanks(running.receiver.url))
        await running.apply(
            {**thanks(slow.url), "distribution": "slow", "channels": [{"webhook": {"url": slow.url, "type": "t"}}]}
        )
        await running.load_customers(50)
        await running.feed(1500, 1500, seed=11)
        to_each = len(running.expected().deliveries["webhook"]) // 2
        await running.until(lambda: len(running.receiver.received) == to_each, "the fast one has all of its own")
        assert slow.tried and not slow.received
        await slow.stop()


async def test_top_shows_each_process_with_its_partitions_and_rate(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, processes=2) as running:
        await running.apply(thanks(running.receiver.url))
        await running.load_customers(20)
        top = Groups(running.wiring)
        before = (await asyncio.to_thread(top.read)).members
        both = {worker.instance for worker in running.workers.workers if worker.role == "matcher"}
        await running.until(
            lambda: {row.process for row in top.read().members if row.role == "matcher"} == both, "both joined"
        )
        await running.feed(200, 1000, seed=1)
        await running.until_delivered()
        rows = (await asyncio.to_thread(top.read)).members
        matchers = [row for row in rows if row.role == "matcher"]
        assert {row.process for row in matchers} == both
        assert sum(row.partitions for row in matchers) == len([CUSTOMERS, DUE, MEMBERSHIPS, *EVENT_TOPICS]) * 4
        assert sum(row.lag for row in rows if row.role in ("matcher", "sender")) == 0
        assert all(row.rate is None for row in before)
        assert sum(row.rate or 0 for row in matchers) > 0
