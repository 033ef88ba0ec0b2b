"""Designs of the product: each for every event that it is made for, in every language, whatever is missing."""

from __future__ import annotations

import json
import re
import tomllib
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from channels.templates.designs import DESIGNS, LANGUAGES, about, design_files, design_names, is_default
from channels.templates.mjml import LAYOUT
from console.control.context import ProjectContext
from console.control.designs import default_templates, design_source
from console.control.distribution_check import Known, check
from console.control.documents import parse_documents
from console.control.files.campaigns import CampaignFiles
from console.control.files.documents import read_documents
from console.control.preview.samples import SAMPLE_BRAND
from console.control.template_check import problems_of
from deploy.settings.messages import Brand
from schemas.closed import Action
from schemas.errors import DefinitionInvalid
from schemas.events.samples import CUSTOMER, GIFT, OBJECTS
from schemas.events.triggers import TRIGGERS
from schemas.formats.colors import contrast
from schemas.template import StoredTemplate
from streams.channels.default_templates import default_template
from streams.channels.template_files import TemplateFiles
from tests import ROOT
from tests.designs import BRAND, event, shown, uses
from tests.factory import NOW

CLIP = 102 * 1024
"""Gmail hides the rest of an e-mail whose HTML is longer."""
USES = sorted(set(uses()))
DIFFERENT = sorted({(name, TRIGGERS[kind].objects): (name, action, kind) for name, action, kind in USES}.values())
"""Of the uses with the same objects one."""
DEFAULTS = [(action, kind) for name, action, kind in DIFFERENT if is_default(name)]
GALLERY = ("order-thanks", "points", "reward", "welcome-code", "winback")
LONG = "SPRING-" + "ABCDEFGH23456789" * 4
ACTIONS: dict[Action, dict[str, Any]] = {
    "message": {},
    "publish": {"publish": {"campaign": "spring-codes"}},
    "promote": {"promote": {"campaign": "summer-tiers", "tier": "gold"}},
}


def checked(
    kind: str,
    action: Action = "message",
    brand: Brand = BRAND,
    folder: Path | None = None,
    stored: dict[str, TemplateFiles] | None = None,
    **email: str,
) -> StoredTemplate:
    """The template of an e-mail, of a distribution that would be applied."""
    channels = [{"email": {"account": "main", **email}}]
    rule = {"distribution": "d", "trigger": kind, "consent": "marketing", **ACTIONS[action], "channels": channels}
    if folder:
        (folder / "d.yaml").write_text(json.dumps(rule))
    documents = read_documents([folder / "d.yaml"]) if folder else parse_documents(json.dumps(rule), "d.yaml")
    project = ProjectContext("shop", brand=brand, accounts={"email": ("main",)})
    known = Known(CampaignFiles(project, NOW, place=ROOT / "examples" / "campaigns"), stored or {}, to_save=True)
    ((_, made),) = check(documents, project, known, NOW)
    ((_, template),) = made.templates
    return template


# -- an e-mail without a template -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "kind"), DEFAULTS)
def test_an_e_mail_without_a_template_is_accepted(action: Action, kind: str) -> None:
    template = checked(kind, action)
    assert template.name == default_template(kind, action)
    assert set(template.locales) == set(LANGUAGES) - {"en"}
    assert template.subject


def test_it_is_accepted_where_it_goes_out_without_a_code_as_well() -> None:
    channels = [{"email": {"account": "main"}}]
    publish = {"campaign": "spring-codes", "when_empty": "send_without"}
    rule = {"distribution": "d", "trigger": "customer.order.paid", "consent": "marketing", "publish": publish}
    project = ProjectContext("shop", brand=BRAND, accounts={"email": ("main",)})
    known = Known(CampaignFiles(project, NOW, place=ROOT / "examples" / "campaigns"), to_save=True)
    check(parse_documents(json.dumps({**rule, "channels": channels}), "d.yaml"), project, known, NOW)


def test_every_trigger_has_a_default_and_every_default_a_use() -> None:
    named = {default_template(trigger.type, action) for trigger in TRIGGERS.values() for action in trigger.purposes}
    assert named == {name for name in design_names() if is_default(name)} == set(default_templates(None))
    assert tuple(name for name in design_names() if not is_default(name)) == GALLERY


def test_the_default_variant_is_in_the_language_of_the_brand() -> None:
    polish = checked("customer.order.paid", brand=Brand(**{**vars_of(BRAND), "locale": "pl-PL"}))
    assert polish.subject == "Dziękujemy za zamówienie"
    assert set(polish.locales) == set(LANGUAGES) - {"pl"}
    assert polish.locales["en"].subject == "Thank you for your order"
    other = checked("customer.order.paid", brand=Brand(**{**vars_of(BRAND), "locale": "cs"}))
    assert other.subject == "Thank you for your order"


def vars_of(brand: Brand) -> dict[str, str]:
    return {name: getattr(brand, name) for name in brand.__dataclass_fields__}


def test_a_subject_that_is_written_counts_in_every_language() -> None:
    template = checked("customer.order.paid", subject="Cheers")
    assert {template.in_locale(tag).subject for tag in LANGUAGES} == {"Cheers"}


def test_a_project_has_a_default_of_its_own_in_files_or_stored(tmp_path: Path) -> None:
    stored = {"default-order-paid": TemplateFiles("stored", None, subject="Stored")}
    template = checked("customer.order.paid", stored=stored)
    assert (template.subject, (template.text or "").split()[0]) == ("Stored", "stored")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "default-order-paid.txt").write_text("---\nsubject: Own\n---\nown")
    template = checked("customer.order.paid", folder=tmp_path, stored=stored)
    assert (template.subject, (template.text or "").split()[0]) == ("Own", "own")
    assert checked("customer.order.created", folder=tmp_path, stored=stored).name == "default-order-created"


def test_a_design_of_the_gallery_is_copied_and_not_named() -> None:
    with pytest.raises(DefinitionInvalid, match='no template "winback"'):
        checked("customer.segment.entered", "publish", template="winback")


# -- each design ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", design_names())
def test_the_files_of_a_design_are_a_template_without_a_fault(name: str) -> None:
    for language in LANGUAGES:
        assert problems_of(design_source(name, language)) == ()
    files = design_files(name, "en", "mine")
    assert list(files) == ["mine.mjml", *(f"mine.{tag}.mjml" for tag in LANGUAGES if tag != "en")]
    assert not any("[[" in text or "\n\n" in text for text in files.values())
    assert bool(about(name)) is not is_default(name)


@pytest.mark.parametrize("name", [*design_names(), "common"])
def test_a_design_says_the_same_in_every_language(name: str) -> None:
    written = tomllib.loads((DESIGNS / f"{name}.toml").read_text())
    assert {frozenset(written[language]) for language in LANGUAGES} == {frozenset(written["en"])}
    assert all(said.strip() == said != "" for language in LANGUAGES for said in written[language].values())


@pytest.mark.parametrize("is_bare", [False, True], ids=["all", "bare"])
@pytest.mark.parametrize(("name", "action", "kind"), DIFFERENT)
def test_a_design_is_shown_whatever_is_missing(name: str, action: Action, kind: str, is_bare: bool) -> None:
    told = event(action, kind, is_bare=is_bare)
    for locale in LANGUAGES:
        mail = shown(name, told, locale, SAMPLE_BRAND if locale == "de" else BRAND)
        html = mail.html or ""
        assert 0 < len(mail.subject) <= 80
        assert len(html.encode()) < CLIP / 2
        assert f'<html lang="{locale}"' in html
        assert not re.search(r"\[\[|\{\{|\{%|\bNone\b|undefined", html + mail.text + mail.subject)
        assert not re.search(r"<(?:b|h1|h2|td|li)\b[^>]*>\s*</(?!table)", _own_part(html))
        assert "\n\n\n" not in mail.text
        assert len(_own_part(mail.text).split()) >= (2 if locale == "ja" else 5)


def _own_part(mail: str) -> str:
    return mail.split('class="foot', 1)[0].split("\n-- \n", 1)[0]


def test_what_customers_and_upstream_say_cannot_add_markup() -> None:
    evil = "<script>&\"'"
    for name, action, kind in DIFFERENT:
        objects = {"voucher", "reward", "loyalty_tier", "loyalty_tier_to", "promotion_tier", "referrer"}
        told = event(action, kind, customer={**CUSTOMER, "name": evil})
        for one in objects & told["data"].keys():
            told["data"][one] = {**told["data"][one], "name": evil, "code": evil, "banner": evil}
        html = shown(name, told, "en").html or ""
        assert "<script" not in html
        assert evil in unescape(html)


@pytest.mark.parametrize("name", ["default-code", "welcome-code", "winback", "reward"])
def test_a_code_stands_in_html_and_text_with_what_it_is_worth_and_until_when(name: str) -> None:
    _, action, kind = next(use for use in USES if use[0] == name)
    voucher = {**OBJECTS["voucher"], "code": LONG, "expiration_date": "2026-12-24"}  # type: ignore[dict-item]
    mail = shown(name, event(action, kind, voucher=voucher), "de-DE")
    for part in (mail.html or "", mail.text.replace("\u00a0", " ")):
        assert LONG in part
        assert "24. Dezember 2026" in part
    assert "10\u00a0%" in mail.text
    assert "word-break:break-word" in (mail.html or "").split('class="code-box"')[1].split(">")[0]


@pytest.mark.parametrize(
    ("locale", "said"), [("en", "€50.00"), ("pl", "50,00 €"), ("de", "50,00 €"), ("fr", "50,00 €"), ("ja", "€50.00")]
)
def test_amounts_are_written_as_the_locale_does_where_the_brand_says_the_currency(locale: str, said: str) -> None:
    told = event("message", "customer.voucher.gift.balance_added", **GIFT)
    assert said in re.sub(r"[\u00a0\u202f]", " ", shown("default-credits", told, locale).text)
    without = _own_part(shown("default-credits", told, locale, SAMPLE_BRAND).text)
    assert not re.search(r"\d{3,}", without.split("GIFT-")[0])


def test_a_button_is_there_where_the_brand_has_a_shop() -> None:
    for name, action, kind in DIFFERENT:
        told = event(action, kind)
        assert 'class="button"' in (shown(name, told, "en").html or "")
        assert 'class="button"' not in (shown(name, told, "en", SAMPLE_BRAND).html or "")


def test_a_name_that_is_not_known_leaves_a_whole_greeting() -> None:
    told = event("message", "customer.order.paid", customer={"id": "c", "name": "  ", "email": "x.arrieta@example.com"})
    for name in ("default-order-paid", "order-thanks"):
        text = _own_part(shown(name, told, "en").text)
        assert "Hello," in text
        assert "arrieta" not in text


def test_letters_stand_out_from_what_is_behind_them() -> None:
    sources = [file.read_text() for file in (*DESIGNS.glob("*.mjml"), *LAYOUT.glob("*.*"))]
    light = [source.split("@media (prefers-color-scheme: dark)")[0] for source in sources]
    letters = {found for source in light for found in re.findall(r"(?<![\w-])color[=:]\"?\s*(#[0-9a-f]{6})", source)}
    assert len(letters) >= 3
    assert [one for one in letters if contrast(one, "#f3f4f6") < 4.5] == []
    dark = (LAYOUT / "layout.mjml").read_text().split("@media (prefers-color-scheme: dark)")[1].split("</mj-style>")[0]
    shown_dark = set(re.findall(r"(?<![\w-])color: (#[0-9a-f]{6})", dark))
    assert [one for one in shown_dark if contrast(one, "#172033") < 4.5] == []
