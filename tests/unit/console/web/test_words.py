"""Words of pages: times, and texts whose hidden characters are seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from console.web.projects import people_of
from console.web.words import ago, change, exact, inert, left, number, person, segment, share
from store.users import Member

NOW = datetime(2026, 11, 29, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(0), "now"), (timedelta(seconds=59), "59s ago"), (timedelta(minutes=3, seconds=9), "3m ago"),
        (timedelta(hours=23), "23h ago"), (timedelta(days=3, hours=5), "3d ago"), (-timedelta(hours=2), "in 2h"),
        (timedelta(days=400), "2025-10-25"), (-timedelta(days=400), "2028-01-03"),
    ],
)  # fmt: skip
def test_a_moment_is_said_by_its_distance(before: timedelta, said: str) -> None:
    assert ago(NOW - before, NOW) == said


def member(user_id: str, name: str | None) -> Member:
    state = "active" if name else "invited"
    return Member("shop", user_id, f"{user_id}@shop.example", "admin", "ann", NOW, NOW, state, name, None)  # type: ignore[arg-type]


def test_whoever_did_something_is_called_by_their_name() -> None:
    people = people_of([member("usr_1", "Anna"), member("usr_2", None), member("usr_3", "Jo"), member("usr_4", "Jo")])
    assert person("user:usr_1", people) == "Anna"
    assert person("user:usr_3", people) == "Jo (user:usr_3)", "two of one name are told apart"
    assert [person(one, people) for one in ("user:usr_2", "key:ci", "anna")] == ["user:usr_2", "key:ci", "anna"]
    assert "\u202e" not in person("user:usr_5", people_of([member("usr_5", "a\u202eb")]))


def test_a_moment_is_exact_in_its_zone() -> None:
    assert exact(NOW, ZoneInfo("Europe/Warsaw")) == "2026-11-29 11:00 CET"
    assert exact(NOW, UTC) == "2026-11-29 10:00 UTC"


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Warsaw"), ZoneInfo("Pacific/Kiritimati")])
def test_what_has_no_date_is_said_so_in_every_zone(zone: ZoneInfo) -> None:
    """Postgres says infinity of what waits until it goes on, which is the end of the calendar here."""
    never = datetime.max.replace(tzinfo=UTC)
    assert (ago(never, NOW), exact(never, zone)) == ("no date", "until it goes on")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("invoice\u202egnp.exe", "invoice⟨U+202E⟩gnp.exe"), ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("a\u200bb\ufeff\x00\x1b[31m", "a⟨U+200B⟩b⟨U+FEFF⟩⟨U+0000⟩⟨U+001B⟩[31m"), ("\u0634\u0643", "\u0634\u0643"),
        ("Zo\xeb a\u200db", "Zo\xeb a\u200db"),
        ("<b>{{ 7 * 7 }}", "<b>{{ 7 * 7 }}"),
    ],
)  # fmt: skip
def test_characters_that_hide_are_seen(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_numbers_and_parts_of_addresses() -> None:
    assert (number(1234567), segment("a/b?c")) == ("1,234,567", "a%2Fb%3Fc")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, ""), (0.0, "0 %"), (0.00001, "under 0.1 %"), (0.5, "50 %"), (0.1234, "12.3 %"), (0.99999, "over 99.9 %"),
        (1.0, "100 %"),
    ],
)  # fmt: skip
def test_a_share_is_neither_rounded_to_nothing_nor_to_all(value: float | None, said: str) -> None:
    assert share(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "a moment"), (0, "a moment"), (1, "1 second"), (580, "9 minutes 40 seconds"), (600, "10 minutes"),
        (3601, "1 hour"), (3660, "1 hour 1 minute"), (90_061, "1 day 1 hour"), (86_400 * 400, "400 days"),
    ],
)  # fmt: skip
def test_a_countdown_is_told_in_its_two_largest_units(seconds: int, said: str) -> None:
    assert left(NOW + timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (0, 0, "as before"), (5, 5, "as before"), (5, 0, "none before"), (12, 10, "+20 %"), (8, 10, "-20 %"),
        (0, 10, "-100 %"), (1001, 1000, "+1 %"), (100_000, 1_000, "1,000 before"),
    ],
)  # fmt: skip
def test_a_change_is_said_without_a_division_by_nothing(now: int, before: int, said: str) -> None:
    assert change(now, before) == said
