"""The one producer of a process: idempotent, acks=all, with a delivery report for every record."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import confluent_kafka

if TYPE_CHECKING:
    from agents.transport.batch import Output

Report = Callable[[BaseException | None], None]
"""Called in the producer's thread with None, or with why the record was not written."""

SETTINGS: Mapping[str, object] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 2,
    "batch.size": 262_144,
    "partitioner": "murmur2_random",
    "message.max.bytes": 13 * 1024 * 1024,
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 131_072,
    "delivery.timeout.ms": 120_000,
    "log_level": 2,
}


class RefusedByBroker(RuntimeError):
    """A record was not written: the topic is missing, too small, forbidden, or the broker was away too long."""


class Producer:
    """`librdkafka` behind two calls. `client` holds the connection settings in its names."""

    def __init__(self, client: Mapping[str, object], **overrides: object) -> None:
        self._producer = confluent_kafka.Producer({**SETTINGS, **client, **overrides})
        self._running = True
        self._thread = threading.Thread(target=self._serve_reports, name="delivery-reports", daemon=True)
        self._thread.start()

    def produce(self, output: Output, report: Report) -> bool:
        """Queue a record; False while the queue is full. `report` is called once, later, in another thread."""

        def on_delivery(error: confluent_kafka.KafkaError | None, _message: object) -> None:
            report(None if error is None else RefusedByBroker(f"{output.topic}: {error.str()}"))

        try:
            self._producer.produce(
                output.topic, output.value, output.key, output.partition, on_delivery, headers=output.headers
            )
        except BufferError:
            return False
        except confluent_kafka.KafkaException as error:
            report(RefusedByBroker(f"{output.topic}: {error.args[0].str()}"))
        return True

    def flush(self, timeout: float) -> int:
        """Wait at most `timeout` seconds for the reports of everything queued; how many are still open."""
        return int(self._producer.flush(timeout))

    def close(self, timeout: float = 5.0) -> None:
        """Flush and stop serving reports."""
        self.flush(timeout)
        self._running = False
        self._thread.join(1.0)

    def _serve_reports(self) -> None:
        while self._running:
            self._producer.poll(0.1)
