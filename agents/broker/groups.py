"""Consumer groups as they are at this moment: who has which partitions, how far behind, and how fast."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConsumerGroupDescription

from agents.broker.admin import Admin, answer_of
from agents.broker.lag import Lag, LagReader
from agents.broker.wire import Wire
from schemas.closed import Role, members
from schemas.errors import TryLater

_TIMEOUT = 10.0
NOBODY = "nobody"

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Member:
    """One process of a group: its partitions, records not yet processed, and records a second since the last look."""

    role: str
    process: str
    partitions: int
    lag: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Every process of every group, `nobody` for partitions without one, and how far each partition is."""

    members: list[Member]
    lags: list[Lag]


class Groups:
    """The groups of all roles. Call `read` again and again; the rate is what was committed since the last time.

    `close` it: it has a client of the broker for each group.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._admin = Admin(wire.kafka)
        self._lag = LagReader(wire)
        self._before: tuple[float, dict[tuple[str, Place], int]] | None = None

    def close(self) -> None:
        """Disconnect."""
        self._lag.close()
        self._admin.close()

    def read(self) -> Seen:
        """All of them at this moment. Raises TryLater while Kafka is away."""
        now, lags = time.monotonic(), self._lag.read()
        owners = _owners(self._admin, self._wire, members(Role))
        rows = [row for role in members(Role) for row in self._of_role(role, owners[role], lags, now)]
        self._before = now, {(lag.group, (lag.topic, lag.partition)): lag.committed or 0 for lag in lags}
        return Seen(rows, lags)

    def _of_role(self, role: str, owners: dict[Place, str], lags: list[Lag], now: float) -> Iterator[Member]:
        group = self._wire.group(role)
        own = [lag for lag in lags if lag.group == group]
        for process in sorted({owners.get((lag.topic, lag.partition), NOBODY) for lag in own}):
            its = [lag for lag in own if owners.get((lag.topic, lag.partition), NOBODY) == process]
            yield Member(role, process, len(its), sum(lag.lag for lag in its), self._rate(its, now))

    def _rate(self, lags: list[Lag], now: float) -> float | None:
        if self._before is None:
            return None
        then, committed = self._before
        moved = sum((lag.committed or 0) - committed.get((lag.group, (lag.topic, lag.partition)), 0) for lag in lags)
        return max(0.0, moved / (now - then))


def processes(wire: Wire, role: Role) -> set[str]:
    """The processes of a role that have partitions at this moment. Raises TryLater while Kafka is away."""
    with Admin(wire.kafka) as admin:
        return set(_owners(admin, wire, [role])[role].values())


def _owners(admin: Admin, wire: Wire, roles: Iterable[str]) -> dict[str, dict[Place, str]]:
    """The process that has each partition, by role."""
    groups = {wire.group(role): role for role in roles}
    try:
        asked = admin.describe_consumer_groups(list(groups), request_timeout=_TIMEOUT)
        return {groups[group]: _places(answer_of(answer, _TIMEOUT)) for group, answer in asked.items()}
    except KafkaException as error:
        raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error


def _places(group: ConsumerGroupDescription) -> dict[Place, str]:
    return {
        (place.topic, place.partition): member.group_instance_id or member.client_id
        for member in group.members
        if member.assignment
        for place in member.assignment.topic_partitions
    }
