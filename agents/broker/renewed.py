"""A client of the broker that is made anew once it may no longer find the broker.

librdkafka may keep for good that a partition has no leader, or that there is no such partition, after a broker was away
for longer than its session (confluentinc/librdkafka#5430, #5280); a new client asks again.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer


class RenewedConsumer:
    """Holds a consumer; where it was assigned partitions, a new one has to be assigned them anew."""

    def __init__(self, make: Callable[[], Consumer]) -> None:
        self._make, self.now = make, make()

    def renew(self) -> None:
        """Replace it."""
        self.now.close()
        self.now = self._make()

    def close(self) -> None:
        """Disconnect."""
        self.now.close()
