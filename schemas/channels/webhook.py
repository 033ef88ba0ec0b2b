"""Webhook: what is planned, where it goes, and its deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

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
from schemas.record import JsonObject, Record, doc

SIGNING = "main"
"""The name of a project's one webhook account: its secrets sign whatever endpoint is called."""


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

    `rate` and `concurrency` bound each endpoint.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    legacy_secret: str = field(default="", repr=False)


def _problems(account: WebhookAccountForm) -> Mapping[str, str]:
    if not account.secrets and not account.legacy_secret:
        return {"secrets": "is missing: without secrets, and without legacy_secret, receivers cannot know us"}
    return {}


WEBHOOK_ACCOUNT = AccountType(
    WebhookAccountForm,
    (
        AccountField("secrets", signing_secret, "secrets"),
        AccountField("legacy_secret", ascii_secret, "secret"),
        *COMMON_FIELDS,
    ),
    _problems,
    only_name=SIGNING,
)
