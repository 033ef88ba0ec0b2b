"""The profiles on `customers` as a sender reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from agents.roles.sender.withdrawals import Withdrawals
from agents.transport.fetched import Unreadable
from schemas.contract import topic_codec
from schemas.record_key import Keyed
from store.sending.consents import Given

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Noted:
    """Consents that keep what they are told."""

    def __init__(self) -> None:
        self.given: dict[Keyed, Given] = {}

    async def note(self, given: dict[Keyed, Given]) -> None:
        self.given.update(given)


def record(key: bytes | None, value: bytes | None, timestamp: int = 1_767_225_600_000) -> Any:
    return SimpleNamespace(key=key, value=value, timestamp=timestamp, headers=())


async def test_the_last_profile_of_each_customer_counts_and_what_is_none_is_left_alone() -> None:
    noted = Noted()
    reading = Withdrawals(
        cast(Any, noted), topic_codec("customers", "json"), default_project="shop", max_bytes=200
    )  # fmt: skip
    records = [
        Unreadable(0, 4, b"...", "its checksum is wrong"),
        record(b"c1", b'{"id": "c1", "consents": {"marketing": true}}'),
        record(b"c1", b'{"id": "c1", "consents": {"marketing": false, "loyalty": true, "a": true}}'),
        record(b"c2", b'{"id": "c2"}', timestamp=-1),
        record(b"outlet\x1fc1", b'{"id": "c1", "consents": {"marketing": "yes"}}'),
        record(b"c3", b'{"id": "c3", "consents": {"marketing": true}}'),
        record(b"c3", None),
        record(b"c4", b'{"id": "another"}'),
        record(b"c5", b"{"),
        record(b"c6", b'{"id": "c6", "name": "' + b"x" * 200 + b'"}'),
    ]
    await reading.take(cast(Any, SimpleNamespace(records=records)))
    assert noted.given == {
        Keyed("shop", "c1"): Given(("a", "loyalty"), AT),
        Keyed("shop", "c2"): Given((), None),
        Keyed("outlet", "c1"): Given((), AT),
    }
