"""Asking: what may have been accepted is looked up before it is repeated, where its provider can be asked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, cast

import pytest

from agents.clock import utc_now
from agents.roles.sender.asking import Asking
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from channels.contract import Policy
from schemas.delivery import Delivery
from schemas.receipt import Accepted, Deferred
from tests.factory import NOW, delivery

SENT = Accepted("HTTP 201", "SM9")
FIRST, SECOND = Accepted("found", "SM1"), Accepted("found", "SM2")


class Provider:
    """Answers a look-up with what is given, and takes every message."""

    def __init__(self, found: Any) -> None:
        self.found, self.sent = found, 0

    def render(self, delivery: Delivery, template: Any) -> str:
        return delivery.delivery_id

    async def look_up(self, request: str, **how: Any) -> Any:
        assert how["since"] == NOW
        return self.found

    async def send(self, request: str, **how: Any) -> Accepted:
        self.sent += 1
        return SENT


@pytest.mark.parametrize(
    ("possibly", "found", "others", "answer", "sent"),
    [
        (False, [FIRST], (), SENT, 1),
        (True, None, (), SENT, 1),
        (True, [], (), SENT, 1),
        (True, [FIRST, SECOND], (), FIRST, 0),
        (True, [FIRST, SECOND], ("SM1",), SECOND, 0),
        (True, [FIRST, SECOND], ("SM1", "SM2"), SENT, 1),
        (True, Deferred("HTTP 503"), (), Deferred("HTTP 503"), 0),
    ],
)
async def test_what_may_have_been_accepted_is_looked_up_first(
    possibly: bool, found: Any, others: Collection[str], answer: Any, sent: int
) -> None:
    async def known_ids(_delivery: Delivery, ids: list[str | None]) -> Collection[str]:
        return [one for one in others if one in ids]

    async def pause(*_: Any) -> None:
        raise AssertionError

    provider = Provider(found)
    policies = {"webhook": Policy(timedelta(seconds=1), (timedelta(minutes=1),))}
    asking = Asking(
        cast(Any, {"webhook": provider}), cast(Any, policies), cast(Any, None), pause, Metrics(),
        clock=utc_now, known_ids=known_ids,
    )  # fmt: skip
    work = Work(delivery("webhook"), 1, NOW, possibly_accepted=possibly)
    assert (await asking.ask(work), provider.sent) == (answer, sent)
