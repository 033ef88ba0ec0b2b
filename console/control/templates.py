"""Templates from files to the database, stored under their names: check all, show the plan, save all or nothing.

What leaves is not changed by that: a distribution keeps the text that it was applied with.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from agents.clock import utc_now
from channels.templates.bundle import wrong_sections
from channels.templates.engine import check_source
from channels.templates.mjml import is_document
from console.control.files.templates import (
    LAYOUT,
    FileSet,
    FileWrong,
    file_sets,
    front_matter,
    named_file,
    read_source,
    read_template,
)
from console.control.plan import Planned, What, changes
from console.control.preview.variables import Variables, every_variable
from console.control.stored_templates import kinds, locales
from schemas.errors import DefinitionInvalid, Problem
from schemas.template import NamedTemplate
from store.templates import NamedTemplates
from streams.channels.template_files import TemplateFiles

MAX_CHARACTERS = 1_000_000
"""Of all files of a template; mail readers cut an e-mail of a tenth of that."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST = 60
_NO_TEMPLATE = "is no template: its name ends in .mjml, .html or .txt, and layout.mjml is none"
_PLACES: dict[str, Variables] = {"mjml": {"footer": ()}, "layout": {"footer": (), "content": ()}}
"""What MJML may name beside variables: where the layout puts what it is given."""


async def plan(paths: Sequence[Path], project_id: str, templates: NamedTemplates) -> list[Planned[NamedTemplate]]:
    """What applying some files and folders would do. Raises DefinitionInvalid, TryLater."""
    current, counted = await templates.current(project_id), await templates.last_versions(project_id)
    return plan_files(paths, project_id, current, counted)


def plan_files(
    paths: Sequence[Path], project_id: str, current: Mapping[str, NamedTemplate], counted: Mapping[str, int]
) -> list[Planned[NamedTemplate]]:
    """The same, against what is there; a file stands for its template, with the files beside it.

    `counted` is the last version of each name, deleted ones among them.

    Raises DefinitionInvalid with all problems, each with file and line.
    """
    problems: list[Problem] = []
    plan: list[Planned[NamedTemplate]] = []
    for name, one in _chosen(paths, problems).items():
        try:
            after = _read(name, one, project_id, counted.get(name, 0) + 1)
        except DefinitionInvalid as error:
            problems += error.problems
            continue
        plan.append(_planned(current.get(name), after, one))
    if problems:
        raise DefinitionInvalid(tuple(dict.fromkeys(problems)))
    return plan


def problems_of(name: str, one: FileSet) -> tuple[Problem, ...]:
    """What keeps a template's files from being used, each with file and line."""
    try:
        _read(name, one, "", 1)
    except DefinitionInvalid as error:
        return error.problems
    return ()


def _chosen(paths: Sequence[Path], problems: list[Problem]) -> dict[str, FileSet]:
    """The files of every template that was named, each template once."""
    chosen: dict[str, FileSet] = {}
    for path in paths:
        found = file_sets(path if path.is_dir() else path.parent)
        if not path.is_dir():
            found = {name: one for name, one in found.items() if name == named_file(path)[0]}
        if not found:
            folder = "holds no templates: files that end in .mjml, .html or .txt"
            problems.append(Problem(str(path), folder if path.is_dir() else _NO_TEMPLATE))
        for name, one in found.items():
            if name in chosen and chosen[name] != one:
                problems.append(Problem(f"{one.first}:1", f"template {name} stands in {chosen[name].first} already"))
            chosen.setdefault(name, one)
    return chosen


def _read(name: str, one: FileSet, project_id: str, version: int) -> NamedTemplate:
    """Raises DefinitionInvalid with everything that is wrong with one template's files."""
    problems = list(_problems(name, one))
    made = TemplateFiles(text=None, html=None)
    try:
        made = read_template(one)
    except FileWrong as error:
        problems.append(error)
    if problems:
        raise DefinitionInvalid(_by_place(problems))
    return NamedTemplate(
        project_id=project_id,
        name=name,
        version=version,
        files={file.name: read_source(file) for file in _sources(one)},
        text=made.text,
        html=made.html,
        locales=dict(made.locales),
    )


def _by_place(problems: list[FileWrong]) -> tuple[Problem, ...]:
    ordered = sorted(problems, key=lambda wrong: wrong.place)
    return tuple(dict.fromkeys(Problem(f"{wrong.file}:{wrong.line}", wrong.reason) for wrong in ordered))


def _sources(one: FileSet) -> Iterator[Path]:
    """The files that a template is made of, the layout where it is around one of them."""
    files = [file for by_kind in one.files.values() for file in by_kind.values()]
    yield from files
    if one.layout.is_file() and any(file.suffix == ".mjml" and not is_document(read_source(file)) for file in files):
        yield one.layout


def _problems(name: str, one: FileSet) -> Iterator[FileWrong]:
    if not _NAME.fullmatch(name):
        said = "a template's name is of letters, digits, dash, dot and underscore, at most 128 long"
        yield FileWrong(one.first, 1, f'"{name}" is no name: {said}')
    try:
        files = list(_sources(one))
        for file in files:
            yield from _wrong_in(file, *_read_parts(file))
        if sum(len(read_source(file)) for file in files) > MAX_CHARACTERS:
            yield FileWrong(one.first, 1, f"has more than {MAX_CHARACTERS:,} characters, with its other files")
    except FileWrong as error:
        yield error


def _read_parts(file: Path) -> tuple[str, str | None, str]:
    """What kind of file it is, its subject and its text. Raises FileWrong."""
    if file.name == LAYOUT:
        return "layout", None, read_source(file)
    return file.suffix.lstrip("."), *front_matter(file, named_file(file)[1])


def _wrong_in(file: Path, kind: str, subject: str | None, source: str) -> Iterator[FileWrong]:
    known = {**every_variable(), **_PLACES.get(kind, {})}
    if "\0" in source:
        yield FileWrong(file, source.count("\n", 0, source.index("\0")) + 1, "holds a NUL, which no text does")
    for line, reason in (*check_source(source, known), *wrong_sections(source)):
        yield FileWrong(file, line, reason)
    for _, reason in check_source(subject or "", known):
        yield FileWrong(file, 2, f"subject: {reason}")


def _planned(before: NamedTemplate | None, after: NamedTemplate, one: FileSet) -> Planned[NamedTemplate]:
    new = f"{kinds(after)}; {locales(after)}"
    lines = (new, *_hints(after.name, one)) if before is None else tuple(_differences(before, after))
    what: What = "new" if before is None else "changed" if lines else "unchanged"
    there = before if before is not None and not lines else after
    return Planned(what, "template", after.name, there.version, there, lines)


def _hints(name: str, one: FileSet) -> tuple[str, ...]:
    """A slip in a locale makes a template of its own: said, since it may be meant."""
    stem, _, suffix = name.rpartition(".")
    meant = bool(stem) and len(suffix) <= len("zho") and stem in file_sets(one.layout.parent)
    return (f"{suffix} is no locale, so this is another template than {stem}",) if meant else ()


def _differences(before: NamedTemplate, after: NamedTemplate) -> Iterator[str]:
    for name in sorted({**before.files, **after.files}):
        old, new = before.files.get(name), after.files.get(name)
        if old is None or new is None:
            yield f"{name}: {'new' if old is None else 'gone'}"
        elif old != new:
            yield f"{name}:{_difference(old.splitlines(), new.splitlines())}"
    made = ("text", "html", "locales")
    if before.files == after.files and any(getattr(before, part) != getattr(after, part) for part in made):
        yield "compiled anew: this version makes something else of the same files"


def _difference(old: list[str], new: list[str]) -> str:
    """The first line that differs, and how many do."""
    changes = [
        (old[gone:gone_end], come, new[come:come_end])
        for tag, gone, gone_end, come, come_end in SequenceMatcher(None, old, new).get_opcodes()
        if tag != "equal"
    ]
    if not changes:
        return " line ends"
    before, line, after = changes[0]
    first = f"{_short(*before[:1])} → {_short(*after[:1])}".strip()
    return f"{line + 1}: {first} (+{sum(len(one[2]) for one in changes)} -{sum(len(one[0]) for one in changes)})"


def _short(line: str = "") -> str:
    shown = line.strip()
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


async def save(plan: Sequence[Planned[NamedTemplate]], templates: NamedTemplates) -> None:
    """Store what differs, in one transaction. Raises VersionConflict, TryLater."""
    await templates.save(changes(plan), applied_by=getpass.getuser(), now=utc_now())
