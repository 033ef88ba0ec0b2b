"""Public holidays where a customer lives: moving feasts, nights that run into one, and countries without any."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.errors import DefinitionInvalid
from schemas.window import QuietHours, Window
from streams.holidays import NOWHERE, Place, holiday, known_place, place_of
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.rule import closes_on_holidays
from streams.window import NEVER, opens
from tests.factory import context, customer, rule

DAY = Window(begins="09:00", ends="20:00", closed_on_holidays=True)
ALWAYS = Window(begins="00:00", ends="24:00", closed_on_holidays=True)
NIGHT = Window(begins="22:00", ends="06:00", closed_on_holidays=True)
WARSAW, SYDNEY = ZoneInfo("Europe/Warsaw"), ZoneInfo("Australia/Sydney")
POLAND, GERMANY, BAVARIA = Place("PL"), Place("DE"), Place("DE", "BY")


@pytest.mark.parametrize(
    ("place", "day", "name"),
    [
        (POLAND, date(2026, 11, 1), "All Saints' Day"),
        (Place("pol"), date(2026, 11, 1), "All Saints' Day"),
        (POLAND, date(2026, 11, 2), None),
        (POLAND, date(2026, 4, 6), "Easter Monday"),  # moves
        (POLAND, date(2027, 3, 29), "Easter Monday"),
        (POLAND, date(2027, 4, 6), None),
        (POLAND, date(2027, 1, 1), "New Year's Day"),
        (GERMANY, date(2026, 11, 1), None),
        (BAVARIA, date(2026, 11, 1), "All Saints' Day"),
        (Place("de", "by"), date(2026, 11, 1), "All Saints' Day"),
        (Place("DE", "Atlantis"), date(2026, 10, 3), "German Unity Day"),
        (Place("JP"), date(2026, 2, 11), "Foundation Day"),
        (Place("Narnia"), date(2026, 12, 25), None),
        (NOWHERE, date(2026, 12, 25), None),
    ],
)
def test_a_day_is_a_holiday(place: Place, day: date, name: str | None) -> None:
    assert holiday(place, day) == name


def test_a_place_is_read_from_an_address() -> None:
    assert place_of({"address": {"country": " PL ", "state": "BY"}}) == Place("PL", "BY")
    assert place_of({"address": {"country": 48}}) == NOWHERE
    assert place_of({"address": "Poland"}) == place_of({}) == NOWHERE
    assert place_of({}, "PL") == place_of({"address": {"country": " "}}, "PL") == POLAND
    assert place_of({"address": {"state": "BY"}}, "DE") == BAVARIA
    assert place_of({"address": {"country": "DE"}}, "PL") == GERMANY
    assert known_place(Place("Poland")) is None


@pytest.mark.parametrize(
    ("window", "place", "zone", "now", "then"),
    [
        (DAY, POLAND, WARSAW, "2026-11-01T12:00", "2026-11-02T09:00"),
        (DAY, POLAND, WARSAW, "2026-11-02T12:00", None),
        (DAY, NOWHERE, WARSAW, "2026-11-01T12:00", None),
        (DAY, GERMANY, WARSAW, "2026-11-01T12:00", None),
        (DAY, BAVARIA, WARSAW, "2026-11-01T12:00", "2026-11-02T09:00"),
        (DAY, POLAND, WARSAW, "2026-04-04T21:00", "2026-04-07T09:00"),  # both days of Easter
        (DAY, POLAND, WARSAW, "2026-12-31T20:00", "2027-01-02T09:00"),
        (ALWAYS, POLAND, WARSAW, "2026-12-31T23:59", None),
        (ALWAYS, POLAND, WARSAW, "2027-01-01T00:00", "2027-01-02T00:00"),
        (DAY, Place("AU", "NSW"), SYDNEY, "2026-12-24T20:30", "2026-12-27T09:00"),
        (NIGHT, POLAND, WARSAW, "2026-10-31T23:59", None),
        (NIGHT, POLAND, WARSAW, "2026-11-01T00:00", "2026-11-02T22:00"),  # the night before ends with its day
        (NIGHT, POLAND, WARSAW, "2026-11-01T23:00", "2026-11-02T22:00"),  # none begins on it
        (DAY, POLAND, WARSAW, "2028-02-29T08:00", "2028-02-29T09:00"),
        (Window(begins="09:00", ends="20:00"), POLAND, WARSAW, "2026-11-01T12:00", None),
        (
            Window(begins="09:00", ends="20:00", days=["monday"], closed_on_holidays=True),
            POLAND,
            WARSAW,
            "2026-03-30T21:00",
            "2026-04-13T09:00",
        ),
    ],
)
def test_a_window_opens_after_holidays(
    window: Window, place: Place, zone: ZoneInfo, now: str, then: str | None
) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=zone).astimezone(UTC)
    found = opens(window, moment, zone, place)
    assert (found and found.astimezone(zone).strftime("%Y-%m-%dT%H:%M")) == then


@pytest.mark.parametrize("country", ["PL", "US", "CN", "IR", "IL", "AE", "BR", "IN", "LK", "JP"])
def test_each_working_day_opens_within_three_weeks(country: str) -> None:
    for month in range(1, 13):
        moment = datetime(2027, month, 1, 12, tzinfo=UTC)
        found = opens(DAY, moment, ZoneInfo("UTC"), Place(country))
        assert found is not NEVER
        assert found is None or (found - moment).days < 21


HOLIDAYS = {"from": "09:00", "to": "20:00", "holidays": "closed"}
ON_ALL_SAINTS = datetime(2026, 11, 1, 12, tzinfo=UTC)


def decided(profile: dict[str, Any], **window: Any) -> Any:
    index = RuleIndex()
    index.insert(rule(window={**HOLIDAYS, **window}))
    (decision,) = match_event(context(customer(timezone="Europe/Warsaw", **profile)), index, ON_ALL_SAINTS).decisions
    return decision


def test_a_decision_names_the_holiday_and_the_next_opening() -> None:
    decision = decided({"address": {"country": "PL"}})
    assert (decision.outcome, decision.reason) == ("deferred", "quiet_hours")
    assert decision.until == datetime(2026, 11, 2, 8, tzinfo=UTC)
    assert decision.detail.endswith("where it is Sunday 13:00; closed: All Saints' Day in PL")
    shown = decision.checks[-1]
    assert shown.test == "sent from 09:00 to 20:00, not on public holidays"
    assert shown.seen == (
        "Sunday 13:00 in Europe/Warsaw; closed: All Saints' Day in PL; not before Monday 2026-11-02 09:00"
    )


@pytest.mark.parametrize(
    ("profile", "window", "outcome", "said"),
    [
        ({"address": {"country": "DE", "state": "BY"}}, {"outside": "skip"}, "skipped", "All Saints' Day in DE-BY"),
        ({"address": {"country": "DE"}}, {}, "emitted", "Sunday 13:00 in Europe/Warsaw"),
        ({"address": {"country": "PL"}}, {"holidays": "open"}, "emitted", "Sunday 13:00 in Europe/Warsaw"),
        ({"address": {"country": "Narnia"}}, {}, "emitted", 'no public holidays are known of "Narnia"'),
        ({"address": None}, {}, "emitted", "holidays are known without address.country or a country of"),
    ],
)
def test_a_country_decides(profile: dict[str, Any], window: dict[str, Any], outcome: str, said: str) -> None:
    decision = decided(profile, **window)
    assert decision.outcome == outcome, decision.detail
    assert said in decision.checks[-1].seen


@pytest.mark.parametrize(("written", "said"), [("close", 'Did you mean "closed"?'), (True, "holidays"), (None, "open")])
def test_another_word_for_holidays_is_refused_on_save(written: object, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        rule(window={**HOLIDAYS, "holidays": written})
    assert "window.holidays" in str(refused.value)
    assert said in str(refused.value)


def test_a_rule_says_that_it_needs_holidays() -> None:
    hook = {"webhook": {"url": "https://hooks.example.com/a", "type": "again", "window": HOLIDAYS}}
    assert closes_on_holidays(rule(window=HOLIDAYS))
    assert closes_on_holidays(rule(channels=[hook]))
    assert closes_on_holidays(msgspec.structs.replace(rule(), quiet_hours=quiet("21:00", "09:00")))
    assert not closes_on_holidays(rule(window={**HOLIDAYS, "holidays": "open"}))
    assert not closes_on_holidays(msgspec.structs.replace(rule(), quiet_hours=QuietHours(begins="21:00", ends="09:00")))
    assert not closes_on_holidays(rule())


# -- quiet hours, and the country of a project ----------------------------------------------------------------------


def quiet(begins: str, ends: str) -> QuietHours:
    return QuietHours(begins=begins, ends=ends, closed_on_holidays=True)


def in_quiet(hours: QuietHours | None, profile: dict[str, Any], now: str, country: str | None, **changes: Any) -> Any:
    """The decision of a distribution of a project with quiet hours and a country."""
    index = RuleIndex()
    index.insert(msgspec.structs.replace(rule(**changes), quiet_hours=hours, country=country))
    moment = datetime.fromisoformat(now).replace(tzinfo=WARSAW).astimezone(UTC)
    (decision,) = match_event(context(customer(timezone="Europe/Warsaw", **profile)), index, moment).decisions
    return decision


NIGHTLY, AT_LUNCH = quiet("21:00", "09:00"), quiet("12:00", "14:00")
IN_POLAND, IN_BAVARIA = {"address": {"country": "PL"}}, {"address": {"country": "DE", "state": "BY"}}


@pytest.mark.parametrize(
    ("hours", "profile", "country", "now", "then"),
    [
        (NIGHTLY, IN_POLAND, None, "2026-10-31T20:59", None),
        (NIGHTLY, IN_POLAND, None, "2026-10-31T21:00", "2026-11-02T09:00"),
        (NIGHTLY, IN_POLAND, None, "2026-11-01T12:00", "2026-11-02T09:00"),
        (AT_LUNCH, IN_POLAND, None, "2026-10-31T23:59", None),
        (AT_LUNCH, IN_POLAND, None, "2026-11-01T12:00", "2026-11-02T00:00"),
        (AT_LUNCH, IN_POLAND, None, "2026-11-02T00:00", None),  # hours over midnight go on after the holiday
        (AT_LUNCH, IN_POLAND, None, "2026-11-02T13:00", "2026-11-02T14:00"),
        (quiet("12:00", "24:00"), IN_POLAND, None, "2026-10-31T12:00", "2026-11-02T00:00"),
        (AT_LUNCH, IN_BAVARIA, None, "2026-11-01T10:00", "2026-11-02T00:00"),
        (AT_LUNCH, {"address": {"country": "DE"}}, None, "2026-11-01T10:00", None),
        (AT_LUNCH, {"address": {"state": "BY"}}, "DE", "2026-11-01T10:00", "2026-11-02T00:00"),
        (AT_LUNCH, {}, None, "2026-11-01T10:00", None),
        (AT_LUNCH, {}, "PL", "2026-11-01T10:00", "2026-11-02T00:00"),
        (AT_LUNCH, {"address": {"city": "Lublin"}}, "POL", "2026-11-01T10:00", "2026-11-02T00:00"),
        (AT_LUNCH, {"address": {"country": "DE"}}, "PL", "2026-11-01T10:00", None),
        (AT_LUNCH, {"address": {"country": "Narnia"}}, "PL", "2026-11-01T10:00", None),
        (QuietHours(begins="12:00", ends="14:00"), IN_POLAND, "PL", "2026-11-01T10:00", None),
    ],
)  # fmt: skip
def test_a_holiday_is_quiet_all_day(
    hours: QuietHours, profile: dict[str, Any], country: str | None, now: str, then: str | None
) -> None:
    decision = in_quiet(hours, profile, now, country)
    assert (decision.until and decision.until.astimezone(WARSAW).strftime("%Y-%m-%dT%H:%M")) == then, decision.detail
    assert decision.outcome == ("deferred" if then else "emitted")


def test_a_window_counts_the_country_of_the_project_where_the_customer_names_none() -> None:
    decision = in_quiet(None, {}, "2026-11-01T12:00", "PL", window=HOLIDAYS)
    assert decision.until == datetime(2026, 11, 2, 8, tzinfo=UTC)


def test_what_is_transactional_is_sent_on_a_quiet_holiday() -> None:
    assert in_quiet(NIGHTLY, IN_POLAND, "2026-11-01T12:00", None, consent="transactional").outcome == "emitted"


def test_a_decision_names_the_holiday_that_is_quiet() -> None:
    decision = in_quiet(NIGHTLY, {}, "2026-11-01T12:00", "PL")
    assert decision.checks[-1].test == "sent not from 21:00 to 09:00 nor on public holidays"
    assert decision.detail.endswith("where it is Sunday 12:00; closed: All Saints' Day in PL")
