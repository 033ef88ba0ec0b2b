"""The distributions of all projects, and those among them that events find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Any

from schemas.backfill import is_for_members_alone
from schemas.distribution import Distribution
from streams.caps import span
from streams.event_context import EventContext, Head, is_addressed
from streams.index.guard import Guard
from streams.index.guards import GuardIndex
from streams.index.table import Candidate
from streams.rule import Rule, compile_rule
from streams.used_fields import WatchedFields

RuleKey = tuple[str, str]
"""Project and id: two projects may have rules of one id."""

_REACTING = ("LIVE", "PAUSED")
"""Statuses that are on the index: a paused distribution still says why it did not send."""


class RuleIndex:
    """All rules by project and id; the guards of those that react are on the index, and those of what ends their sends.

    `zone`: where days begin for those of projects without one of their own.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._guards, self._ends, self._zone = GuardIndex(zone), GuardIndex(zone), zone
        self._ending = self._asking_segments = 0
        self._cap_spans: Counter[int] = Counter()
        self._rules: dict[RuleKey, Rule] = {}
        self.fields = WatchedFields()

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def insert(self, distribution: Distribution) -> Rule:
        """Compile and put in, in place of its earlier version. On DefinitionInvalid the index stays as it was."""
        rule = compile_rule(distribution, self._guards.compile, self._zone)
        self.remove(distribution.project_id, distribution.id)
        self._rules[distribution.project_id, distribution.id] = rule
        self.fields.add(distribution)
        self._cap_spans.update(map(span, distribution.caps))
        self._asking_segments += _asks_segments(rule)
        if _reacts(distribution):
            self._guards.add(rule.guard)
        if rule.ends is not None:
            self._ends.add(rule.ends)
            self._ending += 1
        return rule

    def remove(self, project_id: str, rule_id: str) -> None:
        """Take out; nothing where it is not in."""
        rule = self._rules.pop((project_id, rule_id), None)
        if rule is not None:
            self.fields.discard(rule.distribution)
            self._asking_segments -= _asks_segments(rule)
        if rule is not None and rule.distribution.caps:
            self._cap_spans.subtract(map(span, rule.distribution.caps))
            self._cap_spans = +self._cap_spans
        if rule is not None and _reacts(rule.distribution):
            self._guards.discard(rule.guard)
        if rule is not None and rule.ends is not None:
            self._ends.discard(rule.ends)
            self._ending -= 1

    @property
    def cap_span(self) -> int:
        """The seconds for which some cap needs what it has counted; 0 where there is no cap."""
        return max(self._cap_spans, default=0)

    @property
    def asks_segments(self) -> bool:
        """True where some rule asks which segments a customer is in."""
        return self._asking_segments > 0

    def find(self, project_id: str, rule_id: str) -> Rule | None:
        """A rule by its name, whatever its status."""
        return self._rules.get((project_id, rule_id))

    def of(self, guard: Guard) -> Rule:
        """The rule whose guard it is."""
        return self._rules[guard.selection.project_id, guard.id]

    def has_any(self, head: Head[Any]) -> bool:
        """True where some rule reacts to an event's type and what it is about, or is named by it."""
        return (
            is_addressed(head)
            or bool(self._guards.buckets(head))
            or (self._ending > 0 and bool(self._ends.buckets(head)))
        )

    def some_for(self, head: Head[Any], begin: int, most: int) -> Iterator[Rule]:
        """Rules where an event looks, fitting or not: at most so many, from any number on, around."""
        return (self._rules[head.project_id, one] for one in self._guards.some_for(head, begin, most))

    def candidates(self, context: EventContext) -> tuple[list[Candidate], int]:
        """The guards that may fit, and how many of the event's type and selection were passed over."""
        return self._guards.candidates(context)

    def ending(self, context: EventContext) -> list[Candidate]:
        """The guards of rules whose sends an event may end while they wait."""
        return self._ends.candidates(context)[0] if self._ending else []

    def unindexed(self) -> list[RuleKey]:
        """The rules that every event of their type and selection has to try."""
        return sorted((selection.project_id, rule_id) for selection, rule_id in self._guards.unindexed())


def _reacts(rule: Distribution) -> bool:
    """True where events find it by themselves."""
    return rule.status in _REACTING and not is_for_members_alone(rule)


def _asks_segments(rule: Rule) -> bool:
    return rule.guard.asks_segments or (rule.ends is not None and rule.ends.asks_segments)
