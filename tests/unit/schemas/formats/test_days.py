"""A day as an end holds through that day, in the project's zone, and customers read the written day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from channels.templates.engine import Templates
from console.control.plan import span_lines
from schemas.campaign import moment_text
from schemas.formats.days import day_begins, day_ends, read_moment
from schemas.template import StoredTemplate
from streams.documents.campaign import CampaignContext, parse_campaign
from streams.documents.distribution import parse_definition
from tests.factory import CONTEXT, NOW, definition

ZONES = ("UTC", "Europe/Warsaw", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu")
CLOCKS_CHANGE = (
    ("America/Havana", "2026-10-31"),
    ("America/Havana", "2026-11-01"),
    ("Asia/Beirut", "2026-03-29"),
    ("Asia/Beirut", "2026-10-24"),
    ("Atlantic/Azores", "2026-10-25"),
    ("Pacific/Apia", "2011-12-29"),
)
"""Days on which the clocks skip or repeat the hour around midnight, or the whole next day."""


@pytest.mark.parametrize(("zone", "written"), [*((zone, "2026-12-24") for zone in ZONES), *CLOCKS_CHANGE])
def test_a_day_begins_and_ends_as_that_day(zone: str, written: str) -> None:
    there, day = ZoneInfo(zone), date.fromisoformat(written)
    begins, ends = day_begins(day, there), day_ends(day, there)
    assert begins.astimezone(there).date() == ends.astimezone(there).date() == day
    assert (begins - day_ends(date.fromordinal(day.toordinal() - 1), there)).total_seconds() == 0.001


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("written", ["0001-01-01", "9999-12-30", "9999-12-31"])
def test_always_and_never_have_a_date_in_every_zone(zone: str, written: str) -> None:
    moment = read_moment(written, ZoneInfo(zone), is_end=True)
    assert moment is not None
    assert all(moment.astimezone(ZoneInfo(other)).year in (1, 9999) for other in ZONES)


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2026-12-24", "2026-12-23T23:00:00.000Z", "2026-12-24T22:59:59.999Z"),
        (date(2026, 12, 24), "2026-12-23T23:00:00.000Z", "2026-12-24T22:59:59.999Z"),
        (" 2026-12-24 ", "2026-12-23T23:00:00.000Z", "2026-12-24T22:59:59.999Z"),
        ("2026-12-24T18:00:00", "2026-12-24T17:00:00.000Z", "2026-12-24T17:00:00.000Z"),
        (datetime(2026, 12, 24, 18), "2026-12-24T17:00:00.000Z", "2026-12-24T17:00:00.000Z"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00.000Z", "2026-12-24T18:00:00.000Z"),
        ("2026-12-24T18:00:00-05:00", "2026-12-24T23:00:00.000Z", "2026-12-24T23:00:00.000Z"),
        ("2026-02-29", None, None),
        ("24.12.2026", None, None),
        ("20261224", None, None),
        (20261224, None, None),
        (None, None, None),
    ],
)
def test_what_is_written_is_meant_where_the_project_is(written: object, start: str | None, end: str | None) -> None:
    zone = ZoneInfo("Europe/Warsaw")
    assert moment_text(read_moment(written, zone)) == start
    assert moment_text(read_moment(written, zone, is_end=True)) == end


@pytest.mark.parametrize("stands_behind", ["", "T00:00:00.000Z", "T23:59:59-11:00", " 00:00:00", "T00:00:00+14:00"])
@pytest.mark.parametrize("zone", [None, *ZONES])
def test_a_message_says_the_written_birthday(stands_behind: str, zone: str | None) -> None:
    who = {"birthday": f"1990-11-20{stands_behind}", "metadata": {"birthday": f"1990-11-20{stands_behind}"}}
    text = "{{ customer.birthday | date }}, {{ customer.metadata.birthday | date }}"
    template = StoredTemplate(name="t", subject="s", text=text, html=None)
    rendered = Templates().render(template, {"customer": who}, timezone=zone)
    assert rendered.text == "Nov 20, 1990, Nov 20, 1990"
    assert who["birthday"] == f"1990-11-20{stands_behind}"


def test_whose_timezone_is_not_known_reads_the_projects() -> None:
    template = StoredTemplate(name="t", subject="s", text="{{ until | date }}", html=None)
    until = moment_text(day_ends(date(2026, 12, 24), ZoneInfo("America/New_York")))
    shown = {
        zone: Templates(ZoneInfo("America/New_York")).render(template, {"until": until}, timezone=zone).text
        for zone in (None, "Asia/Tokyo")
    }
    assert shown == {None: "Dec 24, 2026", "Asia/Tokyo": "Dec 25, 2026"}


@pytest.mark.parametrize("zone", ZONES)
def test_plans_hold_through_their_last_day(zone: str) -> None:
    there = ZoneInfo(zone)
    written = definition(starts_at="2026-12-24", ends_at="2026-12-24")
    made = parse_definition(written, replace(CONTEXT, zone=there)).distribution
    campaign = parse_campaign(
        {"campaign": "xmas", "kind": "PROMOTION", "tiers": [{"id": "gold"}], "expiration_date": date(2026, 12, 24)},
        CampaignContext("shop", NOW, zone=there),
    )
    assert made.starts_at and made.ends_at
    assert made.ends_at == campaign.expiration_date == day_ends(date(2026, 12, 24), there)
    assert made.starts_at == day_begins(date(2026, 12, 24), there)
    assert span_lines(made.starts_at, made.ends_at)[1] == f"ends {moment_text(made.ends_at)}"
    assert made.ends_at.tzinfo is UTC
