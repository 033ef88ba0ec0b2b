"""Kinds of value that only a distribution holds: its trigger, its action, how often and when, and its channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

from schemas.closed import WhenEmpty
from schemas.distribution import Again, Delay
from schemas.events.triggers import TRIGGERS
from schemas.record import JsonObject
from streams.channels.rules import AnyRules, ChannelTable
from streams.documents.windows import WINDOW
from streams.values.kinds import AsWritten, Group, Key, Keys, OneOf, Span, Text
from streams.values.wording import Report, a_mapping, invalid, invalid_kind, unknown

CONDITION: JsonObject = {"$ref": "#/$defs/condition"}


@dataclass(frozen=True, slots=True)
class TriggerForm:
    """An event type, alone or with what the event has to be about; which keys that has depends on the type."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return a_mapping((), "{event: customer.order.paid}")

    def read(self, value: object, at: str, report: Report) -> JsonObject | None:
        """See `Value`."""
        body = {"event": value} if isinstance(value, str) else value
        if not isinstance(body, Mapping):
            report(at, invalid(body, self.allowed))
            return None
        event = body.get("event")
        if not isinstance(event, str) or event not in TRIGGERS:
            report(f"{at}.event", unknown(event, sorted(TRIGGERS), "an event type"))
            return None
        return Group(_selecting(TRIGGERS[event].selector_keys)).read(body, at, report)

    def schema(self) -> JsonObject:
        """One form for each set of selectors, so that a selector of another type is refused."""
        types: dict[tuple[str, ...], list[str]] = {}
        for trigger in TRIGGERS.values():
            types.setdefault(trigger.selector_keys, []).append(trigger.type)
        return {"oneOf": [{"enum": list(TRIGGERS)}, *(_trigger_form(*one) for one in types.items())]}


def _selecting(selectors: tuple[str, ...]) -> Keys:
    return {
        "event": Key(AsWritten(), required=True),
        **{name: Key(Text(f": the id of one {name}")) for name in selectors},
    }


def _trigger_form(selectors: tuple[str, ...], types: list[str]) -> JsonObject:
    keys = {"event": Key(AsWritten(form={"enum": types}), required=True)}
    return Group({**keys, **{name: Key(AsWritten()) for name in selectors}}).schema()


@dataclass(frozen=True, slots=True)
class AgainForm:
    """A rule of how often one customer may get it. Its trigger says if a path leads somewhere."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return "one of every_event, once_per_customer, {once_per: order.id} or {once_in: 30d}"

    def read(self, value: object, at: str, report: Report) -> Again | None:
        """See `Value`."""
        match value:
            case "every_event":
                return Again(mode="every_event")
            case "once_per_customer":
                return Again(mode="once_per_customer")
            case {"once_per": str(path), **rest} if not rest:
                return Again(mode="once_per", path=path)
            case {"once_in": span, **rest} if not rest:
                return Again(mode="once_in", seconds=Span().read(span, f"{at}.once_in", report))
            case _:
                report(at, invalid(value, self.allowed))
                return None

    def schema(self) -> JsonObject:
        """See `Value`."""
        once_per = Group({"once_per": Key(AsWritten(), required=True)})
        once_in = Group({"once_in": Key(Span(), required=True)})
        return {"oneOf": [{"enum": ["every_event", "once_per_customer"]}, once_per.schema(), once_in.schema()]}


@dataclass(frozen=True, slots=True)
class DelayForm:
    """A span after the event, or a date that it has, and a span before that. Its trigger says if there is one."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return "a duration such as 30m or 3d, or a mapping: {until: voucher.expiration_date, before: 3d}"

    def read(self, value: object, at: str, report: Report) -> Delay | None:
        """See `Value`."""
        if isinstance(value, Mapping):
            read = _UNTIL.read(value, at, report)
            return None if read is None else Delay(until=read.get("until"), seconds=read.get("before", 0))
        if not isinstance(value, str):
            report(at, invalid_kind(value, self.allowed))
            return None
        seconds = Span().read(value, at, report)
        return None if seconds is None else Delay(seconds=seconds)

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"oneOf": [Span().schema(), _UNTIL.schema()]}


_UNTIL = Group(
    {
        "until": Key(
            Text(": the path of a date, as in voucher.expiration_date"),
            required=True,
            doc="The path of a date of the event or the customer.",
            example="voucher.expiration_date",
        ),
        "before": Key(Span(), doc="How long before it.", default="at it", example="3d"),
    },
    "{until: voucher.expiration_date, before: 3d}",
)


UNLESS = Group(
    {
        "trigger": Key(
            TriggerForm(),
            required=True,
            doc="The event that ends it ([triggers.md](triggers.md)).",
            example="{event: customer.redemption.succeeded}",
        ),
        "when": Key(
            AsWritten("a condition", CONDITION),
            doc="What has to hold of that event ([conditions.md](conditions.md)).",
            default="always",
            example="{customer.metadata.country: PL}",
        ),
        "same": Key(
            Text(": a path that both events have, as in order.id"),
            doc="The path whose value both events share.",
            default="any of the customer's",
            example="customer.metadata.contract",
        ),
    },
    "{trigger: customer.order.paid}",
)


PUBLISH = Group(
    {
        "campaign": Key(
            AsWritten("the id of a campaign that gives codes"),
            required=True,
            doc="Whose code is published.",
            example="spring-codes",
        ),
        "when_empty": Key(
            OneOf(get_args(WhenEmpty)),
            null="wrong",
            doc="What becomes of a message where no code is left.",
            default="stop",
            example="wait",
        ),
    },
    "{campaign: spring-codes, when_empty: wait}",
)
PROMOTE = Group(
    {
        "campaign": Key(
            AsWritten("the id of a campaign that has tiers"),
            required=True,
            doc="Whose tier is told of.",
            example="summer-tiers",
        ),
        "tier": Key(AsWritten("the id of one of its tiers"), required=True, doc="Which one.", example="gold"),
    },
    "{campaign: spring-promotion, tier: gold}",
)


class WrittenChannel(NamedTuple):
    """An entry in the list of channels: which one, where, and what its keys hold; `common` those that each has."""

    name: str
    at: str
    rules: AnyRules
    written: JsonObject
    common: JsonObject


COMMON: Keys = {
    "window": Key(
        WINDOW,
        doc="The hours in which this message may be sent, instead of the distribution's `window`.",
        default="the distribution's",
        example=WINDOW.example,
    )
}
"""The keys that each channel has beside its own."""


def keys_of(rules: AnyRules) -> Group:
    """All keys of a channel."""
    return replace(rules.keys, keys={**rules.keys.keys, **COMMON})


@dataclass(frozen=True, slots=True)
class ChannelList:
    """A list of at least one channel, each with the keys that its rules declare. They may hold secrets."""

    table: ChannelTable

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"a list of at least one of {', '.join(self.table)}"

    def read(self, value: object, at: str, report: Report) -> list[WrittenChannel] | None:
        """See `Value`."""
        if not isinstance(value, list) or not value:
            report(at, invalid_kind(value, self.allowed))
            return None
        read = [self._channel(one, f"{at}[{number}]", report) for number, one in enumerate(value)]
        return [one for one in read if one is not None]

    def _channel(self, value: object, at: str, report: Report) -> WrittenChannel | None:
        if not isinstance(value, Mapping) or len(value) != 1:
            report(at, invalid_kind(value, f"a mapping with exactly one of {', '.join(self.table)}"))
            return None
        ((name, body),) = value.items()
        rules: Any = self.table.get(name) if isinstance(name, str) else None
        if rules is None:
            report(at, unknown(name, sorted(self.table), "a channel"))
            return None
        below = f"{at}.{name}"
        if not isinstance(body, Mapping):
            report(below, invalid_kind(body, "a mapping"))
            return None
        read = keys_of(rules).read(body, below, report) or {}
        common = {key: read.pop(key) for key in COMMON if key in read}
        return WrittenChannel(name, below, rules, read, common)

    def schema(self) -> JsonObject:
        """One form for each channel."""
        forms = [Group({name: Key(keys_of(rules), required=True)}).schema() for name, rules in self.table.items()]
        return {"type": "array", "minItems": 1, "items": {"oneOf": forms}}
