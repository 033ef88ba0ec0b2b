"""Webhook: what is planned, where it goes, and its deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from schemas.account_fields import (
    COMMON_FIELDS,
    AccountField,
    AccountForm,
    AccountType,
    ascii_secret,
    signing_secret,
)
from schemas.channels.plan import Plan
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.formats.hosts import is_name
from schemas.record import JsonObject, Record, doc

SIGNING = "main"
"""The name of a project's own webhook account: it signs to each endpoint that has none of its own."""


class WebhookPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="webhook"):
    """Send over a webhook."""

    channel: ClassVar[ChannelName] = "webhook"
    url: str
    type: Annotated[str, doc("Free name given by the author; the `type` of the envelope.")]
    headers: dict[str, str] = {}
    payload: Annotated[JsonObject | None, doc("What goes out instead of the event's objects.")] = None
    envelope: Annotated[bool, doc("False: the payload alone is the body.")] = True


class WebhookAddress(Record, frozen=True, kw_only=True):
    """The URL of a webhook and the name of its event."""

    url: str
    type: str
    headers: dict[str, str] = {}
    payload: Annotated[JsonObject | None, doc("What goes out instead of `data`, where a payload was designed.")] = None
    envelope: Annotated[bool, doc("False: the payload alone is the body.")] = True


class WebhookDelivery(Delivery, frozen=True, kw_only=True):
    """A record of `deliveries.webhook`."""

    channel: ClassVar[ChannelName] = "webhook"
    webhook: WebhookAddress

    @property
    def reaches(self) -> str:
        """The endpoint's host, which is its account."""
        return self.account

    def redacted_address(self) -> WebhookAddress:
        """Without the address: authors may have put a customer's data into it, or into a header."""
        return WebhookAddress(url="", type=self.webhook.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAccountForm(AccountForm):
    """Secrets by which receivers know a project's webhooks. All of `secrets` sign, so that they can be rotated.

    The account of an endpoint stands in place of the project's. `rate` and `concurrency` bound each endpoint.
    `retiring_secrets` sign after the others, until the grace of a rotation is over.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    legacy_secret: str = field(default="", repr=False)
    retiring_secrets: tuple[str, ...] = field(default=(), repr=False)

    def rotated(self, secret: str) -> Self:
        """The same with a new secret, beside which what signed until now goes on for a while. Raises ValueError.

        What was to retire from the rotation before signs no more, so that a request never has more than one signature
        beside those that somebody wrote.
        """
        if secret in (*self.secrets, *self.retiring_secrets):
            raise ValueError("must be another than those that sign now")
        return replace(self, secrets=(secret,), retiring_secrets=self.secrets)

    def after_grace(self) -> Self:
        """See `AccountForm`."""
        return replace(self, retiring_secrets=())


def _problems(account: WebhookAccountForm) -> Mapping[str, str]:
    if not account.secrets and not account.legacy_secret:
        return {"secrets": "is missing: without secrets, and without legacy_secret, receivers cannot know us"}
    return {}


def endpoint_account(endpoint: str) -> str:
    """The name of the account that an endpoint's host and port may have of its own."""
    return endpoint.lower()


def _name(text: str) -> str:
    """A name as somebody writes it: the project's own account, or a host as addresses have it, with its port."""
    wrong = f"must be {SIGNING}, or the host of an endpoint as its address has it, such as hooks.example.com:8443"
    name = endpoint_account(text)
    try:
        parts = urlsplit(f"//{name}")
        is_host = is_name(parts.hostname or "") or "[" in name
        is_endpoint = is_host and parts.netloc == name and "@" not in name and parts.port != 0
    except ValueError:
        raise ValueError(wrong) from None
    if not is_endpoint:
        raise ValueError(wrong)
    return name


WEBHOOK_ACCOUNT = AccountType(
    WebhookAccountForm,
    (
        AccountField("secrets", signing_secret, "secrets"),
        AccountField("legacy_secret", ascii_secret, "secret"),
        *COMMON_FIELDS,
    ),
    _problems,
    read_name=_name,
    kept=frozenset({"retiring_secrets"}),
)
