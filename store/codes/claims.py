"""Claims on a pool and their answers: the objects of a publication, made of what is kept of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from schemas.campaign import Campaign, Code, publication_object, voucher_object
from schemas.distribution import TRANSACTIONAL


class Claim(msgspec.Struct, frozen=True):
    """One customer asks for one code. `publication_id` is the same whenever the same delivery asks.

    `category` is the consent that its message needs.
    """

    publication_id: str
    project_id: str
    campaign_id: str
    customer_id: str
    customer: dict[str, Any]
    distribution_id: str
    event_id: str
    channel: str
    category: str = TRANSACTIONAL


class Published(msgspec.Struct, frozen=True):
    """The same objects whenever the same publication is asked for; `event_id` is the event that caused it first.

    `is_new` holds for one answer of one call: the claim that this publication was written for.
    """

    publication: dict[str, Any]
    voucher: dict[str, Any]
    campaign: dict[str, Any]
    event_id: str
    is_new: bool


class Empty(msgspec.Struct, frozen=True):
    """No code was left; nothing was written."""

    campaign_id: str


class Unusable(msgspec.Struct, frozen=True):
    """The campaign gives no codes: unknown, switched off, out of its dates, or of a kind without codes."""

    campaign_id: str
    detail: str


class Withdrawn(msgspec.Struct, frozen=True):
    """The customer has withdrawn the consent with us, so that no code is spent on what would not be sent."""

    detail: str


Answer = Published | Empty | Unusable | Withdrawn


class Version(msgspec.Struct, frozen=True):
    """A version of a campaign, and the object that is sent of it."""

    campaign: Campaign
    sent: dict[str, Any]


class Publication(msgspec.Struct, frozen=True):
    """One customer's code, claimed at `at`. Codes and versions never change, and so the objects do not either."""

    claim: Claim
    code: Code
    version: Version
    at: datetime

    def published(self, *, is_new: bool) -> Published:
        """The answer for whoever asks for it."""
        claim = self.claim
        voucher = voucher_object(self.version.campaign, self.code, claim.customer_id, self.at)
        publication = publication_object(
            publication_id=claim.publication_id,
            customer=claim.customer,
            customer_id=claim.customer_id,
            distribution_id=claim.distribution_id,
            channel=claim.channel,
            voucher_id=voucher["id"],
            now=self.at,
        )
        return Published(publication, voucher, self.version.sent, claim.event_id, is_new)
