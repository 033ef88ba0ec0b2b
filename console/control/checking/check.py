"""Distributions, templates and segments held against recorded events and the fields that events are known to have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import TypeVar

import msgspec

from console.control.checking.branch_check import branch_findings
from console.control.checking.fields import Seen, counted, sentences
from console.control.checking.finding import Finding, found_in, invalid
from console.control.checking.judged import Judged, Recorded
from console.control.context import ProjectContext
from console.control.distribution_check import Known
from console.control.distribution_check import check as check_distributions
from console.control.documents import Document
from console.control.files.checked_folder import Written
from console.control.named_fields import of_condition
from console.control.plan import check_documents
from console.control.segment_names import KnownSegments, doubts
from console.control.segments import check as check_segments
from console.control.template_check import problems_of
from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.paths import path_text
from schemas.segment import SegmentDefinition
from streams.conditions.fields import CUSTOMER_FIELDS
from streams.documents.distribution import Definition
from streams.documents.event_schema import CUSTOM_EVENT, EventDescription, parse_event_schema
from streams.segments import SegmentIndex

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checked:
    """One distribution. `events` are those of its type that are about what it names, `matched` those that it fits."""

    distribution: str
    events: int
    matched: int
    failed: int
    branches: int
    samples: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at, and what was found."""

    events: int
    distributions: tuple[Checked, ...]
    segments: int
    templates: int
    findings: tuple[Finding, ...]

    @property
    def is_right(self) -> bool:
        """True where nothing is wrong."""
        return not any(one.is_problem for one in self.findings)


def check(written: Written, recorded: Recorded, project: ProjectContext, known: Known, now: datetime) -> Report:
    """Hold everything against everything. Nothing raises for what is wrong with a document: it is found."""
    known = _with_segments(known, written)
    findings = [Finding("recording", place, reason) for place, reason in recorded.events.wrong]
    described = _valid(written.event_schemas, _event_schemas, findings)
    catalogue = {one.id: one for _, one in described}
    distributions = _valid(written.distributions, lambda some: check_distributions(some, project, known, now), findings)
    segments = _valid(written.segments, lambda some: check_segments(some, {}, project, now), findings)
    findings += [one for source in written.templates for one in invalid(problems_of(source))]
    recorded = _with_memberships(recorded, [one for _, one in segments], project, now)
    for document, description in described:
        findings += _described(document, description, recorded)
    for document, definition in distributions:
        doubtful = doubts(definition.distribution, known.segments)
        findings += [found_in(document, "unknown_segment", one) for one in doubtful]
    checked = [_distribution(*one, catalogue, recorded, project.zone, findings) for one in distributions]
    _segments(segments, recorded, project, now, findings)
    return Report(
        len(recorded.events.events),
        tuple(checked),
        len(segments),
        len(written.templates),
        tuple(dict.fromkeys(findings)),
    )


def _with_segments(known: Known, written: Written) -> Known:
    """The same with the segments of the folder; where there are none, and no database is known, nobody knows any."""
    if known.segments is None and not written.segments:
        return known
    before = known.segments or KnownSegments(())
    here = (document.identity("segment") for document in written.segments)
    beside = KnownSegments.beside((*before.defined, *here), written.distributions)
    return replace(known, segments=replace(beside, of_triggers=(*beside.of_triggers, *before.of_triggers)))


def _event_schemas(documents: Iterable[Document]) -> list[tuple[Document, EventDescription]]:
    return check_documents(
        documents, "event_schema", lambda document: parse_event_schema(document.plain), lambda one: one.id
    )


def _valid(
    documents: Sequence[Document],
    read: Callable[[Iterable[Document]], list[tuple[Document, T]]],
    findings: list[Finding],
) -> list[tuple[Document, T]]:
    """Those that are valid, so that one which is not hides nothing of the others."""
    try:
        return read(documents)
    except DefinitionInvalid as error:
        findings += invalid(error.problems)
    found = []
    for document in documents:
        try:
            found += read([document])
        except DefinitionInvalid:
            continue
    return found


# -- a custom event -----------------------------------------------------------------------------------------------


def _described(document: Document, one: EventDescription, recorded: Recorded) -> list[Finding]:
    """A description held against the events that follow it."""
    seen = [Seen(path) for path in one.fields]
    for event in recorded.events.events:
        if event.head.type == CUSTOM_EVENT and event.head.data.event_schema.id == one.id:
            facts = event.context(None).facts
            for field_seen in seen:
                field_seen.note(facts, event.place)
    return [
        found_in(document, kind, Problem(f"fields.{path_text((path_text(path),))}", said))
        for path, kind, said in sentences(seen, one.names(), "here")
    ]


# -- a distribution -----------------------------------------------------------------------------------------------


def _distribution(
    document: Document,
    definition: Definition,
    catalogue: Mapping[str, EventDescription],
    recorded: Recorded,
    zone: tzinfo,
    findings: list[Finding],
) -> Checked:
    judged = Judged(document, definition, catalogue, recorded, zone)
    findings += judged.findings()
    branches, samples, found = branch_findings(document, definition, judged.fitting)
    findings += found
    rule = definition.distribution
    failed = sum(judged.failures.values())
    return Checked(rule.id, judged.events, len(judged.fitting), failed, branches, samples)


# -- segments -----------------------------------------------------------------------------------------------------


def _with_memberships(
    recorded: Recorded, segments: Sequence[SegmentDefinition], project: ProjectContext, now: datetime
) -> Recorded:
    """The same with who is in the segments of the folder, in place of what is applied under their names."""
    if not segments:
        return recorded
    index = SegmentIndex(project.project_id, project.zone)
    for one in segments:
        index.insert(one)
    found = {customer: index.of(customer, row, now).members for customer, row in _profiles(recorded).items()}
    return replace(recorded, memberships=recorded.memberships.redefined([one.id for one in segments], found))


def _segments(
    segments: Iterable[tuple[Document, SegmentDefinition]],
    recorded: Recorded,
    project: ProjectContext,
    now: datetime,
    findings: list[Finding],
) -> None:
    """Each segment held against the profiles that there are."""
    profiles = _profiles(recorded)
    for document, one in segments:
        if one.when is None or not profiles:
            continue
        index = SegmentIndex(project.project_id, project.zone)
        index.insert(one)
        if index.behaviours:
            continue  # a stretch of events says nothing of what customers did before
        members, failures = 0, Counter[str]()
        seen = {named.path: Seen(named.path) for named in of_condition(one.when, "when")}
        for customer, row in profiles.items():
            judged = index.of(customer, row, now)
            members += one.id in judged.members
            failures.update(judged.unjudged.values())
            facts = {"customer": msgspec.json.decode(row)}
            for field_seen in seen.values():
                field_seen.note(facts, customer)
        for named in of_condition(one.when, "when"):
            for _, kind, said in sentences([seen[named.path]], CUSTOMER_FIELDS, "by its declaration"):
                if kind != "field_gone" or named.needed:
                    text = said.replace("event", "profile")
                    findings.append(found_in(document, kind, Problem(named.at, text)))
        number = counted(len(profiles), "profile")
        findings += [
            found_in(document, "rule_error", Problem("when", f"cannot judge {count} of {number}: {reason}"))
            for reason, count in failures.items()
        ]
        if not members and not failures:
            findings.append(found_in(document, "no_match", Problem("when", f"fits nobody of {number}")))


def _profiles(recorded: Recorded) -> dict[str, bytes]:
    """A row for each customer: the one given, else the last one inside an event."""
    found = {
        one.head.customer_id: msgspec.json.encode(one.record["data"]["customer"]) for one in recorded.events.events
    }
    return {**found, **recorded.rows}
