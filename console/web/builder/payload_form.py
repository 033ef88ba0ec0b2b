"""The rows of payloads and attributes among the fields of a channel, and how they are written back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.control.document_edit import GONE
from console.control.document_texts import written
from console.web.builder import guard_form
from console.web.builder.begin import action_of, trigger_of
from console.web.builder.fields import Place, found_at, put
from console.web.builder.payload import (
    Entry,
    Row,
    Shape,
    entries_of,
    kept_of,
    name_of,
    taken,
    whole_of,
)
from console.web.builder.records import Button, FormField, Section
from console.web.pages import FieldProblem
from schemas.formats.paths import path_text
from streams.channels.mapping import Attributes
from streams.channels.payload import payload_fields, transfer_fields
from streams.channels.tables import CHANNEL_RULES
from streams.conditions.fields import Fields
from streams.documents.distribution_kinds import keys_of

_HOW = (
    ("from", "from the event"), ("text", "always this text"), ("value", "always this number, true, false or null"),
)  # fmt: skip
_OF_EVENT = "properties"
_BODY = "All objects of the event, unless there are rows. A name with a dot is an object within: customer.id."
_CHOSEN = "Paths into the event: each value stands in the body where it stands in the event."
_MAPPED = "What trigger and action bring, unless there are rows: its name there, and where its value comes from."
_LEGENDS: Mapping[str, str] = {
    "payload": "Body", "attributes": "Attributes", _OF_EVENT: "Properties of the event",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Design:
    """A payload in the document: its place, and the form that it has."""

    at: Place
    shape: Shape

    @property
    def name(self) -> str:
        """The beginning of the names of its fields."""
        return "_".join(map(str, self.at))

    def entries(self, values: Mapping[str, Any]) -> list[Entry] | None:
        """Its rows; None where something else stands there."""
        found = found_at(values, self.at)
        return entries_of(found, self.shape) if found is None or isinstance(found, Mapping | list) else None


def designs_of(values: Mapping[str, Any], number: int, channel: str) -> list[Design]:
    """The payloads that a channel has, or may have."""
    at: Place = ("channels", number, channel)
    keys, body = keys_of(CHANNEL_RULES[channel]).keys, values["channels"][number][channel]
    if channel == "webhook":
        is_chosen = body.get("attributes") is not None and body.get("payload") is None
        return [Design((*at, "attributes"), "chosen") if is_chosen else Design((*at, "payload"), "drawn")]
    found = [Design((*at, key), "mapped") for key, one in keys.items() if isinstance(one.holds, Attributes)]
    return [*found, *([Design((*at, "event", _OF_EVENT), "mapped")] if "event" in keys else [])]


def fields_for(values: Mapping[str, Any], channel: str) -> Fields | None:
    """The paths that its payloads may name; None as long as there is no trigger."""
    trigger, action = trigger_of(values), action_of(values)
    if trigger is None:
        return None
    make = payload_fields if channel == "webhook" else transfer_fields
    return make(trigger, action, gathers=values.get("digest") is not None)


def sections(
    design: Design, entries: Mapping[int, Entry], fields: Fields | None, seen: Sequence[str]
) -> Iterator[Section]:
    """A head with what has no row, a row for each entry, and an empty one. The numbers are those of its fields."""
    legend, kept = _LEGENDS[str(design.at[-1])], kept_of(entries.values(), design.shape)
    hint = _MAPPED if design.shape == "mapped" else _CHOSEN if design.shape == "chosen" else _BODY
    yield Section(legend, hint=hint, kept="" if kept is None else written(kept))
    new = f"{design.name}_{max(entries, default=-1) + 1}"
    for number, entry in entries.items():
        if isinstance(entry, Row):
            name, said = f"{design.name}_{number}", f"{legend} {number + 1}"
            remove = Button(f"drop:{name}", "", f"Take {said} out")
            yield Section(said, _row(design, entry, name, (), new), is_row=True, remove=remove, columns=4)
    buttons = (Button("stay", "Add it", f"one more of {legend}"),)
    row = _row(design, Row((), "from", ""), new, _paths(fields, seen), "")
    yield Section(f"{legend}: one more", row, is_row=True, buttons=buttons, columns=4)


def _row(design: Design, row: Row, name: str, known: Sequence[str], listed: str) -> tuple[FormField, ...]:
    at = path_text((*design.at, *row.names)) if row.names and row.names[0] else ""
    value = FormField(
        f"{name}_value", "Value", row.value, known=known, known_of=listed and f"{listed}_value", path=at, takes="path"
    )
    if design.shape == "chosen":
        return (value,)
    return (
        FormField(f"{name}_name", "Name", name_of(row, design.shape)),
        FormField(f"{name}_how", "Its value", row.how, kind="choice", choices=_HOW),
        value,
        FormField(f"{name}_otherwise", "Or else", row.otherwise),
    )


def _paths(fields: Fields | None, seen: Sequence[str]) -> list[str]:
    if fields is None:
        return []
    tops = fields.names()
    return sorted({*guard_form.paths_of(fields), *(one for one in seen if one.partition(".")[0] in tops)})


def shown(values: Mapping[str, Any], number: int, channel: str) -> set[str]:
    """The keys of a channel that have rows, and so no need to stand below as YAML."""
    designs = [one for one in designs_of(values, number, channel) if one.entries(values) is not None]
    event = found_at(values, ("channels", number, channel, "event"))
    is_whole = not isinstance(event, Mapping) or set(event) <= {"name", _OF_EVENT}
    return {str(one.at[3]) for one in designs if one.at[3] != "event" or is_whole}


@dataclass(frozen=True, slots=True)
class Taken:
    """The channels with rows as a form leaves them; the rows of payloads that cannot be written, and why."""

    channels: Any
    unwritten: Mapping[str, Mapping[int, Entry]]
    problems: tuple[FieldProblem, ...]


def taken_from(values: Mapping[str, Any], designs: Sequence[Design], form: Mapping[str, str], do: str) -> Taken:
    """The rows of some payloads as a form has them; `do` is what its button says."""
    what, _, about = do.partition(":")
    channels, unwritten, problems = values.get("channels"), dict[str, Mapping[int, Entry]](), list[FieldProblem]()
    for design in designs:
        before = design.entries(values)
        if before is None:
            continue
        after, wrong = taken(before, design.name, form, design.shape, about if what == "drop" else "")
        if wrong:
            unwritten[design.name] = after
            problems += [FieldProblem(one.field, f"{_LEGENDS[str(design.at[-1])]}: {one.message}") for one in wrong]
        elif list(after.values()) != before:
            made = whole_of(after.values(), design.shape)
            channels = put(channels, design.at[1:], None if made is GONE else made)
    return Taken(channels, unwritten, tuple(problems))
