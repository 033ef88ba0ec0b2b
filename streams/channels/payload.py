"""A designed body as its author writes it, checked: what is stored with the plan, or every problem found.

An author of a webhook either draws the body (`payload`, see `schemas/payload.py`) or names what is wanted of the
event's objects (`attributes`), which is turned into a payload in which every value stands where it stands in the event.
What other channels map to names at a provider is read in `mapping.py`, by the same reader.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from schemas.closed import Action
from schemas.delivery import DistributionRef
from schemas.errors import Problem
from schemas.events.objects import Campaign, PromotionTier, Publication, Voucher
from schemas.events.triggers import Trigger, object_fields
from schemas.formats.paths import Step, Steps, path_text, read_path
from schemas.names import did_you_mean
from schemas.payload import (
    DEFAULT,
    FROM,
    VALUE,
    escaped,
    is_dynamic,
    is_escape,
)
from schemas.record import JsonObject
from streams.conditions.fields import EVENT, EVENT_FIELDS, Fields, Unknown

MAX_DEPTH = 16
MAX_NODES = 256
MAX_BYTES = 16_384
"""Of a payload as JSON: a copy of it travels with each delivery."""
MAX_ATTRIBUTES = 100
MAX_STEPS = 64
"""Of a path: as deep as an event is read."""

DYNAMIC_KEYS = (FROM, DEFAULT)

BROUGHT: Mapping[Action, Mapping[str, Any]] = {
    "message": {},
    "publish": {"campaign": Campaign, "voucher": Voucher, "publication": Publication},
    "promote": {"campaign": Campaign, "promotion_tier": PromotionTier},
}
"""The objects that an action brings beside those of the event."""


class _Shown(Voucher, frozen=True, kw_only=True):
    """A voucher as messages name it: with the addresses of its pictures, where they are served."""

    qr_url: str | None = None
    barcode_url: str | None = None


class _Transferred(_Shown, frozen=True, kw_only=True):
    """A voucher as mappings of attributes name it: what it is worth stands in one place, of whatever kind it is."""

    value: int | float | None = None
    balance: int | float | None = None


_OWN: Mapping[str, Any] = {
    EVENT: EVENT_FIELDS,
    "distribution": DistributionRef,
    "delivery_id": str,
    "preferences_url": str | None,
}
"""Names that every body may use, where the event has no object of that name."""


@dataclass(frozen=True, slots=True)
class Design:
    """The form of a webhook's body: None for the objects as they come; in the envelope or alone."""

    payload: JsonObject | None = None
    envelope: bool = True


def sent_objects(trigger: Trigger, action: Action, *, gathers: bool = False) -> dict[str, Any]:
    """The objects that a message may show, with their types: the trigger's, those that the action brings, a digest."""
    hints = object_fields(trigger.data)
    there = {**{name: hints[name] for name in trigger.objects}, **BROUGHT[action]}
    if gathers:
        item: Any = msgspec.defstruct("Gathered", [(name, one) for name, one in there.items() if name != "customer"])
        there["digest"] = msgspec.defstruct("Digest", [("events", list[item]), ("count", int)])
    return {name: _Shown if hint is Voucher else hint for name, hint in there.items()}


@cache
def payload_fields(trigger: Trigger, action: Action, *, gathers: bool = False) -> Fields:
    """Fields that the paths of a payload may name: the objects of the message, and the delivery."""
    return Fields({**_OWN, **sent_objects(trigger, action, gathers=gathers)}, closed=True)


@cache
def transfer_fields(trigger: Trigger, action: Action, *, gathers: bool = False) -> Fields:
    """Those that a mapping of attributes may name."""
    sent = sent_objects(trigger, action, gathers=gathers)
    objects = {name: _Transferred if hint is _Shown else hint for name, hint in sent.items()}
    return Fields({**_OWN, **objects}, closed=True)


def read_design(body: Mapping[Any, Any], fields: Fields | None, at: str) -> tuple[Design, tuple[Problem, ...]]:
    """`payload`, `attributes` and `envelope` of a webhook. Without `fields` the paths are not looked up."""
    reader = PayloadReader(fields)
    drawn, chosen, envelope = body.get("payload"), body.get("attributes"), body.get("envelope", True)
    payload = None
    if drawn is not None and chosen is not None:
        reader.problem(f"{at}.attributes", "stands instead of payload; write one or the other")
    elif drawn is not None:
        payload = reader.payload(drawn, f"{at}.payload")
    elif chosen is not None:
        payload = reader.attributes(chosen, f"{at}.attributes")
    if not isinstance(envelope, bool):
        reader.problem(f"{at}.envelope", "is true, or false where the payload alone is the body")
    return Design(payload, envelope is not False), tuple(reader.problems)


class PayloadReader:
    """Collects problems on the way down; a part with a problem is None and reading goes on beside it."""

    def __init__(self, fields: Fields | None) -> None:
        self.problems: list[Problem] = []
        self._fields = fields
        self._nodes = 0

    def problem(self, at: str, message: str) -> None:
        self.problems.append(Problem(at, message))

    def payload(self, source: object, at: str) -> JsonObject | None:
        if not isinstance(source, Mapping):
            return self.problem(at, "is a mapping of the names in the body to their values")
        if is_dynamic(source):
            said = f"the body is an object: give the value a name, as in {{order: {{{FROM}: order}}}}"
            return self.problem(at, f"{said}; {_how_to_escape()}")
        plain = self.node(source, at, 0)
        return plain if isinstance(plain, dict) and self.fits(plain, at) else None

    def attributes(self, source: object, at: str) -> JsonObject | None:
        if not isinstance(source, list) or not source or len(source) > MAX_ATTRIBUTES:
            return self.problem(at, f"is a list of 1 to {MAX_ATTRIBUTES} paths, as in [customer.id, order.amount]")
        tree: JsonObject = {}
        for index, written in enumerate(source):
            steps = self.path(written, f"{at}[{index}]")
            if steps:
                self._place(tree, steps, str(written), f"{at}[{index}]")
        payload = _drawn(tree)
        return payload if self.fits(payload, at) else None

    def _place(self, tree: JsonObject, steps: Steps, written: str, at: str) -> None:
        """Put a path's value where the path leads, unless it stands in another that is chosen."""
        names = [step for step in steps if isinstance(step, str)]
        if len(names) < len(steps):
            self.problem(at, "an item of a list has no name to stand under; choose the list, or write a payload")
            return
        if len(names) > MAX_DEPTH:
            self.problem(at, _too_deep())
            return
        *above, last = names
        for name in above:
            tree = tree.setdefault(name, {})
            if not isinstance(tree, dict):
                self.problem(at, f"{written} stands in {tree} already")
                return
        if last in tree:
            there = tree[last]
            within = there if isinstance(there, str) else f"{written}, of which parts are chosen"
            self.problem(at, f"{written} stands in {within} already")
            return
        tree[last] = written

    # -- the body, drawn ----------------------------------------------------------------------------------------

    def node(self, source: object, at: str, depth: int, *, static: bool = False) -> Any:
        """A part of the body; a static one is taken as it stands, whatever it looks like."""
        self._nodes += 1
        if self._nodes == MAX_NODES + 1:
            self.problem(at, f"a payload has at most {MAX_NODES} names and values")
        if depth > MAX_DEPTH:
            self.problem(at, _too_deep())
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            return None
        if isinstance(source, Mapping):
            return self._members(source, at, depth, static=True) if static else self._mapping(source, at, depth)
        if isinstance(source, list):
            items = enumerate(source)
            return [self.node(item, f"{at}[{index}]", depth + 1, static=static) for index, item in items]
        return self._scalar(source, at)

    def _mapping(self, source: Mapping[Any, Any], at: str, depth: int) -> Any:
        if is_dynamic(source):
            return self.dynamic(source, at, depth)
        if not is_escape(source):
            return self._members(source, at, depth)
        inner = source[VALUE]
        if not isinstance(inner, Mapping) or not (is_dynamic(inner) or is_escape(inner)):
            said = f"{{{VALUE}: …}} holds an object that looks like {{{FROM}: …}}. For a static value write it alone"
            return self.problem(at, f"{said}; {_how_to_escape(VALUE)}")
        return {VALUE: self._members(inner, f"{at}.{VALUE}", depth + 1)}

    def _members(self, source: Mapping[Any, Any], at: str, depth: int, *, static: bool = False) -> dict[str, Any]:
        items = source.items()
        return {str(name): self.node(item, _under(at, name), depth + 1, static=static) for name, item in items}

    def dynamic(self, source: Mapping[Any, Any], at: str, depth: int) -> JsonObject:
        """A value of the event, with the default that stands in for it."""
        for name in source:
            if name not in DYNAMIC_KEYS:
                hint = did_you_mean(str(name), DYNAMIC_KEYS)
                said = f'"{name}" does not go with {FROM}.{hint} There are: {", ".join(DYNAMIC_KEYS)}.'
                self.problem(_under(at, name), f"{said} {_how_to_escape().capitalize()}")
        self.path(source[FROM], f"{at}.{FROM}")
        plain = {FROM: source[FROM]}
        if DEFAULT in source:
            plain[DEFAULT] = self.node(source[DEFAULT], f"{at}.{DEFAULT}", depth + 1, static=True)
        return plain

    def _scalar(self, source: object, at: str) -> Any:
        if source is None or isinstance(source, str | bool | int):
            return source
        if isinstance(source, float) and math.isfinite(source):
            return source
        if hasattr(source, "isoformat"):  # a date that YAML made of a text
            return source.isoformat()
        allowed = "a text, number, true, false, null, list or mapping"
        return self.problem(at, f"{type(source).__name__} {str(source)[:40]} is no value of JSON: {allowed}")

    def path(self, source: object, at: str) -> Steps:
        """The steps of a path that leads somewhere; none of one that does not."""
        try:
            steps = read_path(source)
        except ValueError as error:
            self.problem(at, str(error))
            return ()
        if len(steps) > MAX_STEPS:
            self.problem(at, f"has {len(steps)} steps, at most {MAX_STEPS} are read")
            return ()
        wrong = self._fields and _why_not(steps, self._fields)
        if wrong:
            self.problem(at, wrong)
        return steps

    def fits(self, plain: JsonObject, at: str) -> bool:
        """Tell whether it can be kept. Asked once nothing else is wrong."""
        if self.problems:
            return False
        try:
            size = len(msgspec.json.encode(plain))
        except ValueError:  # of which UnicodeEncodeError is one
            self.problem(at, "holds a text that is not valid Unicode, or a number of thousands of digits")
            return False
        if size > MAX_BYTES:
            self.problem(at, f"has {size} bytes as JSON, at most {MAX_BYTES} are kept")
        return size <= MAX_BYTES


def _why_not(steps: Steps, fields: Fields) -> str | None:
    """The problem of a path, as far as the fields on its way are known."""
    names: tuple[str, ...] = ()
    passed: list[Step] = []
    for step in steps:
        found = fields.find(names)
        if isinstance(found, Unknown):
            return found.message
        if names and found.kind == "any":
            return None
        if names and found.kind != ("list" if isinstance(step, int) else "object"):
            return _wrong_step(path_text(passed), found.kind, step)
        passed.append(step)
        if isinstance(step, int):
            fields, names = Fields.of_item(found.item), ()
        else:
            names = (*names, step)
    last = fields.find(names)
    return last.message if isinstance(last, Unknown) else None


def _wrong_step(holder: str, kind: str, step: Step) -> str:
    if isinstance(step, int):
        return f"{holder} is no list but {_a(kind)}"
    if kind == "list":
        return f"{holder} is a list: say which item, as in {holder}[0].{step}"
    return f"{holder} is {_a(kind)} and has nothing inside"


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _drawn(tree: JsonObject) -> JsonObject:
    """Chosen paths as a payload."""
    return escaped({name: _drawn(part) if isinstance(part, dict) else {FROM: part} for name, part in tree.items()})


def _under(at: str, name: object) -> str:
    return f"{at}.{path_text((str(name),))}"


def _too_deep() -> str:
    return f"is nested deeper than {MAX_DEPTH} levels"


def _how_to_escape(name: str = FROM) -> str:
    return f"an object with the name {name} is written {{{VALUE}: {{{name}: …}}}}"
