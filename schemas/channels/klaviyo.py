"""Klaviyo: what is planned, whose profile it is about, and its deliveries."""

from __future__ import annotations

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
)
from schemas.channels.named_event import NamedEvent
from schemas.channels.plan import Plan
from schemas.channels.profile import ProfileDelivery
from schemas.closed import ChannelName
from schemas.record import JsonObject, Record, doc


class KlaviyoPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="klaviyo"):
    """Set properties of a profile, or tell of an event, which may set them as well."""

    channel: ClassVar[ChannelName] = "klaviyo"
    account: str
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
    event: NamedEvent | None = None


class KlaviyoAddress(Record, frozen=True, kw_only=True):
    """The profile, by all the names that are known of it, and what is said of it."""

    external_id: str
    email: str | None = None
    phone_number: str | None = None
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
    event: NamedEvent | None = None


class KlaviyoDelivery(ProfileDelivery, frozen=True, kw_only=True):
    """A record of `deliveries.klaviyo`."""

    channel: ClassVar[ChannelName] = "klaviyo"
    klaviyo: KlaviyoAddress

    @property
    def reaches(self) -> str:
        """The mailbox where one is known, else the number: a message that starts there goes to it."""
        return self.klaviyo.email or self.klaviyo.phone_number or self.klaviyo.external_id

    def redacted_address(self) -> KlaviyoAddress:
        """Only what its author mapped, which is the same for every customer."""
        return KlaviyoAddress(external_id="", attributes=self.klaviyo.attributes, event=self.klaviyo.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class KlaviyoAccountForm(AccountForm):
    """A private key, which says whose account it is; `revision` is the version of the API that is spoken.

    `bulk`: messages leave together, in jobs that Klaviyo works off.
    """

    api_key: str = field(repr=False)
    url: str = "https://a.klaviyo.com"
    revision: str = "2026-10-15"
    bulk: bool = False


KLAVIYO_ACCOUNT = AccountType(
    KlaviyoAccountForm,
    (
        AccountField("api_key", ascii_secret, "secret", is_required=True),
        AccountField("url", base_url, is_place=True),
        AccountField("revision", line),
        switch(
            "bulk", "messages leave together, in jobs that Klaviyo works off", "each message leaves by itself, at once"
        ),
        *COMMON_FIELDS,
    ),
    example=KlaviyoAccountForm(api_key="example"),
)
