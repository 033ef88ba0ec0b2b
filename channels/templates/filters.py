"""Filters of templates: money, numbers, points and dates as the customer's locale writes them (CLDR, by Babel)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from datetime import datetime as Moment
from decimal import Decimal
from functools import lru_cache, wraps
from typing import Any

from babel import Locale, UnknownLocaleError
from babel import dates as babel_dates
from babel import numbers as babel_numbers

from channels.templates.money import EXPONENTS, money_text
from schemas.formats.blank import is_blank, trimmed
from schemas.formats.days import zone_of
from schemas.formats.languages import forms

DEFAULT_LOCALE = "en"
LENGTHS = ("short", "medium", "long", "full")
LARGEST = 10**18 - 1
"""Nothing beyond it is counted or paid; without a bound one number could fill a message."""

_PATTERN = f"one of {', '.join(LENGTHS)} or a pattern of CLDR such as d MMMM y"
_TAKES = {
    "money": 'a whole number of minor units and a currency, as in 1500 | money("PLN")',
    "number": "a number of at most 18 digits",
    "points": "a whole number of at most 18 digits",
    "value": "a voucher, or its discount, and where it is an amount the currency",
    "date": f"a text such as 2026-11-20 and {_PATTERN}",
    "datetime": f"a text such as 2026-11-20T09:00:00Z and {_PATTERN}",
}
"""The kinds of value that each filter takes, for errors."""

_WORDS: dict[str, dict[str, dict[str, str]]] = {
    "point": {
        "en": {"one": "point", "other": "points"},
        "de": {"one": "Punkt", "other": "Punkte"},
        "pl": {"one": "punkt", "few": "punkty", "many": "punktów", "other": "punktu"},
        "cs": {"one": "bod", "few": "body", "many": "bodu", "other": "bodů"},
        "fr": {"one": "point", "other": "points"},
        "ja": {"other": "ポイント"},
    },
    "unit": {
        "en": {"one": "unit", "other": "units"},
        "de": {"other": "Stück"},
        "pl": {"other": "szt."},
        "cs": {"other": "ks"},
        "fr": {"one": "unité", "other": "unités"},
        "ja": {"other": "個"},
    },
}
"""CLDR has no words for these; a language that is not here shows the number alone."""

WORD_LANGUAGES = tuple(_WORDS["point"])
"""Those that have words."""


class WrongValue(ValueError):
    """A filter got something that it cannot write; says what was expected."""


class Formats:
    """The filters, for the customer that `use` named last: rendering is synchronous, one message at a time."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._default_zone = zone
        self._locale = known_locale(None)
        self._zone = zone

    def use(
        self, locale: str | None, timezone: str | None, brand_locale: str | None = None, brand_zone: str | None = None
    ) -> None:
        """Write for this customer from now on. The brand's is taken for what is not known, then English and `zone`."""
        self._locale = known_locale(locale, brand_locale)
        self._zone = _zone(timezone) or _zone(brand_zone) or self._default_zone

    def filters(self) -> dict[str, Callable[..., str]]:
        """Every filter by its name in templates."""
        return {name: _guarded(name, getattr(self, name)) for name in _TAKES}

    def money(self, minor: Any, currency: Any = None) -> str:
        """Minor units in a currency of ISO 4217: 1500 | money("PLN") is 15,00 zł."""
        return money_text(_whole(minor, "money"), _currency(currency, "money"), self._locale)

    def number(self, value: Any) -> str:
        """A number with the locale's separators."""
        return babel_numbers.format_decimal(
            _decimal(value, "number takes a number"), locale=self._locale, decimal_quantization=False
        )

    def points(self, value: Any) -> str:
        """A whole number of points with its word: 5 punktów."""
        return self._counted(_whole(value, "points"), "point")

    def value(self, voucher: Any, currency: Any = None) -> str:
        """The worth of a voucher, or of its discount, gift or loyalty card. Amounts need the currency."""
        if not isinstance(voucher, Mapping):
            raise WrongValue(f"value takes a voucher or its discount, not {_kind(voucher)}")
        parts = (voucher.get(name) for name in ("discount", "gift", "loyalty_card"))
        worth = next((part for part in parts if isinstance(part, Mapping) and part), voucher)
        match worth:
            case {"percent_off": percent}:
                return self._percent(percent)
            case {"amount_off": amount} | {"fixed_amount": amount} | {"amount": amount}:
                return money_text(_whole(amount, "value"), _currency(currency, "value"), self._locale)
            case {"unit_off": units}:
                return self._counted(_whole(units, "value"), "unit")
            case {"points": points}:
                return self.points(points)
        raise WrongValue("value takes a voucher with percent_off, amount_off, fixed_amount, unit_off, amount or points")

    def date(self, value: Any, format: Any = "medium") -> str:
        """A day, in the customer's timezone; `format` is short, medium, long, full or a CLDR pattern."""
        day = self._moment(value, "date")
        return babel_dates.format_date(day, _format(format, "date"), locale=self._locale)

    def datetime(self, value: Any, format: Any = "medium") -> str:
        """A moment, in the customer's timezone; `format` as in `date`."""
        moment = self._moment(value, "datetime")
        return babel_dates.format_datetime(moment, _format(format, "datetime"), locale=self._locale)

    def _percent(self, percent: Any) -> str:
        share = _decimal(percent, "value takes a number as percent_off") / 100
        return babel_numbers.format_percent(share, locale=self._locale, decimal_quantization=False)

    def _counted(self, count: int, noun: str) -> str:
        words = _WORDS[noun].get(self._locale.language)
        number = babel_numbers.format_decimal(count, locale=self._locale)
        if words is None:
            return number
        space = "" if self._locale.language == "ja" else "\u00a0"
        return f"{number}{space}{words.get(self._locale.plural_form(count), words['other'])}"

    def _moment(self, value: Any, name: str) -> Moment:
        try:
            moment = Moment.fromisoformat(trimmed(value)) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None:
            raise WrongValue(f"{name} takes a text such as 2026-11-20T09:00:00Z or 2026-11-20, not {_kind(value)}")
        return moment.astimezone(self._zone) if moment.tzinfo else moment


@lru_cache(maxsize=1000)
def known_locale(locale: str | None, otherwise: str | None = None) -> Locale:
    """Babel's locale, or that of the language; else the same of another, or English."""
    return _babel_locale(locale) or _babel_locale(otherwise) or Locale.parse(DEFAULT_LOCALE)


def _babel_locale(tag: str | None) -> Locale | None:
    for form in forms(tag):
        try:
            return Locale.parse(form)
        except (ValueError, UnknownLocaleError):
            continue
    return None


@lru_cache(maxsize=1000)
def _zone(name: str | None) -> tzinfo | None:
    try:
        return zone_of(trimmed(name)) if name else None
    except ValueError:
        return None


def _currency(currency: Any, name: str) -> str:
    if isinstance(currency, str) and currency in EXPONENTS:
        return currency
    shown = "nothing" if currency is None else currency[:20] if isinstance(currency, str) else _kind(currency)
    meant = currency.strip().upper() if isinstance(currency, str) else ""
    hint = f'. Did you mean "{meant}"?' if meant in EXPONENTS else ""
    raise WrongValue(f'{name} takes a currency of ISO 4217, as in {name}("PLN"), not {shown}{hint}')


def _whole(value: Any, name: str) -> int:
    """A whole number; JSON of some senders has it as 1500.0."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or not _is_countable(whole):
        raise WrongValue(f"{name} takes a whole number of at most 18 digits, not {_kind(value)}")
    return whole


def _decimal(value: Any, takes: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_countable(value):
        raise WrongValue(f"{takes} of at most 18 digits, not {_kind(value)}")
    return Decimal(str(value))


def _is_countable(value: float) -> bool:
    """False for infinity, and for NaN: it compares with nothing."""
    return abs(value) <= LARGEST


def _format(format: Any, name: str) -> Any:
    if not isinstance(format, str) or not format.strip() or len(format) > 100:
        raise WrongValue(f"{name} takes {_PATTERN}")
    return format


def _kind(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool) and not _is_countable(value):
        return "a larger one" if isinstance(value, int) or math.isfinite(value) else "NaN or infinity"
    if isinstance(value, str) and is_blank(value):
        return "a blank text"
    names = {bool: "true/false", int: "a whole number", float: "a fraction", str: "this text", type(None): "nothing"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")


def _guarded(name: str, write: Callable[..., str]) -> Callable[..., str]:
    """A filter that raises WrongValue alone: what Babel raises for a pattern or a day of its own is not listed."""

    @wraps(write)
    def guarded(*arguments: Any, **named: Any) -> str:
        try:
            return write(*arguments, **named)
        except WrongValue:
            raise
        except Exception:
            raise WrongValue(f"{name} takes {_TAKES[name]}") from None

    return guarded
