"""A guard on segments, from a changed profile to what an order sends; and who is killed on the way."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.wiring import Wiring
from schemas.events.event import Event
from tests.e2e.harness import Product, product, thanks
from tests.e2e.test_segments import apply_gold, put

pytestmark = pytest.mark.timeout(400)


def order(number: int, customer: str) -> Event:
    data = {"customer": {"id": customer}, "order": {"id": f"o{number}", "amount": 2000}}
    at = datetime.now(UTC)
    return Event(id=f"ev{number}", project_id="shop", type="customer.order.paid", created_at=at, data=data)


def club(number: int, kind: str) -> Event:
    data = {"customer": {"id": "c1"}, "segment": {"id": "club"}}
    at = datetime.now(UTC)
    return Event(
        id=f"up{number}", project_id="shop", type=f"customer.segment.{kind}", created_at=at, data=data
    )  # of a segment that upstream keeps


def guarded(name: str, segment: str) -> dict[str, Any]:
    hook = [{"webhook": {"url": "http://127.0.0.1:1/hook", "type": name}}]
    return thanks("", distribution=name, when={"customer.segments": {"contains": segment}}, channels=hook)


def emitted(running: Product, name: str) -> set[str]:
    decided = [one for one in running.decisions() if one.distribution.id == name]
    assert not [one for one in decided if one.reason == "rule_error"], decided
    return {one.event.id for one in decided if one.outcome == "emitted"}


async def tiers(running: Product, **wanted: str) -> None:
    """Change profiles, and wait until the matchers know what that makes of memberships."""
    await put(running, [{**running.customers[one], "metadata": {"tier": tier}} for one, tier in wanted.items()])
    await running.until(running.all_processed, "memberships are in the matchers")


async def test_members_get_what_a_guard_on_segments_lets_through_whoever_is_killed(
    wiring: Wiring, tmp_path: Path
) -> None:
    async with product(wiring.settings, tmp_path, roles=("matcher", "segmenter")) as running:
        running.lag.roles = ("segmenter", "matcher")  # asked in the order of the data
        await running.load_customers(3)
        await tiers(running, c1="tin", c2="gold")
        await apply_gold(running)
        await running.apply(guarded("for-gold", "gold"))
        await running.until(running.all_processed, "members of the beginning are told")
        await running.publish([order(1, "c1"), order(2, "c2")])
        await running.until(running.all_processed, "they are matched before c1 is a member")
        await tiers(running, c1="gold")
        assert emitted(running, "for-gold") == {"ev2"}
        for worker in running.workers.workers:
            worker.send(signal.SIGKILL)
        await running.publish([order(3, "c1")])
        await running.until(running.all_processed, "others went on with it")
        await tiers(running, c1="tin")
        await running.publish([order(4, "c1"), order(5, "c2")])
        await running.until(running.all_processed, "all orders are matched")
        assert emitted(running, "for-gold") == {"ev2", "ev3", "ev5"}


async def test_entries_and_leaves_of_upstreams_segments_count_for_guards(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=("matcher", "segmenter")) as running:
        running.lag.roles = ("segmenter", "matcher")  # asked in the order of the data
        await running.load_customers(2)
        await running.apply(guarded("for-club", "club"))
        await running.apply(
            {**guarded("welcome", "club"), "trigger": {"event": "customer.segment.entered", "segment": "club"}}
        )
        await running.until(running.all_processed, "segmenters have told that all is told")
        for number, kind in ((1, "entered"), (2, ""), (3, "left"), (4, "")):
            await running.publish([club(number, kind) if kind else order(number, "c1")])
            await running.until(running.all_processed, "it is matched")
        assert (emitted(running, "for-club"), emitted(running, "welcome")) == ({"ev2"}, {"up1"})
