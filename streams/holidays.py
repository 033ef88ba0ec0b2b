"""Public holidays of the country in which a customer lives: a pure table of the package `holidays`, by year.

A country is loaded when it is first asked for, which takes a moment; `load_countries` does that before anything waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from streams.event_context import Profile, profile_text

_LANGUAGE = "en_US"


class Place(NamedTuple):
    """A country and, where holidays differ within it, a part of it: `DE` and `BY`. An empty country has none."""

    country: str = ""
    part: str = ""


NOWHERE = Place()


def place_of(profile: Profile, country: str | None = None) -> Place:
    """The place of a profile's `address.country`, else the project's, and `address.state`, as they are written."""
    address = profile.get("address")
    if not isinstance(address, dict):
        return Place(country) if country else NOWHERE
    return Place(profile_text(address, "country") or country or "", profile_text(address, "state") or "")


def holiday(place: Place, day: date) -> str | None:
    """The name of a day's public holiday, in English where the package has it; None on other days."""
    known = known_place(place)
    return _of_year(known, day.year).get(day) if known else None


@lru_cache(4096)
def known_place(place: Place) -> Place | None:
    """A place by the codes of ISO 3166; None for a country without known holidays. An unknown part is left out."""
    parts = _countries().get(place.country.upper())
    if parts is None:
        return None
    found = next((one for one in parts if one.upper() == place.part.upper()), "")
    return Place(place.country.upper(), found)


def known_country(code: str) -> None:
    """Raises ValueError for a country without known holidays."""
    if known_place(Place(code)) is None:
        raise ValueError(f"no public holidays are known of {code}")


@lru_cache(4096)
def _of_year(place: Place, year: int) -> Mapping[date, str]:
    from holidays import country_holidays

    return dict(country_holidays(place.country, subdiv=place.part or None, years=year, language=_LANGUAGE))


@lru_cache(1)
def _countries() -> Mapping[str, tuple[str, ...]]:
    from holidays import list_supported_countries

    return {name: tuple(parts) for name, parts in list_supported_countries().items()}


@lru_cache(1)
def load_countries() -> None:
    """Load all countries and the names of their holidays, from files: some seconds of work, for a thread."""
    from holidays import country_holidays

    for country in _countries():
        country_holidays(country, language=_LANGUAGE)
