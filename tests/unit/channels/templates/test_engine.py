"""Locales, filters and MJML of templates."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from babel.numbers import format_currency, get_currency_precision

from channels.templates.engine import Templates
from channels.templates.filters import Formats, WrongValue
from channels.templates.mjml import Layout, MjmlWrong, built_in_layout, compile_mjml
from channels.templates.plain_text import text_of
from schemas.errors import TemplateFailed
from schemas.template import LocalText, StoredTemplate


@pytest.mark.parametrize(
    ("locale", "tag"),
    [
        ("pl-PL", "pl-pl"),
        ("PL_pl", "pl-pl"),
        (" pl-PL ", "pl-pl"),
        ("pl-PL-x-old", "pl-pl"),
        ("pl-US", "pl"),
        ("pl", "pl"),
        ("plx", ""),
        ("de", ""),
        ("de-PL", ""),
        ("-pl", ""),
        (None, ""),
        ("", ""),
    ],
)
def test_a_locale_falls_back_to_its_language_and_then_to_the_default(locale: str | None, tag: str) -> None:
    template = StoredTemplate(name="t", subject="s", locales={"pl-pl": LocalText(text="a"), "pl": LocalText(text="b")})
    assert template.variant(locale) == tag


@pytest.mark.parametrize(
    ("locale", "name", "arguments", "said"),
    [
        ("pl-PL", "money", (1500, "PLN"), "15,00\u00a0zł"),
        ("de-DE", "money", (123456, "EUR"), "1.234,56\u00a0€"),
        ("en-US", "money", (1500, "USD"), "$15.00"),
        ("ja-JP", "money", (1500, "JPY"), "\uffe51,500"),
        ("en", "money", (1500, "KWD"), "KWD1.500"),
        ("pl", "points", (5,), "5\u00a0punktów"),
        ("de", "value", ({"discount": {"percent_off": 10}},), "10\u00a0%"),
        ("en", "value", ({"unit_off": 2},), "2\u00a0units"),
        ("en", "value", ({"discount": {}, "gift": {"amount": 500}}, "USD"), "$5.00"),
        ("en", "date", (" 2026-11-20 ",), "Nov 20, 2026"),
        ("de", "date", ("2026-11-20T23:30:00Z", "long"), "21. November 2026"),
    ],
)
def test_values_are_written_as_the_locale_has_them(locale: str, name: str, arguments: Any, said: str) -> None:
    formats = Formats()
    formats.use(locale, "Europe/Warsaw")
    assert formats.filters()[name](*arguments) == said


DECIMALS = {
    **dict.fromkeys(("JPY", "CLP", "KRW", "ISK", "UGX", "VND", "XAF", "BYR"), 0),
    **dict.fromkeys(("PLN", "EUR", "RSD", "HUF", "MGA", "MRU", "LBP", "IRR", "ALL", "COP", "XCG", "HRK", "SLL"), 2),
    **dict.fromkeys(("KWD", "BHD", "IQD", "TND", "OMR"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


@pytest.mark.parametrize("locale", ["pl-PL", "en-US", "ja-JP", "de-CH", "ar-EG", "sr", "hi"])
@pytest.mark.parametrize("currency", DECIMALS)
def test_money_has_the_decimals_of_iso_4217_whatever_is_the_habit(currency: str, locale: str) -> None:
    formats = Formats()
    formats.use(locale, None)
    written = formats.filters()["money"](7_000_001, currency)
    expected = f"{Decimal(7_000_001).scaleb(-DECIMALS[currency]):.{DECIMALS[currency]}f}"
    assert "".join(re.findall(r"\d", written)) == expected.replace(".", "")
    if DECIMALS[currency] == get_currency_precision(currency):
        assert written == format_currency(Decimal(expected), currency, locale=locale.replace("-", "_"))
    assert re.search(rf"\d[.,]\d{{{DECIMALS[currency]}}}(?!\d)", written) or DECIMALS[currency] == 0


@pytest.mark.parametrize(
    ("currency", "said"), [("XAU", "not XAU"), ("DEM", "not DEM"), ("pln ", 'Did you mean "PLN"?')]
)
def test_a_currency_without_an_exponent_is_refused(currency: str, said: str) -> None:
    with pytest.raises(WrongValue, match="a currency of ISO 4217") as caught:
        Formats().filters()["money"](5, currency)
    assert said in str(caught.value)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    formats = Formats().filters()
    assert (formats["money"](1500.0, "PLN"), formats["points"](5.0)) == ("PLN15.00", "5\u00a0points")


@pytest.mark.parametrize(("name", "value"), [("money", "x"), ("points", 1.5), ("date", "soon"), ("value", 3)])
def test_a_wrong_kind_says_what_is_expected(name: str, value: Any) -> None:
    with pytest.raises(WrongValue, match=f"{name} takes"):
        Formats().filters()[name](value)


def test_what_is_filled_in_later_passes_through_mjml() -> None:
    source = '{% for a in b %}<mj-button href="{{ a|default("x") }}">{{ a }}</mj-button>{% endfor %}'
    html = compile_mjml(source, built_in_layout())
    for tag in ("{% for a in b %}", 'href="{{ a|default("x") }}"', "{% endfor %}", "{{ brand.address }}"):
        assert tag in html


@pytest.mark.parametrize("text", ["Już > 5", 'ż"> x', "漢>"])
def test_mjml_on_which_the_compiler_panics_is_wrong_like_other_mjml(text: str) -> None:
    with pytest.raises(MjmlWrong, match="line 3: the compiler cannot read this: write &gt; for a >"):
        compile_mjml(f'<mj-text>\n<b title="ż">a</b>\n{text}</mj-text>', built_in_layout())
    assert "Już &gt; 5" in compile_mjml("<mj-text>Już &gt; 5</mj-text>", built_in_layout())


def test_wrong_mjml_names_its_line() -> None:
    with pytest.raises(MjmlWrong, match='line 2: there is no element mj-txt. Did you mean "mj-text'):
        compile_mjml("\n<mj-txt>a</mj-txt>", built_in_layout())


DOCUMENT = "<mjml>\n<mj-body><mj-section><mj-column>\n{}\n</mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "<mj-text>Fine</mj-text>\n<mj-text>Orders < 100 EUR</mj-text>",
            "line 4: a < that begins no tag is written &lt;",
        ),
        ("<mj-text>\n<b>x</mj-text>", "line 4: <b> is not closed"),
        ("<mj-text>\n<ul><li>a<b></li></ul></mj-text>", "line 4: <b> is not closed"),
        ("<mj-text>a\n</mj-text><mj-text align=left>x</mj-text>", "line 4: the value of an attribute stands in quotes"),
        ("<mj-text\n colour='red'>x</mj-text>", 'line 4: mj-text has no attribute colour. Did you mean "color"?'),
        (
            "<mj-image bordr-radius='1px' src='x' />",
            "line 3: mj-image has no attribute bordr-radius. Did you mean",
        ),
        ("<mj-spacer href='x' />", "line 3: mj-spacer has no attribute href. There are: border"),
        (
            "\n<mj-image width='{{ w }}px' src='x' />",
            "line 4: {{ w }} would be lost: the compiler drops it, as",
        ),
        (
            "</mj-column><mj-column width='{{ w }}px'>",
            "line 3: {{ w }} would be lost: the compiler drops it, as",
        ),
    ],
)
def test_mjml_that_would_be_lost_or_cannot_be_read_names_its_line(source: str, said: str) -> None:
    with pytest.raises(MjmlWrong) as caught:
        compile_mjml(DOCUMENT.format(source), built_in_layout())
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "head",
    [
        "<!-- {{ x }} -->",
        '<mj-attributes><mj-class name="unused" color="{{ x }}"/></mj-attributes>',
        '<mj-attributes><mj-divider border-color="{{ x }}"/></mj-attributes>',
        '<mj-breakpoint width="{{ x }}"/>',
    ],
)
def test_what_the_head_drops_is_refused(head: str) -> None:
    with pytest.raises(MjmlWrong, match=r"line 2: \{\{ x \}\} would be lost"):
        compile_mjml(f"<mjml><mj-head>\n{head}</mj-head><mj-body></mj-body></mjml>", built_in_layout())


def test_what_works_in_mjml_works() -> None:
    source = (
        "<mjml><mj-head><mj-title>{{ a }}</mj-title><mj-preview>{{ b }}</mj-preview><mj-attributes>"
        '<mj-all color="{{ c }}"/>'
        "</mj-attributes></mj-head><mj-body><!-- {{ d }} --><mj-section background-url='{{ e }}'><mj-column>"
        '<mj-text css-class="{{ f }}" padding-left="{{ g }}px">{# gone #}</mj-text>'
        "</mj-column></mj-section></mj-body></mjml>"
    )
    html = compile_mjml(source, built_in_layout())
    assert all(f"{{{{ {name} }}}}" in html for name in "abcdefg")


def test_an_error_in_what_was_compiled_names_the_author_s_line() -> None:
    source = '<mj-text>Hi {{ a }}\n{{ b }}</mj-text>\n<mj-image src="{{ c }}"/>\n{% if a %}\n{{- d }}{% endif %}'
    html = compile_mjml(source, built_in_layout()).split('<div class="foot')[0]
    brand = {"name": "Corner", "logo_url": "https://x.example"}
    for missing, line in (("a", 1), ("b", 2), ("c", 3), ("d", 5)):
        template = StoredTemplate(name="t", subject="s", html=html, brand=brand)
        there = {name: "x" for name in "abcd" if name != missing or missing == "a"}
        with pytest.raises(TemplateFailed, match=f"html, line {line}: `{missing}` is undefined"):
            Templates().render(template, there if missing != "a" else {})
    layout = Layout(built_in_layout().source.replace("140px", "141px"), "/mails/layout.mjml")
    with pytest.raises(TemplateFailed, match=r"line 39 of layout\.mjml: `brand\.logo_url` is undefined"):
        html = compile_mjml("<mj-text>Hi</mj-text>", layout)
        Templates().render(StoredTemplate(name="t", subject="s", html=html, brand={"name": "x"}), {})


def test_tags_may_stand_before_and_behind_a_whole_document() -> None:
    document = DOCUMENT.format("<mj-text>{{ x }}</mj-text>")
    html = compile_mjml(f"{{# c #}}\n{{% set x = 1 %}}\n{document}\n{{% if x %}}{{% endif %}}", built_in_layout())
    assert re.search(r"^(\{#.*?#\})+\{% set x = 1 %\}<!doctype html>", html)
    assert html.endswith("{% endif %}")


def test_compiled_html_has_lines_that_mail_takes_as_they_are() -> None:
    table = "<mj-table>" + "<tr><td style='color:red' align='left'>{{ a }}</td></tr>" * 40 + "</mj-table>"
    html = compile_mjml(f'{table}<mj-button href="https://x.example/?a b">{{{{ b }}}}</mj-button>', built_in_layout())
    assert max(map(len, html.splitlines())) < 900
    assert "?a b" in html
    assert not re.search(r"\n(?!\s*$)[^<>]*>", re.sub(r'\nstyle="', ' style="', html).partition("<body")[2])


def test_words_that_stand_out_do_not_run_together_at_a_line_end() -> None:
    html = compile_mjml("<mj-text><b>{{ a }}</b>\n  <i>x</i> <u>y</u>\n<a href='z'>z</a></mj-text>", built_in_layout())
    text = " ".join(text_of(html.split('<div class="foot')[0]).split())
    assert text.endswith("{{ a }} x y z")
