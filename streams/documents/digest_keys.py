"""The keys of a digest, and what it does not go with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from schemas.distribution import Digest
from schemas.events.triggers import Trigger
from schemas.formats.durations import format_duration
from schemas.record import JsonObject
from streams.documents.windows import TimeOfDay
from streams.values.kinds import Flag, Group, Key, ListOf, OneOf, Span, Text
from streams.values.wording import Report
from streams.window import WEEKDAYS

LONGEST_DIGEST = 90 * 86_400
"""Seconds: what is gathered stands in Postgres."""
DIGEST = Group(
    {
        "for": Key(
            Span(),
            doc="How long it gathers, from its first event on; this or `at`.",
            example="4h",
        ),
        "at": Key(
            TimeOfDay(),
            doc="When what was gathered is sent, by the customer's wall clock, else the project's; this or `for`.",
            example='"09:00"',
        ),
        "days": Key(
            ListOf(OneOf(WEEKDAYS), "[monday, thursday]"),
            doc="The days on which `at` counts.",
            default="every day",
            example="[monday]",
        ),
        "by": Key(
            Text(": a path that the event has, as in order.id"),
            doc="The path each of whose values has a digest of its own.",
            default="one digest for a customer",
            example="customer.metadata.contract",
        ),
        "first": Key(
            Flag(),
            doc="The first event is sent at once; what follows it within the window is gathered.",
            default="false",
            example="true",
        ),
    },
    "{for: 4h, by: order.id}",
)


@dataclass(frozen=True, slots=True)
class DigestForm:
    """A window in which events are gathered: a span from the first of them, or until a time of the day."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return DIGEST.allowed

    def read(self, value: object, at: str, report: Report) -> Digest | None:
        """See `Value`."""
        read = DIGEST.read(value, at, report)
        if read is None:
            return None
        written = value if isinstance(value, Mapping) else {}
        if ("for" in written) == ("at" in written):
            report(at, 'has either for or at: for: 4h from its first event on, or at: "09:00" of the day')
        if "days" in written and "at" not in written:
            report(f"{at}.days", 'needs at: the time of those days, as in at: "09:00"')
        seconds = read.get("for")
        if seconds == 0:
            report(f"{at}.for", "gathers nothing: must be longer than 0s")
        if seconds and seconds > LONGEST_DIGEST:
            longest = format_duration(LONGEST_DIGEST)
            report(f"{at}.for", f"is {format_duration(seconds)}: what is gathered is kept for at most {longest}")
        rest = {name: read[name] for name in ("at", "days", "by", "first") if name in read}
        return Digest(seconds=seconds, **rest)

    def schema(self) -> JsonObject:
        """See `Value`."""
        rest = {name: key for name, key in DIGEST.keys.items() if name not in ("for", "at", "days")}
        span = Group({"for": replace(DIGEST.keys["for"], required=True), **rest}).schema()
        daily = {"at": replace(DIGEST.keys["at"], required=True), "days": DIGEST.keys["days"], **rest}
        return {"oneOf": [span, Group(daily).schema()]}


def stands_against(read: JsonObject, trigger: Trigger | None) -> Iterator[tuple[str, str]]:
    """Keys of a distribution that do not go with its digest, and why."""
    digest, again, unless = read["digest"], read.get("again"), read.get("unless") or {}
    if trigger and trigger.addressed:
        yield "digest", f"gathers nothing: {trigger.type} is for one customer once"
    if again is not None and again.mode != "every_event":
        yield "again", "is every_event beside digest, which says itself how many events are one message"
    if read.get("publish"):
        said = "a code is published for one event. Publish it without a digest"
        yield "publish", f"does not go with digest: {said}, and gather customer.publication.succeeded in another one"
    for at, way in (("", read), *((f"arms.{name}.", arm) for name, arm in read.get("arms", {}).items())):
        if way.get("delay"):
            yield f"{at}delay", "does not go with digest: the end of its window says when it is sent"
    if unless.get("same") not in (None, digest.by):
        right = f"must be digest.by, {digest.by}" if digest.by else "needs the same path as digest.by"
        yield "unless.same", f"{right}, so that it ends events of one digest; or leave it out"
