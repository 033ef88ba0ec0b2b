"""The page of a form whose session has ended: what was typed stays text, and goes back as it was."""

from __future__ import annotations

import html
import re

import pytest

from console.web.kept_form import KeptFormPage
from console.web.pages import respond
from tests.unit.console.web.test_project_pages import EVIL, Tags


@pytest.mark.parametrize("lost", [[], ["file", EVIL]], ids=["all", "some"])
def test_what_was_typed_is_no_markup_and_stays_as_it_was(lost: list[str]) -> None:
    page = KeptFormPage(path=f"/p/shop/x?a={EVIL}", kind="text/x", fields=[("text", EVIL), (EVIL, "b\n  c")], lost=lost)
    text = respond(page).text or ""
    read = Tags()
    read.feed(text)
    assert not [one for one in read.attributes if one.startswith("on") or one == "style"]
    assert "<script>alert" not in text
    named = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', text)
    given = [(html.unescape(name), html.unescape(value)) for name, value in named]
    assert given == [*([("lost", "yes")] if lost else []), ("text", EVIL), (EVIL, "b\n  c")]
    assert len(re.findall("<h1>", text)) == len(re.findall("<main ", text)) == 1
