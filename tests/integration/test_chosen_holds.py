"""Holds chosen by a filter: counted, listed, cancelled; what is due by now goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.main import app
from console.control.doctor_holds import examine_holds
from console.control.holds import cancel, first_due, foresee, groups, read_filter
from schemas.errors import TidingsError, TryLater
from schemas.topics import HOLDS
from store.chosen_holds import ChosenHolds, HoldFilter
from store.holds import HoldRow, Holds, Waiting
from tests.integration.test_holds import AGO, TOLD, row

LATER = datetime.now(UTC) + timedelta(days=1)


def chosen(**given: str) -> HoldFilter:
    return read_filter("shop", given.get("distribution"), given.get("customer"), given.get("reason"))


def waits(identity: str, **changes: Any) -> HoldRow:
    return row(identity, until_at=LATER, **changes)


async def canceled(holds: Holds) -> dict[str, str | None]:
    async with holds.due(100, TOLD) as due:
        return {one.hold_id: one.canceled_by for one in due}


async def test_what_waits_is_counted_and_those_that_are_due_first_are_listed(pool: asyncpg.Pool) -> None:
    await Holds(pool).add(
        [
            row("hld_due"),
            waits("hld_1"),
            waits("hld_2", customer_id="c2"),
            waits("hld_3", distribution_id="late", reason="paused")._replace(until_at=None),
            waits("hld_4", project_id="other"),
        ]
    )
    store = ChosenHolds(pool)
    assert [(one.distribution_id, one.waiting, one.due, one.first_until) for one in await groups(store, chosen())] == [
        ("thanks", 3, 1, AGO),
        ("late", 1, 0, None),
    ]
    found = await first_due(store, chosen(customer="c1"), 10)
    assert [(one.hold_id, one.until_at) for one in found] == [("hld_due", AGO), ("hld_1", LATER), ("hld_3", None)]
    assert [one.hold_id for one in await first_due(store, chosen(reason="delayed", distribution="thanks"), 2)] == [
        "hld_due",
        "hld_1",
    ]


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ({"distribution": "thanks"}, {"hld_1", "hld_2"}),
        ({"customer": "c1"}, {"hld_1", "hld_3"}),
        ({"distribution": "thanks", "customer": "c2"}, {"hld_2"}),
        ({"distribution": "late", "reason": "delayed"}, set()),
    ],
)
async def test_what_is_cancelled_is_due_at_once_with_who_did_it(
    pool: asyncpg.Pool, given: dict[str, str], reached: set[str]
) -> None:
    holds, store = Holds(pool), ChosenHolds(pool)
    await holds.add(
        [
            waits("hld_1"),
            waits("hld_2", customer_id="c2"),
            row("hld_3", distribution_id="late", reason="paused", until_at=None),
            waits("hld_4", project_id="other"),
        ]
    )
    standing = await foresee(store, chosen(**given))
    assert standing.within == len(reached)
    assert await cancel(store, chosen(**given), actor="ann") == len(reached)
    assert await cancel(store, chosen(**given), actor="bob") == 0, "once"
    assert await canceled(holds) == dict.fromkeys(reached, "ann")
    assert await canceled(holds) == {}


async def test_what_is_due_goes_on_even_where_its_holder_died_before_it_noted_so(pool: asyncpg.Pool) -> None:
    holds, store = Holds(pool), ChosenHolds(pool)
    await holds.add([row("hld_1"), row("hld_2"), waits("hld_3")])
    with pytest.raises(RuntimeError):
        async with holds.due(1, TOLD):
            raise RuntimeError("published, and gone")
    async with holds.due(1, TOLD):
        assert await cancel(store, chosen(distribution="thanks"), actor="ann") == 1
    assert await canceled(holds) == {"hld_2": None, "hld_3": "ann"}


async def test_those_that_are_cancelled_while_they_come_due_end_in_one_way(pool: asyncpg.Pool) -> None:
    holds, store, number = Holds(pool), ChosenHolds(pool), 600
    began, step = datetime.now(UTC), timedelta(microseconds=250)
    await holds.add([row(f"hld_{one:04}", until_at=began + one * one * step) for one in range(number)])
    released: list[tuple[str, str | None]] = []

    async def release() -> None:
        while len(released) < number:
            async with holds.due(7, TOLD) as due:
                released.extend((one.hold_id, one.canceled_by) for one in due)

    async def end() -> int:
        while len(released) < number // 10:
            await asyncio.sleep(0)
        return await cancel(store, chosen(distribution="thanks"), actor="ann")

    _, ended = await asyncio.wait_for(asyncio.gather(release(), end()), 60)
    assert sorted(one for one, _ in released) == [f"hld_{one:04}" for one in range(number)]
    assert sum(by == "ann" for _, by in released) == ended > 0


@pytest.mark.parametrize("given", [{}, {"reason": "delayed"}])
async def test_a_cancel_of_everything_is_refused(pool: asyncpg.Pool, given: dict[str, str]) -> None:
    with pytest.raises(TidingsError, match="name a distribution, a customer, or both"):
        await cancel(ChosenHolds(pool), chosen(**given), actor="ann")


def test_a_reason_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TidingsError, match='"delay" is not valid.*Did you mean "delayed"'):
        chosen(reason="delay")


async def test_many_are_counted_by_the_statistics_and_few_one_by_one(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = Holds(pool)
    await holds.add([waits(f"hld_{number}") for number in range(50)])
    assert (await holds.waiting()).waiting == 50
    monkeypatch.setattr("store.holds.COUNTED", 10)
    assert (await holds.waiting()).waiting >= 11, "so many at least, before there are statistics"
    await pool.execute("analyze holds")
    assert await holds.waiting() == Waiting(50, None)
    await holds.add([row("hld_due")])
    found = await holds.waiting()
    assert (found.waiting, found.late is not None and found.late >= 300) == (50, True)


async def examined(pool: asyncpg.Pool, wiring: Wiring) -> str:
    """The finding, once the broker's coordinators are loaded."""
    for _ in range(100):
        with contextlib.suppress(TryLater):
            return await examine_holds(pool, wiring)
        await asyncio.sleep(0.5)
    raise AssertionError("Kafka does not answer")


async def test_the_doctor_says_that_something_waits_and_nobody_releases_it(pool: asyncpg.Pool, wiring: Wiring) -> None:
    assert await examined(pool, wiring) == "nothing waits"
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic(HOLDS), b"c1", b"unread")], patience=60)
    producer.close(1.0)
    with pytest.raises(TidingsError, match=r"0 sends wait, and up to 1 that no holder has read yet; no holder runs\."):
        await examined(pool, wiring)
    await Holds(pool).add([row("hld_1"), waits("hld_2")])
    with pytest.raises(TidingsError, match=r"2 sends wait.*the first has been due for \d+ s; no holder runs\. Start"):
        await examined(pool, wiring)


async def test_the_command_asks_first_and_counts(
    pool: asyncpg.Pool, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Holds(pool).add([row("hld_1"), waits("hld_2", customer_id="[c2]")])
    settings = wiring.settings
    monkeypatch.setenv("TIDINGS_POSTGRES", settings.postgres.dsn.reveal())
    monkeypatch.setenv("TIDINGS_PROJECT_ID", "shop")

    async def run(*arguments: str, said: str = "") -> Any:
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["holds", *arguments], input=said))

    listed = await run("list")
    assert "[c2]" in listed.output
    assert "thanks" in listed.output
    (counted,) = map(json.loads, (await run("list", "--json", "--limit", "0")).output.splitlines())
    assert (counted["waiting"], counted["due"]) == (2, 1)
    asked = await run("cancel", "--distribution", "thanks", said="n\n")
    assert (asked.exit_code, "1 of 2 can be cancelled; 1 due by now" in asked.output) == (1, True)
    assert "cancelled: 1" in (await run("cancel", "--distribution", "thanks", "--yes")).output
    again = await run("cancel", "--distribution", "thanks", "--yes")
    assert "0 of 2 can be cancelled; 2 due by now" in again.output or "1 cancelled already" in again.output
