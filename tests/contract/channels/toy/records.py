"""The file that would be `schemas/channels/toy.py`."""

from __future__ import annotations

from typing import ClassVar, cast

from schemas.channels.plan import Plan
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.record import Record

TOY = cast(ChannelName, "toy")
"""As a line in `schemas/closed.py` would have it."""


class ToyPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="toy"):
    """Send a short text."""

    channel: ClassVar[ChannelName] = TOY
    account: str
    text: str


class ToyAddress(Record, frozen=True, kw_only=True):
    """A number, and the text for it."""

    phone: str
    text: str


class ToyDelivery(Delivery, frozen=True, kw_only=True):
    """A record of `deliveries.toy`."""

    channel: ClassVar[ChannelName] = TOY
    toy: ToyAddress

    @property
    def reaches(self) -> str:
        """The number."""
        return self.toy.phone

    def redacted_address(self) -> ToyAddress:
        """Only what everybody is told."""
        return ToyAddress(phone="", text=self.toy.text)
