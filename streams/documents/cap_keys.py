"""A cap as its author writes it, of a distribution or of a whole project."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import get_args

from schemas.closed import CHANNELS, CapScope, CapWindow
from schemas.distribution import TRANSACTIONAL, Cap
from schemas.formats.durations import format_duration
from schemas.record import JsonObject
from streams.caps import LONGEST
from streams.values.kinds import Group, Key, Span, Text, Whole
from streams.values.wording import Report, invalid, unknown

_LONGEST_GATHERING = 60 * 60
MOST = 100
"""Of one cap: what it has counted is kept in each customer's row."""
_SKIP = "skip"
_SCOPES: tuple[str, ...] = get_args(CapScope)
_CALENDAR = tuple(name for name in get_args(CapWindow) if name != "span")


@dataclass(frozen=True, slots=True)
class CapTime:
    """A day, week or month of the customer's, or a span before each message; kept as what a `Cap` says of it."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"one of {', '.join(_CALENDAR)}, or a duration from 1m to {format_duration(_LONGEST)}, as in 7d"

    def read(self, value: object, at: str, report: Report) -> JsonObject | None:
        """See `Value`."""
        if value in _CALENDAR:
            return {"within": value}
        seconds = Span().accepted(value)
        if seconds is None or not 60 <= seconds <= _LONGEST:
            report(at, invalid(value, self.allowed))
            return None
        return {"within": "span", "seconds": seconds}

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"oneOf": [{"enum": list(_CALENDAR)}, Span().schema()]}


_LONGEST = int(LONGEST.total_seconds())


@dataclass(frozen=True, slots=True)
class CapEnd:
    """The end of a message that a cap does not let go: kept as the seconds that it may wait."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"{_SKIP}, or how long it may wait for its turn, as in {{wait: 3d}}"

    def read(self, value: object, at: str, report: Report) -> int | None:
        """See `Value`."""
        if value == _SKIP:
            return 0
        if isinstance(value, Mapping) and set(value) == {"wait"}:
            return Span().read(value["wait"], f"{at}.wait", report)
        report(at, invalid(value, self.allowed))
        return None

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"oneOf": [{"enum": [_SKIP]}, Group({"wait": Key(Span(), required=True)}).schema()]}


CAP = Group(
    {
        "at_most": Key(
            Whole(1, MOST, ": messages to one customer"),
            required=True,
            doc="How many messages one customer gets; a distribution that may send none is better paused.",
            example="2",
        ),
        "in": Key(
            CapTime(),
            required=True,
            doc="The time that counts: a day, a week from Monday on or a month, where the customer lives, "
            "or a span before each message.",
            example="week",
        ),
        "of": Key(
            Text(f": {', '.join(_SCOPES)}, a channel or a consent category"),
            doc="What counts together: all of the project, those of one channel, those of one consent category; or "
            "the only channel or category that it is for.",
            default="project",
            example="marketing",
        ),
        "then": Key(
            CapEnd(),
            null="wrong",
            doc="What becomes of one too many: it is skipped, or waits, for so long after its event or the end of its "
            "delay, until there is room.",
            default=_SKIP,
            example="{wait: 3d}",
        ),
        "gather": Key(
            Span(),
            doc="The last one waits for so long, 1h at most: those of a higher `priority` that come meanwhile go "
            "before it, and what waits for its turn gets it by priority.",
            default="it goes at once",
            example="30s",
        ),
    },
    "{at_most: 2, in: week, of: marketing, then: {wait: 3d}}",
)


@dataclass(frozen=True, slots=True)
class CapForm:
    """One cap, or several that all have to let a message go."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"{CAP.allowed}, or a list of such"

    def read(self, value: object, at: str, report: Report) -> list[tuple[str, JsonObject]] | None:
        """The place of each, and its keys."""
        if isinstance(value, Mapping):
            places = [(at, value)]
        elif isinstance(value, list) and value:
            places = [(f"{at}[{number}]", one) for number, one in enumerate(value)]
        else:
            report(at, invalid(value, self.allowed))
            return None
        read = [(place, CAP.read(one, place, report)) for place, one in places]
        return [(place, one) for place, one in read if one is not None]

    def schema(self) -> JsonObject:
        """See `Value`."""
        one = CAP.schema()
        return {"oneOf": [one, {"type": "array", "minItems": 1, "items": one}]}


def cap_of(place: str, read: JsonObject, consents: Collection[str], report: Report) -> Cap | None:
    """The cap that keys say, in a project with some consent categories."""
    if not {"at_most", "in"} <= read.keys():
        return None
    of = read.get("of", "project")
    if of == TRANSACTIONAL:
        report(f"{place}.of", f"{TRANSACTIONAL} messages always go; they count under project and channel")
        return None
    if of not in (*_SCOPES, *consents, *CHANNELS):
        report(f"{place}.of", unknown(of, [*_SCOPES, *sorted({*consents, *CHANNELS})], "something to count"))
        return None
    scope: CapScope = of if of in _SCOPES else "category" if of in consents else "channel"
    name, gather = None if of in _SCOPES else of, read.get("gather", 0)
    if gather > _LONGEST_GATHERING:
        report(f"{place}.gather", f"must be at most {format_duration(_LONGEST_GATHERING)}: it delays each last message")
        return None
    return Cap(at_most=read["at_most"], scope=scope, name=name, wait=read.get("then", 0), gather=gather, **read["in"])


def misses_all(cap: Cap, consent: str, channels: Collection[str]) -> str | None:
    """The reason for which a cap never counts a message of a distribution; None where it does."""
    if consent == TRANSACTIONAL:
        return f"limits nothing: {TRANSACTIONAL} messages always go, and count for other distributions"
    if cap.name is None:
        return None
    if cap.scope == "category" and cap.name != consent:
        return f"is for {cap.name}, and this distribution's category is {consent}: write {consent} or category"
    if cap.scope == "channel" and cap.name not in channels:
        return f"is for {cap.name}, and this distribution sends by {', '.join(sorted(channels))}"
    return None
