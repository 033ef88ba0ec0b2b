"""Messages as each provider of the demo got them, held against those that it should have got."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.demo.stands import Told


@dataclass(frozen=True, slots=True)
class Compared:
    """A channel's messages: as many as came, and how many of them are not as they should be."""

    received: int
    missing: int
    doubled: int
    unexpected: int
    wrong: int

    @property
    def is_right(self) -> bool:
        """True where all that is due came, once, as it should be, and nothing else."""
        return not (self.missing or self.doubled or self.unexpected or self.wrong)

    @property
    def said(self) -> str:
        """One line."""
        parts = ("missing", "doubled", "unexpected", "wrong")
        return f"{self.received:<7} " + ", ".join(f"{name} {getattr(self, name)}" for name in parts)


def compare(told: Iterable[Told], due: Iterable[tuple[str, str]]) -> Compared:
    """As multisets. Under one key several messages may be due: where a provider knows customers, and no messages."""
    came, wanted = _by_key((one.key, one.said) for one in told), _by_key(due)
    missing = doubled = unexpected = wrong = 0
    for key in came.keys() | wanted.keys():
        more, less = came[key] - wanted[key], wanted[key] - came[key]
        again = sum(count for what, count in more.items() if what in wanted[key])
        others = more.total() - again
        changed = min(others, less.total())
        missing, doubled, wrong = missing + less.total() - changed, doubled + again, wrong + changed
        unexpected += others - changed
    return Compared(sum(found.total() for found in came.values()), missing, doubled, unexpected, wrong)


def _by_key(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for key, what in pairs:
        found[key][what] += 1
    return found
