"""The records of `customers` as a sender reads them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from agents.roles.sender.erasures import Erasures
from agents.transport.fetched import Unreadable


class Noted:
    """The erased customers that were noted; nothing of theirs is in the ledger."""

    def __init__(self) -> None:
        self.customers: list[Any] = []

    async def note(self, erased_at: dict[str, Any]) -> None:
        self.customers += erased_at

    async def find(self, _customers: list[Any], _limit: int) -> dict[str, bytes]:
        """None."""
        return {}


async def test_a_damaged_batch_among_the_customers_keeps_no_tombstone_from_being_read() -> None:
    noted = Noted()
    erasures = Erasures(cast(Any, noted), cast(Any, None), owner="o", default_project="shop")
    tombstone = SimpleNamespace(key=b"c-1", value=None, timestamp=1, headers=())
    records = [Unreadable(0, 4, b"...", "its checksum is wrong"), tombstone]
    await erasures.take(cast(Any, SimpleNamespace(records=records)))
    assert noted.customers == [("shop", "c-1")]
