"""Events: samples of each type, and lines of JSON into their topics, each checked as a matcher would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.broker.wire import Wire
from console.control.not_found import not_found
from deploy.settings.workers import Matcher
from schemas.errors import BadRecord, DefinitionInvalid, InvalidEvent, Problem, TooLarge
from schemas.events.event import Event
from schemas.events.triggers import TRIGGERS
from schemas.record import JsonObject
from schemas.topics import CUSTOMERS
from schemas.wire.json_text import decode_json
from streams.events import EventChecks, read_customer
from streams.upstream import unwrapped
from streams.values.wording import invalid

_CHUNK_SIZE = 1000


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line, counted from 1, that is not valid, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Published:
    """The number of records that went to each topic, and the lines that did not."""

    topics: Mapping[str, int]
    problems: tuple[WrongLine, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The reading of lines, as events or profiles. `project_id` is that of lines that name none, `max_bytes` an
    event's.
    """

    project_id: str
    max_future: timedelta
    now: datetime
    customers: bool = False
    max_bytes: int = 1_048_576
    _checks: dict[str, EventChecks] = field(default_factory=dict, compare=False, repr=False)

    def checks(self, topic: str, default_project: str) -> EventChecks:
        """The checks of a topic's events, the same for all that are read."""
        if topic not in self._checks:
            self._checks[topic] = EventChecks(topic, max_future=self.max_future, default_project=default_project)
        return self._checks[topic]

    @classmethod
    def by(cls, limits: Matcher, project_id: str, now: datetime, *, customers: bool = False) -> Reading:
        """By the limits that hold for matchers."""
        return cls(project_id, limits.max_future, now, customers, limits.max_event_bytes)


def sample(event_type: str, project_id: str, now: datetime, customer: str = "") -> JsonObject:
    """A valid event of a type, created now; about a customer by its id, where one is named. Raises NotFound."""
    if event_type not in TRIGGERS:
        raise not_found("event type", event_type, TRIGGERS, see="tidings sample")
    return as_new(TRIGGERS[event_type].sample(project_id=project_id), now, customer)


def as_new(event: JsonObject, now: datetime, customer: str = "") -> JsonObject:
    """A sample as an event that happens now: another one than that of a moment ago.

    Of a customer who is named it has the id alone, so that the profile that is kept counts.
    """
    data = {**event["data"], "customer": {"id": customer}} if customer else event["data"]
    return {**event, "id": f"ev_sample_{now:%Y%m%d%H%M%S%f}", "created_at": now, "data": data}


def customer_of(event: Mapping[str, Any]) -> str:
    """The id of the customer that an event is about, before anything is checked; empty where it says none."""
    data = event.get("data")
    customer = data.get("customer") if isinstance(data, dict) else None
    return str(customer.get("id", "")) if isinstance(customer, dict) else ""


async def publish_lines(wire: Wire, lines: Iterable[bytes], reading: Reading) -> Published:
    """Publish every valid line. Raises TryLater while Kafka is away."""
    topics: Counter[str] = Counter()
    problems: list[WrongLine] = []
    producer = Producer(wire.kafka.client())
    try:
        outputs = _outputs(wire, lines, reading, topics, problems)
        while chunk := list(islice(outputs, _CHUNK_SIZE)):
            await write_all(producer, chunk)
    finally:
        producer.close(1.0)
    return Published(dict(topics), tuple(problems))


def _outputs(
    wire: Wire, lines: Iterable[bytes], reading: Reading, topics: Counter[str], problems: list[WrongLine]
) -> Iterator[Output]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            topic, key, record = read_line(wire, line.strip(), reading)
        except BadRecord as error:
            problems.append(WrongLine(number, str(error)))
            continue
        topics[topic] += 1
        yield Output(wire.topic(topic), key, wire.codec(topic).encode(record))


def read_line(wire: Wire, line: bytes, reading: Reading) -> tuple[str, bytes, Any]:
    """The topic, the key and the record of a line. Raises BadRecord."""
    record = decode_json(line)
    if not isinstance(record, dict):
        raise InvalidEvent("a line is one JSON object")
    return read_record(wire, record, reading)


def read_record(wire: Wire, record: Any, reading: Reading) -> tuple[str, bytes, Any]:
    """The same of what a line holds. Raises BadRecord."""
    if not isinstance(record, dict):
        raise InvalidEvent(invalid(record, "one JSON object"))
    if reading.customers:
        key = wire.key(reading.project_id, str(record.get("id", "")))
        return CUSTOMERS, key, read_customer(record, key, wire.default_project)
    record = unwrapped(record, (), reading.project_id)
    trigger = TRIGGERS.get(str(record.get("type")))
    if trigger is None:
        raise InvalidEvent(f"type {record.get('type')!r} is not known; there are: {', '.join(TRIGGERS)}", path="type")
    key = wire.key(str(record.get("project_id", "")), customer_of(record))
    head = reading.checks(trigger.topic, wire.default_project).read_decoded(record, key, reading.now)
    event = Event(
        id=head.id, project_id=head.project_id, type=head.type, created_at=head.created_at, data=record["data"]
    )
    return trigger.topic, key, event


@dataclass(frozen=True, slots=True)
class Checked:
    """Records that are ready to be written: the number for each topic, and the records themselves."""

    topics: Mapping[str, int]
    outputs: tuple[Output, ...]


async def publish_checked(wire: Wire, checked: Checked) -> None:
    """Write what was checked, by a process that does so once. Raises TryLater while Kafka is away."""
    producer = Producer(wire.kafka.client())
    try:
        for start in range(0, len(checked.outputs), _CHUNK_SIZE):
            await write_all(producer, checked.outputs[start : start + _CHUNK_SIZE])
    finally:
        producer.close(1.0)


Check = Callable[[Wire, Any, Reading], tuple[str, Output]]
"""The topic, without prefix, of one that came, and what is written. Raises BadRecord."""


def check_all(wire: Wire, came: Sequence[Any], reading: Reading, check: Check, *, is_list: bool = True) -> Checked:
    """Check what came together. Raises DefinitionInvalid with a problem for each wrong one.

    Paths begin with its place in a list.
    """
    topics: Counter[str] = Counter()
    problems: list[Problem] = []
    outputs = []
    for number, one in enumerate(came):
        try:
            topic, output = check(wire, one, reading)
        except BadRecord as error:
            place = f"[{number}]." if is_list else ""
            problems.append(Problem(f"{place}{error.path}".removesuffix("."), str(error)))
            continue
        topics[topic] += 1
        outputs.append(output)
    if problems:
        raise DefinitionInvalid(tuple(problems))
    return Checked(dict(topics), tuple(outputs))


def check_event(wire: Wire, event: Any, reading: Reading) -> tuple[str, Output]:
    """Check an event as a matcher would; one of another project than that of `reading` is wrong. Raises BadRecord."""
    topic, key, record = read_record(wire, of_project(event, reading.project_id), reading)
    must_be_own(record.project_id, reading.project_id)
    return topic, Output(wire.topic(topic), key, encoded(wire, topic, record, reading.max_bytes))


def must_be_own(named: object, project_id: str) -> None:
    """Refuse what names another project. Raises InvalidEvent."""
    if named != project_id:
        raise InvalidEvent(invalid(named, f'"{project_id}", or left out'), path="project_id")


def encoded(wire: Wire, topic: str, record: Any, most: int) -> bytes:
    """A record as it is written. Raises TooLarge for more bytes than are read."""
    value = wire.codec(topic).encode(record)
    if len(value) > most:
        raise TooLarge(f"has {len(value):,} bytes; at most {most:,} are read")
    return value


def of_project(event: Any, project_id: str) -> Any:
    """An event in our own form that names no project, as one of this project; any other form says nothing of one."""
    is_nobodys = isinstance(event, dict) and event.keys().isdisjoint(("project_id", "specversion", "event"))
    return {"project_id": project_id, **event} if is_nobodys else event
