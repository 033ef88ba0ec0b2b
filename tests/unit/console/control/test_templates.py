"""Plans for templates, seen from the files: their checks, and how changes read."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.control.files.templates import chosen_sources
from console.control.plan import Planned
from console.control.template_source import stored_subject
from console.control.templates import plan_sources
from schemas.errors import DefinitionInvalid
from schemas.template import NamedTemplate
from tests import ROOT

LAYOUT = "<mjml>\n<mj-body>{{ content }}</mj-body>\n</mjml>"
SHORT_OF_CONTENT = LAYOUT.replace("content", "contnt")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`mails` in the working folder, with a template `b`."""
    monkeypatch.chdir(tmp_path)
    write(Path("mails"), {"b.txt": "one\ntwo\nthree\n"})
    return Path("mails")


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, source in files.items():
        (folder / name).write_text(source)


def planned(*paths: str, before: dict[str, NamedTemplate] | None = None) -> list[Planned[NamedTemplate]]:
    current = before or {}
    sources, problems = chosen_sources([Path(path) for path in paths])
    return plan_sources(sources, "shop", current, dict.fromkeys(current, 1), problems)


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        ({}, ()),
        ({"b.txt": "one\ntwo\nthree"}, ("b.txt: line ends",)),
        ({"b.txt": "one\n2\nthree\n"}, ("b.txt:2: two → 2 (+1 -1)",)),
        ({"b.txt": "one\ntwo\n"}, ("b.txt:3: three → (+0 -1)",)),
        ({"b.txt": "zero\none\n2\nthree\n"}, ("b.txt:1: → zero (+2 -1)",)),
        ({"b.pl.txt": "dwa", "b.html": "x"}, ("b.html: new", "b.pl.txt: new")),
        ({"b.txt": "x" * 100}, (f"b.txt:1: one → {'x' * 59}… (+1 -3)",)),
    ],
)
def test_a_change_names_its_file_and_line(folder: Path, files: dict[str, str], lines: tuple[str, ...]) -> None:
    (before,) = planned("mails")
    write(folder, files)
    (after,) = planned("mails", before={"b": before.change})
    assert (after.what, after.lines) == ("changed" if lines else "unchanged", lines)
    assert after.change.version == (2 if lines else 1)


def test_a_file_that_is_gone_and_a_layout_that_changed_are_told(folder: Path) -> None:
    write(folder, {"b.mjml": "<mj-text>x</mj-text>", "layout.mjml": LAYOUT})
    (before,) = planned("mails/b.mjml")
    (folder / "b.txt").unlink()
    write(folder, {"layout.mjml": LAYOUT.replace("{{ content }}", "{{ content }} ")})
    (after,) = planned("mails", before={"b": before.change})
    assert after.lines[0] == "b.txt: gone"
    assert after.lines[1].startswith("layout.mjml:2: ")


def test_the_same_files_are_stored_anew_where_they_make_something_else(folder: Path) -> None:
    (before,) = planned("mails")
    old = {"b": NamedTemplate(project_id="shop", name="b", version=1, files=before.change.files, text="old")}
    (after,) = planned("mails", before=old)
    assert after.lines == ("compiled anew: this version makes something else of the same files",)


def test_a_deleted_name_counts_on(folder: Path) -> None:
    (after,) = plan_sources(chosen_sources([folder])[0], "shop", {}, {"b": 4})
    assert (after.what, after.change.version) == ("new", 5)


def test_a_layout_is_stored_only_with_what_it_stands_around(folder: Path) -> None:
    whole = LAYOUT.replace("{{ content }}", "")
    write(folder, {"layout.mjml": LAYOUT, "c.mjml": whole, "d.mjml": "<mj-text>x</mj-text>"})
    stored = [sorted(one.change.files) for one in planned("mails")]
    assert stored == [["b.txt"], ["c.mjml"], ["d.mjml", "layout.mjml"]]


@pytest.mark.parametrize(
    "source",
    ["{# {{ customer #}<!--[if mso | IE]> {{ order.id }}", "{# {{ x | y }} #}", "{{ '| y' }}", "a | b {{ 1 }}"],
)
def test_what_is_no_code_is_not_taken_for_it(folder: Path, source: str) -> None:
    write(folder, {"a.html": source})
    assert [one.what for one in planned("mails/a.html")] == ["new"]


def test_the_examples_can_be_stored() -> None:
    assert {one.what for one in planned(str(ROOT / "examples" / "templates"))} == {"new"}


def test_a_slip_in_a_locale_is_told(folder: Path) -> None:
    write(folder, {"b.xq.txt": "x"})
    plain, slip = planned("mails")
    assert slip.lines[1] == "xq is not a locale, so this is another template than b"
    assert len(plain.lines) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.mjml": "\n<mj-txt>x</mj-txt>"}, 'a.mjml:2 there is no element mj-txt. Did you mean "mj-text"?'),
        ({"a.mjml": "<mj-text>\nx"}, "a.mjml:1 <mj-text> is not closed"),
        ({"a.txt": "x\n{% if order %}\n"}, "a.txt:2 unexpected end of input"),
        ({"a.txt": "x\n{{ order.amount | mony('PLN') }}"}, 'a.txt:2 filter mony is unknown. Did you mean "money"?'),
        (
            {"a.html": '\n{% from "sections" import heder %}'},
            'a.html:2 there is no section heder. Did you mean "header',
        ),
        ({"a.html": '{% include "footer" %}'}, "a.html:1 include reaches nothing"),
        ({"a.html": '{% from "section" import code %}'}, "a.html:1 from reaches nothing"),
        ({"a.txt": "'custmer'\n{{ 'custmer' }}\n{{ custmer.name }}"}, "a.txt:3 there is no variable custmer. Did you"),
        ({"a.txt": "{{ customer.emial }}"}, 'a.txt:1 customer has no emial. Did you mean "customer.email"?'),
        ({"a.txt": "x", "a.pl.txt": "---\nsubject: '{{ 1 | y }}'\n---\n"}, "a.pl.txt:2 subject: filter y is unknown"),
        ({"a.txt": "x", "a.pl.txt": "---\nsubject: x\n---\n\n{{ 1 | y }}"}, "a.pl.txt:5 filter y is unknown"),
        ({"a.txt": "x", "a.pl.txt": "---\ntitle: x\n---\n"}, "a.pl.txt:2 between the lines of --- stands subject:"),
        ({"a.txt": "x", "a.pl.txt": "---\nsubject: 2026-02-30\n---\n"}, "a.pl.txt:2 what stands between the lines of"),
        ({"a.pl.txt": "x"}, "a.pl.txt:1 there is no such template without a locale"),
        ({"a.mjml": "x", "layout.mjml": SHORT_OF_CONTENT}, "layout.mjml:2 there is no variable contnt. Did you mean"),
        ({"żółw ☃.txt": "x"}, 'żółw ☃.txt:1 "żółw ☃" is not valid: a template\'s name is of letters, digits'),
        ({"-rf.txt": "x"}, '-rf.txt:1 "-rf" is not valid'),
        ({f"{'a' * 129}.txt": "x"}, f'{"a" * 129}.txt:1 "{"a" * 129}" is not valid'),
        ({"a.txt": "x\n\0"}, "a.txt:2 holds a NUL"),
        ({"a.txt": "x" * 1_000_001}, "a.txt:1 has more than 1,000,000 characters"),
    ],
)
def test_a_wrong_template_is_refused_with_file_and_line(folder: Path, files: dict[str, str], said: str) -> None:
    write(folder, files)
    with pytest.raises(DefinitionInvalid) as refused:
        planned("mails")
    told = [f"{problem.path.removeprefix('mails/')} {problem.message}" for problem in refused.value.problems]
    assert [said] == [problem[: len(said)] for problem in told if problem.startswith(said)]


def test_a_file_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"\xff\xfe\x00")
    (folder / "c.txt").mkdir()
    with pytest.raises(DefinitionInvalid) as refused:
        planned("mails")
    assert [problem.path for problem in refused.value.problems] == ["mails/a.txt:1", "mails/c.txt:1"]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (("event.json",), "event.json: is not a template: its name ends in"),
        (("mails/layout.mjml",), "mails/layout.mjml: is not a template"),
        (("empty",), "empty: holds no templates"),
        (("mails", "copy"), "copy/b.txt:1: template b stands in mails/b.txt already"),
    ],
)
def test_what_names_no_template_is_refused(folder: Path, paths: tuple[str, ...], said: str) -> None:
    Path("empty").mkdir()
    Path("event.json").touch()
    write(Path("copy"), {"b.txt": "x"})
    write(folder, {"layout.mjml": LAYOUT})
    with pytest.raises(DefinitionInvalid, match=said):
        planned(*paths)


def test_a_stored_template_brings_the_subject_of_its_file_without_a_locale() -> None:
    files = {"a.pl.txt": "---\nsubject: Cześć\n---\nx", "a.txt": "---\nsubject: Hello\n---\nx", "layout.mjml": "x"}
    assert stored_subject(files) == "Hello"
    assert stored_subject({**files, "a.txt": "x"}) is None
