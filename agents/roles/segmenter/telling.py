"""The telling of memberships: for each customer whom a change concerns, a record of all segments that they are in.

Postgres notes whom a change concerns, in the transaction that makes it; here that is looked up page by page, and what
the customer is in by then is told. After a crash in between it is told again, as it is by then: the last record
is always right.
"""

from __future__ import annotations

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from schemas.membership import COMPLETE_KEY, Memberships
from schemas.topics import MEMBERSHIPS
from store.memberships import MembershipChanges, Standing, Telling


class MembershipTeller:
    """Tells Kafka who is in which segments. Any number of processes have one: they take turns."""

    def __init__(self, changes: MembershipChanges, producer: Producer, wiring: Wiring) -> None:
        self._changes, self._producer, self._wiring = changes, producer, wiring
        self._topic, self._codec = wiring.topic(MEMBERSHIPS), wiring.codec(MEMBERSHIPS)
        self._partitions = wiring.settings.topics.partitions

    async def tell(self) -> int:
        """Tell the next page; of how many customers, 0 where nothing waits. Raises TryLater."""
        return await self._changes.publish(self._partitions, self._publish)

    async def _publish(self, page: Telling) -> None:
        """The records of a page are acknowledged before one says that with them all is told."""
        await write_all(self._producer, [self._output(one, page) for one in page.standings])
        if page.completes:
            told = self._codec.encode(self._record("", "", [], page))
            await write_all(
                self._producer,
                [Output(self._topic, COMPLETE_KEY, told, partition) for partition in range(self._partitions)],
            )

    def _output(self, one: Standing, page: Telling) -> Output:
        """Of a customer of whom nothing is known nothing stays."""
        key = self._wiring.key(one.project_id, one.customer_id)
        is_known = one.is_there or one.segments
        record = self._record(one.project_id, one.customer_id, one.segments, page)
        return Output(self._topic, key, self._codec.encode(record) if is_known else None)

    def _record(self, project_id: str, customer_id: str, segments: list[str], page: Telling) -> Memberships:
        return Memberships(
            project_id=project_id,
            customer_id=customer_id,
            segments=segments,
            revision=page.revision,
            told_at=page.now,
        )
