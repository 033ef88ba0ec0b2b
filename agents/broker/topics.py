"""Topics on the broker: what is missing, what differs, and making it so."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from agents.broker.admin import Admin, answer_of, offset_of
from agents.broker.wire import Wire
from schemas.errors import CannotStart, TidingsError, TryLater
from schemas.topics import CHANGELOGS, TOPICS, Topic

_TIMEOUT = 10.0
_LISTED_SECONDS = 60.0
"""Until new topics are known everywhere: a busy broker takes its time over some hundred partitions."""

_NO_ANSWER = {
    KafkaError.REQUEST_TIMED_OUT, KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._DESTROY_BROKER,
}  # fmt: skip
"""A broker went while it was asked: also one that others fenced, which the client then forgets with its question."""

_NOT_YET = _NO_ANSWER | {
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.KAFKA_STORAGE_ERROR, KafkaError.OFFSET_NOT_AVAILABLE, KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION, KafkaError._NOENT,
}  # fmt: skip
"""Answers of a leader that is not one yet."""

_MADE_SECONDS = 30.0
_NOT_MADE_YET = _NO_ANSWER | {KafkaError.INVALID_REPLICATION_FACTOR, KafkaError.NOT_CONTROLLER}
"""Answers of a cluster whose brokers are not all there: asked again for so long. A topic may be made all the same."""

Kind = Literal["create", "settings", "partitions"]


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One thing to do. `partitions` changes cannot be applied: they would move customers to other partitions."""

    kind: Kind
    topic: str
    detail: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The topics as they are while workers run: what is not there at the moment, and what differs from the start.

    `ids` are the broker's, by name: a topic of the same name that was made anew has another one.
    """

    away: list[str]
    differing: list[str]
    ids: dict[str, str]


class Provision:
    """Compares the declaration with a broker."""

    def __init__(self, wire: Wire, *, timeout: float = _TIMEOUT) -> None:
        self._timeout = timeout
        self._declared = {wire.topic(name): topic for name, topic in (TOPICS | CHANGELOGS).items()}
        self._partitions, self._replication = wire.topics.partitions, wire.topics.replication
        self._admin = Admin(wire.kafka)
        self._where = wire.kafka.bootstrap

    def close(self) -> None:
        """Disconnect."""
        self._admin.close()

    def plan(self) -> list[TopicChange]:
        """Differences from the declaration. Raises TryLater while the broker is away."""
        there = self._counts()
        missing = [name for name in self._declared if name not in there]
        changes = [TopicChange("create", name, self._described(self._declared[name])) for name in missing]
        for name, count in there.items():
            wanted = self._count(self._declared[name])
            if count != wanted:
                changes.append(TopicChange("partitions", name, f"has {count} partitions, {wanted} are declared"))
        return changes + self._differing_settings(list(there))

    def apply(self) -> list[TopicChange]:
        """Create what is missing and set what differs; partition counts are left alone. Returns what was done."""
        changes = self.plan()
        new = [self._new_topic(change.topic) for change in changes if change.kind == "create"]
        make(self._admin, new)
        there = self._wait_until_listed()  # another may have made one meanwhile, with partitions of its own number
        wait_until_led(self._admin, {one.topic: there[one.topic] for one in new})
        for change in changes:
            if change.kind == "settings":
                self._set(change.topic)
        return [change for change in changes if change.kind != "partitions"]

    def _wait_until_listed(self) -> dict[str, int]:
        """The counts of partitions. A topic is made before every broker knows of it."""
        deadline = time.monotonic() + _LISTED_SECONDS
        while len(there := self._counts()) < len(self._declared):
            if time.monotonic() > deadline:
                raise TryLater(f"Kafka at {self._where} made topics, but does not list them yet")
            time.sleep(0.02)
        return there

    def check(self) -> None:
        """Raise CannotStart where a worker on these topics would lose or misplace records, saying what to do."""
        there = self._counts()
        missing = [name for name in self._declared if name not in there]
        if missing:
            raise CannotStart(f"topics are missing: {', '.join(missing)}. Create them with: tidings topics apply")
        shared = {name: there[name] for name, topic in self._declared.items() if topic.partitions == "shared"}
        if len(set(shared.values())) > 1:
            counts = ", ".join(f"{name} has {count}" for name, count in sorted(shared.items(), key=lambda one: one[1]))
            raise CannotStart(
                "these topics must have equal partition counts, so that a customer is on the same partition of each: "
                f"{counts}. Create them anew with equal counts; adding partitions to one moves its customers: "
                "deploy/README.md, More partitions"
            )
        (count,) = set(shared.values())
        if count != self._partitions:
            raise CannotStart(
                f"topics.partitions is {self._partitions}, but the topics have {count}: set topics.partitions = {count}"
            )

    def look(self) -> Seen:
        """Raises TryLater while the broker is away."""
        away, differing, ids = [], [], {}
        for name, found in self._described_topics().items():
            if found is None:
                away.append(f"topic {name}, which is not there. Create it with: tidings topics apply")
                continue
            ids[name] = str(found.topic_id)
            away += [f"{name}-{one.id}, which no broker leads" for one in found.partitions if one.leader is None]
            wanted = self._count(self._declared[name])
            if len(found.partitions) != wanted:
                differing.append(f"{name} has {len(found.partitions)} partitions, {wanted} are declared")
        return Seen(away, differing, ids)

    def _described_topics(self) -> dict[str, Any]:
        """Each as the broker describes it; None where it is not there."""
        asked = self._admin.describe_topics(TopicCollection(list(self._declared)), request_timeout=self._timeout)
        found: dict[str, Any] = {}
        for name, future in asked.items():
            try:
                found[name] = future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise TryLater(f"Kafka at {self._where} does not answer: {error.args[0].str()}") from error
                found[name] = None
        return found

    def _counts(self) -> dict[str, int]:
        return {name: len(found.partitions) for name, found in self._listed().items()}

    def _listed(self) -> dict[str, Any]:
        try:
            listed = self._admin.list_topics(timeout=self._timeout).topics
        except KafkaException as error:
            raise TryLater(f"Kafka at {self._where} does not answer: {error.args[0].str()}") from error
        return {name: listed[name] for name in self._declared if name in listed}

    def _count(self, topic: Topic) -> int:
        return self._partitions if topic.partitions == "shared" else topic.partitions

    def _described(self, topic: Topic) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self._settings(topic).items())
        return f"{self._count(topic)} partitions, replication {self._replication}, {settings}"

    def _settings(self, topic: Topic) -> dict[str, str]:
        """With several copies, one may be lost and not two: what is acknowledged is on all but one of them."""
        copies = {"min.insync.replicas": str(self._replication - 1)} if self._replication > 1 else {}
        return {**topic.settings(), **copies}

    def _new_topic(self, name: str) -> NewTopic:
        topic = self._declared[name]
        return NewTopic(name, self._count(topic), self._replication, config=self._settings(topic))

    def _differing_settings(self, names: list[str]) -> list[TopicChange]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        changes = []
        for resource, future in (self._admin.describe_configs(resources) if resources else {}).items():
            found = {name: entry.value for name, entry in _wait(future, resource.name).items()}
            detail = _difference(self._settings(self._declared[resource.name]), found)
            if detail:
                changes.append(TopicChange("settings", resource.name, detail))
        return changes

    def _set(self, name: str) -> None:
        """Make a topic's settings those declared; what else somebody set for it stays."""
        entries = [
            ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
            for setting, value in self._settings(self._declared[name]).items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for future in self._admin.incremental_alter_configs([resource], request_timeout=_TIMEOUT).values():
            _wait(future, name)


def make(admin: AdminClient, new: Sequence[NewTopic], *, seconds: float = _MADE_SECONDS) -> None:
    """Make topics; those that are there are left as they are. Raises CannotStart, TryLater.

    A cluster that is starting has too few brokers for a moment, as has one that fenced a broker which was busy.
    """
    deadline, left = time.monotonic() + seconds, list(new)
    while left:
        again = []
        for one, future in admin.create_topics(left, request_timeout=_TIMEOUT).items():
            try:
                answer_of(future, _TIMEOUT)
            except KafkaException as error:
                if error.args[0].code() in _NOT_MADE_YET and time.monotonic() < deadline:
                    again.append(one)
                elif error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise _refusal(one, error) from error
        left = [one for one in left if one.topic in again]
        if left:
            time.sleep(0.2)


def wait_until_led(admin: AdminClient, partitions: Mapping[str, int]) -> None:
    """Wait for the leader of each partition of new topics, by their names. Raises TryLater after a minute.

    A topic is listed before its leaders have its logs: who reads or writes in between is told that they do not lead it.
    """
    deadline = time.monotonic() + _LISTED_SECONDS
    left = [TopicPartition(name, number) for name, count in partitions.items() for number in range(count)]
    while left := _not_led(admin, left):
        if time.monotonic() > deadline:
            raise TryLater(f"Kafka made topics, but no broker leads {left[0].topic}-{left[0].partition} yet")
        time.sleep(0.02)


def _not_led(admin: AdminClient, places: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Those whose leader does not say yet where they begin."""
    asked = {place: OffsetSpec.earliest() for place in places}
    answers = admin.list_offsets(asked, request_timeout=_TIMEOUT) if asked else {}
    return [place for place, answer in answers.items() if _is_refused_for_now(answer)]


def _is_refused_for_now(answer: Any) -> bool:
    """False also where it is refused for good, as to somebody who may make topics and not read them."""
    try:
        offset_of(answer, _TIMEOUT)
    except TryLater:
        return True
    except KafkaException as error:
        return error.args[0].code() in _NOT_YET
    return False


def _difference(wanted: Mapping[str, str], found: Mapping[str, str | None]) -> str:
    return ", ".join(
        f"{name}: {found.get(name)} → {value}" for name, value in wanted.items() if found.get(name) != value
    )


def _wait(future: Any, name: str) -> dict[str, Any]:
    try:
        return dict(answer_of(future, _TIMEOUT) or {})
    except KafkaException as error:
        raise _refusal(name, error) from error


def _refusal(name: str, error: KafkaException) -> TidingsError:
    refusal = error.args[0]
    said = f"topic {name}: {refusal.str()}"
    return TryLater(said) if refusal.retriable() or refusal.code() in _NOT_YET else CannotStart(said)
