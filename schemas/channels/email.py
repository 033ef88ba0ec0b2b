"""E-mail: what is planned, where it goes, and its deliveries."""

from __future__ import annotations

from typing import ClassVar

from schemas.channels.plan import Plan
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.record import Record
from schemas.template import TemplateRef


class EmailPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="email"):
    """Send by e-mail from one of the configured accounts."""

    channel: ClassVar[ChannelName] = "email"
    account: str
    template: TemplateRef


class EmailAddress(Record, frozen=True, kw_only=True):
    """The addresses and the content of an e-mail."""

    to: str
    name: str | None = None
    template: TemplateRef


class EmailDelivery(Delivery, frozen=True, kw_only=True):
    """A record of `deliveries.email`."""

    channel: ClassVar[ChannelName] = "email"
    email: EmailAddress

    @property
    def template(self) -> TemplateRef:
        """The stored template that it is made of."""
        return self.email.template

    @property
    def reaches(self) -> str:
        """The mailbox."""
        return self.email.to

    def redacted_address(self) -> EmailAddress:
        """Only which template it was."""
        return EmailAddress(to="", template=self.email.template)
