"""Applying files, whatever they hold: nothing is saved before all is checked, shown and wanted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from console.cli.applying import Asked, carry_out
from console.control.documents import Document
from console.control.files.documents import read_documents
from console.control.plan import Planned, changes, check_documents, planned
from schemas.errors import DefinitionInvalid, Problem, TidingsError


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """The definition in a document."""

    id: str
    version: int = 1
    colour: str = "red"
    size: int = 1


OLD, NEW = Thing(id="a"), Thing(id="a", version=2, size=2)
UNCHANGED = planned("campaign", OLD, msgspec.structs.replace(OLD, version=2), "same", new="")
CHANGED = planned("campaign", OLD, NEW, "other", new="")
FRESH = planned("campaign", None, OLD, "fresh", new="RED")


def test_a_plan_says_what_differs() -> None:
    assert (UNCHANGED.what, UNCHANGED.lines) == ("unchanged", ())
    assert (CHANGED.what, CHANGED.lines) == ("changed", ("size: 1 → 2",))
    assert (FRESH.what, FRESH.lines) == ("new", ("RED",))
    assert changes([UNCHANGED, CHANGED, FRESH]) == ["other", "fresh"]


def test_how_a_field_differs_may_be_said_otherwise_or_not_matter() -> None:
    after = msgspec.structs.replace(NEW, colour="x" * 100)
    told = planned("campaign", OLD, after, "", new="", wordings={"size": lambda old, new: f"+{new - old}"})
    assert told.lines == (f"colour: red → {'x' * 59}…", "size: +1")
    assert planned("campaign", OLD, NEW, "", new="", wordings={"size": lambda *_: ""}).what == "unchanged"


@pytest.mark.parametrize(
    ("plan", "asked", "saved", "said"),
    [
        ([CHANGED], Asked(yes=True, dry_run=False, as_json=False), ["other"], "v1 → v2    size: 1 → 2\napplied\n"),
        ([FRESH], Asked(yes=True, dry_run=False, as_json=False), ["fresh"], "v1 new     RED\napplied\n"),
        ([UNCHANGED], Asked(yes=False, dry_run=False, as_json=False), [], "v1         unchanged\n"),
        ([CHANGED], Asked(yes=True, dry_run=True, as_json=False), None, "size: 1 → 2\n"),
        ([CHANGED], Asked(yes=False, dry_run=False, as_json=False), None, "size: 1 → 2\n"),
        ([CHANGED], Asked(yes=True, dry_run=False, as_json=True), ["other"], "]}\n"),
    ],
)
async def test_only_what_is_wanted_is_saved(
    plan: list[Planned[str]], asked: Asked, saved: list[str] | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    got: list[str] | None = None

    async def save(given: Sequence[Planned[str]]) -> None:
        nonlocal got
        got = changes(given)

    try:
        await carry_out(plan, save, asked)
    except TidingsError as error:
        assert "use --yes without a terminal" in str(error)
    shown = capsys.readouterr().out
    assert (got, shown.endswith(said)) == (saved, True), shown
    if asked.as_json:
        assert json.loads(shown) == {"campaign": "a", "plan": "changed", "version": 2, "changes": ["size: 1 → 2"]}


def read(document: Document) -> str:
    if document.identity("segment") == "wrong":
        raise DefinitionInvalid((Problem("members[1]", "is wrong"),))
    return document.identity("segment")


def test_every_document_is_checked_and_each_problem_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("segment: a\n---\nsegment: wrong\nmembers:\n  - x\n  - y\n---\nsegment: b\n")
    (tmp_path / "b.yaml").write_text("\nsegment: a\n")
    with pytest.raises(DefinitionInvalid) as caught:
        check_documents(read_documents([tmp_path]), "segment", read, lambda identity: identity)
    assert [(one.path.removeprefix(f"{tmp_path}/"), one.message) for one in caught.value.problems] == [
        ("a.yaml:6  members[1]", "is wrong"),
        ("b.yaml:2  segment", f"segment a stands in {tmp_path}/a.yaml:1 already"),
    ]
    checked = check_documents(read_documents([tmp_path / "b.yaml"]), "segment", read, lambda identity: identity)
    assert [identity for _, identity in checked] == ["a"]
