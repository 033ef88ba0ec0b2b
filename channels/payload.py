"""Renders a designed body: the payload of a plan, compiled once, filled in from a delivery's objects at each send.

Values keep their kind: a number stays a bare number, an object goes out whole, with all that upstream sent. What the
event does not have, or has as null, is left out unless a default is there; so is an object of which nothing is left.
A default stands for a blank text as well. Attributes of a data transfer are such a payload, with nothing null in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec

from channels.codes.links import Links, with_links
from schemas.delivery import Delivery
from schemas.errors import RenderRefused
from schemas.formats.blank import is_blank
from schemas.formats.paths import Step, read_path
from schemas.payload import DEFAULT, FROM, VALUE, is_dynamic, is_escape
from schemas.record import JsonObject

_COMPILED_KEPT = 256
"""Payloads that stay compiled: one for each webhook that a worker sends to at a time."""

_WORTH = (
    ("discount", "value", "percent_off"),
    ("discount", "value", "amount_off"),
    ("discount", "value", "unit_off"),
    ("discount", "value", "fixed_amount"),
    ("gift", "value", "amount"),
    ("gift", "balance", "balance"),
    ("loyalty_card", "value", "points"),
    ("loyalty_card", "balance", "balance"),
)
"""Part of a voucher, the name that all kinds share, and its name in that part. Of several the first one counts."""

_PAGE = "preferences_url"
"""The page of choices; the other one says goodbye to whoever opens what was meant for a customer alone.

Its variable is a function, since its token takes longer to make than the rest of most payloads, and few name it.
"""

_ABSENT: Any = object()

Variables = dict[str, Any]
Fill = Callable[[Variables], Any]


def render_payload(payload: JsonObject, variables: Variables) -> JsonObject:
    """The payload with its values filled in. Raises RenderRefused for a payload that was never checked.

    Parts of the result may be parts of `variables` and of the payload: it is to be written, not to be changed.
    """
    filled = _compiled(msgspec.json.encode(payload))(variables)
    return {} if filled is _ABSENT else filled


def payload_variables(delivery: Delivery, links: Links) -> Variables:
    """The names that a payload may use: the event's objects, and of the envelope what they leave free."""
    event, distribution = delivery.event, delivery.distribution
    return {
        "event": {"id": event.id, "type": event.type, "created_at": event.created_at},
        "distribution": {"id": distribution.id, "version": distribution.version, "name": distribution.name},
        "delivery_id": delivery.delivery_id,
        _PAGE: lambda: links.of(delivery).get(_PAGE),
        **with_links(delivery.data, links),
    }


def transfer_variables(delivery: Delivery, links: Links) -> Variables:
    """The same for attributes of a data transfer: what a voucher is worth, of whatever kind it is, has one name."""
    variables = payload_variables(delivery, links)
    voucher = variables.get("voucher")
    return {**variables, "voucher": with_worth(voucher)} if isinstance(voucher, dict) else variables


def render_attributes(attributes: JsonObject, variables: Variables) -> JsonObject:
    """Attributes with their values filled in, and without whatever upstream sent as null. Raises RenderRefused."""
    plain: JsonObject = _without_null(render_payload(attributes, variables))
    return plain


def nothing_left() -> RenderRefused:
    """The refusal of a data transfer that would say nothing."""
    return RenderRefused("template_error", "nothing is left to say: the event has none of the attributes")


def with_worth(voucher: JsonObject) -> JsonObject:
    """A voucher with its `value` and `balance`, where it says them; names of upstream's own win."""
    worth: JsonObject = {}
    for kind, name, known in _WORTH:
        part = voucher.get(kind)
        found = part.get(known) if isinstance(part, dict) else None
        if found is not None:
            worth.setdefault(name, found)
    return {**worth, **voucher}


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(part) for name, part in value.items() if part is not None}
    return [_without_null(part) for part in value if part is not None] if isinstance(value, list) else value


@lru_cache(_COMPILED_KEPT)
def _compiled(payload: bytes) -> Fill:
    try:
        fill, _ = _node(msgspec.json.decode(payload))
    except ValueError as error:
        raise RenderRefused("template_error", f"the payload cannot be read: a path of it {error}") from error
    return fill


def _node(node: Any) -> tuple[Fill, bool]:
    """The function that makes a part, and whether it is the same for every event."""
    if isinstance(node, dict):
        if is_dynamic(node):
            return _dynamic(node), False
        inner = node[VALUE] if is_escape(node) else node
        return _object(inner if isinstance(inner, dict) else node)
    if isinstance(node, list):
        return _list(node)
    return _static(node), True


def _static(value: Any) -> Fill:
    return lambda _: value


def _object(members: dict[str, Any]) -> tuple[Fill, bool]:
    parts = [(name, *_node(member)) for name, member in members.items()]
    if all(static for _, _, static in parts):
        return _static({name: fill({}) for name, fill, _ in parts}), True
    fills = [(name, fill) for name, fill, _ in parts]

    def fill_in(variables: Variables) -> Any:
        made = {}
        for name, fill in fills:
            value = fill(variables)
            if value is not _ABSENT:
                made[name] = value
        return made or _ABSENT

    return fill_in, False


def _list(items: list[Any]) -> tuple[Fill, bool]:
    parts = [_node(item) for item in items]
    if all(static for _, static in parts):
        return _static([fill({}) for fill, _ in parts]), True
    fills = [fill for fill, _ in parts]
    return lambda variables: [value for fill in fills if (value := fill(variables)) is not _ABSENT], False


def _dynamic(node: dict[str, Any]) -> Fill:
    steps = read_path(node[FROM])
    read = _read(steps, node.get(DEFAULT, _ABSENT))
    return (lambda variables: read(_with_page(variables))) if steps[0] == _PAGE else read


def _with_page(variables: Variables) -> Variables:
    page = variables.get(_PAGE)  # an object of the event may have its name
    return {**variables, _PAGE: page()} if callable(page) else variables


def _read(steps: Iterable[Step], otherwise: Any) -> Fill:
    hops: tuple[tuple[Step, Any], ...] = tuple((step, _holder(step)) for step in steps)

    def read(variables: Variables) -> Any:
        value: Any = variables
        try:
            for step, holder in hops:
                value = value[step] if value.__class__ is holder else None
        except (KeyError, IndexError):
            return otherwise
        blank = value.__class__ is str and otherwise is not _ABSENT and is_blank(value)
        return otherwise if value is None or blank else value

    return read


def _holder(step: Step) -> type:
    """The type that a step looks into; into anything else it leads nowhere."""
    return list if isinstance(step, int) else dict
