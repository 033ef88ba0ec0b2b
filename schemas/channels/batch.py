"""Batch: what is planned, whose profile it is about, its deliveries and its accounts."""

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
    whole,
)
from schemas.channels.named_event import NamedEvent
from schemas.channels.plan import Plan
from schemas.channels.profile import ProfileDelivery
from schemas.closed import ChannelName
from schemas.record import JsonObject, Record, doc

MOST_PROFILES = 200
"""In one request."""


class BatchPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="batch"):
    """Set attributes of a profile, tell of an event, or both."""

    channel: ClassVar[ChannelName] = "batch"
    account: str
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
    event: NamedEvent | None = None


class BatchAddress(Record, frozen=True, kw_only=True):
    """The profile, and what is said of it."""

    custom_id: str
    attributes: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
    event: NamedEvent | None = None


class BatchDelivery(ProfileDelivery, frozen=True, kw_only=True):
    """A record of `deliveries.batch`."""

    channel: ClassVar[ChannelName] = "batch"
    batch: BatchAddress

    @property
    def reaches(self) -> str:
        """The profile."""
        return self.batch.custom_id

    def redacted_address(self) -> BatchAddress:
        """Only what its author mapped, which is the same for every customer."""
        return BatchAddress(custom_id="", attributes=self.batch.attributes, event=self.batch.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAccountForm(AccountForm):
    """A project at Batch, and a REST key of it. `batch_size` are the profiles of one request."""

    project_key: str
    rest_key: str = field(repr=False)
    url: str = "https://api.batch.com"
    version: str = "2.11"
    batch_size: int = MOST_PROFILES


def _version(text: str) -> str:
    if not all(part.isascii() and part.isdecimal() for part in text.split(".")) or len(text) > 10:
        raise ValueError(f'"{text[:20]}" is not valid: must be a version such as 2.11')
    return text


BATCH_ACCOUNT = AccountType(
    BatchAccountForm,
    (
        AccountField("project_key", line, is_required=True),
        AccountField("rest_key", ascii_secret, "secret", is_required=True),
        AccountField("url", base_url, is_place=True),
        AccountField("version", _version),
        AccountField("batch_size", whole(1, MOST_PROFILES), "number"),
        *COMMON_FIELDS,
    ),
    example=BatchAccountForm(project_key="project_example", rest_key="example"),
)
