"""The time of a delivery, and the span in which its id may come again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.distribution import Again
from streams.sending.replay import happened_at, repeats_until
from tests.factory import delivery

EVENT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 24, 8, 0, tzinfo=UTC)
DAY = 86_400
END = datetime(9999, 12, 31, tzinfo=UTC)


def of(**changes: Any) -> Any:
    made = delivery("webhook")
    event = msgspec.structs.replace(made.event, created_at=changes.pop("event", EVENT))
    return msgspec.structs.replace(made, **{"event": event, "data": {}, **changes})


def published(at: object) -> dict[str, Any]:
    return {"data": {"publication": {"created_at": at}}}


@pytest.mark.parametrize(
    ("said", "happened"),
    [
        ({}, EVENT),
        (published("2026-12-24T08:00:00.000Z"), LATER),  # its campaign had no code for a month
        (published("2026-12-24T09:00:00+01:00"), LATER),
        (published("2026-01-01T00:00:00Z"), EVENT),  # a first code given again
        (published("soon"), EVENT),
        (published(17), EVENT),
        (published("2026-12-24T08:00:00"), LATER),
        ({"data": {"publication": "x"}}, EVENT),
        ({"not_before": LATER}, LATER),
        ({"not_before": EVENT - timedelta(days=1)}, EVENT),
        ({"event": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, datetime(1, 1, 1, tzinfo=UTC)),
        ({"event": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14)))}, END),
        ({"event": datetime(2026, 11, 20, 12)}, EVENT),
    ],
)
def test_a_delivery_happened_when_the_last_of_its_causes_did(said: dict[str, Any], happened: datetime) -> None:
    assert happened_at(of(**said)) == happened


@pytest.mark.parametrize(
    ("again", "said", "until"),
    [
        (None, {}, None),  # its version is not to be found
        (Again(mode="once_per_customer"), {}, None),
        (Again(mode="once_per", path="order.id"), {}, None),
        (Again(mode="every_event"), {}, EVENT),
        (Again(mode="every_event"), {"not_before": LATER}, LATER),
        (Again(mode="once_in", seconds=DAY), {}, datetime(2026, 11, 21, tzinfo=UTC)),
        (Again(mode="once_in", seconds=DAY), {"event": datetime(2026, 11, 21, tzinfo=UTC)},
         datetime(2026, 11, 22, tzinfo=UTC)),
        (Again(mode="once_in", seconds=DAY), {"not_before": LATER}, LATER),
        (Again(mode="once_in", seconds=10**12), {}, END),
        (Again(mode="once_in"), {}, EVENT + timedelta(seconds=1)),
    ],
)  # fmt: skip
def test_an_id_comes_again_as_long_as_an_event_can_make_it(
    again: Again | None, said: dict[str, Any], until: datetime | None
) -> None:
    assert repeats_until(again, of(**said)) == until
