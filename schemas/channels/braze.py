"""Braze: what is planned, whose profile it is about, and its deliveries."""

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
    switch,
    whole,
)
from schemas.channels.named_event import NamedEvent
from schemas.channels.plan import Plan
from schemas.channels.profile import ProfileDelivery
from schemas.closed import ChannelName
from schemas.record import JsonObject, Record, doc

MOST_OBJECTS = 75
"""Attributes and events in one request; contracts by monthly active users take 50."""


class BrazePlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="braze"):
    """Set attributes of a profile, tell of an event, or both."""

    channel: ClassVar[ChannelName] = "braze"
    account: str
    alias_label: Annotated[str, doc("Who has no source_id is named by an alias of this label; empty for none.")] = ""
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
    event: NamedEvent | None = None


class BrazeAddress(Record, frozen=True, kw_only=True):
    """The profile, by one of its names, and what is said of it."""

    external_id: str | None = None
    alias_name: str | None = None
    alias_label: str | None = None
    email: str | None = None
    phone: str | None = None
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
    event: NamedEvent | None = None

    @property
    def name(self) -> str:
        """The one name by which Braze knows the profile."""
        return self.external_id or self.alias_name or self.email or self.phone or ""


class BrazeDelivery(ProfileDelivery, frozen=True, kw_only=True):
    """A record of `deliveries.braze`."""

    channel: ClassVar[ChannelName] = "braze"
    braze: BrazeAddress

    @property
    def reaches(self) -> str:
        """The profile."""
        return self.braze.name

    def redacted_address(self) -> BrazeAddress:
        """Only what its author mapped, which is the same for every customer."""
        return BrazeAddress(attributes=self.braze.attributes, event=self.braze.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrazeAccountForm(AccountForm):
    """The REST endpoint of a cluster, and a key that may track users there.

    `batch_size` are the objects of one request; with `update_existing_only` nobody becomes a profile.
    """

    url: str
    api_key: str = field(repr=False)
    batch_size: int = 50
    update_existing_only: bool = False


BRAZE_ACCOUNT = AccountType(
    BrazeAccountForm,
    (
        AccountField("url", base_url, is_required=True, is_place=True),
        AccountField("api_key", ascii_secret, "secret", is_required=True),
        AccountField("batch_size", whole(1, MOST_OBJECTS), "number"),
        switch(
            "update_existing_only",
            "nobody becomes a profile: only those whom Braze knows are updated",
            "whom Braze does not know becomes a profile",
        ),
        *COMMON_FIELDS,
    ),
    example=BrazeAccountForm(url="https://rest.iad-01.braze.com", api_key="example"),
)
