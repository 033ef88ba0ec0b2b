"""The lag of each consumer group behind the topics that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

from agents.broker.lag import Lag, LagReader
from agents.broker.wire import Wire


@dataclass(frozen=True, slots=True)
class GroupLag:
    """A group, and its partitions. One that has never committed has no worker yet, or needs none."""

    group: str
    partitions: Sequence[Lag]

    @property
    def lag(self) -> int:
        """Offsets that it has not processed."""
        return sum(one.lag for one in self.partitions)

    @property
    def has_committed(self) -> bool:
        """True where it has ever processed something."""
        return any(one.committed is not None for one in self.partitions)


def group_lags(wire: Wire) -> list[GroupLag]:
    """Those of every group that reads something, asked once. Raises TryLater."""
    with closing(LagReader(wire)) as reader:
        return by_group(reader.read())


def by_group(found: Iterable[Lag]) -> list[GroupLag]:
    """Partitions with those of the same group."""
    groups: dict[str, list[Lag]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one)
    return [GroupLag(group, partitions) for group, partitions in groups.items()]
