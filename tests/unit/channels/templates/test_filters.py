"""Filters of templates: what they refuse, and that nothing else escapes from them."""

from __future__ import annotations

import math
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.templates.engine import Templates
from channels.templates.filters import Formats
from schemas.errors import TemplateFailed
from schemas.template import StoredTemplate

FILTERS = tuple(Formats().filters())
TEMPLATES = Templates()

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63) - 1, 2**64, 10**18 + 1, 10**40, 10**400])
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["PLN", "XXX", "pln", "short", "H", "QQQQQQ", "d MMMM y", "0001-01-01T00:00:00Z", "9999-12-31"])
    | st.datetimes().map(lambda moment: moment.isoformat())
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
VOUCHERS = st.dictionaries(
    st.sampled_from(["percent_off", "amount_off", "unit_off", "amount", "fixed_amount", "points", "discount", "gift"]),
    VALUES,
    max_size=3,
)


def written(source: str, variables: dict[str, Any], locale: str | None = "pl-PL", zone: str | None = None) -> str:
    template = StoredTemplate(name="t", subject="s", text=source)
    return TEMPLATES.render(template, variables, locale=locale, timezone=zone).text or ""


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=150)
@given(
    value=VALUES | VOUCHERS,
    option=VALUES,
    locale=st.none() | st.text(max_size=10) | st.sampled_from(["pl", "ja-JP", "ar-EG", "zh_Hant_TW"]),
    zone=st.none() | st.text(max_size=10) | st.sampled_from(["Asia/Tokyo", "Pacific/Apia", "/etc/passwd", ".."]),
)
def test_nothing_but_template_failed_escapes_from_a_filter(
    name: str, value: Any, option: Any, locale: str | None, zone: str | None
) -> None:
    for source in (f"{{{{ value | {name} }}}}", f"{{{{ value | {name}(option) }}}}"):
        try:
            written(source, {"value": value, "option": option}, locale, zone)
        except TemplateFailed as error:
            assert str(error).startswith("template t, text")


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ('{{ v | money("PLN") }}', "x", "money takes a whole number of at most 18 digits, not this text"),
        ('{{ v | money("PLN") }}', 10**18, "money takes a whole number of at most 18 digits, not a larger one"),
        ('{{ v | money("ZZZ") }}', 5, 'money takes a currency of ISO 4217, as in money("PLN"), not ZZZ'),
        ("{{ v | money }}", 5, "not nothing"),
        ('{{ v | money("PLN", 2, 3) }}', 5, "money takes a whole number of minor units and a currency"),
        ("{{ v | number }}", math.nan, "number takes a number of at most 18 digits, not NaN or infinity"),
        ("{{ v | number }}", -math.inf, "not NaN or infinity"),
        ("{{ v | number }}", 1e300, "not a larger one"),
        ("{{ v | number }}", True, "not true/false"),
        ("{{ v | points }}", 1.5, "points takes a whole number of at most 18 digits, not a fraction"),
        ("{{ v | points(word=1) }}", 5, "points takes a whole number of at most 18 digits"),
        ("{{ v | value }}", 3, "value takes a voucher or its discount, not a whole number"),
        ("{{ v | value }}", {"percent_off": math.nan}, "value takes a number as percent_off of at most 18 digits"),
        ("{{ v | value }}", {"amount_off": 5}, "value takes a currency of ISO 4217"),
        ("{{ v | date }}", "soon", "date takes a text such as 2026-11-20T09:00:00Z or 2026-11-20, not this text"),
        ('{{ v | date("H") }}', "2026-11-20", "date takes a text such as 2026-11-20 and one of short, medium, long"),
        ('{{ v | date("QQQQQQ") }}', "2026-11-20", "or a pattern of CLDR such as d MMMM y"),
        ('{{ v | date("") }}', "2026-11-20", "date takes one of short, medium, long, full or a pattern"),
        ("{{ v | datetime(5) }}", "2026-11-20", "datetime takes one of short, medium, long, full or a pattern"),
        ("{{ v | datetime }}", "0001-01-01T00:00:00+14:00", "datetime takes a text such as 2026-11-20T09:00:00Z"),
    ],
)
def test_a_filter_says_what_it_expected(source: str, value: Any, said: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        written(source, {"v": value})
    assert str(caught.value).startswith("template t, text, line 1: ")
    assert said in str(caught.value)


def test_a_wrong_value_names_the_line_of_the_use_that_got_it() -> None:
    source = '{{ a | money("PLN") }}\n{{ b | points }}\n{% if a %}{{ b | money("PLN") }}{% endif %}\n{{ a | money }}'
    with pytest.raises(TemplateFailed, match="text, line 2: points takes"):
        written(source, {"a": 1, "b": "x"})
    with pytest.raises(TemplateFailed, match="text, line 3: money takes"):
        written(source.replace("b | points", "a | points"), {"a": 1, "b": "x"})


@pytest.mark.parametrize("zone", [None, "Europe/Warsow", " Europe/Nowhere"])
def test_times_are_the_project_s_where_the_customer_s_zone_is_not_known(zone: str | None) -> None:
    template = StoredTemplate(name="t", subject="s", text='{{ v | datetime("HH:mm") }}')
    templates = Templates(ZoneInfo("Asia/Tokyo"))
    assert templates.render(template, {"v": "2026-11-20T09:00:00Z"}, timezone=zone).text == "18:00"
    of_outlet = msgspec.structs.replace(template, brand={"timezone": "America/Lima"})
    assert templates.render(of_outlet, {"v": "2026-11-20T09:00:00Z"}, timezone=zone).text == "04:00"
    assert templates.render(of_outlet, {"v": "2026-11-20T09:00:00Z"}, timezone="Europe/Warsaw").text == "10:00"
    assert templates.render(template, {"v": "2026-11-20T09:00:00Z"}, timezone="Europe/Warsaw ").text == "10:00"
