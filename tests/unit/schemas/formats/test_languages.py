"""The language that a customer's locale takes among those that there are."""

from __future__ import annotations

import re

import pytest

from channels.templates.bundle import bundled
from channels.templates.filters import Formats
from channels.templates.mjml import built_in_layout, compile_mjml
from schemas.formats.languages import taken
from schemas.template import LocalText, StoredTemplate

CASES = {
    ("zh-TW", ("zh", "zh-hant")): "zh-hant",
    ("zh-HK", ("zh", "zh-hant")): "zh-hant",
    ("zh", ("zh-hans", "zh-hant")): "zh-hans",
    ("zh-TW", ("zh",)): "zh",
    ("zh-Hant", ("zh-tw", "zh-cn")): "zh-tw",
    ("zh-SG", ("zh-hant", "zh-cn")): "",
    ("no", ("nb",)): "nb",
    ("nb", ("no",)): "no",
    ("nb-NO", ("no",)): "no",
    ("nn", ("no",)): "no",
    ("nn-NO", ("nn", "no")): "nn",
    ("nn", ("nb",)): "nb",
    ("nn", ("nb", "en")): "nb",
    ("iw", ("he",)): "he",
    ("he-IL", ("iw",)): "iw",
    ("sr-Latn", ("sr", "sr-latn")): "sr-latn",
    ("sr", ("sr-latn", "sr-cyrl")): "sr-cyrl",
    ("sr-Latn-RS", ("sr",)): "sr",
    ("sr-ME", ("sr", "sr-latn")): "sr-latn",
    ("sh", ("sr-latn", "sr")): "sr-latn",
    ("pt-BR", ("pt", "pt-pt")): "pt",
    ("pt-PT", ("pt", "pt-pt")): "pt-pt",
    ("pt-PT", ("pt", "pt-br")): "pt",
    ("pt-AO", ("pt", "pt-pt")): "pt-pt",
    ("pt", ("pt-br", "pt-pt")): "pt-br",
    ("es-MX", ("es", "es-419")): "es-419",
    ("es-ES", ("es", "es-419")): "es",
    ("es-419", ("es",)): "es",
    ("es-ES", ("es-419",)): "",
    ("es-MX", ("es-es",)): "",
    ("tl", ("fil",)): "fil",
    ("fil-PH", ("tl",)): "tl",
    ("in", ("id",)): "id",
    ("id-ID", ("in",)): "in",
    ("en-AU", ("en", "en-001")): "en-001",
    ("en-UK", ("en-gb", "en-us")): "en-gb",
    ("en-AU", ("en-us",)): "",
    ("en", ("en-gb", "en-us")): "en-us",
    ("pl-PL", ("pl", "pl-pl")): "pl-pl",
    ("PL_pl", ("pl-pl",)): "pl-pl",
    ("pl-PL-x-old", ("pl-pl", "pl")): "pl-pl",
    ("pl_PL.UTF-8", ("pl",)): "pl",
    ("plx", ("pl",)): "",
    ("de-PL", ("pl",)): "",
    ("-pl", ("pl",)): "",
    ("", ("pl",)): "",
    (None, ("pl",)): "",
    ("xx", ("pl",)): "",
    ("zh-yue", ("yue",)): "yue",
    ("zh-cmn-Hans-CN", ("zh",)): "zh",
    ("und", ("pl",)): "",
    ("*", ("pl",)): "",
    ("yue", ("zh-hant",)): "",
    ("ro-MD", ("mo",)): "mo",
    ("nb", ("no", "nb")): "nb",
    ("no", ("no", "nb")): "no",
    ("uz-Cyrl", ("uz",)): "uz",
    ("pl-US", ("pl-pl", "pl")): "pl",
    ("fr-CH", ("fr-fr",)): "",
    ("de-CH", ("de", "de-at")): "de",
}


@pytest.mark.parametrize(("locale", "tags"), CASES)
def test_a_locale_takes_what_cldr_has_nearest(locale: str | None, tags: tuple[str, ...]) -> None:
    assert taken(tags, locale) == CASES[locale, tags]


@pytest.mark.parametrize(
    ("locale", "otherwise", "said"),
    [
        ("zh-TW", None, "2026年11月20日"),
        ("iw", None, "20 בנוב\u05f3 2026"),
        ("nb-NO", None, "20. nov. 2026"),
        ("sr-Latn", None, "20. 11. 2026."),
        ("in", None, "20 Nov 2026"),
        ("en-UK", None, "20 Nov 2026"),
        ("xx-YY", "pl", "20 lis 2026"),
        ("not a tag", "pl", "20 lis 2026"),
        ("xx", None, "Nov 20, 2026"),
    ],
)
def test_values_are_written_by_the_same_rules_and_else_as_the_brand_does(
    locale: str, otherwise: str | None, said: str
) -> None:
    formats = Formats()
    formats.use(locale, None, otherwise)
    assert formats.date("2026-11-20") == said


def test_a_mail_says_its_language() -> None:
    html = compile_mjml("<mj-text>Hi</mj-text>", built_in_layout())
    template = StoredTemplate(name="t", subject="s", html=html, locales={"pl-pl": LocalText(html=html)})
    for brand, default in (({}, "en"), ({"locale": "de_AT"}, "de-AT")):
        made = bundled(template, brand)
        assert f'<html lang="{default}"' in (made.html or "")
        assert '<html lang="pl-PL"' in (made.locales["pl-pl"].html or "")
    own = html.replace('lang="und"', 'lang="fr"')
    assert "und" not in re.findall(r'lang="(\w*)"', made.html or "")
    assert (bundled(StoredTemplate(name="t", subject="s", html=own), {}).html or "").count('lang="fr"') == 2
