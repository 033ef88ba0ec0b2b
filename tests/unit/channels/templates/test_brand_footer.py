"""Parts of every e-mail: brand footer and sections, in HTML and text, in the locale's words."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from channels.templates.bundle import SectionWrong, bundled
from channels.templates.engine import Templates
from channels.templates.mjml import Layout, built_in_layout, compile_mjml
from console.control.context import ProjectContext, brand_texts
from console.control.distribution_check import Known, check, offer
from console.control.documents import Document
from console.control.files.documents import read_documents
from deploy.settings.messages import Brand
from schemas.errors import DefinitionInvalid
from schemas.template import LocalText, StoredTemplate
from streams.documents.distribution import Definition
from tests.factory import NOW

BRAND = {
    "name": "Kawa & Co",
    "address": "Long Street 1, Kraków",
    "contact": "hello@kawa.example.com",
    "privacy_url": "https://kawa.example.com/privacy",
    "terms_url": "https://kawa.example.com/terms",
    "logo_url": "https://kawa.example.com/logo.png",
    "permission_reminder": "You gave us your address in our shop.",
}
LINKS = {
    "unsubscribe_url": "https://kawa.example.com/u/1",
    "preferences_url": "https://kawa.example.com/p/1",
    "category": "marketing",
}
WORDS = {
    "en": ("Unsubscribe", "Preferences", "Privacy policy", "Terms"),
    "pl": ("Wypisz się", "Preferencje", "Polityka prywatności", "Regulamin"),
}


def rendered(template: StoredTemplate, locale: str = "en", **variables: Any) -> tuple[str, str, str]:
    """Subject, text and HTML of a completed template."""
    made = Templates().render(bundled(template, BRAND), {**LINKS, **variables}, locale=locale)
    return made.subject, made.text or "", made.html or ""


def both(source: str, *, mjml: bool = False) -> StoredTemplate:
    """A template that says the same in English and in Polish."""
    html = compile_mjml(source, built_in_layout()) if mjml else source
    return StoredTemplate(name="t", subject="s", html=html, locales={"pl": LocalText(html=html)})


@pytest.mark.parametrize("locale", ["en", "pl"])
@pytest.mark.parametrize("mjml", [False, True], ids=["html", "mjml"])
def test_the_footer_stands_in_html_and_text_in_the_words_of_the_locale(locale: str, mjml: bool) -> None:
    source = "<mj-text>Hi</mj-text>" if mjml else "<html><body><p>Hi</p></body></html>"
    _, text, html = rendered(both(source, mjml=mjml), locale)
    for word in WORDS[locale]:
        assert html.count(f">{word}</a>") == 1
        assert len(re.findall(rf"{word}(: | \()https://", text, re.MULTILINE)) == 1
    for name, said in BRAND.items():
        if name not in ("logo_url", "name"):
            assert unescape(html).count(said) == 1, name
            assert text.count(said) == 1, name
    assert "Kawa &amp; Co, Long Street 1" in html
    assert "Kawa & Co, Long Street 1" in text
    assert html.index("Long Street 1") < html.index("</body>")


@pytest.mark.parametrize(
    ("brand_locale", "customer_locale", "word", "amount"),
    [
        (None, "de", "Unsubscribe", "15,00\u00a0PLN"),
        ("pl", "de", "Wypisz się", "15,00\u00a0PLN"),
        ("pl-PL", None, "Wypisz się", "15,00\u00a0zł"),
        ("PL_pl", "", "Wypisz się", "15,00\u00a0zł"),
        ("pl", "en-GB", "Wypisz się", "PLN15.00"),
        ("pl", "fr", "Se désabonner", "15,00\u00a0PLN"),
        ("pl", "cs-CZ", "Unsubscribe", "15,00\u00a0PLN"),
        ("cs", None, "Unsubscribe", "15,00\u00a0PLN"),
    ],
)
def test_the_default_variant_speaks_the_brands_language_and_a_locale_its_own(
    brand_locale: str | None, customer_locale: str | None, word: str, amount: str
) -> None:
    source = LocalText(text='{{ 1500 | money("PLN") }}')
    template = StoredTemplate(name="t", subject="s", text=source.text, locales={"fr": source, "cs": source})
    brand = BRAND if brand_locale is None else {**BRAND, "locale": brand_locale}
    made = Templates().render(bundled(template, brand), LINKS, locale=customer_locale)
    said = (made.text or "").replace("\u202f", "\u00a0")
    assert (f"{word}: https://" in said, said.splitlines()[0]) == (True, amount)


def test_a_template_without_html_gets_its_footer_in_the_text() -> None:
    _, text, html = rendered(StoredTemplate(name="t", subject="s", text="Hi"))
    assert text.startswith("Hi\n")
    assert "Long Street 1" in text
    assert html == ""


def test_a_footer_of_ones_own_is_kept() -> None:
    template = StoredTemplate(name="t", subject="s", text="Hi {{ brand.address }}", html="<p>{{ brand.address }}</p>")
    assert rendered(template)[1:] == ("Hi Long Street 1, Kraków", "<p>Long Street 1, Kraków</p>")


@pytest.mark.parametrize("mjml", [False, True], ids=["html", "mjml"])
@pytest.mark.parametrize(("category", "count"), [("marketing", 1), ("newsletter", 1), ("transactional", 0)])
def test_the_unsubscribe_link_stands_in_every_footer_but_that_of_transactional_mail(
    category: str, count: int, mjml: bool
) -> None:
    _, text, html = rendered(both("<mj-text>Hi</mj-text>" if mjml else "Hi", mjml=mjml), category=category)
    for part in (text, unescape(html)):
        assert part.count("https://kawa.example.com/u/1") == count
        assert part.count("https://kawa.example.com/p/1") == 1


SECTIONS = [
    ('header("Two & two")', "<h1>Two &amp; two</h1>", "Two & two"),
    ('text("Body")', ">Body</td>", "Body"),
    ('code("AB-1", "Your code")', "AB-1</td>", "Your code: AB-1"),
    ('code("AB-1")', "AB-1</td>", "AB-1"),
    (
        'qr("https://x.example/q.png")',
        'src="https:&#x2f;&#x2f;x.example&#x2f;q.png" alt="QR"',
        "QR: https://x.example/q.png",
    ),
    ('button("Go", "https://x.example")', ">Go</a>", "Go: https://x.example"),
    ('image("https://x.example/i.png", "A cup")', 'alt="A cup"', "A cup"),
    ("divider()", "border-top:1px", "--------"),
]


@pytest.mark.parametrize(("call", "in_html", "in_text"), SECTIONS, ids=[call for call, *_ in SECTIONS])
@pytest.mark.parametrize("mjml", [False, True], ids=["html", "mjml"])
def test_a_section_is_written_in_html_and_in_text(call: str, in_html: str, in_text: str, mjml: bool) -> None:
    source = f'{{% from "sections" import {call.split("(", maxsplit=1)[0]} %}}\n{{{{ {call} }}}}'
    template = both(source, mjml=mjml)
    if mjml:
        template = StoredTemplate(name="t", subject="s", html=template.html, text=source)
    _, text, html = rendered(template)
    assert in_html in html
    assert text.split("\n-- ")[0].strip() == in_text


def test_what_a_section_is_given_cannot_add_markup() -> None:
    source = '{% from "sections" import text %}{{ text(v) }}'
    assert "<script>" not in rendered(both(source), v="<script>x</script>")[2]


def test_an_unknown_section_is_refused_with_those_there_are() -> None:
    template = StoredTemplate(name="t", subject="s", html='{% from "sections" import heder %}')
    with pytest.raises(
        SectionWrong, match='no section heder. Did you mean "header".*There are: header, text, code, qr'
    ):
        bundled(template, BRAND)


def mail_file(tmp_path: Path) -> Path:
    file = tmp_path / "thanks.yaml"
    file.write_text(
        "distribution: thanks\ntrigger: customer.order.paid\nconsent: marketing\n"
        "channels:\n  - email: {account: main, subject: s, text: Thank you}\n"
    )
    return file


def checked(file: Path, brand: Brand) -> list[tuple[Document, Definition]]:
    project = ProjectContext("shop", brand=brand, accounts={"email": ("main",)})
    return check(read_documents([file]), project, Known(offer({})), NOW)


@pytest.mark.parametrize("missing", [("address",), ("name", "privacy_url"), tuple(BRAND)], ids=",".join)
def test_e_mail_is_refused_on_save_where_the_brand_is_incomplete(tmp_path: Path, missing: tuple[str, ...]) -> None:
    brand = Brand(**{name: said for name, said in BRAND.items() if name not in missing})
    with pytest.raises(DefinitionInvalid) as caught:
        checked(mail_file(tmp_path), brand)
    (problem,) = caught.value.problems
    assert problem.path.endswith("thanks.yaml:5  channels[0].email")
    named = problem.message.split("Missing: ")[1].split(", ")
    assert sorted(named) == sorted(f"brand.{name}" for name in missing)


def test_e_mail_is_accepted_with_a_whole_brand(tmp_path: Path) -> None:
    ((_, definition),) = checked(mail_file(tmp_path), Brand(**BRAND))
    ((_, template),) = definition.templates
    assert template.brand == BRAND


def test_a_distribution_without_e_mail_needs_no_brand(tmp_path: Path) -> None:
    file = tmp_path / "hook.yaml"
    file.write_text(
        "distribution: hook\ntrigger: customer.order.paid\nconsent: transactional\n"
        "channels:\n  - webhook: {url: https://hooks.example.com/x, type: t}\n"
    )
    assert len(checked(file, Brand())) == 1


COLORED = '<mj-button href="https://x.example">Go</mj-button>{{ button("Go", "https://x.example") }}{{ code("C") }}'


@pytest.mark.parametrize(
    ("color", "seen"), [("", ("#1d4ed8", "#ffffff", "#eff6ff")), ("#ffcc00", ("#ffcc00", "#000000", "#f3f4f6"))]
)
def test_buttons_and_frames_are_of_the_brand_s_color_and_can_be_read_on_it(color: str, seen: tuple[str, ...]) -> None:
    source = '{% from "sections" import button, code %}' + COLORED
    template = bundled(both(source, mjml=True), brand_texts(Brand(**BRAND, color=color)))
    html = Templates().render(template, LINKS).html or ""
    ground, letters, tint = seen
    assert html.count(f'bgcolor="{ground}"') == 2
    assert html.count(f";color:{letters};") == 2
    assert f"background:{tint};border:2px dashed {ground};" in html


def test_a_layout_may_say_attributes_by_variables() -> None:
    head = "<mj-head><mj-attributes><mj-{}></mj-{}></mj-attributes></mj-head>"
    source = f"<mjml>{head}<mj-body>{{{{{{{{ content }}}}}}}}</mj-body></mjml>"
    for name in ('text color="{{ brand.color }}"', 'divider border-color="{{ brand.color }}"'):
        layout = Layout(source.format(name, name.split()[0]), "/mails/layout.mjml")
        assert "{{ brand.color }}" in compile_mjml("<mj-text>a</mj-text><mj-divider></mj-divider>", layout)
