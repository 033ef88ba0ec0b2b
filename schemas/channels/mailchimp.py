"""Mailchimp: what is planned, whose entry in an audience it is about, and its deliveries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from schemas.account_fields import (
    COMMON_FIELDS,
    AccountField,
    AccountForm,
    AccountType,
    ascii_secret,
    base_url,
    choice,
)
from schemas.channels.plan import Plan
from schemas.channels.profile import ProfileDelivery
from schemas.closed import ChannelName
from schemas.record import JsonObject, Record, doc

NewMember = Literal["transactional", "subscribed", "pending"]
_NEW_MEMBERS: Mapping[NewMember, str] = {
    "transactional": "kept without a subscription: no campaign goes to them",
    "subscribed": "subscribed at once",
    "pending": "asked by Mailchimp whether they want to subscribe",
}
"""Whom an audience may take in without us saying of anybody who is in it already whether they want its mail."""
_LIST_ID = re.compile(r"[0-9A-Za-z]{1,40}", re.ASCII)
_DATA_CENTER = re.compile(r"[a-z]{2}[0-9]{1,4}", re.ASCII)


class MailchimpPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="mailchimp"):
    """Fill in merge fields of a member."""

    channel: ClassVar[ChannelName] = "mailchimp"
    account: str
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}


class MailchimpAddress(Record, frozen=True, kw_only=True):
    """The member, and what is said of them."""

    email: str
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}


class MailchimpDelivery(ProfileDelivery, frozen=True, kw_only=True):
    """A record of `deliveries.mailchimp`."""

    channel: ClassVar[ChannelName] = "mailchimp"
    mailchimp: MailchimpAddress

    @property
    def reaches(self) -> str:
        """The mailbox."""
        return self.mailchimp.email

    def redacted_address(self) -> MailchimpAddress:
        """Only what its author mapped, which is the same for every customer."""
        return MailchimpAddress(email="", attributes=self.mailchimp.attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailchimpAccountForm(AccountForm):
    """An audience, and a key that may write to it.

    `data_center` is read off the end of the key, as in `…-us6`, and `url` made of it, where they are not written.
    `webhook_secrets` are the signing secrets of the audience's own webhooks.
    """

    api_key: str = field(repr=False)
    list_id: str
    data_center: str = ""
    url: str = ""
    status_if_new: NewMember = "transactional"
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def address(self) -> str:
        """The API of the data centre."""
        return self.url or f"https://{self.center}.api.mailchimp.com"

    @property
    def audience(self) -> str:
        """The path of the audience."""
        return f"/3.0/lists/{self.list_id}"

    @property
    def center(self) -> str:
        """The data centre, empty where neither the account nor its key names one."""
        return self.data_center or _center_of(self.api_key)


def _center_of(api_key: str) -> str:
    _, dash, center = api_key.rpartition("-")
    return center if dash and _DATA_CENTER.fullmatch(center) else ""


def _list_id(text: str) -> str:
    if not _LIST_ID.fullmatch(text):
        raise ValueError(f'"{text[:20]}" is not valid: must be an Audience ID of letters and digits, as in a1b2c3d4e5')
    return text


def _data_center(text: str) -> str:
    if text and not _DATA_CENTER.fullmatch(text):
        raise ValueError(f'"{text[:20]}" is not valid: must be a data centre such as us6, the end of the API key')
    return text


def _url(text: str) -> str:
    return base_url(text) if text else ""


def _problems(account: MailchimpAccountForm) -> Mapping[str, str]:
    if not account.url and not account.center:
        return {"data_center": "is missing: the key does not end in one, as in …-us6"}
    return {}


MAILCHIMP_ACCOUNT = AccountType(
    MailchimpAccountForm,
    (
        AccountField("api_key", ascii_secret, "secret", is_required=True),
        AccountField("list_id", _list_id, is_required=True),
        AccountField("data_center", _data_center, is_place=True),
        AccountField("url", _url, is_place=True),
        choice("status_if_new", _NEW_MEMBERS),
        AccountField("webhook_secrets", ascii_secret, "secrets"),
        *COMMON_FIELDS,
    ),
    _problems,
    example=MailchimpAccountForm(api_key="example-us6", list_id="a1b2c3d4e5", url="https://us6.api.mailchimp.com"),
)
