"""A delivery that this process is to send."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import msgspec

from schemas.delivery import Delivery
from schemas.destination import Destination


class Work(msgspec.Struct, frozen=True, dict=True):
    """A leased delivery. `attempts` were made before; `arrived_at` is when its event reached Kafka.

    `expires` is when it is no longer valid, by the process's steady clock; None where it always is. `through` is the
    account that it leaves through in place of its own; `possibly_accepted`: its own may have had it.
    """

    delivery: Delivery
    attempts: int
    arrived_at: datetime
    expires: float | None = None
    possibly_accepted: bool = False
    through: str = ""

    @cached_property
    def destination(self) -> Destination:
        """The destination that it waits for."""
        return Destination(self.delivery.project_id, self.delivery.channel, self.delivery.account)

    @property
    def leaves_for(self) -> Destination:
        """The destination that it is sent to."""
        return self._other if self.through else self.destination

    @cached_property
    def _other(self) -> Destination:
        return self.destination._replace(name=self.through)
