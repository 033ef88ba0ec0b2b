"""Intercom: what is planned, whose contact it is about, and its deliveries."""

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
    base_url,
    line,
    switch,
    whole,
)
from schemas.channels.named_event import NamedEvent
from schemas.channels.plan import Plan
from schemas.channels.profile import ProfileDelivery
from schemas.closed import ChannelName
from schemas.record import JsonObject, Record, doc
from schemas.template import TemplateRef

_LARGEST_ADMIN = 999_999_999


class IntercomMessage(Record, frozen=True, kw_only=True):
    """A message from an admin of the workspace, made of a template."""

    template: TemplateRef
    is_email: Annotated[bool, doc("Sent as an e-mail; otherwise shown in the app.")] = False
    style: Annotated[str, doc("The look of an e-mail: plain or personal.")] = "plain"


class IntercomPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="intercom"):
    """Set attributes of a contact, tell of an event, or both; or send a message."""

    channel: ClassVar[ChannelName] = "intercom"
    account: str
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
    event: NamedEvent | None = None
    message: IntercomMessage | None = None

    @property
    def template(self) -> TemplateRef | None:
        """The stored template of its message."""
        return self.message.template if self.message else None


class IntercomAddress(Record, frozen=True, kw_only=True):
    """The contact, by the names that are known of it, and what is said of it or to it."""

    external_id: str | None = None
    email: str | None = None
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
    event: NamedEvent | None = None
    message: IntercomMessage | None = None


class IntercomDelivery(ProfileDelivery, frozen=True, kw_only=True):
    """A record of `deliveries.intercom`."""

    channel: ClassVar[ChannelName] = "intercom"
    intercom: IntercomAddress

    @property
    def template(self) -> TemplateRef | None:
        """The stored template of its message."""
        return self.intercom.message.template if self.intercom.message else None

    @property
    def reaches(self) -> str:
        """The mailbox where one is known: by it somebody left, or is known to be gone."""
        return self.intercom.email or self.intercom.external_id or ""

    def redacted_address(self) -> IntercomAddress:
        """Only what its author wrote, which is the same for every customer."""
        to = self.intercom
        return IntercomAddress(attributes=to.attributes, event=to.event, message=to.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntercomAccountForm(AccountForm):
    """An access token, which says whose workspace it is, at the API of its region.

    Messages come from `admin_id`. With `create_contacts` a customer whom nobody knows there becomes a contact.
    `client_secret` proves the app's webhooks, of which those of the workspace `app_id` are taken, or of any without it.
    """

    token: str = field(repr=False)
    url: str = "https://api.intercom.io"
    version: str = "2.16"
    admin_id: int = 0
    create_contacts: bool = False
    client_secret: str = field(default="", repr=False)
    app_id: str = ""


def _problems(account: IntercomAccountForm) -> Mapping[str, str]:
    if account.app_id and not account.client_secret:
        return {"client_secret": "is missing: it proves the webhooks of the workspace app_id"}
    return {}


INTERCOM_ACCOUNT = AccountType(
    IntercomAccountForm,
    (
        AccountField("token", ascii_secret, "secret", is_required=True),
        AccountField("url", base_url, is_place=True),
        AccountField("version", line),
        AccountField("admin_id", whole(0, _LARGEST_ADMIN), "number"),
        switch(
            "create_contacts",
            "whom nobody knows there becomes a contact",
            "whom nobody knows there is refused",
        ),
        AccountField("client_secret", ascii_secret, "secret"),
        AccountField("app_id", line),
        *COMMON_FIELDS,
    ),
    _problems,
    example=IntercomAccountForm(token="example", admin_id=1),  # noqa: S106 - stands for one where nothing is sent
)
