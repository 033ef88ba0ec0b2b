"""Templates in files: their names and locales, and what is wrong with one without harm to the next."""

from __future__ import annotations

import re
from pathlib import Path
from unittest.mock import ANY

import pytest

from console.control.designs import design_named
from console.control.files.documents import read_documents
from console.control.files.templates import read_templates, write_design
from console.control.template_source import LAYOUT as LAYOUT_FILE
from schemas.errors import DefinitionInvalid, TidingsError
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import DefinitionContext, parse_definition
from tests.factory import NOW

LAYOUT = """<mjml>
  <mj-body>
    {{ content }}
  </mj-body>
</mjml>
"""
MJML = "<mj-text>Hi</mj-text>"


def folder(tmp_path: Path, **files: str) -> dict[str, TemplateFiles]:
    """The templates of a folder with these files; a double underscore stands for a dot."""
    for name, source in files.items():
        (tmp_path / name.replace("__", ".")).write_text(source)
    return read_templates([tmp_path])


@pytest.mark.parametrize(
    ("file", "name", "tag"),
    [
        ("order.html", "order", ""),
        ("order.pl.html", "order", "pl"),
        ("order.PL-pl.mjml", "order", "pl-pl"),
        ("order.pl_PL.txt", "order", "pl-pl"),
        ("order.zh-Hant-TW.txt", "order", "zh-hant-tw"),
        ("order.new.pl.html", "order.new", "pl"),
        ("order.new.html", "order.new", ""),
        ("order.NEW.html", "order.NEW", ""),
        ("order.bak.html", "order.bak", ""),
        ("order.to-do.html", "order.to-do", ""),
        ("order.v2.html", "order.v2", ""),
        ("new.html", "new", ""),
    ],
)
def test_a_suffix_is_a_locale_only_where_cldr_has_it(tmp_path: Path, file: str, name: str, tag: str) -> None:
    (tmp_path / file).write_text("a")
    (tmp_path / f"{name}.txt").touch()
    found = read_templates([tmp_path])
    assert list(found) == [name]
    assert list(found[name].locales) == ([tag] if tag else [])


def test_the_subject_of_a_locale_stands_before_it(tmp_path: Path) -> None:
    found = folder(tmp_path, a__txt="Hi", a__pl__txt='---\nsubject: "Cześć {{ customer.name }}"\n---\nDzień dobry')
    assert found["a"].locales["pl"].subject == "Cześć {{ customer.name }}"
    assert (found["a"].locales["pl"].text or "").strip() == "Dzień dobry"


def test_line_ends_and_the_mark_of_windows_are_no_part_of_a_template(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hi")
    (tmp_path / "a.pl.txt").write_bytes(b"\xef\xbb\xbf---\r\nsubject: S\r\n---\r\nCze\xc5\x9b\xc4\x87")
    local = read_templates([tmp_path])["a"].locales["pl"]
    assert (local.subject, (local.text or "").strip()) == ("S", "Cześć")


def test_a_file_without_a_locale_may_say_the_subject_for_those_who_write_none(tmp_path: Path) -> None:
    found = folder(tmp_path, a__txt="---\nsubject: Hello\n---\nHi", b__txt="Hi")
    assert (found["a"].subject, (found["a"].text or "").strip(), found["b"].subject) == ("Hello", "Hi", None)
    assert [found["a"].template("a", written).subject for written in (None, "Mine")] == ["Hello", "Mine"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a__pl__txt": "x"}, "a.pl.txt:1: there is no such template without a locale"),
        ({"a__txt": "x", "a__pl-PL__txt": "x", "a__pl_PL__txt": "x"}, "a.pl_PL.txt:1: says the same locale as another"),
        ({"a__mjml": MJML, "a__html": "x"}, "a.html:1: stands beside a.mjml; write one or the other"),
        ({"a__mjml": "\n<mj-txt>x</mj-txt>"}, 'a.mjml:2: there is no element mj-txt. Did you mean "mj-text'),
        ({"a__mjml": "<mj-text>\nx"}, "a.mjml:1: <mj-text> is not closed"),
        ({"a__txt": "x", "a__pl__txt": "---\nsubjekt: x\n---\nHi"}, "a.pl.txt:2: between the lines of --- stands"),
        ({"a__txt": "x", "a__pl__txt": "---\nsubject: [\n---\nHi"}, "a.pl.txt:2: what stands between the lines"),
        ({"a__txt": "x", "a__pl__mjml": "---\nsubject: x\n---\n\n<mj-txt/>"}, "a.pl.mjml:5: there is no element"),
        ({"a__mjml": MJML, "layout__mjml": "<mjml>\n<mj-body>\n</mj-body></mjml>"}, "layout.mjml:1: has to say"),
        (
            {"a__mjml": MJML, "layout__mjml": LAYOUT.replace("</mj-body>", "<mj-txt/></mj-body>")},
            "layout.mjml:4: there is no element mj-txt",
        ),
        ({"a__mjml": MJML, "layout__mjml": LAYOUT.replace("</mj-body>", "")}, "layout.mjml:1: is a whole document"),
        (
            {"a__mjml": MJML, "layout__mjml": LAYOUT.replace("<mj-body>", "<mj-body><mj-section>")},
            "layout.mjml:4: </mj-body> closes nothing: <mj-section> of line 2 is open",
        ),
        (
            {"a__mjml": MJML, "layout__mjml": LAYOUT.replace("<mj-body>", "<mj-body x=1>")},
            "layout.mjml:2: mj-body has no attribute x",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, files: dict[str, str], said: str) -> None:
    assert said in (folder(tmp_path, **files)["a"].wrong or "nothing")


@pytest.mark.parametrize("file", ["a.txt", "layout.mjml"])
def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / "a.mjml").write_text(MJML)
    (tmp_path / file).write_bytes(b"\xff\xfe\x00")
    assert f"{file}:1: cannot be read" in (read_templates([tmp_path])["a"].wrong or "nothing")


def test_a_broken_layout_spares_templates_that_do_without_it(tmp_path: Path) -> None:
    found = folder(tmp_path, a__txt="x", b__mjml=LAYOUT.replace("{{ content }}", ""), layout__mjml="<mj-txt>")
    assert [found[name].wrong for name in ("a", "b")] == [None, None]


def test_the_layout_of_a_folder_stands_around_its_templates(tmp_path: Path) -> None:
    layout = LAYOUT.replace("{{ content }}", "<mj-raw><i>Above</i></mj-raw>{{ content }}")
    html = folder(tmp_path, a__mjml=MJML, layout__mjml=layout)["a"].html or ""
    assert html.index("<i>Above</i>") < html.index("Hi") < html.index("{{ brand.address }}")


def test_a_broken_template_refuses_only_the_distributions_that_use_it(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    folder(templates, good__txt="x", bad__mjml="<mj-txt>x</mj-txt>")
    for name in ("good", "bad"):
        (tmp_path / f"{name}.yaml").write_text(
            f"distribution: {name}\ntrigger: customer.order.paid\nconsent: marketing\n"
            f"channels:\n  - email: {{account: main, subject: s, template: {name}}}\n"
        )
    bad, good = read_documents([tmp_path / "bad.yaml", tmp_path / "good.yaml"])
    around = DefinitionContext("shop", 1, NOW, {"email": ("main",)}, good.beside.templates())
    assert parse_definition(good.plain, around).distribution.id == "good"
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(bad.plain, around)
    (problem,) = caught.value.problems
    assert problem.path == "channels[0].email.template"
    assert "bad.mjml:1: there is no element mj-txt" in problem.message


def test_a_design_is_written_inside_the_layout_of_a_folder_and_replaces_nothing_unasked(tmp_path: Path) -> None:
    files = design_named("winback", "pl-PL", "back")
    (tmp_path / LAYOUT_FILE).write_text(LAYOUT)
    assert [file.name for file in write_design("back", files, tmp_path, overwrite=False)] == list(files)
    found = read_templates([tmp_path])["back"]
    assert (found.wrong, found.subject, set(found.locales)) == (None, ANY, {"en", "de", "fr", "ja"})
    assert "dawno Cię nie było" in (found.subject or "")
    (tmp_path / "back.mjml").write_text("mine")
    with pytest.raises(TidingsError, match=r"back\.mjml: differs; --overwrite replaces it"):
        write_design("back", files, tmp_path, overwrite=False)
    write_design("back", files, tmp_path, overwrite=True)
    assert (tmp_path / "back.mjml").read_text() == files["back.mjml"]
    (tmp_path / "back.txt").write_text("Hi")
    with pytest.raises(TidingsError, match=r"back\.txt would be part of back, and the design has none; move it away"):
        write_design("back", files, tmp_path, overwrite=True)


@pytest.mark.parametrize(
    ("design", "name", "said"),
    [
        ("winbak", "a", 'no design "winbak". Did you mean "winback"?'),
        ("winback", "a.pl", '"a.pl" is not valid: must not end as a locale does'),
        ("winback", "a b", '"a b" is not valid: a template\'s name is of letters'),
    ],
)
def test_a_design_or_a_name_that_cannot_be_is_refused(design: str, name: str, said: str) -> None:
    with pytest.raises(TidingsError, match=re.escape(said)):
        design_named(design, None, name)
