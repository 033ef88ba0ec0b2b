"""An e-mail edited by its sections on a page, on a real PostgreSQL: what is not edited stays to the byte."""

from __future__ import annotations

import html
import re

import pytest

from console.control.section_cards import NEW
from tests.integration.test_web import Browser, Page, Site
from tests.integration.test_web_projects import EVIL, signed_in, site
from tests.integration.test_web_template_edit import LIST, fields, files, mail, post, said, store

__all__ = ["site"]
PATH = f"{LIST}/hello/sections"
MJML = (
    '---\nsubject: "News"\n---\n\n{% from "sections" import header %}\n{{  header( "Hello" ) }}\n'
    '<mj-text  css-class="a" >Dear {{ customer.name | default("you") }},\t\n</mj-text>\n'
    "{% if customer.name %}<mj-text>You have a name.</mj-text>{% endif %}\n"
    '<mj-button href="https://shop.example.com">To the shop</mj-button>'
)


def form_of(page: Page) -> dict[str, str]:
    """The form as a browser would send it: also the fields of one line."""
    form = page.text.partition('enctype="multipart/form-data"')[2].partition("</form>")[0]
    lines = re.findall(r'<input id="(f_\w+)" name="\w+" value="([^"]*)"', form)
    return {**fields(page), **{name: html.unescape(text) for name, text in lines}}


async def step(mine: Browser, form: dict[str, str], act: str, **changes: str) -> Page:
    return await post(mine, PATH, {**form, **changes}, act=act)


def legends(page: Page) -> list[str]:
    return re.findall(r"<legend>([^<]*)</legend>", page.text)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
async def test_sections_are_the_file_and_what_is_not_edited_stays_to_the_byte(site: Site, ends: str) -> None:
    source = MJML if ends == "\n" else MJML.partition("---\n\n")[2].replace("\n", ends)
    other = f"Cześć{ends}"
    await store(site, **{"hello.mjml": source, "hello.pl.txt": other})
    mine = await signed_in(site, "editor")
    page = await mine.ask("GET", PATH)
    assert (page.status, page.title) == (200, "Sections of hello")
    named = ["Subject"] if ends == "\n" else []
    assert legends(page) == [*named, "Source", "Header", "Text", "Source", "Button"]
    form, first = form_of(page), len(named)
    same = await step(mine, form, "save")
    assert same.headers["location"] == f"{LIST}/hello?same=1"
    saved = await step(mine, form, "save", **{f"f_{first + 1}_title": "Good {{ event.id }} to you"})
    assert (saved.status, saved.headers["location"]) == (303, f"{LIST}/hello?saved=2"), said(saved)
    assert await files(site) == {
        "hello.mjml": source.replace('{{  header( "Hello" ) }}', '{{ header("Good " ~ event.id ~ " to you") }}'),
        "hello.pl.txt": other,
    }


async def test_cards_are_moved_removed_and_added_before_anything_is_saved(site: Site) -> None:
    await store(site, **{"hello.mjml": MJML})
    mine = await signed_in(site, "editor")
    page = await mine.ask("GET", PATH)
    page = await step(mine, form_of(page), "up:5", f_2_title="Edited")
    assert legends(page) == ["Subject", "Source", "Header", "Text", "Button", "Source"]
    assert ('value="Edited"' in page.text, "Not saved yet" in page.text) == (True, True)
    page = await step(mine, form_of(page), "down:2")
    page = await step(mine, form_of(page), "remove:5")
    assert legends(page) == ["Subject", "Source", "Text", "Header", "Button"]
    for kind in NEW:
        page = await step(mine, form_of(page), "add", kind=kind)
        assert page.status == 200, kind
    assert legends(page)[5:] == ["Header", "Text", "Code", "QR code", "Barcode", "Button", "Image", "Divider"]
    checked = await step(mine, form_of(page), "check")
    assert "Nothing is wrong." in said(checked), said(checked)[:600]
    assert await files(site) == {"hello.mjml": MJML}, "nothing was saved so far"
    frame = html.unescape(re.findall(r'<iframe sandbox name="preview"[^>]* src="([^"]*)"', checked.text)[0])
    shown = mail(await mine.ask("GET", frame))
    assert ("Edited" in shown, shown.count('src="data:image/png;base64,') >= 2) == (True, True)
    posted = await post(mine, f"{PATH}/preview", form_of(checked), f_3_title="Posted")
    assert "Posted" in mail(posted)
    saved = await step(mine, form_of(checked), "save")
    assert saved.headers["location"] == f"{LIST}/hello?saved=2"
    made = (await files(site))["hello.mjml"]
    assert made.startswith(
        '---\nsubject: "News"\n---\n\n{% from "sections" import header, code, button, image, divider %}\n'
    )
    for unchanged in (
        '<mj-text  css-class="a" >Dear {{ customer.name | default("you") }},\t\n</mj-text>\n',
        *NEW.values(),
    ):
        assert unchanged in made
    assert "You have a name" not in made


async def test_what_cannot_be_written_is_told_at_its_field_and_kept(site: Site) -> None:
    await store(site, **{"hello.mjml": MJML})
    mine = await signed_in(site, "editor")
    form = form_of(await mine.ask("GET", PATH))
    wrong = await step(mine, form, "save", f_2_title="{{ customer.name", f_3_body=EVIL)
    assert (wrong.status, 'id="f_2_title-error"' in wrong.text) == (422, True)
    assert form_of(wrong)["f_2_title"] == "{{ customer.name"
    assert form_of(wrong)["f_3_body"].replace("\r", "") == EVIL
    assert "<script>" not in wrong.text
    unknown = await step(mine, form, "save", f_3_body="Dear {{ custmer.name }}")
    assert (unknown.status, "there is no variable custmer" in said(unknown)) == (422, True), said(unknown)[:500]
    await store(site, **{"hello.mjml": MJML.replace("To the shop", "Theirs")})
    late = await step(mine, form, "save", f_2_title="Mine")
    assert (late.status, "in version 2 by now" in said(late), ">- &lt;mj-button" in late.text) == (422, True, True)
    again = await step(mine, form_of(late), "save")
    assert again.headers["location"] == f"{LIST}/hello?saved=3"
    assert (await files(site))["hello.mjml"] == MJML.replace('{{  header( "Hello" ) }}', '{{ header("Mine") }}')
    for changes in ({"state": ""}, {"state": "é"}, {"state": "////"}):
        assert (await step(mine, {**form, **changes}, "save")).status == 422
    assert (await mine.ask("GET", f"{LIST}/nothing/sections")).status == 404
    looks = await signed_in(site)
    assert [(await looks.ask("GET", PATH)).status, (await post(looks, PATH, form)).status] == [403, 403]
