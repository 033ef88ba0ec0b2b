"""The reference page of a webhook's designed body: each example is checked and rendered as it is written down."""

from __future__ import annotations

from io import StringIO
from typing import Any

import msgspec
from ruamel.yaml import YAML

from channels.webhook.payload import render_payload
from schemas.events.triggers import TRIGGERS
from streams.channels.payload import MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_NODES, payload_fields, read_design

_TRIGGER = TRIGGERS["customer.order.paid"]

EXAMPLES: tuple[str, ...] = (
    "payload: {id: {from: customer.id}}",
    "payload: {amount: {from: order.amount}}",
    "payload: {sku: {from: 'order.items[0].sku_id'}}",
    "payload: {order: {from: order.metadata}}",
    "payload: {vip: {from: customer.metadata.vip}, n: 1}",
    "payload: {vip: {from: customer.metadata.vip, default: false}}",
    "payload: {first: {from: 'customer.metadata.\"first.order\"', default: null}}",
    "payload: {source: tidings, tags: [a, {from: customer.locale}]}",
    "payload: {mail: {value: {from: shop@example.com, to: {from: customer.email}}}}",
    "payload: {amount: {value: {value: {from: order.amount}}}}",
    "attributes: [customer.id, order.amount, order.metadata]",
)
"""Designs on `customer.order.paid`, in YAML."""


def payload_page() -> str:
    """The forms of a designed body, with what each comes to."""
    rows = [f"| `{source}` | `{_body(source)}` |" for source in EXAMPLES]
    return "\n".join([_HEAD, "| in the webhook | in the body |\n|---|---|", *rows]) + "\n"


def _body(source: str) -> str:
    written: dict[str, Any] = YAML(typ="safe").load(StringIO(source))
    design, problems = read_design(written, payload_fields(_TRIGGER, "message"), "webhook")
    assert design.payload is not None, problems  # noqa: S101 - an example is valid
    return msgspec.json.encode(render_payload(design.payload, _TRIGGER.sample()["data"])).decode()


_HEAD = f"""\
# What a webhook says

Written from `streams/channels/payload.py` and `channels/webhook/payload.py` by `python -m console.reference.pages`.

Without a design a webhook carries the event's objects. `payload` draws a body of your own, `attributes` chooses from
the objects, each value where it stands in the event. Either is `data` of the envelope; with `envelope: false` it is the
whole body. Whatever it is, it is what is signed. `tidings preview FILE` shows it to the byte.

- `{{from: PATH}}` is the value at a path, of its own kind: numbers stay bare, an object goes out whole. Names with a
  dot or a bracket are put in quotes; items of a list are counted from 0.
- Paths begin with an object of the trigger ([triggers.md](triggers.md)), with what the action brings (publish:
  `campaign`, `voucher`, `publication`; promote: `campaign`, `promotion_tier`), or, where the trigger has no object of
  that name, with `event` (`id`, `type`, `created_at`), `distribution` (`id`, `version`, `name`) and `delivery_id`,
  which is in the header `webhook-id` as well.
- What the event does not have, or has as null, is left out, and so is an object of which nothing is left; a list gets
  shorter. `default` stands in, as it is written: `default: null` sends null.
- All else is static. Every mapping with `from` is a value of the event: an object that has such a name is written
  `{{value: {{from: …}}}}`, and what is in it is read as everywhere.
- At most {MAX_NODES} names and values, {MAX_DEPTH} levels and {MAX_BYTES} bytes; at most {MAX_ATTRIBUTES} attributes.

Of the sample of `customer.order.paid`:
"""
