"""The reference page of a webhook's designed body: each example is checked and rendered as it is written down."""

from __future__ import annotations

from io import StringIO
from typing import Any

import msgspec
from ruamel.yaml import YAML

from channels.payload import render_attributes, render_payload, with_worth
from schemas.events.samples import OBJECTS
from schemas.events.triggers import TRIGGERS
from streams.channels.mapping import DEFAULTS, Attributes
from streams.channels.payload import (
    MAX_ATTRIBUTES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    payload_fields,
    read_design,
    transfer_fields,
)

_TRIGGER = TRIGGERS["customer.order.paid"]
_VOUCHER: Any = OBJECTS["voucher"]

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


TRANSFERS: tuple[str, ...] = (
    "last_code: voucher.code",
    "discount: voucher.value",
    "country: customer.metadata.country",
    "shop: {from: order.metadata.shop, default: web}",
    "source: {value: spring}",
    "tags: {value: [spring, web]}",
    "visits: 1",
)
"""Attributes on `customer.order.paid` with a code of a campaign, in YAML."""


def payload_page() -> str:
    """The forms of a designed body and of attributes, with what each comes to."""
    rows = [f"| `{source}` | `{_body(source)}` |" for source in EXAMPLES]
    mapped = [f"| `{source}` | `{_mapped(source)}` |" for source in TRANSFERS]
    defaults = [f"| {name} | {path} |" for name, path in DEFAULTS.items()]
    return (
        "\n".join(
            [
                *(_HEAD, "| in the webhook | in the body |\n|---|---|", *rows),
                *(_TRANSFERS_HEAD, "| in `attributes` | at the provider |\n|---|---|", *mapped),
                *(_DEFAULTS_HEAD, "| name | from |\n|---|---|", *defaults),
            ]
        )
        + "\n"
    )


def _mapped(source: str) -> str:
    """Attributes of the sample, as they leave."""
    problems: list[str] = []
    written: dict[str, Any] = YAML(typ="safe").load(StringIO(source))
    fields = transfer_fields(_TRIGGER, "publish")
    payload = Attributes().drawn(written, fields, "attributes", lambda at, said: problems.append(f"{at} {said}"))
    assert not problems, problems  # noqa: S101 - an example is valid
    variables = {**_TRIGGER.sample()["data"], "voucher": with_worth(_VOUCHER)}
    return msgspec.json.encode(render_attributes(payload, variables)).decode()


def _body(source: str) -> str:
    written: dict[str, Any] = YAML(typ="safe").load(StringIO(source))
    design, problems = read_design(written, payload_fields(_TRIGGER, "message"), "webhook")
    assert design.payload is not None, problems  # noqa: S101 - an example is valid
    return msgspec.json.encode(render_payload(design.payload, _TRIGGER.sample()["data"])).decode()


_HEAD = f"""\
# What a webhook says

Written from `streams/channels/payload.py` and `channels/payload.py` by `python -m console.reference.pages`.

Without a design a webhook carries the event's objects. `payload` draws a body of your own, `attributes` chooses from
the objects, each value where it stands in the event. Either is `data` of the envelope; with `envelope: false` it is the
whole body. Whatever it is, it is what is signed. `tidings preview FILE` shows it to the byte,
and the builder of `tidings console` has it in rows, beside what they send.

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

_TRANSFERS_HEAD = """
## Data transfers

Channels that keep a profile at a provider take `attributes`, a mapping of names there to where their values come from,
and some an `event` with a name and `properties` of the same form. Paths, defaults and limits are those of a webhook's
payload, with three differences:

- A text is a path; a text that is sent as it stands is written `{value: …}`. Numbers, true and false stand alone.
- `voucher.value` and `voucher.balance` are what a voucher is worth and what is left of it, of whatever kind it is.
- Nothing is ever null, as providers delete what they are told is null: what is absent is left out, and neither a
  default nor a static value may hold null.

Where a provider has a list of its fields, `tidings apply` holds names and kinds against it
([accounts.md](accounts.md)).

Of the sample of `customer.order.paid`, with a code of a campaign:
"""

_DEFAULTS_HEAD = """
Without `attributes`, and without an `event`, these are sent, as far as trigger and action bring them, in the spelling
of the provider; `preferences_url` where `console.public_url` is set; `{}` sends none:
"""
