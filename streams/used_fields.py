"""The fields of events that distributions use, and what recorded or sampled events have there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas.distribution import Distribution, TriggerRef
from schemas.events.triggers import TRIGGERS
from schemas.formats.paths import Steps, path_text, read_path, value_at
from schemas.payload import FROM
from streams.conditions.answer import kind_of
from streams.conditions.fields import EVENT, has_own_event
from streams.conditions.language import SEGMENTS
from streams.event_context import EventContext, Head
from streams.selection import Selection, in_words, pairs_of, selected

MISSING = ""
"""The kind of a field that an event does not have, or has blank."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """Events in words, and how many live distributions use each path."""

    words: str
    users: Counter[Steps] = field(default_factory=Counter)


class WatchedFields:
    """All fields that live distributions use. One comes or goes without touching the others."""

    def __init__(self) -> None:
        self._subjects: dict[Selection, _Subject] = {}

    def add(self, rule: Distribution) -> None:
        """Watch what a distribution uses, if it is live."""
        for ref, path in _live(rule):
            self._subjects.setdefault(selected(rule, ref), _Subject(subject_of(ref))).users[path] += 1

    def discard(self, rule: Distribution) -> None:
        """Watch it no longer, where nobody else uses it."""
        for ref, path in _live(rule):
            selection = selected(rule, ref)
            users = self._subjects[selection].users
            users[path] -= 1
            if not users[path]:
                del users[path]
            if not users:
                del self._subjects[selection]

    def seen_in(self, context: EventContext) -> Iterator[tuple[str, str, str]]:
        """Of each watched path of an event: the subject, the path and the kind of value there. Raises BadRecord."""
        for selection in _selections(context.head):
            subject = self._subjects.get(selection)
            for path in subject.users if subject else ():
                value = value_at(path, context.facts)
                kind = MISSING if value is None else kind_of(value)
                yield subject.words if subject else "", path_text(path), kind


def subject_of(ref: TriggerRef) -> str:
    """The events of a trigger in words, as in `customer.custom_event (event_schema wishlist)`."""
    words = in_words(ref)
    return f"{ref.event} ({words})" if words else ref.event


def used_fields(rule: Distribution) -> Iterator[tuple[TriggerRef, Steps]]:
    """Each path into an event that a distribution uses: in guards, keys, payloads and templates.

    Segments and the envelope are no fields of upstream's; what a send by hand brings along neither.
    """
    for ref, path in _all(rule):
        trigger = TRIGGERS.get(ref.event)
        if trigger is None or trigger.addressed or path == SEGMENTS:
            continue
        if path[0] in trigger.objects and (path[0] != EVENT or has_own_event(ref.event)):
            yield ref, path


def _live(rule: Distribution) -> Iterable[tuple[TriggerRef, Steps]]:
    return used_fields(rule) if rule.status == "LIVE" else ()


def _all(rule: Distribution) -> Iterator[tuple[TriggerRef, Steps]]:
    unless, delays = rule.unless, [rule.delay, *(arm.delay for arm in rule.arms)]
    keys = [rule.again.path, rule.digest.by if rule.digest else None, *(delay.until for delay in delays if delay)]
    for path in (*_of_condition(rule.when), *_paths(keys), *_paths(rule.template_fields)):
        yield rule.trigger, path
    for _, plan in rule.plans():
        for path in _of_body(msgspec.to_builtins(plan)):
            yield rule.trigger, path
    if unless is not None:
        for ref in (rule.trigger, unless.trigger):
            for path in _paths([unless.same]):
                yield ref, path
        for path in _of_condition(unless.when):
            yield unless.trigger, path


def users_of(rules: Iterable[Distribution]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """By project, subject and path the ids of the live distributions that use it."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for rule in rules:
        for ref, path in _live(rule):
            found.setdefault((rule.project_id, subject_of(ref), path_text(path)), set()).add(rule.id)
    return {field: tuple(sorted(ids)) for field, ids in found.items()}


def _selections(head: Head[Any]) -> list[Selection]:
    project, kind = head.project_id, head.type
    trigger = TRIGGERS[kind]
    found = [Selection(project, kind)]
    if len(trigger.selecting) == 1:
        chosen = getattr(head.data, trigger.selecting[0], None)
        found += [] if chosen is None else [Selection(project, kind, chosen.id)]
    elif trigger.selecting:
        found += [Selection(project, kind, pair) for pair in pairs_of(trigger, head.data)]
    return found


def _of_condition(source: Any) -> Iterator[Steps]:
    for name, value in source.items() if isinstance(source, Mapping) else ():
        if name in ("all", "any"):
            for part in value:
                yield from _of_condition(part)
        elif name == "not":
            yield from _of_condition(value)
        else:
            yield from _paths([name])


def _of_body(node: Any) -> Iterator[Steps]:
    if isinstance(node, Mapping):
        if isinstance(node.get(FROM), str):
            yield from _paths([node[FROM]])
            return
        node = list(node.values())
    for inner in node if isinstance(node, list) else ():
        yield from _of_body(inner)


def _paths(written: Iterable[str | None]) -> Iterator[Steps]:
    """Those that are paths: an earlier release may have taken others."""
    for one in written:
        try:
            yield read_path(one)
        except ValueError:
            continue
