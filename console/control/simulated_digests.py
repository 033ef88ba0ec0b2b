"""Digests of a simulation: what they have gathered, in memory, by the same rules as in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from console.control.recording import Recorded
from schemas.digest import KnownDigest
from schemas.hold import Hold
from streams.digest import joining_of, place, released


@dataclass(slots=True)
class _Gathered:
    digest_id: str
    until: datetime
    is_alone: bool
    kept: list[tuple[Hold, Recorded]] = field(default_factory=list)
    count: int = 0


class SimulatedDigests:
    """Everything that is gathered, or was."""

    def __init__(self) -> None:
        self._known: dict[str, list[KnownDigest]] = {}
        self._open: dict[tuple[str, datetime], _Gathered] = {}
        self._by_hold: dict[str, _Gathered] = {}
        self._seen: set[str] = set()

    def opens(self, hold: Hold, event: Recorded) -> datetime | None:
        """The moment at which a hold is due; None where it joins what is due already, or is known."""
        joining = joining_of(hold, len(hold.value))
        if joining is None:
            return hold.until
        if hold.hold_id in self._seen:
            return None
        self._seen.add(hold.hold_id)
        placed = place(self._known.setdefault(joining.digest_id, []), joining)
        key, is_alone = (joining.digest_id, placed.until), placed.first_until is not None
        there = None if is_alone else self._open.get(key)
        is_new = there is None
        if there is None:
            there = self._by_hold[hold.hold_id] = _Gathered(*key, is_alone)
            if not is_alone:
                self._open[key] = there
        there.count += 1
        if placed.is_kept:
            there.kept.append((hold, event))
        return placed.until if is_new else None

    def closed(self, hold: Hold, event: Recorded) -> tuple[Hold, Sequence[Recorded]]:
        """A hold that is due, with its events; of a digest all that it has gathered: nothing is added any more."""
        gathered = self._by_hold.pop(hold.hold_id, None) if hold.events is None else None
        if gathered is None:
            return hold, (event,)
        if not gathered.is_alone:
            del self._open[gathered.digest_id, gathered.until]
            known = self._known[gathered.digest_id]
            place_of_it = next(n for n, one in enumerate(known) if one.until == gathered.until and not one.is_closed)
            known[place_of_it] = known[place_of_it]._replace(is_closed=True)
        first, *others = sorted(gathered.kept, key=_oldest)
        whole = released(first[0], [one for one, _ in others], gathered.count, gathered.until)
        return whole, (first[1], *(one for _, one in others))


def _oldest(one: tuple[Hold, Recorded]) -> tuple[datetime, str]:
    return one[0].event.created_at, one[0].hold_id
