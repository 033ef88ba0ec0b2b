"""Webhook, as far as it is pure: its keys and deliveries. Everybody can be reached: it goes to the author's server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from schemas.channels.webhook import WebhookAddress, WebhookDelivery, WebhookPlan
from schemas.formats.hosts import HostRefused, ascii_url
from schemas.formats.paths import PATH_PATTERN
from schemas.payload import FROM
from schemas.record import JsonObject
from streams.channels.payload import MAX_ATTRIBUTES, read_design
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.event_context import Profile
from streams.values.kinds import AsWritten, Flag, Group, Key, Text
from streams.values.wording import Report, invalid_kind

RESERVED_HEADERS = frozenset(
    {
        "content-type",
        "content-length",
        "host",
        "user-agent",
        "connection",
        "transfer-encoding",
        "x-voucherify-signature",
        "accept-encoding",
        "content-encoding",
        "expect",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
    }
)
"""Those that every webhook has, and those that say of the connection or the body what is not so."""
_LONGEST_URL = _LONGEST_HEADERS = 8000
"""Most servers take no more than 8 KB of either, and refuse what is longer."""
_BODY: JsonObject = {"allOf": [{"$ref": "#/$defs/body"}, {"type": "object", "not": {"required": [FROM]}}]}
"""A payload: an object, and not itself a value of the event."""
_PATHS: JsonObject = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_ATTRIBUTES,
    "uniqueItems": True,
    "items": {"type": "string", "pattern": f"^{PATH_PATTERN}$"},
}
_HEADER_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """An address over HTTP. It may hold a secret: what is wrong with it is said without showing it."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return "an address such as https://hooks.example.com/tidings"

    def read(self, value: object, at: str, report: Report) -> str | None:
        """See `Value`."""
        text = value if isinstance(value, str) else ""
        try:
            parts = urlsplit(text)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid or not text.isprintable() or " " in text or "\\" in text:  # clients disagree on what such mean
            report(at, invalid_kind(value, self.allowed))
            return None
        if "@" in parts.netloc:
            report(at, "holds a user name or password; receivers know us by the signature instead")
        if len(text) > _LONGEST_URL:
            report(at, f"has {len(text)} characters: must be at most {_LONGEST_URL}, which is what servers take")
        try:
            return ascii_url(text)
        except HostRefused as error:
            report(at, str(error))
            return None

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers of the author's own. They may hold secrets, so no text of one is shown."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return "a mapping of header names to texts"

    def read(self, value: object, at: str, report: Report) -> dict[str, str] | None:
        """See `Value`."""
        if not value:
            return {}
        if not isinstance(value, Mapping):
            report(at, invalid_kind(value, self.allowed))
            return None
        for name, text in value.items():
            _check_header(str(name), text, f"{at}.{name}", report)
        together = sum(len(str(name)) + len(str(text)) for name, text in value.items())
        if together > _LONGEST_HEADERS:
            report(at, f"have {together} characters: must be at most {_LONGEST_HEADERS}, which is what servers take")
        return {str(name): str(text) for name, text in value.items()}

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "object", "additionalProperties": {"type": "string"}}


def _check_header(name: str, text: object, at: str, report: Report) -> None:
    if not name or not _HEADER_CHARACTERS.issuperset(name):
        report(at, "a header name is of lower-case letters, digits and dash")
    elif name in RESERVED_HEADERS or name.startswith("webhook-"):
        report(at, "is reserved: what is right there is set on every webhook")
    if not isinstance(text, str) or any(ord(character) < 32 or ord(character) > 126 for character in text):
        report(at, invalid_kind(text, "a text of printable ASCII"))


@dataclass(frozen=True, slots=True)
class _Keys(Group):
    """The keys of a webhook: `payload` and `attributes` do not stand together."""

    def schema(self) -> JsonObject:
        return {**Group.schema(self), "not": {"required": ["payload", "attributes"]}}


KEYS = _Keys(
    {
        "url": Key(WebhookUrl(), required=True, doc="Where it goes.", example="https://hooks.example.com/tidings"),
        "type": Key(
            Text(": the free name under which receivers know it"),
            required=True,
            doc="The `type` of the envelope.",
            example="winback",
        ),
        "headers": Key(Headers(), doc="Headers beside those that every webhook has.", example="{x-shop: north}"),
        "payload": Key(
            AsWritten("a mapping of the names in the body to their values", _BODY),
            doc="A body of your own ([payload.md](payload.md)).",
            default="the event's objects",
            example="{id: {from: customer.id}}",
        ),
        "attributes": Key(
            AsWritten(f"a list of 1 to {MAX_ATTRIBUTES} paths", _PATHS),
            doc="What the body takes of the event's objects; not beside `payload`.",
            default="the event's objects",
            example="[customer.id, customer.metadata]",
        ),
        "envelope": Key(
            Flag(),
            null="wrong",
            doc="False: the payload alone is the body.",
            default="true",
            example="false",
        ),
    }
)


def _plan(written: JsonObject, context: PlanContext) -> WebhookPlan:
    design, problems = read_design(written, context.fields, context.at)
    for problem in problems:
        context.report(problem.path, problem.message)
    return WebhookPlan(
        url=written.get("url", ""),
        type=written.get("type", ""),
        headers=written.get("headers", {}),
        payload=design.payload,
        envelope=design.envelope,
    )


def _address(plan: WebhookPlan, _profile: Profile) -> WebhookAddress:
    return WebhookAddress(
        url=plan.url, type=plan.type, headers=plan.headers, payload=plan.payload, envelope=plan.envelope
    )


def _delivery(plan: WebhookPlan, address: WebhookAddress, shared: Shared) -> WebhookDelivery:
    return WebhookDelivery(account=urlsplit(plan.url).netloc, webhook=address, **shared)


WEBHOOK = ChannelRules(KEYS, _plan, _address, _delivery)
