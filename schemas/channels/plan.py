"""The part of a plan that is the same on every channel."""

from __future__ import annotations

from typing import Annotated, ClassVar

from schemas.closed import ChannelName
from schemas.record import Record, doc
from schemas.template import TemplateRef
from schemas.window import Window


class Plan(Record, frozen=True, kw_only=True):
    """The base of the plans: what a distribution says of one of its messages, the same for every customer.

    A plan's `tag_field` is `channel`, its tag the channel's name.
    """

    channel: ClassVar[ChannelName]
    window: Annotated[Window | None, doc("When this message may be sent; counts over the distribution's.")] = None

    @property
    def template(self) -> TemplateRef | None:
        """The stored template that its messages are made of, where there is one."""
        return None
