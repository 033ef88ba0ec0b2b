"""Steps of the builder's form: each shows what is valid of its keys, and changes those keys of the document alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from console.control.drafts import ChangedMeanwhile, DraftProblem, DraftWrong
from console.web.builder import begin, channels, text, timing
from console.web.builder import event as events
from console.web.builder.asked import Asked
from console.web.builder.event import EVENT
from console.web.builder.known import Known, known_to
from console.web.builder.output import outputs
from console.web.builder.records import CHOOSE, BuilderFormPage, FormField, Place, Section, Wrong
from console.web.builder.steps import ACTION, CHANNELS, LABELS, MODE, TEXT, TIMING, TRIGGER
from console.web.pages import FieldProblem, respond
from console.web.words import inert

UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Step:
    """A step: its fields, how they are written into the document, and the keys of it that it answers for."""

    sections: Callable[[Asked, Known], list[Section]]
    take: Callable[[Asked, Known], Asked]
    keys: tuple[str, ...]
    hint: str


FORMS: Mapping[str, Step] = {
    MODE: Step(
        begin.mode_sections, begin.take_mode, ("distribution", "name"), "What it is called, and what starts it."
    ),
    TRIGGER: Step(
        begin.trigger_sections, begin.take_trigger, ("trigger", "when"), "When it sends, and for whom of these."
    ),
    ACTION: Step(begin.action_sections, begin.take_action, ("publish", "promote"), "What its customers get."),
    CHANNELS: Step(
        channels.sections, channels.take, ("channels", "consent", "order", "fallback_after"),
        "How it reaches them, and whether it may.",
    ),
    TIMING: Step(
        timing.sections, timing.take,
        ("again", "starts_at", "ends_at", "expires_after", "priority", "delay", "digest", "window", "cap", "holdout",
         "experiment", "winner", "arms", "unless"),
        "How often and when it is sent, and to how many. Nothing of this is needed.",
    ),
}  # fmt: skip


async def show(asked: Asked, found: Sequence[DraftProblem] = (), note: str = "") -> web.Response:
    """A step, with what is wrong with its keys. Raises TryLater."""
    step = FORMS[asked.step]
    known = await known_to(asked.mine.pool, asked.project)
    sections = step.sections(asked, known)
    problems = (*asked.wrong, *at_fields(sections, found))
    page = BuilderFormPage(**asked.frame(problems, note), hint=step.hint, sections=sections)
    if asked.step == CHANNELS:
        page = await _with_output(asked, replace(page, variables=channels.variables(asked, known)))
    return respond(page, UNPROCESSABLE if problems else 200)


async def _with_output(asked: Asked, page: BuilderFormPage) -> BuilderFormPage:
    """The channels with what they would post, and the event that it is made of. Raises TryLater."""
    trigger, note = begin.trigger_of(asked.values), ""
    if trigger is not None and asked.do == EVENT:
        given, note = await events.newest(asked, trigger)
        asked = replace(asked, form={**asked.form, EVENT: given or asked.form.get(EVENT, "")})
    made = await outputs(asked)
    sections = [replace(one, output=made.get(one.number)) if one.number in made else one for one in page.sections]
    event = asked.form.get(EVENT, "") if made else None
    return replace(page, sections=sections, event=event, event_note=note)


async def taken(asked: Asked) -> Asked:
    """The document with what the form of a step says. Raises TryLater."""
    known = await known_to(asked.mine.pool, asked.project)
    return await asyncio.to_thread(FORMS[asked.step].take, asked, known)


def has_new_fields(before: Asked, after: Asked) -> bool:
    """True where what was chosen brings fields that the form did not show."""
    old, new = before.values, after.values
    is_new = begin.event_of(old) != begin.event_of(new) and after.step == TRIGGER
    return is_new or (begin.action_of(old) != begin.action_of(new) != "message" and after.step == ACTION)


async def wrong_in(asked: Asked) -> list[DraftProblem]:
    """The problems of the keys that a step answers for. Raises TryLater."""
    try:
        await asked.plan()
    except DraftWrong as error:
        return [one for one in error.problems if _top(one.path) in FORMS[asked.step].keys]
    except ChangedMeanwhile:
        return []  # told of where it is saved
    return []


async def in_words(asked: Asked, found: Sequence[DraftProblem]) -> list[Wrong]:
    """Problems by the words of the form, in the order of its steps; those that it has no step for by their lines.

    Raises TryLater.
    """
    known, made = await known_to(asked.mine.pool, asked.project), list[Wrong]()
    for name, step in FORMS.items():
        mine = [one for one in found if step_of(one.path) == name]
        shown = at_fields(step.sections(asked.at(name), known), mine) if mine else ()
        for one in shown:
            said = one.message.removeprefix(f"{name}: ")  # a key that is called as its step is
            made.append(Wrong(name, f"{LABELS[name]}: {said}", "" if one.field == "main" else one.field))
    return made + [Wrong(TEXT, text.said(one)) for one in found if step_of(one.path) is None]


async def places(asked: Asked, paths: Collection[str]) -> Mapping[str, Place]:
    """The places of the form that paths of the document lead to, those of which it has a step. Raises TryLater."""
    known, made = await known_to(asked.mine.pool, asked.project), dict[str, Place]()
    for step, form in FORMS.items():
        mine = [one for one in paths if step_of(one) == step]
        fields = {one.name: one for one in _fields_of(form.sections(asked.at(step), known))} if mine else {}
        for path in mine:
            field = fields.get(_field_of(path, [*fields.values()]))
            words = f"{LABELS[step]}: {field.label}" if field else LABELS[step]
            made[path] = Place(step, field.name if field else "", words)
    return made


def step_of(path: str) -> str | None:
    """The step that answers for the key of a path."""
    return next((name for name, one in FORMS.items() if _top(path) in one.keys), None)


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def at_fields(sections: Sequence[Section], found: Sequence[DraftProblem]) -> Iterator[FieldProblem]:
    """Problems at their fields, those of one field as one."""
    fields = _fields_of(sections)
    shown = {field.name: field for field in fields}
    said: dict[str, list[str]] = {}
    for one in found:
        name = _field_of(one.path, fields)
        label = f"{shown[name].label}: " if name in shown else f"{one.path}: " if one.path else ""
        message = CHOOSE if name in shown and _is_to_be_chosen(shown[name]) else inert(one.message)
        said.setdefault(name, []).append(message if said.get(name) else f"{label}{message}")
    for name, messages in said.items():
        yield FieldProblem(name, "; ".join(messages))


def _fields_of(sections: Sequence[Section]) -> list[FormField]:
    every = [part for one in sections for part in (one, *one.rows)]
    return [field for one in every for field in (*one.fields, *one.more)]


def _is_to_be_chosen(field: FormField) -> bool:
    """True where nothing is chosen yet, of what has to be: then all that is wrong is that."""
    return field.kind == "choice" and not field.value and field.nothing == CHOOSE


def _field_of(path: str, fields: Sequence[FormField]) -> str:
    """The field that is for a path, or for the nearest one above it; else the page."""
    fitting = [one for one in fields if one.path and (path + ".").startswith((f"{one.path}.", f"{one.path}["))]
    below = [one for one in fields if one.path.startswith((f"{path}.", f"{path}["))]
    best = max(fitting, key=lambda one: len(one.path), default=below[0] if below else None)
    return best.name if best else "main"
