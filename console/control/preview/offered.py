"""Variables as editors offer them: those that messages say most, in words, then each object with its fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from channels.templates.engine import OWN_VARIABLES
from console.control.preview.variables import Variables

ASKED_FOR: tuple[tuple[str, str, str], ...] = (
    ("the customer's name", "customer.order.paid", '{{ customer.name | default("there") }}'),
    ("their e-mail address", "customer.order.paid", "{{ customer.email }}"),
    ("the code", "customer.publication.succeeded", "{{ voucher.code }}"),
    ("its QR code, as an address", "customer.publication.succeeded", "{{ voucher.qr_url }}"),
    ("its QR code, inside the e-mail", "customer.publication.succeeded", '<img src="cid:qr" width="120">'),
    ("its barcode, as an address", "customer.publication.succeeded", "{{ voucher.barcode_url }}"),
    ("its barcode, inside the e-mail", "customer.publication.succeeded", '<img src="cid:barcode" width="240">'),
    ("what it is worth", "customer.publication.succeeded", '{{ voucher | value("EUR") }}'),
    ("credits received", "customer.voucher.gift.balance_added", '{{ balance.amount | money("EUR") }}'),
    ("points received", "customer.voucher.loyalty_card.points_added", "{{ balance.points | points }}"),
    ("points there are now", "customer.voucher.loyalty_card.points_added", "{{ balance.balance | points }}"),
    ("points that expired", "customer.voucher.loyalty_card.points_expired", "{{ points | points }}"),
    ("pending points", "customer.voucher.loyalty_card.pending_points.added", "{{ pending_points.points | points }}"),
    ("the reward", "customer.rewarded", "{{ reward.name }}"),
    ("the loyalty tier", "customer.loyalty.tier.joined", "{{ loyalty_tier.name }}"),
    ("the tier arrived at", "customer.loyalty.tier.upgraded", "{{ loyalty_tier_to.name }}"),
    ("the promotion tier", "customer.redemption.succeeded", "{{ promotion_tier.name }}"),
    ("where to unsubscribe", "customer.order.paid", "{{ unsubscribe_url }}"),
    ("the preference page", "customer.order.paid", "{{ preferences_url }}"),
    ("the e-mail in a browser", "customer.order.paid", "{{ view_url }}"),
    ("who writes", "customer.order.paid", "{{ brand.name }}, {{ brand.contact }}"),
)
"""What messages say most, each with a trigger that has it."""

_PICTURE = "cid:"
"""A picture of the code that an e-mail brings along, which is HTML."""
_FIRST = re.compile(r"\{\{\s*(\w+)")
_PATH = re.compile(r"\{\{ ([a-z_]+(?:\.[a-z_]+)+|preferences_url)\b[^{}]*\}\}")
_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
"""A path that a template can say as it is."""
_MOST = "Asked for most"
_IN_MESSAGES = ("brand",)
"""Variables that no payload has."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A variable as a text says it; `path` is the same in a payload, empty for what none has.

    `text` is what it is, where its name does not say.
    """

    written: str
    path: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class OfferedGroup:
    """Variables that belong together: those of an object, or those that are asked for most."""

    name: str
    variables: Sequence[Offered]
    is_object: bool = True


def offered(objects: Variables, seen: Iterable[str] = (), *, in_html: bool = True) -> list[OfferedGroup]:
    """All that a text may say of some objects; `seen` are paths that events and profiles had.

    `in_html` where it may say pictures as well.
    """
    asked = [one for one in _asked_for(objects) if in_html or _PICTURE not in one.written]
    deeper = [path for path in dict.fromkeys(seen) if _PLAIN.fullmatch(path) and path.count(".") > 1]
    return [
        OfferedGroup(_MOST, asked, is_object=False),
        *(OfferedGroup(name, list(_of(name, fields, deeper))) for name, fields in sorted(objects.items())),
    ]


def _asked_for(objects: Variables) -> Iterator[Offered]:
    for text, _, written in ASKED_FOR:
        found = _FIRST.search(written)
        root = found[1] if found else "voucher"
        if root in objects or root in OWN_VARIABLES:
            path = _PATH.fullmatch(written)
            yield Offered(written, path[1] if path and root not in _IN_MESSAGES else "", text)


def _of(name: str, fields: Iterable[str], deeper: Iterable[str]) -> Iterator[Offered]:
    paths = [*(f"{name}.{field}" for field in fields), *(path for path in deeper if path.startswith(f"{name}."))]
    for path in paths or [name]:
        yield Offered(f"{{{{ {path} }}}}", path)
