"""Releases of a holder beside how far matchers are in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agents.broker.lag import Lag
from agents.roles import holder as module
from agents.roles.holder import Holder
from agents.telemetry.metrics import Metrics
from agents.told_statuses import ToldStatuses
from agents.wiring import Wiring
from deploy.settings.settings import Settings
from schemas.errors import TryLater


class Due:
    """Holds that are all due; chunks of them, as long as there are any."""

    def __init__(self, left: int) -> None:
        self.left, self.closed = left, 0

    async def close(self, _: int) -> int:
        self.closed += 1
        return 0

    async def follows_due(self, _: datetime) -> bool:
        return False

    @asynccontextmanager
    async def due(self, most: int, _: datetime) -> AsyncIterator[list[Any]]:
        chunk = min(most, self.left)
        self.left -= chunk
        one = SimpleNamespace(
            project_id="shop", customer_id="c1", record=b"{}", canceled_by=None, events=None, reached=None
        )
        yield [one] * chunk

    @asynccontextmanager
    async def due_by_priority(self, _: int, __: datetime) -> AsyncIterator[list[Any]]:
        yield []


class Matchers:
    """Lags by partition, and how often somebody asked for them."""

    def __init__(self, *unread: int | None) -> None:
        self.unread, self.asked, self.is_away = unread, 0, False

    async def __call__(self) -> list[Lag]:
        self.asked += 1
        if self.is_away:
            raise TryLater("Kafka does not answer")
        lags = enumerate(self.unread)
        return [
            Lag("g", "events.due", at, None if one is None else 0, 9999 if one is None else one) for at, one in lags
        ]


def holder_of(due: Due, matchers: Matchers, monkeypatch: pytest.MonkeyPatch) -> Holder:
    async def written(*_: Any) -> None:
        """The broker takes everything."""

    monkeypatch.setattr(module, "write_all", written)
    monkeypatch.setattr(module, "_LOOK_SECONDS", -1.0)
    app = cast(Any, SimpleNamespace(outputs=None))
    told = ToldStatuses(Matchers(), cast(Any, None))
    return Holder(app, Wiring(Settings()), cast(Any, due), Metrics(), matchers, told, cast(Any, None))


@pytest.mark.parametrize(
    ("unread", "left"),
    [
        ((1000, 4000), 1500),
        ((1000, 999), 0),  # the other one stands still: this one goes on
        ((None, None), 0),  # none has ever read, so nothing is known of how fast they are
        ((), 1500),  # the topic is not there
    ],
)
async def test_no_more_is_released_while_matchers_have_much_to_read(
    unread: tuple[int | None, ...], left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    due, matchers = Due(2000), Matchers(*unread)
    holder = holder_of(due, matchers, monkeypatch)
    for _ in range(10):
        await holder.release_due()
    assert due.left == left
    assert due.closed == 10, "digests are closed all the same"
    matchers.unread = (0, 4000)
    for _ in range(10):
        await holder.release_due()
    assert due.left == 0


async def test_nothing_is_asked_while_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    matchers = Matchers(0)
    holder = holder_of(Due(0), matchers, monkeypatch)
    assert [await holder.release_due() for _ in range(5)] == [0] * 5
    assert matchers.asked == 0


async def test_what_waits_stays_while_kafka_cannot_say_how_far_matchers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    due, matchers = Due(2000), Matchers(0)
    holder = holder_of(due, matchers, monkeypatch)
    assert await holder.release_due() == 500
    matchers.is_away = True
    with pytest.raises(TryLater):
        await holder.release_due()
    assert due.left == 1500
