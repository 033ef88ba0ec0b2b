"""The hours in which a distribution may send: over midnight, weekends, and nights on which the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.errors import DefinitionInvalid
from schemas.window import Window
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.window import instant, opens
from tests.factory import NOW, context, customer, rule
from tests.unit.streams.test_delay import held

DAY = Window(begins="09:00", ends="20:00")
NIGHT = Window(begins="22:00", ends="06:00")
WEEK = Window(begins="09:00", ends="17:00", days=["monday", "tuesday", "wednesday", "thursday", "friday"])
SUNDAY_NIGHT = Window(begins="22:00", ends="06:00", days=["sunday"])
WARSAW, AUCKLAND, NEW_YORK = ZoneInfo("Europe/Warsaw"), ZoneInfo("Pacific/Auckland"), ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("window", "zone", "now", "then"),
    [
        (DAY, WARSAW, "2026-11-20T09:00", None),
        (DAY, WARSAW, "2026-11-20T19:59", None),
        (DAY, WARSAW, "2026-11-20T20:00", "2026-11-21T09:00"),
        (DAY, WARSAW, "2026-11-20T08:59", "2026-11-20T09:00"),
        (DAY, AUCKLAND, "2026-12-31T23:00", "2027-01-01T09:00"),
        (NIGHT, WARSAW, "2026-11-20T23:00", None),
        (NIGHT, WARSAW, "2026-11-20T05:59", None),
        (NIGHT, WARSAW, "2026-11-20T06:00", "2026-11-20T22:00"),
        (WEEK, WARSAW, "2026-11-20T17:00", "2026-11-23T09:00"),  # a Friday
        (WEEK, WARSAW, "2026-11-22T12:00", "2026-11-23T09:00"),
        (SUNDAY_NIGHT, WARSAW, "2026-11-23T05:00", None),  # Sunday's night goes on
        (SUNDAY_NIGHT, WARSAW, "2026-11-23T23:00", "2026-11-29T22:00"),
        (Window(begins="18:00", ends="24:00"), WARSAW, "2026-11-20T23:59", None),
        (Window(begins="18:00", ends="24:00"), WARSAW, "2026-11-20T00:00", "2026-11-20T18:00"),
        (Window(begins="00:00", ends="24:00", days=["tuesday"]), WARSAW, "2028-02-28T12:00", "2028-02-29T00:00"),
        (DAY, WARSAW, "2026-03-28T21:00", "2026-03-29T09:00"),  # an hour is left out in between
        (DAY, WARSAW, "2026-10-24T21:00", "2026-10-25T09:00"),  # an hour comes twice
        (DAY, NEW_YORK, "2026-03-07T21:00", "2026-03-08T09:00"),
    ],
)
def test_a_window_opens(window: Window, zone: ZoneInfo, now: str, then: str | None) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=zone).astimezone(UTC)
    found = opens(window, moment, zone)
    assert (found and found.astimezone(zone).strftime("%Y-%m-%dT%H:%M")) == then


@pytest.mark.parametrize(
    "zone", ["Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
)
@pytest.mark.parametrize("window", [DAY, NIGHT, WEEK, Window(begins="02:30", ends="03:30")])
def test_at_each_quarter_of_a_year_it_is_open_or_says_when_it_will_be(zone: str, window: Window) -> None:
    here, moment = ZoneInfo(zone), datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(0, 365 * 24 * 4, 7):
        moment += timedelta(minutes=15 * 7)
        found = opens(window, moment, here)
        if found is not None:
            assert found > moment
            assert opens(window, found, here) is None
            assert opens(window, found - timedelta(seconds=1), here) == found


def test_a_time_that_the_clock_leaps_over_is_the_first_after_the_leap() -> None:
    leap = instant(datetime(2026, 3, 29).date(), time(2, 30), WARSAW)
    assert leap == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    twice = instant(datetime(2026, 10, 25).date(), time(2, 30), WARSAW)
    assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# -- in the matcher's judgement: it is Friday, 12:00 in UTC ---------------------------------------------------------


def matched(profile: dict[str, Any] | None = None, **changes: Any) -> Any:
    index = RuleIndex()
    index.insert(rule(**changes))
    return match_event(context(profile), index, NOW)


EVENING = {"from": "18:00", "to": "22:00"}


@pytest.mark.parametrize(
    ("profile", "changes", "decided"),
    [
        ({}, {"window": {"from": "09:00", "to": "20:00"}}, ("emitted", None)),
        ({}, {"window": EVENING}, ("deferred", "quiet_hours")),
        ({"timezone": "Asia/Tokyo"}, {"window": EVENING}, ("emitted", None)),
        ({"timezone": "nowhere"}, {"window": EVENING}, ("deferred", "quiet_hours")),
        ({}, {"window": {**EVENING, "outside": "skip"}}, ("skipped", "quiet_hours")),
        ({}, {"window": EVENING, "expires_after": "6h"}, ("skipped", "expired")),
        ({}, {"window": EVENING, "expires_after": "7h"}, ("deferred", "quiet_hours")),
        ({}, {"window": EVENING, "delay": "1h"}, ("deferred", "delayed")),
    ],
)
def test_a_window_decides(profile: dict[str, Any], changes: dict[str, Any], decided: tuple[str, str | None]) -> None:
    (decision,) = matched(customer(**profile), **changes).decisions
    assert (decision.outcome, decision.reason) == decided, decision.detail


def hook(name: str, **keys: Any) -> dict[str, Any]:
    return {"webhook": {"url": f"https://hooks.example.com/{name}", "type": "again", **keys}}


@pytest.mark.parametrize(
    ("whole", "own", "decided"),
    [
        (None, EVENING, ["deferred", "emitted"]),
        (EVENING, {"from": "09:00", "to": "20:00"}, ["emitted", "deferred"]),
        (EVENING, {**EVENING, "outside": "skip"}, ["skipped", "deferred"]),
        ({**EVENING, "outside": "skip"}, EVENING, ["deferred", "skipped"]),
    ],
)
def test_the_window_of_a_channel_counts_over_that_of_its_distribution(
    whole: dict[str, Any] | None, own: dict[str, Any], decided: list[str]
) -> None:
    changes: dict[str, Any] = {"window": whole} if whole else {}
    found = matched(customer(), channels=[hook("a", window=own), hook("b")], **changes)
    assert [one.outcome for one in found.decisions] == decided
    assert [waits.step for waits in found.holds] == [n for n, one in enumerate(decided) if one == "deferred"]


def test_a_window_is_shown_with_the_time_where_the_customer_is() -> None:
    (decision,) = matched(customer(timezone="Asia/Tokyo"), window={"from": "09:00", "to": "20:00"}).decisions
    check = decision.checks[-1]
    assert (check.test, check.passed, check.seen) == (
        "sent from 09:00 to 20:00", False, "Friday 21:00 in Asia/Tokyo; not before Saturday 2026-11-21 09:00"
    )  # fmt: skip


def test_the_window_of_a_channel_has_its_own_place_in_what_is_refused() -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        rule(channels=[hook("a", window={"from": "09:00", "to": "09:00"}), hook("b", window={"from": "9:00"})])
    assert "channels[0].webhook.window.to: is the same as from" in str(refused.value)
    assert "channels[1].webhook.window.from" in str(refused.value)


def test_a_channel_with_a_window_may_be_ended() -> None:
    assert rule(channels=[hook("a", window=EVENING)], unless={"trigger": "customer.order.paid"}).unless


def test_what_was_delayed_into_the_night_is_held_again_and_sent_once() -> None:
    changes: dict[str, Any] = {"delay": "1h", "window": EVENING, "expires_after": "9h"}
    index = RuleIndex()
    index.insert(rule(**changes))
    hold = held(matched(**changes).holds[0])
    (again,) = match_due(context(), hold, index, NOW + timedelta(hours=1)).holds
    assert (again.round, again.until.reason, again.until.until) == (1, "quiet_hours", NOW + timedelta(hours=6))
    (delivery,) = match_due(context(), held(again), index, NOW + timedelta(hours=6)).deliveries
    assert delivery.expires_at == NOW + timedelta(hours=10), "counted from the end of the delay"
    (first,) = matched().deliveries
    assert delivery.delivery_id == first.delivery_id


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"from": "9:00", "to": "20:00"}, '"9:00" is not valid: must be a time from "00:00" to "23:59", in quotes'),
        ({"from": 540, "to": "20:00"}, "540 is not valid"),
        ({"from": "09:00", "to": "24:01"}, "24:01"),
        ({"from": "24:00", "to": "20:00"}, "24:00"),
        ({"from": "09:00", "to": "09:00"}, "is the same as from"),
        ({"from": "09:00", "to": "20:00", "days": []}, "must be a list of at least one of"),
        ({"from": "09:00", "to": "20:00", "days": ["mondey"]}, 'Did you mean "monday"?'),
        ({"from": "09:00"}, "window.to"),
        ("09:00-20:00", "window"),
    ],
)
def test_a_window_that_cannot_be_is_refused_on_save(window: object, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        rule(window=window)
    assert said in str(refused.value)
