"""Records written a chunk at a time, without a loop, with what became of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import confluent_kafka

from agents.broker.producer import SETTINGS
from agents.broker.records import Output

_FLUSH_SECONDS = 130.0
"""Longer than a record is tried."""


@dataclass(frozen=True, slots=True)
class Written:
    """The place of a record that was written; else the broker's words in `refused`."""

    partition: int = -1
    offset: int = -1
    refused: str | None = None


class Writer:
    """`client` holds the connection settings in librdkafka's names."""

    def __init__(self, client: Mapping[str, object]) -> None:
        self._producer = confluent_kafka.Producer({**SETTINGS, **client})

    def close(self) -> None:
        """Disconnect. What was written is acknowledged or refused by then."""
        self._producer.close()

    def write(self, outputs: Sequence[Output]) -> list[Written]:
        """Write records that are on their way at once; of each what became of it, in their order."""
        ends = [Written(refused="not acknowledged in time")] * len(outputs)

        def report(index: int) -> Callable[[Any, Any], None]:
            def note(error: Any, record: Any) -> None:
                refused = Written(refused=error.str()) if error else None
                ends[index] = refused or Written(record.partition(), record.offset())

            return note

        for index, (topic, key, value, partition, headers, timestamp) in enumerate(outputs):
            try:
                self._producer.produce(
                    topic, value, key, partition, report(index), timestamp=timestamp, headers=list(headers or ())
                )
            except confluent_kafka.KafkaException as error:
                ends[index] = Written(refused=error.args[0].str())
        self._producer.flush(_FLUSH_SECONDS)
        return ends
