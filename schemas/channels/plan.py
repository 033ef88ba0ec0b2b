"""The part of a plan that is the same on every channel."""

from __future__ import annotations

from typing import ClassVar

from schemas.closed import ChannelName
from schemas.record import Record
from schemas.template import TemplateRef


class Plan(Record, frozen=True, kw_only=True):
    """The base of the plans: what a distribution says of one of its messages, the same for every customer.

    A plan's `tag_field` is `channel`, its tag the channel's name.
    """

    channel: ClassVar[ChannelName]

    @property
    def template(self) -> TemplateRef | None:
        """The stored template that its messages are made of, where there is one."""
        return None
