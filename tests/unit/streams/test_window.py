"""The hours in which a distribution may send: over midnight, weekends, and nights on which the clocks change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import DefinitionInvalid
from schemas.window import QuietHours, Window
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.window import NEVER, WEEKDAYS, ever_open, instant, opens, opens_together
from tests.factory import CONTEXT, NOW, context, customer, definition, rule
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


# -- quiet hours of a project, beside the windows of its distributions ---------------------------------------------


def quiet(begins: str, ends: str, *channels: str) -> QuietHours:
    return QuietHours(begins=begins, ends=ends, channels=list(channels))


def with_quiet(hours: QuietHours, **changes: Any) -> Any:
    index = RuleIndex()
    index.insert(msgspec.structs.replace(rule(**changes), quiet_hours=hours))
    return match_event(context(customer()), index, NOW)


@pytest.mark.parametrize(
    ("hours", "changes", "decided", "until"),
    [
        (quiet("21:00", "09:00"), {}, "emitted", None),
        (quiet("11:00", "15:00"), {}, "deferred", "15:00"),
        (quiet("11:00", "24:00"), {}, "deferred", "00:00"),
        (quiet("11:00", "15:00", "email"), {}, "emitted", None),
        (quiet("11:00", "15:00", "webhook"), {}, "deferred", "15:00"),
        (quiet("11:00", "15:00"), {"consent": "transactional"}, "emitted", None),
        (quiet("21:00", "09:00"), {"consent": "transactional", "window": EVENING}, "deferred", "18:00"),
        (quiet("11:00", "19:00"), {"window": EVENING}, "deferred", "19:00"),
        (quiet("11:00", "17:00"), {"window": EVENING}, "deferred", "18:00"),
        (quiet("11:00", "15:00"), {"window": {"from": "09:00", "to": "20:00", "outside": "skip"}}, "deferred", "15:00"),
        (quiet("11:00", "15:00"), {"window": {**EVENING, "outside": "skip"}}, "skipped", None),
        (quiet("17:00", "23:00"), {"window": EVENING}, "skipped", None),
        (quiet("11:00", "15:00"), {"expires_after": "3h"}, "skipped", None),
    ],
)
def test_quiet_hours_and_a_window_both_have_to_be_over(
    hours: QuietHours, changes: dict[str, Any], decided: str, until: str | None
) -> None:
    (decision,) = with_quiet(hours, **changes).decisions
    assert decision.outcome == decided, decision.detail
    assert (decision.until and f"{decision.until:%H:%M}") == until


def test_hours_that_leave_none_are_refused_on_save() -> None:
    hours = quiet("20:00", "09:00", "webhook")
    strict = replace(CONTEXT, quiet_hours=hours)
    for changes, said in (
        (
            {"window": {"from": "21:00", "to": "08:00"}},
            "window: never opens: the project sends not from 20:00 to 09:00",
        ),
        ({"channels": [hook("a"), hook("b", window={"from": "20:00", "to": "23:00"})]}, "channels[1].webhook.window"),
    ):
        with pytest.raises(DefinitionInvalid) as refused:
            parse_definition(definition(**changes), strict)
        assert said in str(refused.value)
    assert parse_definition(definition(window={"from": "08:00", "to": "09:01"}), strict)
    assert parse_definition(definition(consent="transactional", window={"from": "21:00", "to": "08:00"}), strict)


DAYS: Any = st.lists(st.sampled_from(WEEKDAYS), unique=True, max_size=3)
TIMES: Any = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
WINDOWS: Any = st.builds(Window, begins=TIMES, ends=TIMES, days=DAYS).filter(lambda one: one.begins != one.ends)
MOMENTS: Any = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))


@settings(deadline=None, max_examples=60)
@given(st.lists(WINDOWS, min_size=1, max_size=3), MOMENTS, st.sampled_from([WARSAW, NEW_YORK, AUCKLAND]))
def test_several_windows_are_open_together_when_said_or_never(
    windows: list[Window], now: datetime, zone: ZoneInfo
) -> None:
    found = opens_together(windows, now, zone)
    if found is NEVER:
        assert not ever_open(windows)
    elif found is not None:
        assert found > now
        assert all(opens(one, found, zone) is None for one in windows)
        assert any(opens(one, found - timedelta(seconds=1), zone) for one in windows)
    if found is None:
        assert all(opens(one, now, zone) is None for one in windows)
