"""Which rules an event may fit, found without trying them all.

(project, event type, selected id) leads to a shelf; on it a rule stands under the values that an equality of its guard
demands, or in a list sorted by a numeric bound, or, where its guard offers neither, among those that are always tried.
One rule goes in or out without touching the others. The index may return rules that do not fit; it never leaves one out
that would match or fail with an error.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any

from schemas.distribution import Distribution
from schemas.event import Event
from schemas.triggers import TRIGGERS
from streams.conditions.compile import Facts, getter
from streams.conditions.language import Path
from streams.conditions.predicates import equality_key
from streams.rule import Keys, Rule, Threshold, compile_rule

ShelfKey = tuple[str, str, str | None]

_REACTING = ("LIVE", "PAUSED")
"""Statuses that are on the index: a paused distribution still says why it did not send."""


class RuleIndex:
    """All rules by id, and the shelves on which events find them."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._shelves: dict[ShelfKey, _Shelf] = {}

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def insert(self, distribution: Distribution) -> Rule:
        """Compile and put in, in place of its earlier version. On DefinitionInvalid the index stays as it was."""
        rule = compile_rule(distribution)
        self.remove(distribution.id)
        self._rules[distribution.id] = rule
        if distribution.status in _REACTING:
            self._shelves.setdefault(_shelf_key(distribution), _Shelf()).add(rule)
        return rule

    def remove(self, rule_id: str) -> None:
        """Take out; nothing where there is none."""
        rule = self._rules.pop(rule_id, None)
        if rule is None or rule.distribution.status not in _REACTING:
            return
        key = _shelf_key(rule.distribution)
        self._shelves[key].discard(rule)
        if not self._shelves[key].size:
            del self._shelves[key]

    def candidates(self, event: Event, facts: Facts) -> tuple[list[Rule], int]:
        """The rules that may fit, and how many of the event's type and selection were passed over."""
        found: list[Rule] = []
        size = 0
        for shelf in self._shelves_for(event):
            size += shelf.size
            shelf.collect(facts, found)
        return found, size - len(found)

    @property
    def unindexed(self) -> int:
        """How many rules every event of their type has to try."""
        return sum(len(shelf.always) for shelf in self._shelves.values())

    def _shelves_for(self, event: Event) -> Iterator[_Shelf]:
        trigger = TRIGGERS[event.type]
        chosen = (event.data.get(trigger.selector) or {}).get("id") if trigger.selector else None
        for selected in (None,) if chosen is None else (None, chosen):
            shelf = self._shelves.get((event.project_id, event.type, selected))
            if shelf:
                yield shelf


def _shelf_key(distribution: Distribution) -> ShelfKey:
    return distribution.project_id, distribution.trigger.event, distribution.trigger.selector


class _Shelf:
    """The rules of one (project, event type, selection)."""

    def __init__(self) -> None:
        self.size = 0
        self.always: dict[str, Rule] = {}
        self._keys: dict[str, Keys] = {}
        self._by_value: dict[Path, _ByValue] = {}
        self._by_bound: dict[tuple[Path, bool], _ByBound] = {}

    def add(self, rule: Rule) -> None:
        self.size += 1
        if rule.choices:
            keys = self._keys[rule.distribution.id] = min(rule.choices, key=self._crowd)
            for path, value in keys:
                self._by_value.setdefault(path, _ByValue(path)).add(value, rule)
        elif rule.threshold:
            bound = rule.threshold
            self._by_bound.setdefault((bound.path, bound.rising), _ByBound(bound.path)).add(bound, rule)
        else:
            self.always[rule.distribution.id] = rule

    def discard(self, rule: Rule) -> None:
        self.size -= 1
        for path, value in self._keys.pop(rule.distribution.id, ()):
            by_value = self._by_value.get(path)
            if by_value is not None:
                by_value.discard(value, rule)
                if not by_value.rules:
                    del self._by_value[path]
        if rule.threshold:
            key = (rule.threshold.path, rule.threshold.rising)
            self._by_bound[key].discard(rule.threshold, rule)
            if not self._by_bound[key].bounds:
                del self._by_bound[key]
        self.always.pop(rule.distribution.id, None)

    def _crowd(self, keys: Keys) -> tuple[int, int]:
        """How many rules already stand under the keys: the fewest is the most selective, of those known so far."""
        found = [(by_value, value) for path, value in keys if (by_value := self._by_value.get(path))]
        return sum(len(by_value.rules.get(value, ())) for by_value, value in found), len(keys)

    def collect(self, facts: Facts, found: list[Rule]) -> None:
        found.extend(self.always.values())
        several = len(self._by_value) > 1
        seen: set[int] = set()
        for by_value in self._by_value.values():
            rules = by_value.find(facts)
            if several:
                rules = [rule for rule in rules if id(rule) not in seen]
                seen.update(map(id, rules))
            found.extend(rules)
        for (_, rising), by_bound in self._by_bound.items():
            found.extend(by_bound.find(facts, rising=rising))


class _ByValue:
    """Rules by the value that a path must have."""

    def __init__(self, path: Path) -> None:
        self._get = getter(path)
        self.rules: dict[Any, dict[str, Rule]] = {}

    def add(self, value: Any, rule: Rule) -> None:
        self.rules.setdefault(value, {})[rule.distribution.id] = rule

    def discard(self, value: Any, rule: Rule) -> None:
        slot = self.rules.get(value, {})
        slot.pop(rule.distribution.id, None)
        if not slot:
            self.rules.pop(value, None)

    def find(self, facts: Facts) -> list[Rule]:
        value = equality_key(self._get(facts))
        slot = None if value is None else self.rules.get(value)
        return list(slot.values()) if slot else []


class _ByBound:
    """Rules sorted by a bound. A value that is no number makes the tests fail, so it finds them all."""

    def __init__(self, path: Path) -> None:
        self._get = getter(path)
        self.bounds: list[tuple[float, str]] = []
        self._rules: dict[str, Rule] = {}

    def add(self, threshold: Threshold, rule: Rule) -> None:
        self._rules[rule.distribution.id] = rule
        bisect.insort(self.bounds, (threshold.bound, rule.distribution.id))

    def discard(self, threshold: Threshold, rule: Rule) -> None:
        del self.bounds[bisect.bisect_left(self.bounds, (threshold.bound, rule.distribution.id))]
        del self._rules[rule.distribution.id]

    def find(self, facts: Facts, *, rising: bool) -> list[Rule]:
        value = self._get(facts)
        if value is None:
            return []
        if type(value) not in (int, float) or value != value:  # noqa: PLR0124 - NaN is the one that differs from itself
            return list(self._rules.values())
        if rising:
            reached = self.bounds[: bisect.bisect_right(self.bounds, (value, "\U0010ffff"))]
        else:
            reached = self.bounds[bisect.bisect_left(self.bounds, (value, "")) :]
        return [self._rules[rule_id] for _, rule_id in reached]
