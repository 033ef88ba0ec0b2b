"""The templates of distributions, each branch rendered: with what their trigger brings, and with recorded events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from console.control.checking.branches import Covered, Failed, cover
from console.control.checking.finding import Finding, found_in
from console.control.documents import Document
from console.control.preview.trial import failure, trial_channel, used_names, whole_sample
from schemas.errors import Problem, TemplateFailed
from schemas.events.samples import OBJECTS
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from streams.channels.payload import BROUGHT
from streams.digest import DIGEST, listed
from streams.documents.distribution import Definition
from streams.event_context import EventContext, objects_of

MOST_EVENTS = 50
"""Recorded events that a template is rendered with: the first of those that its distribution would send for."""


def branch_findings(
    document: Document, definition: Definition, events: Sequence[tuple[str, EventContext]]
) -> tuple[int, int, list[Finding]]:
    """The number of branches, that of the samples that lead into all of them, and what fails."""
    branches = samples = 0
    found: list[Finding] = []
    for at, template in definition.templates:
        for tag in ("", *template.locales):
            covered, failing = _in_variant(definition, template, tag, events)
            branches, samples = branches + covered.branches, samples + len(covered.samples)
            found += [_of_event(document, definition, at, tag, place, error) for place, error in failing]
            found += [_of_branch(document, definition, at, tag, one) for one in _apart(covered.failed)]
    return branches, samples, list(dict.fromkeys(found))


def _in_variant(
    definition: Definition, template: StoredTemplate, tag: str, events: Sequence[tuple[str, EventContext]]
) -> tuple[Covered, list[tuple[str, TemplateFailed]]]:
    rule, chosen, channel = definition.distribution, template.in_locale(tag), trial_channel(links=True)
    recorded = [(place, _objects(definition, context)) for place, context in events[:MOST_EVENTS]]
    tried = [(place, data, failure(rule, template, data, tag, channel)) for place, data in recorded]
    whole = whole_sample(rule, template, tag, used_names(chosen))
    samples = [data for _, data, error in tried if error is None] + ([] if whole is None else [whole])
    covered = cover(chosen, samples, lambda made, data: failure(rule, made, data, tag, channel))
    return covered, _first([(place, error) for place, _, error in tried if error])


def _objects(definition: Definition, context: EventContext) -> JsonObject:
    brought = {name: OBJECTS[name] for name in BROUGHT[definition.distribution.action]}
    objects = objects_of(context.facts, context.head.type)
    gathered = {DIGEST: listed([objects, objects], 2)} if definition.distribution.digest else {}
    return {**objects, **brought, **gathered}


def _first(failing: Sequence[tuple[str, TemplateFailed]]) -> list[tuple[str, TemplateFailed]]:
    """Each error once, with the first event that it comes of."""
    by_error: dict[str, tuple[str, TemplateFailed]] = {}
    for place, error in failing:
        by_error.setdefault(str(error), (place, error))
    return list(by_error.values())


def _apart(failed: Sequence[Failed]) -> Iterator[Failed]:
    """Each error once; those of no error are of different branches."""
    seen: set[str] = set()
    for one in failed:
        if one.error is None or str(one.error) not in seen:
            yield one
        seen.add(str(one.error))


def _of_event(
    document: Document, definition: Definition, at: str, tag: str, place: str, error: TemplateFailed
) -> Finding:
    problem = Problem(f"{at}.{error.part}", f"cannot be rendered with {place}: {error}", error.line, tag, error.file)
    return found_in(document, "branch", definition.located(problem))


def _of_branch(document: Document, definition: Definition, at: str, tag: str, failed: Failed) -> Finding:
    branch, error = failed.branch, failed.error
    of = partial(Problem, f"{at}.{branch.part}", line=branch.line.line, variant=tag, file=branch.line.file)
    if error is None:
        said = f"no sample leads into {branch.tag}; a recorded event that does would try it"
        return found_in(document, "branch_not_reached", definition.located(of(message=said)))
    return found_in(document, "branch", definition.located(of(message=f"{branch.tag} cannot be rendered: {error}")))
