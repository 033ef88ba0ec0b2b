"""What `schemas/channels/toy.py` would be."""

from __future__ import annotations

from typing import ClassVar, cast

from schemas.channels.plan import Plan
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.record import Record

TOY = cast(ChannelName, "toy")
"""What a line in `schemas/closed.py` would make of it."""


class ToyPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="toy"):
    """Send a short text."""

    channel: ClassVar[ChannelName] = TOY
    account: str
    text: str


class ToyAddress(Record, frozen=True, kw_only=True):
    """Where it goes and what it says."""

    phone: str
    text: str


class ToyDelivery(Delivery, frozen=True, kw_only=True):
    """A record of `deliveries.toy`."""

    channel: ClassVar[ChannelName] = TOY
    toy: ToyAddress

    def redacted_address(self) -> ToyAddress:
        """Only what everybody is told."""
        return ToyAddress(phone="", text=self.toy.text)
