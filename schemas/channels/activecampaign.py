"""ActiveCampaign: what is planned, whose contact it is about, and its deliveries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from schemas.account_fields import COMMON_FIELDS, AccountField, AccountForm, AccountType, ascii_secret, base_url
from schemas.channels.plan import Plan
from schemas.channels.profile import ProfileDelivery
from schemas.closed import ChannelName
from schemas.record import JsonObject, Record, doc

API = "/api/3"
"""The path of the version of the API that is spoken."""


class ActiveCampaignPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="activecampaign"):
    """Set fields of a contact."""

    channel: ClassVar[ChannelName] = "activecampaign"
    account: str
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}


class ActiveCampaignAddress(Record, frozen=True, kw_only=True):
    """The contact, who is known by nothing but their mailbox, and what is said of them."""

    email: str
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}


class ActiveCampaignDelivery(ProfileDelivery, frozen=True, kw_only=True):
    """A record of `deliveries.activecampaign`."""

    channel: ClassVar[ChannelName] = "activecampaign"
    activecampaign: ActiveCampaignAddress

    @property
    def reaches(self) -> str:
        """The mailbox."""
        return self.activecampaign.email

    def redacted_address(self) -> ActiveCampaignAddress:
        """Only what its author mapped, which is the same for every customer."""
        return ActiveCampaignAddress(email="", attributes=self.activecampaign.attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveCampaignAccountForm(AccountForm):
    """The address of an account, and the token of one of its users."""

    url: str
    api_token: str = field(repr=False)


def _url(text: str) -> str:
    """The address with the path or without: ActiveCampaign shows the one, and its reference the other."""
    return base_url(text).removesuffix(API)


ACTIVECAMPAIGN_ACCOUNT = AccountType(
    ActiveCampaignAccountForm,
    (
        AccountField("url", _url, is_required=True, is_place=True),
        AccountField("api_token", ascii_secret, "secret", is_required=True),
        *COMMON_FIELDS,
    ),
    example=ActiveCampaignAccountForm(url="https://example.api-us1.com", api_token="example"),  # noqa: S106
)
