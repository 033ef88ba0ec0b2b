"""From an event to a message that waits, over workers that are killed, customers who are erased, and pauses."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.context import database
from console.control.files.documents import read_documents
from console.control.holds import cancel
from schemas.events.event import Event
from store.chosen_holds import ChosenHolds, HoldFilter
from store.holds import Holds
from tests import ROOT
from tests.e2e.harness import Product, product, thanks
from tests.e2e.test_codes import add_campaign, bodies, count, event, giving, order

pytestmark = pytest.mark.timeout(600)

EXAMPLE = ROOT / "examples" / "waiting" / "code-reminder.yaml"
ROLES: Any = ("matcher", "publisher", "holder", "sender")


async def waiting(running: Product) -> int:
    async with database(running.wiring) as pool:
        return (await Holds(pool).waiting()).waiting


async def until_waiting(running: Product, number: int) -> None:
    await running.until(running.all_processed, "no lag is left")
    assert await waiting(running) == number


async def test_each_message_waits_and_leaves_once_though_workers_are_killed(wiring: Wiring, tmp_path: Path) -> None:
    rng = random.Random(7)
    async with product(wiring.settings, tmp_path, roles=ROLES, processes=2) as running:
        await add_campaign(running, 100)
        await running.apply(giving(running, delay="4s", again="once_per_customer"))
        await running.apply(giving(running, "plain", delay="3s", publish=None))
        for turn in range(10):
            await running.publish([order(turn * 10 + number, f"c{number}") for number in range(10)])
            if turn % 3 == 2:
                rng.choice([one for one in running.workers.workers if one.role != "sender"]).send(signal.SIGKILL)
            running.workers.look()
        await running.publish(running.published[:])
        await running.until(lambda: len({one.id for one in running.receiver.received}) == 110, "all arrive")
        await running.until(running.all_processed, "no lag is left")
        assert Counter(one.id for one in running.receiver.received).most_common(1)[0][1] == 1
        assert Counter(body["type"] for body in bodies(running, "give") + bodies(running, "plain")) == {
            "give": 10,
            "plain": 100,
        }
        assert (await count(running)).published == 10
        assert await waiting(running) == 0
        told = Counter((one.outcome, one.reason) for one in running.decisions() if one.distribution.id == "plain")
        assert {("deferred", "delayed"), ("emitted", None)} == set(told)


async def test_what_waits_is_judged_by_the_distribution_of_then_and_a_pause_holds_it(
    wiring: Wiring, tmp_path: Path
) -> None:
    async with product(wiring.settings, tmp_path, roles=("matcher", "holder", "sender")) as running:
        hook = [{"webhook": {"url": running.receiver.url, "type": "late"}}]
        late = thanks("", when=None, consent="transactional", channels=hook, delay="1s")
        await running.apply(late)
        holder = stand_still(running)
        await running.publish([order(number) for number in range(5)])
        await running.until(lambda: held(running, "delayed") == 5, "they wait")
        await running.apply({**late, "status": "PAUSED"}, version=2)
        holder.send(signal.SIGCONT)
        await running.until(lambda: held(running, "paused") == 5, "they wait for the distribution")
        await until_waiting(running, 5)
        assert not running.receiver.received
        new = [{"webhook": {"url": running.receiver.url, "type": "newer"}}]
        await running.apply({**late, "channels": new}, version=3)
        await running.until(lambda: len(bodies(running, "newer")) == 5, "they go on")
        await until_waiting(running, 0)


async def test_nothing_waits_for_a_customer_who_was_erased(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=("matcher", "holder", "sender")) as running:
        hook = [{"webhook": {"url": running.receiver.url, "type": "late"}}]
        await running.apply(thanks("", when=None, consent="transactional", channels=hook, delay="1s"))
        holder = stand_still(running)
        await running.publish([order(1, "gone"), order(2, "stays")])
        await running.until(lambda: held(running, "delayed") == 2, "they wait")
        await running.publish_raw("customers", b"gone", None)
        await running.until(lambda: "customers_erased" in running.logs_of("sender"), "the sender knows")
        await running.until(lambda: erased(running) == 1, "the matcher knows")
        holder.send(signal.SIGCONT)
        await running.until(lambda: bool(running.receiver.received), "the other one arrives")
        await until_waiting(running, 0)
        assert [body["data"]["customer"]["id"] for body in bodies(running, "late")] == ["stays"]
        async with database(running.wiring) as pool:
            kept = await pool.fetch("select customer_id, record from holds")
        assert [row["record"] for row in kept if row["record"] is not None] == []


async def test_what_somebody_cancels_is_decided_with_their_name_and_never_sent(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=("matcher", "holder", "sender")) as running:
        hook = [{"webhook": {"url": running.receiver.url, "type": "late"}}]
        await running.apply(thanks("", when=None, consent="transactional", channels=hook, delay="1h"))
        await running.publish([order(1, "c1"), order(2, "c2")])
        await running.until(lambda: held(running, "delayed") == 2, "they wait")
        await until_waiting(running, 2)
        async with database(running.wiring) as pool:
            assert await cancel(ChosenHolds(pool), HoldFilter("shop", customer="c1"), actor="ann") == 1
        await running.until(lambda: bool(decided(running, "thanks")), "it is decided")
        await until_waiting(running, 1)
        (told,) = (one for one in running.decisions() if one.outcome == "skipped")
        assert (told.customer_id, told.reason, told.detail) == ("c1", "canceled", "ended while it waited by ann")
        assert not running.receiver.received


async def test_a_reminder_of_a_code_is_not_sent_to_who_redeemed_it(wiring: Wiring, tmp_path: Path) -> None:
    """Three days before it ends, with the same code; here that is a second after it is published."""
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await add_campaign(running, 20, valid_for=3 * 86_400 + 1)
        holder = stand_still(running)
        await running.apply(giving(running))
        (written,) = read_documents([EXAMPLE])
        hook = [{"webhook": {"url": running.receiver.url, "type": "remind"}}]
        about = {"event": "customer.publication.succeeded", "campaign": "spring"}
        reminder = {**written.plain, "channels": hook, "trigger": about, "consent": "transactional"}
        await running.apply(reminder)
        await running.publish([order(number) for number in range(4)])
        await running.until(lambda: len(bodies(running, "give")) == 4, "each has a code")
        codes = {body["data"]["customer"]["id"]: body["data"]["voucher"]["code"] for body in bodies(running, "give")}
        await running.publish([redeemed("c0", codes["c0"]), redeemed("c1", "another"), redeemed("c2", codes["c3"])])
        await running.until(lambda: matched(running), "the redemptions are known")
        holder.send(signal.SIGCONT)
        await running.until(lambda: len(decided(running, "code-reminder")) == 4, "each is decided")
        await running.until(lambda: len(bodies(running, "remind")) == 3, "the others are reminded")
        await until_waiting(running, 0)
        told = {body["data"]["customer"]["id"]: body["data"]["voucher"]["code"] for body in bodies(running, "remind")}
        assert told == {one: code for one, code in codes.items() if one != "c0"}
        assert decided(running, "code-reminder")["c0"] == ("skipped", "canceled")


def redeemed(customer: str, code: str) -> Event:
    data = {"customer": {"id": customer}, "redemption": {"id": f"r-{code}"}, "voucher": {"id": code, "code": code}}
    return event(f"r-{customer}-{code}", "customer.redemption.succeeded", data)


def matched(running: Product) -> bool:
    """True where matchers have no lag, whatever the others have."""
    return not any(one.lag for one in running.lag.read() if one.group.endswith("matcher"))


def decided(running: Product, name: str) -> dict[str, tuple[str, str | None]]:
    """The decision of each customer that is not one to wait."""
    found = [one for one in running.decisions() if one.distribution.id == name and one.outcome != "deferred"]
    return {one.customer_id: (one.outcome, one.reason) for one in found}


def stand_still(running: Product) -> Any:
    """The holder, which does nothing until it is told to go on."""
    (holder,) = (one for one in running.workers.workers if one.role == "holder")
    holder.send(signal.SIGSTOP)
    return holder


def held(running: Product, reason: str) -> int:
    return len({one.event.id for one in running.decisions() if (one.outcome, one.reason) == ("deferred", reason)})


def erased(running: Product) -> int:
    with TopicReader(running.wiring, "holds") as reader:
        return sum(record.value() is None for record in reader.until_now())
