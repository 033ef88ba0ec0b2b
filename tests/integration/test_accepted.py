"""Acceptances while the ledger was away: the next process tells it of them, and sends nothing again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from agents.roles.sender.accepted import Accepted
from agents.roles.sender.outcomes import Outcomes
from schemas.errors import TryLater
from store.sending.ledger import Ledger, Settled, Settlement
from tests.integration.test_store import claim, due, new, settlement


class Away:
    """A ledger that cannot be told anything."""

    async def settle(self, _: list[Settlement], *, owner: str) -> list[Settled]:
        raise TryLater("read only")


def outcomes(ledger: object, accepted: Accepted) -> Outcomes:
    nothing: Any = None
    return Outcomes(
        cast(Ledger, ledger),
        nothing,
        "t",
        nothing,
        nothing,
        accepted,
        owner="s",
        default_project="shop",
        on_refused=nothing,
    )


class Sent:
    """As much of a delivery as an end needs."""

    channel = "webhook"

    def __init__(self, delivery_id: str) -> None:
        self.delivery_id = delivery_id


async def test_a_process_that_ends_while_the_ledger_is_away_leaves_what_was_accepted_to_the_next(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    ledger, file = Ledger(pool), tmp_path / "accepted.json"
    await claim(ledger, "s", [new(number) for number in range(3)])
    dying = outcomes(Away(), Accepted(file))
    running = asyncio.create_task(dying.run())
    dying.put(settlement("d0", provider_id="p0"), cast(Any, Sent("d0")))
    dying.put(settlement("d1", "failed"), cast(Any, Sent("d1")))
    async with asyncio.timeout(60):
        while not file.exists():
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await Accepted(file).tell(ledger, "s")
    await ledger.release_leases("s")
    assert await due(ledger, "s") == {"d1", "d2"}
    (row,) = await pool.fetch("select state, provider_id from deliveries where delivery_id = 'd0'")
    assert (row["state"], row["provider_id"]) == ("sent", "p0")
    assert not file.exists()


async def test_once_the_ledger_knows_nothing_is_left(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = tmp_path / "accepted.json"
    kept = Accepted(file)
    kept.keep([settlement("d0"), settlement("d1", "failed")])
    assert b"d1" not in file.read_bytes()
    kept.forget()
    await Accepted(file).tell(Ledger(pool), "s")
    assert not file.exists()


@pytest.mark.parametrize("content", [b"", b"{", b'[{"delivery_id": 1}]'])
async def test_a_file_that_cannot_be_read_stops_nobody(pool: asyncpg.Pool, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "accepted.json"
    file.write_bytes(content)
    await Accepted(file).tell(Ledger(pool), "s")
    assert not file.exists()


async def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    Accepted(tmp_path / "none" / "accepted.json").keep([settlement("d0")])
