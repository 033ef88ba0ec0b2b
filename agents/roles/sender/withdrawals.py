"""Profiles on `customers`, as far as they concern what is sent: a consent may be withdrawn after the decision.

The sender reads the topic for its tombstones anyway. The matcher decides by the profile that it has at that moment;
what is said after the event reached Kafka counts here, where a delivery is claimed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice

from agents.broker.records import Incoming
from agents.ingest_time import moment, stamp
from agents.transport.batch import Batch
from agents.waiting import retry_until_available
from schemas.errors import BadRecord
from schemas.record_key import Keyed, parse_key
from schemas.wire.codec import TopicCodec
from store.sending.consents import Consents, Given
from streams.consents import ConsentReader

_CHUNK_SIZE = 500


class Withdrawals:
    """Notes what customers consent to. What is not a profile is left to the matcher, which dead-letters it."""

    def __init__(self, consents: Consents, codec: TopicCodec, *, default_project: str, max_bytes: int) -> None:
        self._consents, self._default, self._max_bytes = consents, default_project, max_bytes
        self._reader = ConsentReader(codec, default_project)

    async def take(self, batch: Batch) -> None:
        """The last profile of each customer, a chunk of records at a time."""
        records = iter(batch.records)
        while chunk := list(islice(records, _CHUNK_SIZE)):
            given = self._given(chunk)
            await retry_until_available(partial(self._consents.note, given), what="Postgres")

    def _given(self, records: Iterable[Incoming]) -> dict[Keyed, Given]:
        last = {record.key: record for record in records if record.key}  # no key: damaged batch
        found = (self._read(record) for record in last.values() if record.value is not None)
        return dict(one for one in found if one is not None)

    def _read(self, record: Incoming) -> tuple[Keyed, Given] | None:
        raw = record.value or b""
        if len(raw) > self._max_bytes:
            return None
        try:
            given = self._reader.read(raw, record.key)
            customer = parse_key(record.key or b"", self._default)
        except BadRecord:
            return None
        at = moment(stamp(record)) if stamp(record) >= 0 else None
        return customer, Given(tuple(name for name in given if "\0" not in name), at)
