"""Attributes of a data transfer as its author maps them: a name at the provider, and where its value comes from.

last_code: voucher.code                          the value at a path, as `schemas/payload.py` has it
country: {from: customer.metadata.country, default: PL}
source: {value: spring}                          a static value; numbers, true and false may stand alone

What is kept in the plan is a payload of those names, checked by the reader of webhooks' payloads and rendered by the
same renderer. Nothing in it is null: providers take that for the wish to delete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.channels.named_event import NamedEvent
from schemas.errors import Problem
from schemas.formats.paths import PATH_PATTERN
from schemas.payload import DEFAULT, FROM, VALUE, escaped, is_dynamic, is_escape
from schemas.record import JsonObject
from streams.channels.payload import MAX_ATTRIBUTES, PayloadReader
from streams.channels.rules import PlanContext
from streams.conditions.fields import Fields, Unknown
from streams.values.kinds import Group, Key, Plain, Text, Value
from streams.values.wording import Report, invalid, under

_PAGE = "preferences_url"
"""Known of every customer, and so alone no reason to send anything."""

DEFAULTS: Mapping[str, str] = {
    "voucher_code": "voucher.code",
    "voucher_value": "voucher.value",
    "voucher_balance": "voucher.balance",
    "voucher_qr_url": "voucher.qr_url",
    "voucher_barcode_url": "voucher.barcode_url",
    "publication_date": "publication.created_at",
    "promotion_tier_name": "promotion_tier.name",
    "promotion_tier_id": "promotion_tier.id",
    "preferences_url": _PAGE,
}
"""Names to paths that are mapped where nothing is written, as far as trigger and action bring them.

With the page of choices, where they bring anything and it is served.
"""

_FORMS = f"a path such as voucher.code, {{{FROM}: …, {DEFAULT}: …}}, {{{VALUE}: …}}, a number, true or false"
_NO_NULL = "must not hold null, by which providers delete what they have; leave it out"
_PATH: JsonObject = {"type": "string", "pattern": f"^{PATH_PATTERN}$"}
_FORMS_SCHEMA: tuple[JsonObject, ...] = (
    _PATH,
    {"type": ["number", "boolean"]},
    {
        "type": "object",
        "properties": {FROM: _PATH, DEFAULT: {"not": {"type": "null"}}},
        "required": [FROM],
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {VALUE: {"not": {"type": "null"}}},
        "required": [VALUE],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, slots=True)
class Attributes:
    """A mapping of a provider's names. `name` is the pattern of one, which `named` puts into words.

    `defaults` are names to paths of `DEFAULTS`, in the provider's spelling. `edits` are what it does to a list beside
    setting it, as in {tags: {$add: [voucher.code]}}.
    """

    name: str = r".*\S.*"
    named: str = "a name that is not blank"
    defaults: Mapping[str, str] = field(default_factory=lambda: DEFAULTS)
    most: int = MAX_ATTRIBUTES
    edits: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"a mapping of at most {self.most} names, as in {{last_code: voucher.code}}"

    def read(self, value: object, at: str, report: Report) -> Any:
        """See `Value`. Where the values come from is read with the plan, which knows what there is."""
        if not isinstance(value, Mapping) or len(value) > self.most:
            report(at, invalid(value, self.allowed))
            return None
        for name in value:
            if not re.fullmatch(self.name, str(name)):
                report(under(at, name), invalid(name, self.named))
        return value

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {
            "type": "object",
            "maxProperties": self.most,
            "propertyNames": {"pattern": f"^(?:{self.name})$"},
            "additionalProperties": {"anyOf": [dict(form) for form in (*_FORMS_SCHEMA, *self._edits_schema())]},
        }

    def _edits_schema(self) -> list[JsonObject]:
        items = {"type": "array", "minItems": 1, "items": {"anyOf": [dict(form) for form in _FORMS_SCHEMA]}}
        properties = dict.fromkeys(self.edits, items)
        closed = {"type": "object", "properties": properties, "minProperties": 1, "additionalProperties": False}
        return [closed] if self.edits else []

    def payload(self, written: Mapping[Any, Any] | None, context: PlanContext, key: str = "attributes") -> JsonObject:
        """The payload that is kept with the plan; of nothing written, the default. Reports every problem."""
        if written is None:
            return _default(self.defaults, context.transfer_fields, has_page=context.has_links)
        return self.drawn(written, context.transfer_fields, f"{context.at}.{key}", context.report)

    def drawn(self, written: Mapping[Any, Any], fields: Fields | None, at: str, report: Report) -> JsonObject:
        """The payload of what is written. Without `fields` the paths are not looked up."""
        reader = PayloadReader(fields)
        payload = escaped({str(name): self._node(reader, value, under(at, name)) for name, value in written.items()})
        reader.fits(payload, at)
        for problem in reader.problems:
            report(problem.path, problem.message)
        return payload

    def _node(self, reader: PayloadReader, source: object, at: str) -> Any:
        if not isinstance(source, Mapping) or not source or not set(source) <= set(self.edits):
            return _node(reader, source, at)
        return {str(edit): self._items(reader, items, under(at, edit)) for edit, items in source.items()}

    def _items(self, reader: PayloadReader, items: object, at: str) -> Any:
        if not isinstance(items, list) or not items:
            return reader.problem(at, invalid(items, f"a list of at least one of {_FORMS}"))
        return [_node(reader, item, f"{at}[{index}]") for index, item in enumerate(items)]


@dataclass(frozen=True, slots=True)
class EventName(Plain[str]):
    """The name of an event, as far as a provider restricts it."""

    pattern: str
    named: str

    @property
    def allowed(self) -> str:
        return self.named

    def accepted(self, value: object) -> str | None:
        return value if isinstance(value, str) and re.fullmatch(self.pattern, value) else None

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True, slots=True)
class Transfer:
    """The keys `attributes` and `event` of a channel that takes both, and what is made of them."""

    attributes: Attributes = field(default_factory=Attributes)
    properties: Attributes = field(default_factory=Attributes)
    event_name: Value[str] = field(default_factory=lambda: Text(": the name of the event", most=128))

    @property
    def keys(self) -> dict[str, Key]:
        """Both keys, for the channel's `Group`."""
        return {"attributes": attributes_key(self.attributes), "event": event_key(self.properties, self.event_name)}

    def read(self, written: JsonObject, context: PlanContext) -> tuple[JsonObject, NamedEvent | None]:
        """Attributes to set, and the event that is told. Where only an event is written, nothing is set."""
        event, attributes = read_event(self.properties, written, context), written.get("attributes")
        if attributes is None and event is not None:
            return {}, event
        return self.attributes.payload(attributes, context), event


_EXAMPLE = "{first_name: customer.name, source: {value: spring}}"


def attributes_key(attributes: Attributes, example: str = _EXAMPLE) -> Key:
    """The key `attributes` of a data transfer."""
    return Key(
        attributes,
        doc="Names at the provider, and where their values come from ([payload.md](payload.md#data-transfers)).",
        default="what trigger and action bring",
        example=example,
    )


def event_key(properties: Attributes, name: Value[str]) -> Key:
    """The key `event` of a provider that takes events."""
    keys = {
        "name": Key(name, required=True, doc="Its name.", example="seen"),
        "properties": Key(
            properties,
            doc="As `attributes`.",
            default="what trigger and action bring",
            example="{city: customer.address.city}",
        ),
    }
    return Key(
        Group(keys, "{name: seen, properties: {code: voucher.code}}"),
        doc="An event that starts flows at the provider; with it alone, no attributes are set.",
        default="no event",
        example="{name: seen}",
    )


def read_event(properties: Attributes, written: JsonObject, context: PlanContext) -> NamedEvent | None:
    """The event as it is kept with the plan; None where nothing is told."""
    event = written.get("event")
    if event is None:
        return None
    payload = properties.payload(event.get("properties"), context, "event.properties")
    return NamedEvent(name=event.get("name", ""), properties=payload)


def _default(defaults: Mapping[str, str], fields: Fields | None, *, has_page: bool) -> JsonObject:
    if fields is None:
        return {}
    known = {
        name: path for name, path in defaults.items() if not isinstance(fields.find(tuple(path.split("."))), Unknown)
    }
    brought = {name: path for name, path in known.items() if path != _PAGE}
    sent = known if brought and has_page else brought
    return {name: {FROM: path} for name, path in sent.items()}


def _node(reader: PayloadReader, source: object, at: str) -> Any:
    """One attribute as a part of a payload."""
    match source:
        case str():
            _path(reader, source, at)
            return {FROM: source}
        case bool() | int() | float():
            return reader.node(source, at, 1, static=True)
        case Mapping() if is_dynamic(source):
            drawn = reader.dynamic(source, at, 1)
            return drawn if _without_null(reader, drawn.get(DEFAULT, 0), f"{at}.{DEFAULT}") else None
        case Mapping() if is_escape(source):
            plain = reader.node(source[VALUE], f"{at}.{VALUE}", 1, static=True)
            return _static(plain) if _without_null(reader, plain, f"{at}.{VALUE}") else None
        case _:
            return reader.problem(at, invalid(source, _FORMS))


def _path(reader: PayloadReader, source: str, at: str) -> None:
    """Look a path up, and say how a text is written where it leads nowhere: that may be what was meant."""
    known = len(reader.problems)
    reader.path(source, at)
    for problem in reader.problems[known:]:
        said = f"{problem.message.rstrip('.')}. A text that is sent as it stands is written {{{VALUE}: …}}"
        reader.problems[known] = Problem(problem.path, said)


def _without_null(reader: PayloadReader, plain: Any, at: str) -> bool:
    if not _holds_null(plain):
        return True
    if not reader.problems:
        reader.problem(at, _NO_NULL)
    return False


def _holds_null(plain: Any) -> bool:
    if isinstance(plain, dict):
        return any(map(_holds_null, plain.values()))
    return any(map(_holds_null, plain)) if isinstance(plain, list) else plain is None


def _static(plain: Any) -> Any:
    """A value that goes out as it is, whatever it looks like."""
    if isinstance(plain, dict):
        return escaped({name: _static(part) for name, part in plain.items()})
    return [_static(part) for part in plain] if isinstance(plain, list) else plain
