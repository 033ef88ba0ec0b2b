"""Templates shown from files, without any server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.cli import templates
from console.cli.main import app
from deploy.settings.messages import Brand
from deploy.settings.settings import Settings
from tests.factory import customer, order_event

SHOP = "distribution: thanks\ntrigger: customer.order.paid\nconsent: {consent}\nchannels:\n  - email: {mail}\n"
MAIL = '{account: main, subject: "Thanks, {{ customer.name }}", template: thanks}'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a distribution, its template in two languages, and an event."""
    brand = Brand(name="Kawa", address="Long Street 1", contact="c", permission_reminder="Because.")
    monkeypatch.setattr(templates, "read_settings", lambda: Settings(brand=brand))
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "thanks.yaml").write_text(SHOP.replace("{consent}", "transactional").replace("{mail}", MAIL))
    (folder / "thanks.mjml").write_text("<mj-text>Order {{ order.id }}: {{ order.amount | money('PLN') }}</mj-text>")
    (folder / "thanks.pl.mjml").write_text("---\nsubject: Dzięki\n---\n<mj-text>Zamówienie {{ order.id }}</mj-text>")
    event = order_event()
    event["data"]["customer"] = customer(locale="en-GB")
    (tmp_path / "event.json").write_text(json.dumps(event))
    return tmp_path


def tidings(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["templates", *map(str, arguments)])


def preview(shop: Path, *arguments: object, file: str = "thanks.mjml") -> Result:
    return tidings("preview", shop / "templates" / file, "--event", shop / "event.json", *arguments)


@pytest.mark.parametrize(
    ("file", "arguments", "subject", "text"),
    [
        ("thanks.mjml", (), "Thanks, Jo", "Order o1: PLN50.00"),
        ("thanks.mjml", ("--locale", "pl-PL"), "Dzięki", "Zamówienie o1"),
        ("thanks.pl.mjml", (), "Dzięki", "Zamówienie o1"),
        ("thanks.pl.mjml", ("--locale", "de"), "Thanks, Jo", "Order o1: 50,00\u00a0PLN"),
    ],
)
def test_a_file_is_shown_with_the_subject_of_its_distribution_in_the_locale(
    shop: Path, file: str, arguments: tuple[str, ...], subject: str, text: str
) -> None:
    shown = json.loads(preview(shop, "--json", *arguments, file=file).stdout)
    assert shown["subject"] == subject
    assert text in shown["text"]
    assert text in shown["html"]


def test_a_mail_that_brings_a_picture_along_is_shown(shop: Path) -> None:
    (shop / "templates" / "thanks.mjml").write_text('<mj-text>Scan it</mj-text><mj-image src="cid:qr" alt="QR" />')
    event = json.loads((shop / "event.json").read_text())
    event["data"]["voucher"] = {"code": "SPRING-1"}
    (shop / "event.json").write_text(json.dumps(event))
    shown = json.loads(preview(shop, "--json").stdout)
    assert "Scan it" in shown["text"]
    assert 'src="cid:qr' in shown["html"]


def test_both_parts_are_written_and_the_subject_is_printed(shop: Path) -> None:
    result = preview(shop, "--to", shop / "out.html")
    assert result.exit_code == 0
    assert "subject  Thanks, Jo" in result.stdout
    for file in ("out.html", "out.txt"):
        assert "Order o1" in (shop / file).read_text()
        assert file in result.stdout


def test_what_the_brand_lacks_is_shown_with_a_sample_and_said(shop: Path) -> None:
    result = preview(shop)
    assert "brand.privacy_url, brand.terms_url, brand.logo_url" in result.stderr
    assert "brand.address" not in result.stderr
    assert "Kawa, Long Street 1" in result.stdout


@pytest.mark.parametrize(("consent", "shown"), [("transactional", False), ("marketing", True)])
def test_the_consent_of_the_distribution_decides_about_the_unsubscribe_link(
    shop: Path, consent: str, shown: bool
) -> None:
    (shop / "thanks.yaml").write_text(SHOP.replace("{consent}", consent).replace("{mail}", MAIL))
    assert ("Unsubscribe" in preview(shop).stdout) is shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--to", "out.txt"), 2), (("--to", "/no/such/folder/out.html"), 1)],
)
def test_a_place_that_cannot_be_written_is_refused(shop: Path, arguments: tuple[str, ...], code: int) -> None:
    assert preview(shop, *arguments).exit_code == code


@pytest.mark.parametrize(
    ("file", "source", "said"),
    [
        ("x.mjml", "<mj-txt/>", "x.mjml:1: there is no element mj-txt"),
        ("x.txt", "{{ ordr.id }}", "template x, text, line 1: `ordr.id` is undefined"),
        ("x.html", '{% from "sections" import heder %}', 'there is no section heder. Did you mean "header"?'),
        ("x.md", "x", "is not a template: its name ends in .mjml, .html or .txt"),
    ],
)
def test_a_template_that_cannot_be_shown_says_why(shop: Path, file: str, source: str, said: str) -> None:
    (shop / "templates" / file).write_text(source)
    result = preview(shop, file=file)
    assert result.exit_code == 1
    assert said in str(result.exception)


@pytest.mark.parametrize(("event", "said"), [("[]", "the event is a JSON object"), ('{"id": "e"}', "missing")])
def test_an_event_that_is_none_is_refused(shop: Path, event: str, said: str) -> None:
    (shop / "event.json").write_text(event)
    result = preview(shop)
    assert result.exit_code == 1
    assert said in str(result.exception)


def test_a_file_that_is_not_there_is_not_looked_for_on_servers(shop: Path) -> None:
    assert preview(shop, file="missing.mjml").exit_code == 2


def test_a_folder_is_listed_with_locales_and_what_is_wrong(shop: Path) -> None:
    (shop / "templates" / "old.pl.txt").write_text("x")
    result = tidings("list", shop / "templates", "--json")
    assert result.exit_code == 1
    old, thanks = map(json.loads, result.stdout.splitlines())
    assert thanks == {"template": "thanks", "parts": "html, text", "locales": "default, pl", "problem": None}
    assert "there is no such template without a locale" in old["problem"]


@pytest.mark.parametrize(
    ("file", "text", "line", "said"),
    [
        ("broken.html", "<p>Hello</p>\n\n<style>@media print{#hero{}}</style>", 3, "{# is not closed"),
        ("broken.pl.mjml", "---\nsubject: S\n---\n<mj-text>\n{{ order.tax }}</mj-text>", 5, "undefined"),
        ("broken.pl.mjml", "---\nsubject: S {{ order.tax }}\n---\n<mj-text>A</mj-text>", 2, "undefined"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_the_file_and_its_own_line(
    shop: Path, file: str, text: str, line: int, said: str
) -> None:
    (shop / "templates" / "broken.html").write_text("<p>Hello</p>")
    (shop / "templates" / file).write_text(text)
    refused = preview(shop, file=file)
    assert refused.exit_code == 1
    assert f"{shop / 'templates' / file}:{line}: " in str(refused.exception)
    assert said in str(refused.exception)


def test_a_folder_is_listed_with_what_apply_would_refuse(shop: Path) -> None:
    (shop / "templates" / "broken.html").write_text("<p>Hello</p>\n{# never closed")
    listed = tidings("list", shop / "templates", "--json")
    broken, thanks = (json.loads(line) for line in listed.stdout.splitlines())
    assert broken["problem"].startswith(f"{shop / 'templates' / 'broken.html'}:2: ")
    assert thanks["problem"] is None
    assert listed.exit_code == 1
