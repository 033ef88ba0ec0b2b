"""Clocks that change while something waits: nights of summer time, customers who move, and a holder's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.distribution import Distribution
from schemas.hold import Hold
from schemas.window import Window
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.outcome import Matched
from streams.window import opens
from tests.factory import NOW, context, customer, rule
from tests.unit.streams.test_delay import held

DAY = Window(begins="08:00", ends="21:00")
NIGHTS = [
    ("Europe/Warsaw", "2026-03-29"),
    ("Europe/Warsaw", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),  # half an hour
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-11-04"),  # at midnight
    ("America/Sao_Paulo", "2018-02-18"),
    ("Asia/Tehran", "2022-03-22"),
    ("Asia/Tehran", "2022-09-22"),
    ("Pacific/Apia", "2011-12-30"),  # a day that was left out
]


@pytest.mark.parametrize(("name", "night"), NIGHTS)
def test_around_a_change_of_the_clocks_the_wall_clock_decides(name: str, night: str) -> None:
    zone = ZoneInfo(name)
    moment = datetime.fromisoformat(night).replace(tzinfo=UTC) - timedelta(days=2)
    for _ in range(4 * 24 * 12):
        moment += timedelta(minutes=5)
        found = opens(DAY, moment, zone)
        assert (found is None) == (8 <= moment.astimezone(zone).hour < 21), moment.astimezone(zone)
        assert found is None or found.astimezone(zone).strftime("%H:%M") == "08:00"


@pytest.mark.parametrize(
    ("name", "window", "now", "then"),
    [
        ("Europe/Warsaw", ("02:10", "02:50"), "2026-03-29T01:30", "2026-03-30T02:10"),  # the whole of it is left out
        ("Europe/Warsaw", ("01:30", "02:30"), "2026-03-29T01:00", "2026-03-29T01:30"),
        ("Europe/Warsaw", ("02:30", "06:00"), "2026-03-29T01:59", "2026-03-29T03:00"),
        ("America/Sao_Paulo", ("00:00", "06:00"), "2018-11-03T23:00", "2018-11-04T01:00"),
        ("Australia/Lord_Howe", ("02:00", "02:30"), "2026-10-04T01:00", "2026-10-05T02:00"),
        ("Pacific/Apia", ("09:00", "20:00"), "2011-12-29T21:00", "2011-12-31T09:00"),
    ],
)
def test_hours_that_are_left_out_open_the_next_time(name: str, window: tuple[str, str], now: str, then: str) -> None:
    zone, hours = ZoneInfo(name), Window(begins=window[0], ends=window[1])
    found = opens(hours, datetime.fromisoformat(now).replace(tzinfo=zone).astimezone(UTC), zone)
    assert found is not None
    assert found.astimezone(zone).strftime("%Y-%m-%dT%H:%M") == then
    assert opens(hours, found, zone) is None


def test_a_weekday_that_is_left_out_is_next_week() -> None:
    zone = ZoneInfo("Pacific/Apia")
    fridays = Window(begins="09:00", ends="20:00", days=["friday"])
    found = opens(fridays, datetime(2011, 12, 29, 12, tzinfo=zone).astimezone(UTC), zone)
    assert found is not None
    assert found.astimezone(zone).strftime("%Y-%m-%dT%H:%M") == "2012-01-06T09:00"


# -- what waits, and is judged again at another moment or place: it is Friday, 12:00 in UTC ---------------------------

ZONES = ["Pacific/Kiritimati", "Asia/Tokyo", "Europe/Warsaw", "America/New_York", "Pacific/Pago_Pago"]
HOURS = {"from": "08:00", "to": "21:00"}


def matched(one: Distribution, profile: dict[str, Any] | None = None) -> Matched:
    index = RuleIndex()
    index.insert(one)
    return match_event(context(profile), index, NOW)


def released(one: Distribution, hold: Hold, now: datetime, profile: dict[str, Any] | None = None) -> Matched:
    index = RuleIndex()
    index.insert(one)
    return match_due(context(profile), hold, index, now)


@pytest.mark.parametrize("to", ZONES)
@pytest.mark.parametrize("since", ["Asia/Tokyo", "Pacific/Kiritimati"])  # where it is night
def test_a_customer_who_moves_while_it_waits_gets_it_by_day_and_once(since: str, to: str) -> None:
    one, there = rule(window=HOURS), customer(timezone=to)
    holds = matched(one, customer(timezone=since)).holds
    rounds, sent = 0, []
    while holds:
        (waits,) = holds
        now, rounds = waits.until.until, rounds + 1
        assert rounds <= 2
        assert now <= NOW + timedelta(days=2)
        outcome = released(one, held(waits), now, there)
        sent += [(delivery, now.astimezone(ZoneInfo(to)).hour) for delivery in outcome.deliveries]
        holds = outcome.holds
    ((delivery, hour),) = sent
    assert 8 <= hour < 21
    assert delivery.delivery_id == matched(rule()).deliveries[0].delivery_id


def test_what_is_released_too_early_by_a_clock_that_jumped_is_held_again_until_the_same_moment() -> None:
    one = rule(window={"from": "18:00", "to": "22:00"})
    (waits,) = matched(one).holds
    (again,) = released(one, held(waits), NOW + timedelta(hours=1)).holds
    assert (again.hold_id, again.round, again.until.until) == (waits.hold_id, 1, waits.until.until)


@pytest.mark.parametrize(
    ("late", "outcome"),
    [(timedelta(hours=7), "emitted"), (timedelta(hours=11), "deferred"), (timedelta(days=20, hours=7), "emitted")],
)
def test_what_is_released_late_by_a_clock_that_stood_goes_only_in_its_hours(late: timedelta, outcome: str) -> None:
    one = rule(window={"from": "18:00", "to": "22:00"})
    (waits,) = matched(one).holds
    (decision,) = released(one, held(waits), NOW + late).decisions
    assert decision.outcome == outcome


def test_what_is_deferred_three_times_in_a_row_is_sent_once_with_the_id_of_its_first_round() -> None:
    one = rule(delay="1h", window={"from": "18:00", "to": "22:00"})
    (waits,) = matched(one).holds
    seen = [(waits.round, waits.until.until)]
    for zone in ("UTC", "America/New_York", "Pacific/Pago_Pago"):
        outcome = released(one, held(waits), waits.until.until, customer(timezone=zone))
        assert not outcome.deliveries
        (waits,) = outcome.holds
        seen.append((waits.round, waits.until.until))
    assert seen == [(turn, NOW + timedelta(hours=hours)) for turn, hours in enumerate((1, 6, 11, 17))]
    last = released(one, held(waits), waits.until.until, customer(timezone="Pacific/Pago_Pago"))
    assert [one.delivery_id for one in last.deliveries] == [matched(rule()).deliveries[0].delivery_id]
    assert not last.holds
