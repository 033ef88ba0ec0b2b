"""Results of distributions: who bought something with a message and without, on the command line and over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from agents.wiring import Wiring
from console.cli.main import app
from console.control.results import compared
from schemas.decision import Decision
from store.read_models.recorded import PurchaseRow, Recorded
from store.read_models.results import Judged, ResultFilter, groups
from streams.lift import Group
from tests.environment import set_environment
from tests.integration.api_client import Api, running_api
from tests.integration.test_purchases import gave, purchase
from tests.integration.test_purchases import put as put_purchases
from tests.integration.test_recorder import KEEP, NOW, decision, put

DAY, WEEK = timedelta(days=1), timedelta(days=7)
THEN = NOW - timedelta(days=10)
ASKED = ResultFilter("shop", NOW - timedelta(days=30), NOW, "thanks")


def got(customer: int, at: datetime = THEN, number: int | None = None, **changes: Any) -> Decision:
    given = {"outcome": "emitted", "reason": None, "arm": "ab"[customer % 2]} | changes
    return decision(customer if number is None else number, at, customer_id=f"c{customer}", **given)


def held_out(customer: int, at: datetime = THEN, **changes: Any) -> Decision:
    return got(customer, at, **({"outcome": "skipped", "reason": "holdout", "arm": None} | changes))


def ordered(customer: int, at: datetime, **changes: Any) -> PurchaseRow:
    given = {"kind": "order", "subject_id": f"o{customer}", "code_key": None, "event_id": f"ev_o{customer}"}
    return purchase(customer, at, **(given | changes))


async def judged(pool: asyncpg.Pool, within: timedelta = WEEK) -> list[Judged]:
    return await groups(pool, ASKED, within, NOW)


@pytest.mark.parametrize(
    ("bought", "converted"),
    [
        ([ordered(1, THEN + DAY)], 1),
        ([purchase(1, THEN + DAY)], 1),
        ([ordered(1, THEN + DAY), ordered(1, THEN + 2 * DAY, event_id="again", subject_id="o2")], 1),
        ([ordered(1, THEN)], 0),
        ([ordered(1, THEN - DAY)], 0),
        ([ordered(1, THEN + WEEK)], 0),
        ([ordered(2, THEN + DAY)], 0),
        ([ordered(1, THEN + DAY, project_id="outlet")], 0),
        ([ordered(1, THEN + DAY), ordered(1, THEN + 8 * DAY, kind="order_canceled", event_id="back")], 0),
        ([purchase(1, THEN + DAY), purchase(1, THEN + 2 * DAY, kind="rollback", event_id="back")], 0),
        ([ordered(1, THEN + DAY), ordered(1, THEN + DAY, kind="order_canceled", event_id="b", subject_id="o9")], 1),
        ([ordered(1, THEN + DAY, kind="order_canceled")], 0),
    ],
)
async def test_who_buys_within_the_time_and_keeps_it_has_converted(
    pool: asyncpg.Pool, bought: list[PurchaseRow], converted: int
) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [got(1, arm=None)])
    await put_purchases(recorded, bought)
    assert await judged(pool) == [Judged(False, None, 1, converted, 0)]


async def test_groups_are_those_who_were_let_through_and_those_who_were_held_out(pool: asyncpg.Pool) -> None:
    """Skipped before the draw says nothing of it; skipped behind it, a customer was let through."""
    decisions = [
        got(1), got(2), got(1, THEN + DAY, 11, reason="duplicate", outcome="skipped"),
        got(3, reason="capped", outcome="skipped", arm="b"),
        held_out(4), held_out(4, THEN + DAY, number=14), held_out(5),
        got(6, reason="consent", outcome="skipped"), got(7, reason="no_address", outcome="skipped"),
        got(8, outcome="deferred", reason="delayed"),
        got(9), held_out(9, THEN + DAY, number=19),
        got(10, THEN - timedelta(days=40)), got(12, NOW - DAY), held_out(13, NOW - DAY),
        got(20, project_id="outlet"),
    ]  # fmt: skip
    await put(Recorded(pool, KEEP), decisions)
    await put_purchases(Recorded(pool, KEEP), [ordered(1, THEN + DAY / 2), ordered(4, THEN + DAY / 2)])
    assert await judged(pool) == [
        Judged(False, "a", 1, 0, 1), Judged(False, "b", 2, 1, 0), Judged(True, None, 2, 1, 1),
    ]  # fmt: skip


def test_each_arm_is_compared_and_all_of_them_where_somebody_is_held_out() -> None:
    arms = [Judged(False, "a", 100, 10, 0), Judged(False, "b", 50, 10, 0)]
    assert compared(arms) == []
    found = compared([*arms, Judged(True, None, 60, 3, 0)])
    assert [(one.arm, one.treated, one.control) for one in found] == [
        (None, Group(150, 20), Group(60, 3)), ("a", Group(100, 10), Group(60, 3)), ("b", Group(50, 10), Group(60, 3)),
    ]  # fmt: skip
    assert found[2].lift is not None
    assert found[2].lift.difference == pytest.approx(0.15)
    assert compared([Judged(True, None, 0, 0, 2), Judged(False, None, 0, 0, 1)])[0].lift is None


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    """Forty got it, forty did not; of the ones twenty bought something, of the others two."""
    async with running_api(wiring) as running:
        recorded = Recorded(running.pool, KEEP)
        await put(recorded, [*map(got, range(40)), *map(held_out, range(100, 140)), got(200, NOW - DAY)])
        await put_purchases(recorded, [gave(one, THEN, arm="ab"[one % 2]) for one in range(4)])
        bought = [purchase(one, THEN + DAY) for one in range(4)]
        bought += [ordered(one, THEN + DAY) for one in (*range(20), 100, 101)]
        await put_purchases(recorded, bought)
        yield running


async def test_the_api_tells_redemptions_and_the_lift(api: Api) -> None:
    found = (await api.ask("GET", "/statistics/results?distribution=thanks", role="viewer")).json
    row = {"distribution": "thanks", "currency": "EUR", "redemptions": 2, "taken_back": 0, "customers": 2}
    assert found["redeemed"] == [{**row, "arm": arm, "revenue": 2_000} for arm in "ab"]
    (everybody, *arms) = found["compared"]
    assert (everybody["treated"], everybody["control"]) == (
        {"customers": 40, "converted": 20}, {"customers": 40, "converted": 2},
    )  # fmt: skip
    assert [one["arm"] for one in (everybody, *arms)] == [None, "a", "b"]
    assert everybody["lift"]["difference"] == pytest.approx(0.45)
    assert 0.25 < everybody["lift"]["low"] < 0.45 < everybody["lift"]["high"] < 0.62
    assert (found["open"], found["within"]) == (1, "7d")
    whole = (await api.ask("GET", "/statistics/results")).json
    assert (whole["redeemed"], whole["compared"]) == (found["redeemed"], [])
    other = (await api.ask("GET", "/statistics/results", project="outlet")).json
    assert (other["redeemed"], other["compared"]) == ([], [])


async def test_a_question_that_cannot_be_answered_names_its_parameter(api: Api) -> None:
    wrong = {"within=week": "within", "within=0s": "within", "within=91d": "within", "until=2d&since=1d": "until"}
    for query, parameter in wrong.items():
        answer = await api.ask("GET", f"/statistics/results?{query}")
        assert (answer.status, [one.get("parameter") for one in answer.json["errors"]]) == (422, [parameter]), query
    assert (await api.ask("GET", "/statistics/results?distribution=never")).status == 404


async def test_the_command_tells_the_same(api: Api, wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, wiring)

    async def run(*arguments: str) -> Any:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["results", *arguments])
        assert done.exit_code == 0, done.output
        return done

    found = [json.loads(line) for line in (await run("thanks", "--json")).stdout.splitlines()]
    told = (await api.ask("GET", "/statistics/results?distribution=thanks")).json
    assert [one for one in found if one["of"] == "redemptions"] == [
        {"of": "redemptions", **one} for one in told["redeemed"]
    ]
    assert [one for one in found if one["of"] == "lift"] == [{"of": "lift", **one} for one in told["compared"]]
    shown = (await run("thanks")).stdout
    assert "+45.00%" in shown and "1 customers have not had 7d yet" in shown
