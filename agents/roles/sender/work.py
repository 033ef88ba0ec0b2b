"""A delivery that this process is to send."""

from __future__ import annotations

from datetime import datetime

import msgspec

from schemas.delivery import Delivery
from schemas.destination import Destination


class Work(msgspec.Struct, frozen=True):
    """A leased delivery. `attempts` were made before; `arrived_at` is when its event reached Kafka.

    `expires` is when it is no longer valid, by the process's steady clock; None where it always is.
    """

    delivery: Delivery
    attempts: int
    arrived_at: datetime
    expires: float | None = None

    @property
    def destination(self) -> Destination:
        """The destination that it goes to."""
        return Destination(self.delivery.project_id, self.delivery.channel, self.delivery.account)
