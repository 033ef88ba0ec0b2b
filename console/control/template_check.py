"""Templates as written, checked whole: every problem of their files, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from channels.templates.bundle import wrong_sections
from channels.templates.engine import check_source
from console.control.preview.variables import Variables, every_variable
from console.control.template_source import (
    LAYOUT,
    FileWrong,
    SourceFile,
    TemplateSource,
    compiled,
    front_matter,
)
from schemas.errors import DefinitionInvalid, Problem
from schemas.template import NamedTemplate
from streams.channels.template_files import TemplateFiles

MAX_CHARACTERS = 1_000_000
"""Of all files of a template; mail readers cut an e-mail of a tenth of that."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_PLACES: dict[str, Variables] = {"mjml": {"footer": ()}, "layout": {"footer": (), "content": ()}}
"""Names that MJML may use beside variables: where the layout puts what it is given."""


def check(one: TemplateSource, project_id: str, version: int) -> NamedTemplate:
    """A template as it is stored. Raises DefinitionInvalid with everything that is wrong with its files."""
    problems = list(_problems(one))
    made = TemplateFiles(text=None, html=None)
    try:
        made = compiled(one)
    except FileWrong as error:
        problems.append(error)
    if problems:
        raise DefinitionInvalid(_by_place(problems))
    return NamedTemplate(
        project_id=project_id,
        name=one.name,
        version=version,
        files={file.path.name: file.text for file in one.every_file()},
        text=made.text,
        html=made.html,
        locales=dict(made.locales),
    )


def problems_of(one: TemplateSource) -> tuple[Problem, ...]:
    """The problems that keep a template's files from being used, each with file and line."""
    try:
        check(one, "", 1)
    except DefinitionInvalid as error:
        return error.problems
    return ()


def _by_place(problems: Iterable[FileWrong]) -> tuple[Problem, ...]:
    ordered = sorted(problems, key=lambda wrong: wrong.place)
    return tuple(dict.fromkeys(Problem(f"{wrong.file}:{wrong.line}", wrong.reason) for wrong in ordered))


def _problems(one: TemplateSource) -> Iterator[FileWrong]:
    if not _NAME.fullmatch(one.name):
        allowed = "a template's name is of letters, digits, dash, dot and underscore, at most 128 long"
        yield FileWrong(one.first, 1, f'"{one.name}" is not valid: {allowed}')
    try:
        files = list(one.every_file())
        for file in files:
            yield from _wrong_in(file, *_read_parts(file))
        if sum(len(file.text) for file in files) > MAX_CHARACTERS:
            yield FileWrong(one.first, 1, f"has more than {MAX_CHARACTERS:,} characters, with its other files")
    except FileWrong as error:
        yield error


def _read_parts(file: SourceFile) -> tuple[str, str | None, str]:
    """The kind of a file, its subject and its text. Raises FileWrong."""
    if file.path.name == LAYOUT:
        return "layout", None, file.text
    return file.path.suffix.lstrip("."), *front_matter(file)


def _wrong_in(file: SourceFile, kind: str, subject: str | None, source: str) -> Iterator[FileWrong]:
    known = {**every_variable(), **_PLACES.get(kind, {})}
    if "\0" in source:
        yield FileWrong(file.path, source.count("\n", 0, source.index("\0")) + 1, "holds a NUL, which no text does")
    for line, reason in (*check_source(source, known), *wrong_sections(source)):
        yield FileWrong(file.path, line, reason)
    for _, reason in check_source(subject or "", known):
        yield FileWrong(file.path, 2, f"subject: {reason}")
