"""Forms of templates: their files as somebody edited them, the event that they are shown on, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from console.control import distributions, templates
from console.control.not_found import NotFound
from console.control.preview import template as previewing
from console.control.preview.occasion import Occasion, event_of
from console.control.preview.samples import sample_texts
from console.control.preview.template import Preview, Source
from console.web.pages import FieldProblem
from console.web.project_templates import EditedFile, occasion_form
from console.web.projects import ProjectVisit
from console.web.words import inert
from schemas.errors import Problem
from store.fields_seen import FieldsSeen

MOST_BYTES = 8 * 1024 * 1024
MOST_FIELDS = 500
_FILE = re.compile(r"name_(\d{1,4}|new)")
_ENDS = re.compile(r"\r\n?|\n")
_LONGEST = 100
_MOST_SEEN = 300


def files_of(form: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """The files of a form by name: those that nobody changed are as they were, to the byte."""
    found = dict[str, str]()
    for field in form:
        number = _FILE.fullmatch(field)
        name = form[field].strip()
        if number is None or not name or form.get(f"gone_{number[1]}") == "yes":
            continue
        text = form.get(f"text_{number[1]}", "")
        found[name] = as_it_was(before.get(name), text)
    return found


def as_it_was(before: str | None, text: str) -> str:
    """A text that came in a form, where each line ends with CR LF, with the line ends that it had."""
    plain = _ENDS.sub("\n", text)
    if before is None:
        return plain
    if plain == _ENDS.sub("\n", before):
        return before
    ends = set(_ENDS.findall(before))
    return plain.replace("\n", ends.pop()) if len(ends) == 1 else plain


def edited(files: Mapping[str, str]) -> list[EditedFile]:
    """Files for a form, the one without a locale first."""
    ordered = sorted(files.items(), key=lambda one: (one[0].count("."), one[0]))
    return [
        EditedFile(number, name, text, min(40, max(4, text.count("\n") + 2)))
        for number, (name, text) in enumerate(ordered)
    ]


def told(problems: Iterable[Problem], files: Sequence[EditedFile]) -> list[FieldProblem]:
    """Problems of files, each at its field, with the line that it is about."""
    fields = {one.name: one for one in files}
    found = []
    for problem in problems:
        place, _, line = problem.path.rpartition(":")
        file = fields.get(place)
        if file is None:
            found.append(FieldProblem("main", inert(f"{place}: {problem.message}" if place else problem.message)))
            continue
        quoted = _line(file.text, int(line)) if line.isdigit() else ""
        said = f"{file.name}, line {line}: {problem.message}{f'; it says: {quoted}' if quoted else ''}"
        found.append(FieldProblem(f"text_{file.number}", inert(said)))
    return found


def _line(text: str, number: int) -> str:
    lines = _ENDS.split(text)
    found = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return found if len(found) <= _LONGEST else f"{found[:_LONGEST]}…"


def occasion_of(given: Mapping[str, str]) -> dict[str, str]:
    """The fields of a form, or of an address, that say what a message is shown on."""
    return {name: given.get(name, "").strip().replace("\0", "") for name in occasion_form()}


async def trigger_of(mine: ProjectVisit, name: str) -> str:
    """The event that a distribution which sends a template reacts to; the usual one where nobody sends it."""
    try:
        summary = (await templates.show(mine.pool, mine.project_id, name)).summary
        for use in summary.used_by:
            return (await distributions.find(mine.pool, mine.project_id, use.distribution)).trigger.event
    except NotFound:
        pass
    return Occasion().trigger


async def previewed(mine: ProjectVisit, source: Source, asked: Mapping[str, str], usual: str) -> Preview:
    """A template on an event. Raises NotFound, TidingsError, InvalidEvent, TemplateFailed, TryLater."""
    occasion = Occasion(asked["trigger"] or usual, asked["customer"], asked["message"], is_bare=asked["bare"] == "yes")
    event = await event_of(mine.pool, mine.project_id, occasion)
    return previewing.preview(source, event, asked["locale"] or None, mine.now)


def brand_of(mine: ProjectVisit) -> dict[str, str]:
    """The texts of the project's brand, with a sample for each that is missing there."""
    return sample_texts(mine.context)


async def seen_by(mine: ProjectVisit) -> list[str]:
    """The paths of fields that events and profiles of the project had. Raises TryLater."""
    return await FieldsSeen(mine.pool).paths(mine.project_id, _MOST_SEEN)
