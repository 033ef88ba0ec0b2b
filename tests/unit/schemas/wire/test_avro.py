"""Our Avro reader and writer against fastavro."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import fastavro
import msgspec
import pytest
from fastavro.utils import generate_one

from schemas.channels.tables import DELIVERY_TYPES
from schemas.channels.webhook import WebhookAddress, WebhookDelivery
from schemas.closed import ChannelName
from schemas.contract import topic_codec, topic_schema
from schemas.decision import Check, Decision
from schemas.delivery import DistributionRef, EventRef, Recipient
from schemas.distribution import Distribution
from schemas.errors import BadRecord
from schemas.events.triggers import EVENT_TOPICS, data_type
from schemas.topics import CUSTOMERS, TOPICS, deliveries
from schemas.wire.avro_read import mapping_reader, struct_reader
from schemas.wire.avro_schema import EXTRA
from schemas.wire.avro_source import Source
from schemas.wire.avro_write import writer
from schemas.wire.read_as import read_as
from streams.event_context import Head
from tests.factory import delivery, rule

MOMENT = datetime(1969, 7, 20, 20, 17, 40, 123456, UTC)
FOREIGN: list[Any] = [
    {"type": "record", "name": "All", "fields": [
        {"name": "number", "type": "int"}, {"name": "single", "type": "float"}, {"name": "double", "type": "double"},
        {"name": "raw", "type": "bytes"}, {"name": "yes", "type": "boolean"}, {"name": "nothing", "type": "null"},
        {"name": "fixed", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "again", "type": "Four"},
        {"name": "one", "type": ["string", "null", "long", {"type": "enum", "name": "Side", "symbols": ["L", "R"]}]},
        {"name": "map", "type": {"type": "map", "values": {"type": "array", "items": ["null", "long"]}}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "who", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
    ]},
    {"type": "record", "name": "Tree", "fields": [
        {"name": "leaf", "type": "long"}, {"name": "left", "type": ["null", "Tree"], "default": None},
    ]},
]  # fmt: skip


def by_fastavro(schema: Any, record: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return out.getvalue()


def from_fastavro(schema: Any, raw: bytes) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(raw), fastavro.parse_schema(schema), None)


class Maker:
    """Random records of a schema of ours, as fastavro writes them, and as they are in memory."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.named = rng, {}  # type: ignore[var-annotated]

    def both(self, schema: Any) -> tuple[Any, Any]:
        if isinstance(schema, list):
            made = [(None, None) if arm == "null" else self.arm(arm) for arm in schema]  # all, so that names are known
            return self.rng.choice(made)
        if isinstance(schema, str) and schema in self.named:
            return self.both(self.named[schema])
        kind = schema if isinstance(schema, str) else schema["type"]
        if kind in ("record", "enum"):
            self.named[f"{schema['namespace']}.{schema['name']}"] = schema
        if kind == "record":
            return self.record(schema)
        if kind == "enum":
            return (self.rng.choice(schema["symbols"]),) * 2
        return self.value(schema, kind)

    def arm(self, schema: Any) -> tuple[Any, Any]:
        """A record names its type, or fastavro takes the first one that it fits: some have the same fields."""
        on_wire, in_memory = self.both(schema)
        of = self.named.get(schema, schema) if isinstance(schema, str) else schema
        is_record = isinstance(of, dict) and of.get("type") == "record"
        return ((f"{of['namespace']}.{of['name']}", on_wire) if is_record else on_wire), in_memory

    def value(self, schema: Any, kind: str) -> tuple[Any, Any]:
        match kind, None if isinstance(schema, str) else schema.get("logicalType"):
            case "array", _:
                made = [self.both(schema["items"]) for _ in range(3)][self.rng.randrange(4) :]  # names are known
                return [one for one, _ in made], [two for _, two in made]
            case "map", _:
                keyed = {self.text(): self.both(schema["values"]) for _ in range(self.rng.randrange(3))}
                return {k: one for k, (one, _) in keyed.items()}, {k: two for k, (_, two) in keyed.items()}
            case "string", "json":
                value = {self.text(): [self.number(), None, {"ż": 0.5}] for _ in range(self.rng.randrange(3))}
                return json.dumps(value), value
            case "string", _:
                return (self.text(),) * 2
            case "long", "timestamp-micros":
                return (datetime.fromtimestamp(self.rng.randrange(-(10**9), 10**10), UTC),) * 2
            case "long", _:
                return (self.number(),) * 2
            case "double", _:
                return (self.rng.random() * 10 ** self.rng.randrange(-9, 9),) * 2
            case "bytes", _:
                return (self.rng.randbytes(self.rng.randrange(40)),) * 2
            case "boolean", _:
                return (self.rng.random() < 0.5,) * 2
        raise AssertionError(schema)

    def record(self, schema: Any) -> tuple[Any, Any]:
        made = {field["name"]: self.both(field["type"]) for field in schema["fields"]}
        for field in schema["fields"]:  # a tag is always itself
            if field["name"] == "channel" and "default" in field and field["default"] is not None:
                made["channel"] = (field["default"],) * 2
        memory = {name: two for name, (_, two) in made.items() if two is not None and name != EXTRA}
        if EXTRA in made:
            memory = {**{f"x {name}": value for name, value in made[EXTRA][1].items()}, **memory}
            made[EXTRA] = json.dumps({f"x {name}": value for name, value in made[EXTRA][1].items()}), None
        return {name: one for name, (one, _) in made.items()}, memory

    def text(self) -> str:
        return "".join(self.rng.choice('aZ ż🎈\0"') for _ in range(self.rng.choice((0, 1, 5, 31, 40, 63, 64, 300))))

    def number(self) -> int:
        return self.rng.choice((-1, 1)) * self.rng.getrandbits(self.rng.randrange(63))


@pytest.mark.parametrize("topic", TOPICS)
def test_both_read_and_write_the_same(topic: str) -> None:
    schema = topic_schema(topic)
    read, write = mapping_reader(schema), writer(schema)
    for seed in range(60):
        on_wire, in_memory = Maker(random.Random(seed)).both(schema)
        raw = by_fastavro(schema, on_wire)
        assert read(raw, 0) == (in_memory, len(raw)), seed
        out = bytearray()
        write(out, in_memory)
        assert with_json_read(from_fastavro(schema, bytes(out))) == with_json_read(on_wire), seed


def with_json_read(value: Any) -> Any:
    """JSON texts as values, since both encoders space them differently; arms of unions without their names."""
    if isinstance(value, tuple):
        return with_json_read(value[1])
    if isinstance(value, dict):
        return {name: with_json_read(one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_json_read(one) for one in value]
    return json.loads(value) if isinstance(value, str) and value[:1] == "{" else value


@pytest.mark.parametrize("topic", EVENT_TOPICS)
def test_a_head_is_the_same_from_the_bytes_as_from_the_mapping(topic: str) -> None:
    schema, head = topic_schema(topic), Head[data_type(topic)]  # type: ignore[misc]
    read = struct_reader(schema, head)
    for seed in range(60):
        on_wire, in_memory = Maker(random.Random(seed)).both(schema)
        raw = by_fastavro(schema, on_wire)
        found, end = read(raw, 0)
        assert end == len(raw)
        if not (0 < len(found.id) <= 256 and 0 < len(found.project_id) <= 256):
            continue  # lengths are looked at afterwards
        assert found == msgspec.convert(in_memory, head), seed


@pytest.mark.parametrize("schema", FOREIGN)
def test_any_schema_of_a_registry_is_read(schema: Any) -> None:
    read = mapping_reader(schema)
    for _ in range(100):
        raw = by_fastavro(schema, generate_one(schema))
        assert read(raw, 0) == (without_nulls(from_fastavro(schema, raw)), len(raw))


def without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(one) for name, one in value.items() if one is not None}


def test_blocks_with_their_size_are_read() -> None:
    schema = {"type": "record", "name": "L", "fields": [{"name": "a", "type": {"type": "array", "items": "long"}}]}
    assert mapping_reader(schema)(bytes((3, 4, 2, 4, 2, 6, 0)), 0) == ({"a": [1, 2, 3]}, 7)


DECISION = Decision(
    decision_id="dec_1", project_id="shop", distribution=DistributionRef(id="d", version=300, name="Żółw"),
    event=EventRef(id="e", type="customer.order.paid", created_at=MOMENT), customer_id="c" * 64, outcome="skipped",
    reason="consent", detail=None, channel="email", checks=[Check(test="t", passed=None, seen="")], decided_at=MOMENT,
)  # fmt: skip
WEBHOOK = WebhookDelivery(
    delivery_id="dlv_1", project_id="shop", distribution=DECISION.distribution, event=DECISION.event,
    customer=Recipient(id="c"), account="a", priority=-5, category="transactional", data={"order": {"amount": 1}},
    webhook=WebhookAddress(url="https://a", type="t", headers={"a": "b"}),
)  # fmt: skip


@pytest.mark.parametrize("topic,record", [("decisions", DECISION), ("deliveries.webhook", WEBHOOK)])
def test_structs_are_written_as_their_fields(topic: str, record: Any) -> None:
    codec = topic_codec(topic, "avro")
    whole = msgspec.to_builtins(record, builtin_types=(datetime,))
    assert codec.encode(record) == codec.encode(whole)
    assert msgspec.convert(codec.decode(codec.encode(record)), type(record)) == record


def test_a_rule_survives_with_its_channels() -> None:
    codec = topic_codec("distributions", "avro")
    made = rule()
    assert msgspec.convert(codec.decode(codec.encode(made)), Distribution) == made


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({}, "id: is missing"),
        ({"id": 5}, "id: 'int' object has no attribute 'encode'"),
    ],
)
def test_what_does_not_fit_is_said(record: Any, said: str) -> None:
    with pytest.raises(BadRecord, match=f"does not fit the schema of customers: {said}"):
        topic_codec("customers", "avro").encode(record)


def test_a_number_of_more_than_64_bits_is_refused() -> None:
    out = bytearray()
    write = writer({"type": "record", "name": "N", "fields": [{"name": "n", "type": "long"}]})
    for number in (2**63 - 1, -(2**63)):
        write(out, {"n": number})
    for number in (2**63, -(2**63) - 1):
        with pytest.raises(ValueError, match="n: .* does not fit 64 bits"):
            write(out, {"n": number})


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x01", b"\x06ab", b"\x02a\x01\xff", b"\xff" * 30, b"\x02\xff" + b"\x00" * 40, b"\x02a" + b"\x02" * 50],
)
def test_broken_bytes_are_refused_at_once(raw: bytes) -> None:
    codec = topic_codec("customers", "avro")
    with pytest.raises(BadRecord):
        codec.decode(codec.encode({"id": "c"})[:10] + raw)


def test_a_count_that_the_bytes_cannot_hold_builds_nothing() -> None:
    schema = {"type": "record", "name": "N", "fields": [{"name": "n", "type": {"type": "array", "items": "null"}}]}
    with pytest.raises(ValueError, match="items in 6 bytes"):
        mapping_reader(schema)(b"\xfe\xff\xff\xff\x0f\x00", 0)


@pytest.mark.parametrize("channel", ["webhook", "email"])
def test_a_delivery_is_the_same_straight_from_the_bytes_and_none_comes_of_broken_ones(channel: ChannelName) -> None:
    codec, kind, rng = topic_codec(deliveries(channel), "avro"), DELIVERY_TYPES[channel], random.Random(7)
    straight, record = codec.straight(kind), msgspec.structs.replace(delivery(channel), expires_at=MOMENT)
    raw = codec.encode(record)
    assert straight(raw) == read_as(codec.decode(raw), kind) == record
    assert [straight(raw[:size]) for size in range(len(raw))] == [None] * len(raw)
    for _ in range(3000):
        broken = bytearray(raw)
        broken[rng.randrange(len(raw))] = rng.randrange(256)
        if (found := straight(bytes(broken))) is not None:
            assert found == read_as(codec.decode(bytes(broken)), kind)


def test_an_object_that_is_none_is_no_part_of_a_delivery() -> None:
    codec, record = topic_codec("deliveries.webhook", "avro"), delivery("webhook")
    raw = codec.encode(msgspec.structs.replace(record, data=[1]))
    assert codec.straight(WebhookDelivery)(raw) is None


def test_two_moments_that_are_equal_on_the_wall_clock_are_written_as_they_are() -> None:
    write, zone = writer({"type": "long", "logicalType": "timestamp-micros"}), ZoneInfo("Europe/Warsaw")
    first, second, again = bytearray(), bytearray(), bytearray()
    wall = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    write(first, wall)
    write(second, wall.replace(fold=1))
    write(again, wall.replace(fold=1).astimezone(UTC))
    assert wall == wall.replace(fold=1)
    assert first != second == again


def test_a_union_that_names_its_records_a_second_time_is_written_as_the_first_was() -> None:
    """A distribution has channels, and so has each of its arms: there the schema says their names alone."""

    def plan(name: str, tag: str) -> dict[str, object]:
        return {"type": "record", "name": name, "fields": [{"name": "channel", "type": "string", "default": tag}]}

    either = {"type": "array", "items": [plan("A", "a"), plan("B", "b")]}
    again = {"type": "array", "items": ["A", "B"]}
    fields = [{"name": "first", "type": either}, {"name": "second", "type": again}]
    schema = {"type": "record", "name": "Two", "namespace": "t", "fields": fields}
    value = {"first": [{"channel": "b"}], "second": [{"channel": "b"}, {"channel": "a"}]}
    out = bytearray()
    writer(schema)(out, value)
    assert bytes(out[:5]) == bytes(out[:1]) + b"\x02\x02b\x00"
    assert bytes(out[5:]) == b"\x04\x02\x02b\x00\x02a\x00"


def odd(rng: random.Random, record: Any) -> None:
    """Change something in a record: a value of any kind, a field that is gone, one that nobody knows."""
    if isinstance(record, list) and record:
        odd(rng, rng.choice(record))
    elif isinstance(record, dict) and record:
        name, done = rng.choice(list(record)), rng.randrange(6)
        if done == 0:
            record[name] = rng.choice([None, 1, 1.5, True, "x", [], {}, "\ud800", 2**70, b"z", [1], {"id": 3}])
        elif done == 1:
            del record[name]
        elif done == 2:
            record["new"] = rng.choice([1, {"a": [1]}, None, "ż"])
        else:
            odd(rng, record[name])


def refuse(*_: object) -> None:
    raise ValueError("field by field")


@pytest.mark.parametrize("topic", TOPICS)
def test_mappings_are_written_at_once_as_they_are_field_by_field(topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are not as the schema has them, and the same errors for those that cannot be written."""

    def written(write: Any, record: Any) -> bytes | str:
        out = bytearray(b"before")
        try:
            write(out, record)
        except Exception as error:
            return f"{type(error).__name__} {error}"
        return bytes(out)

    schema, records = topic_schema(topic), []
    for seed in range(200):
        rng = random.Random(f"{topic} {seed}")
        record = Maker(rng).both(schema)[1]
        for _ in range(rng.randrange(4)):
            odd(rng, record)
        records.append(record)
    monkeypatch.setattr("schemas.wire.avro_mapping._OFTEN", 1)
    write, by_shape = writer(schema), Counter[str]()
    monkeypatch.setattr(Source, "function", counting(Source.function, by_shape))
    first, at_once = ([written(write, record) for record in records] for _ in range(2))
    assert by_shape["write"] > 50
    monkeypatch.setattr("schemas.wire.avro_write.ShapeSource.made", lambda *_: None)
    slowly = writer(schema)
    assert first == at_once == [written(slowly, record) for record in records]
    assert sum(isinstance(one, bytes) for one in at_once) > 50


def counting(made: Any, calls: Counter[str]) -> Any:
    """The method that makes a function of a source; each of them counts its calls that went well."""

    def function(self: Source, name: str) -> Any:
        write = made(self, name)

        def write_counted(out: bytearray, value: Any) -> None:
            write(out, value)
            calls[name] += 1

        return write_counted

    return function


def test_shapes_are_forgotten_before_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream may name fields as it likes: a shape that comes often has its function again, soon."""
    monkeypatch.setattr("schemas.wire.avro_mapping._MOST_SHAPES", 4)
    schema, made = topic_schema(CUSTOMERS), Counter[str]()
    write = writer(schema)
    monkeypatch.setattr(Source, "function", counting(Source.function, made))
    plain = {"id": "c1", "email": "ann@example.com"}
    for number in range(100):
        for record in (plain, {"id": "c1", f"odd_{number}": number}):
            out = bytearray()
            write(out, record)
            assert from_fastavro(schema, bytes(out))["id"] == "c1"
    assert made["write"] == 0, "none came eight times among four"
    for _ in range(9):
        write(bytearray(), plain)
    assert made["write"] > 0


def test_objects_that_records_have_in_common_are_written_as_if_each_were_the_first() -> None:
    """However many there are, whatever comes in between, and after a record that does not fit."""
    topic, rng, alike = "events.segments", random.Random(5), list[dict[str, Any]]()
    schema = topic_schema(topic)
    for number in range(1300):
        record = Maker(rng).both(schema)[1]
        if alike and number % 3:
            record["data"] = {**record["data"], "customer": rng.choice(alike[-3:])["data"]["customer"]}
        alike.append(record)
    encode, codec = topic_codec(topic, "avro").remembering("Customer", "Segment"), topic_codec(topic, "avro")
    for record in alike:
        assert encode(record) == codec.encode(record)
        with pytest.raises(BadRecord):
            encode({**record, "data": {**record["data"], "segment": {"id": 7}}})
        assert encode(record) == codec.encode(record)


def test_an_object_in_the_place_of_one_that_is_gone_is_written_as_it_is() -> None:
    """Python gives its place in memory, and with it its identity, to the next one."""
    codec = topic_codec("events.segments", "avro")
    encode, places = codec.remembering("Customer", "Segment"), set[int]()

    def event(number: int) -> dict[str, Any]:
        profile = {"id": f"c{number}", "metadata": {"n": number}}
        places.add(id(profile))
        return {
            "id": "e", "project_id": "shop", "type": "customer.segment.entered", "created_at": datetime.now(UTC),
            "data": {"customer": profile, "segment": {"id": f"s{number}"}},
        }  # fmt: skip

    for number in range(2000):
        assert codec.decode(encode(event(number)))["data"]["customer"]["metadata"] == {"n": number}
    assert len(places) < 2000


def test_json_has_objects_in_common_whole() -> None:
    one = {"id": "e1", "data": {"customer": {"id": "c1"}}}
    assert topic_codec("events.segments", "json").remembering("Customer")(one) == msgspec.json.encode(one)
