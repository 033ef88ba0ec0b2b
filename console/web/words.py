"""Words of pages: times, numbers, and texts from outside without what would turn a line around or hide a part of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import quote

import msgspec

from schemas.formats.durations import format_duration

_UNITS = (86_400, 3600, 60, 1)
_LONG_AGO = 90 * 86_400
"""Seconds; of what is older the date alone is of use."""
_LITTLE = 0.1
"""Hundredths that are not rounded away."""
_MANIFOLD = 1000
"""Hundredths of a change that say less than the number before."""
_NEVER = datetime(9999, 12, 30, tzinfo=UTC)
"""From then on moments stand for none, as that of what waits until somebody lets it go on."""
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Characters that cannot be seen, and change how others are: but not those that join letters and emoji."""


def inert(text: object) -> str:
    """A text from outside with its hidden characters shown, as in `⟨U+202E⟩`."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text))


def is_never(at: datetime) -> bool:
    """True of a moment that stands for none."""
    return at >= _NEVER


def ago(at: datetime, now: datetime) -> str:
    """The distance of a moment in one unit: `5m ago`, `in 2h`; the day of what is months away."""
    if is_never(at):
        return "no date"
    seconds = int((now - at).total_seconds())
    if abs(seconds) > _LONG_AGO:
        return at.astimezone(UTC).strftime("%Y-%m-%d")
    unit = next((size for size in _UNITS if abs(seconds) >= size), 0)
    if not unit:
        return "now"
    span = format_duration(abs(seconds) // unit * unit)
    return f"{span} ago" if seconds > 0 else f"in {span}"


def left(until: datetime, now: datetime) -> str:
    """The time until a moment in its two largest units: `9 minutes 40 seconds`; `a moment` where it has come."""
    seconds, parts = max(0, int((until - now).total_seconds())), list[str]()
    for noun, size in zip(("day", "hour", "minute", "second"), _UNITS, strict=True):
        amount, seconds = divmod(seconds, size)
        if amount and len(parts) < 2:
            parts.append(count_of(amount, noun))
        elif parts:
            break
    return " ".join(parts) or "a moment"


def exact(at: datetime, zone: tzinfo) -> str:
    """A moment by the clock of a zone, with the zone's name: `2026-11-20 09:12 CET`."""
    if is_never(at):
        return "until it goes on"
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def as_sentence(said: str) -> str:
    """A message of ours as a sentence: begun with a capital, and ended."""
    return f"{said[:1].upper()}{said[1:]}".rstrip(".") + ("" if said.endswith("?") else ".")


def number(value: float) -> str:
    """A number with its thousands apart."""
    return f"{value:,}"


def one_of(noun: str) -> str:
    """One thing with its article: `a minute`, `an hour`."""
    return f"{'an' if noun[:4] == 'hour' or noun[:1] in 'aeiou' else 'a'} {noun}"


def count_of(amount: int, noun: str) -> str:
    """A number of things: `1 code`, `1,200 codes`."""
    return f"{number(amount)} {noun}{'' if amount == 1 else 's'}"


def share(value: float | None) -> str:
    """A share of one in hundredths, in as many places as tell it from none and from all; empty for none at all."""
    if value is None:
        return ""
    hundredths = value * 100
    if 0 < hundredths < _LITTLE:
        return f"under {_LITTLE} %"
    if 100 - _LITTLE < hundredths < 100:
        return f"over {100 - _LITTLE} %"
    return f"{hundredths:.1f} %".replace(".0 %", " %")


def change(now: int, before: int) -> str:
    """The change of a number against one before it: `+12 %`, or both where a share would say nothing."""
    if now == before:
        return "as before"
    if not before:
        return "none before"
    by = (now - before) / before * 100
    if abs(by) > _MANIFOLD:
        return f"{number(before)} before"
    return f"{'+' if by > 0 else '-'}{max(1, round(abs(by)))} %"


def person(actor: str, people: Mapping[str, str]) -> str:
    """Whoever did something, by their name where they are a user of the project, else as the audit log has them."""
    return inert(people.get(actor, actor))


def segment(text: str) -> str:
    """A text as a part of an address between two slashes."""
    return quote(text, safe="")


def indented(value: object) -> str:
    """A value as JSON, a line a field."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def named(change: Mapping[str, Any]) -> str:
    """The names of what differs in a change, or of what it says."""
    sides = [one for one in (change.get("before"), change.get("after")) if isinstance(one, Mapping)]
    names = dict.fromkeys(name for side in sides for name in side) if sides else change
    return ", ".join(map(str, names))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "inert": inert, "ago": ago, "exact": exact, "number": number, "segment": segment,
    "indented": indented, "named": named, "one_of": one_of, "person": person,
}  # fmt: skip
