"""One distribution held against every event that it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from console.control.checking.fields import Seen, counted, every, sentences
from console.control.checking.finding import Finding, FindingKind, found_in
from console.control.documents import Document
from console.control.known_memberships import KnownMemberships, MembershipRows
from console.control.named_fields import Named, named_by_templates, named_in, of_condition
from console.control.recording import Recording
from schemas.errors import Problem
from schemas.events.triggers import TRIGGERS, Trigger
from schemas.formats.paths import Steps
from streams.conditions.answer import Failure, Misfit
from streams.conditions.fields import EVENT, Fields, Unknown
from streams.conditions.parse import parse_condition
from streams.documents.distribution import Definition
from streams.documents.event_schema import CUSTOM_EVENT, EventDescription
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.rule import Rule
from streams.selection import in_words, is_selected


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything that happened, and the rows of customers' profiles; without one, that inside the event counts.

    `memberships`: which segments customers are in.
    """

    events: Recording = Recording()
    rows: Mapping[str, bytes] = field(default_factory=dict)
    memberships: KnownMemberships = KnownMemberships()


class Judged:
    """One distribution and every event that it is about."""

    def __init__(
        self,
        document: Document,
        definition: Definition,
        catalogue: Mapping[str, EventDescription],
        recorded: Recorded,
        zone: tzinfo,
    ) -> None:
        self._document, self._rule = document, definition.distribution
        self._trigger = TRIGGERS[self._rule.trigger.event]
        self._catalogue = catalogue
        self._named = [*named_in(document.plain, self._rule), *named_by_templates(definition)]
        self._named = [one for one in self._named if one.path[0] in (*self._trigger.objects, EVENT)]
        self._ending = _ending_named(document, definition)
        self._has_events = bool(recorded.events.events)
        self.events, self.fitting = 0, list[tuple[str, EventContext]]()
        self.failures: Counter[str] = Counter()
        self.unknown = 0
        self._first_failed: dict[str, str] = {}
        self._unfit: Counter[str] = Counter()
        self._seen = {one.path: Seen(one.path) for one in self._named}
        self._ending_seen = {one.path: Seen(one.path) for one in self._ending}
        index = RuleIndex(zone)
        compiled = index.insert(self._rule)
        memberships = MembershipRows(recorded.memberships)
        for event in recorded.events.events:
            memberships.take(event.head)
            row = recorded.rows.get(event.head.customer_id)
            self._look(event.place, event.context(row, rows=memberships), compiled)

    def _look(self, place: str, context: EventContext, compiled: Rule) -> None:
        unless = self._rule.unless
        if unless is not None and context.head.type == unless.trigger.event:
            for seen in self._ending_seen.values():
                seen.note(context.facts, place)
        if context.head.type != self._trigger.type or not is_selected(self._rule, context.head.data):
            return
        self.events += 1
        for seen in self._seen.values():
            seen.note(context.facts, place)
        answer, checks = compiled.guard.explain(context, context.head.created_at)
        if answer is True:
            self.fitting.append((place, context))
        elif isinstance(answer, Failure) and compiled.guard.asks_segments and isinstance(context.segments, Misfit):
            self.unknown += 1
        elif isinstance(answer, Failure):
            reason = next((f"{one.test}: {one.seen}" for one in checks if one.passed is None), answer.reason)
            self.failures[reason] += 1
            self._first_failed.setdefault(reason, place)
        else:
            self._unfit[next((one.test for one in checks if one.passed is False), "")] += 1

    def findings(self) -> list[Finding]:
        """Everything that its events, and what is known of their fields, say against it."""
        found = [*self._against_catalogue(), *self._gone(), *self._failed()]
        if not self.events:
            return (
                found
                if not self._has_events
                else [*found, self._said("no_events", "trigger", f"no event of the recording is {self._about()}")]
            )
        if self.unknown:
            said = f"cannot be judged for {self.unknown} of {counted(self.events, 'event')}: which segments their"
            how = "customers are in is not known. A database says it, or --customers, as in segments: [vip]"
            found.append(self._said("unknown_memberships", "when", f"{said} {how}"))
        if not self.fitting and not self.failures and not self.unknown:
            tests = ", ".join(f"{test} ({number})" for test, number in self._unfit.most_common(3))
            said = f"does not fit {every(self.events, 'event')} of the recording ({self._about()}): {tests}"
            found.append(self._said("no_match", "when", said))
        return found

    def _about(self) -> str:
        words = in_words(self._rule.trigger)
        return f"{self._trigger.type}{f', {words}' if words else ''}"

    def _against_catalogue(self) -> list[Finding]:
        described = self._catalogue.get(self._rule.trigger.event_schema or "")
        if described is None or self._trigger.type != CUSTOM_EVENT:
            return []
        fields = described.names()
        _, problems = parse_condition(self._document.plain.get("when") or {"event.type": {"is_set": True}}, fields)
        found = [found_in(self._document, "unknown_field", one) for one in problems]
        for one in self._named:
            names = tuple(step for step in one.path if isinstance(step, str))
            unknown = fields.find(names)
            if isinstance(unknown, Unknown) and not one.at.startswith("when"):
                found.append(self._said("unknown_field", one.at, unknown.message))
        return found

    def _gone(self) -> list[Finding]:
        of_trigger = self._of(self._named, self._seen, self._trigger)
        unless = self._rule.unless
        if unless is None:
            return of_trigger
        return of_trigger + self._of(self._ending, self._ending_seen, TRIGGERS[unless.trigger.event])

    def _of(self, named: Iterable[Named], seen: Mapping[Steps, Seen], trigger: Trigger) -> list[Finding]:
        found = []
        for one in named:
            for _, kind, said in sentences([seen[one.path]], Fields.of(trigger), "by its declaration"):
                if kind != "field_gone" or one.needed:
                    found.append(self._said(kind, one.at, said))
        return found

    def _failed(self) -> list[Finding]:
        return [
            self._said(
                "rule_error",
                "when",
                f"fails for {number} of {counted(self.events, 'event')}, first {self._first_failed[reason]}: {reason}",
            )
            for reason, number in self.failures.items()
        ]

    def _said(self, kind: FindingKind, at: str, said: str) -> Finding:
        return found_in(self._document, kind, Problem(at, said))


def _ending_named(document: Document, definition: Definition) -> list[Named]:
    """The fields of events that end what waits."""
    unless, written = definition.distribution.unless, document.plain.get("unless")
    if unless is None or not isinstance(written, Mapping):
        return []
    objects = TRIGGERS[unless.trigger.event].objects
    return [one for one in of_condition(written.get("when"), "unless.when") if one.path[0] in objects]
