"""Fallbacks on real topics: each message that was not opened is followed once, whoever is killed and read again."""

from __future__ import annotations

import random
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from channels.fakes.http import Reply
from schemas.closed import DeliveryOutcome
from schemas.decision import Decision, DeliveryStatus
from tests.e2e.harness import PATIENCE, Product, product, thanks
from tests.e2e.test_codes import bodies, order
from tests.e2e.test_delays import stand_still, waiting

pytestmark = pytest.mark.timeout(600)

ROLES: Any = ("matcher", "holder", "sender")


def falls_back(running: Product, time: str) -> dict[str, Any]:
    channels = [{"webhook": {"url": running.receiver.url, "type": name}} for name in ("first", "second")]
    after = {"time": time, "unless": "opened"}
    return thanks(
        "", when=None, consent="transactional", channels=channels, order="first_available", fallback_after=after
    )


async def report(running: Product, sent: Decision, outcome: DeliveryOutcome) -> None:
    """Report of a message, as tracking will make it."""
    status = DeliveryStatus(
        delivery_id=sent.delivery_id or "",
        project_id=sent.project_id,
        distribution=sent.distribution,
        event=sent.event,
        customer_id=sent.customer_id,
        channel="webhook",
        account="hooks",
        type=f"customer.webhook.{outcome}",
        outcome=outcome,
        attempts=1,
        occurred_at=datetime.now(UTC),
    )
    topic, codec = running.wiring.topic("delivery.status"), running.wiring.codec("delivery.status")
    await write_all(
        running.producer, [Output(topic, sent.customer_id.encode(), codec.encode(status))], patience=PATIENCE
    )


def emitted(running: Product) -> dict[str, Decision]:
    """The decision of each event that sent its first message."""
    found = sorted((one for one in running.decisions() if one.outcome == "emitted"), key=lambda one: one.decided_at)
    return {one.event.id: one for one in reversed(found)}


def outcomes(running: Product) -> dict[str, set[tuple[str, str | None]]]:
    found: dict[str, set[tuple[str, str | None]]] = {}
    for one in running.decisions():
        found.setdefault(one.event.id, set()).add((one.outcome, one.reason))
    return found


def events(running: Product, name: str) -> Counter[str]:
    return Counter(body["data"]["order"]["id"] for body in bodies(running, name))


async def test_a_status_before_or_after_the_hold_ends_it_and_nothing_else_does(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await running.apply(falls_back(running, "1s"))  # over before the holder has read anything
        holder = stand_still(running)
        await running.publish([order(number, f"c{number}") for number in range(4)])
        await running.until(lambda: len(events(running, "first")) == 4, "each is sent over the first")
        sent = emitted(running)
        await report(running, sent["ev0"], "opened")
        await report(running, sent["ev1"], "clicked")
        await report(running, sent["ev2"], "delivered")
        holder.send(signal.SIGCONT)
        await running.until(lambda: set(events(running, "second")) == {"o2", "o3"}, "what was not opened is followed")
        await running.until(
            lambda: all(("skipped", "canceled") in outcomes(running)[one] for one in ("ev0", "ev1")), "all"
        )
        await running.until(running.all_processed, "no lag is left")
        assert await waiting(running) == 0
        assert events(running, "second") == {"o2": 1, "o3": 1}
        assert events(running, "first") == {f"o{number}": 1 for number in range(4)}
        (why,) = (one for one in running.decisions() if one.event.id == "ev0" and one.outcome == "skipped")
        assert (why.detail or "").startswith("not needed: the message before it was opened at ")


async def test_one_that_is_opened_in_time_is_decided_at_once(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await running.apply(falls_back(running, "1h"))
        await running.publish([order(1, "c1"), order(2, "c2")])
        await running.until(lambda: len(emitted(running)) == 2, "both are sent")
        await running.until(running.all_processed, "both wait")
        assert await waiting(running) == 2
        await report(running, emitted(running)["ev1"], "opened")
        await running.until(lambda: ("skipped", "canceled") in outcomes(running)["ev1"], "it is not followed")
        await running.until(running.all_processed, "no lag is left")
        assert await waiting(running) == 1
        assert not events(running, "second")


async def test_what_follows_a_message_that_failed_for_good_goes_out_at_once(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await running.apply(falls_back(running, "1h"))
        running.receiver.replies.append(Reply(422))
        await running.publish([order(0, "c0")])
        await running.until(lambda: bool(events(running, "second")), "what failed is followed")
        await running.publish([order(1, "c1")])
        await running.until(lambda: len(emitted(running)) == 2, "the other is sent")
        await running.until(running.all_processed, "no lag is left")
        assert (events(running, "first"), events(running, "second")) == ({"o1": 1}, {"o0": 1})
        assert await waiting(running) == 1


async def test_each_is_followed_once_though_workers_are_killed_and_events_are_read_again(
    wiring: Wiring, tmp_path: Path
) -> None:
    rng = random.Random(3)
    async with product(wiring.settings, tmp_path, roles=ROLES, processes=2) as running:
        await running.apply(falls_back(running, "3s"))
        for turn in range(9):
            await running.publish([order(turn * 10 + number, f"c{number}") for number in range(10)])
            if turn % 3 == 2:
                rng.choice([one for one in running.workers.workers if one.role != "sender"]).send(signal.SIGKILL)
            running.workers.look()
        await running.publish(running.published[:])
        everyone = {f"o{number}" for number in range(90)}
        await running.until(lambda: set(events(running, "first")) == everyone, "each is sent")
        opened = 0
        for number, one in enumerate(emitted(running).values()):
            if number % 2:
                await report(running, one, "opened")
                opened += 1
            if number == 45:
                rng.choice([one for one in running.workers.workers if one.role != "sender"]).send(signal.SIGKILL)
        await running.until(lambda: ended(running) == everyone, "each is followed or ended")
        await running.until(running.all_processed, "no lag is left")
        assert await waiting(running) == 0
        assert max(events(running, "first").values()) == max(events(running, "second").values()) == 1
        assert len(events(running, "second")) >= 90 - opened


def ended(running: Product) -> set[str]:
    """Orders whose second message has arrived, or is not needed."""
    ids = {event for event, said in outcomes(running).items() if ("skipped", "canceled") in said}
    return {event.replace("ev", "o") for event in ids} | set(events(running, "second"))
