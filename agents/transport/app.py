"""The Faust application on the batched path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import faust
import structlog
from faust.types import TP

from agents.broker.producer import Producer
from agents.transport.batch import Batch
from agents.transport.changelog import Tables
from agents.transport.consumer import Transport
from agents.transport.crash import EndsWhenCrashed
from agents.transport.lanes import BatchWork, Lanes
from agents.transport.membership import client_id
from agents.transport.progress import Limit
from deploy.settings.servers import Kafka

log = structlog.get_logger()


class BatchApp(EndsWhenCrashed, faust.App):
    """An app whose agents get whole batches; an input offset is committed after all that it caused is acknowledged."""

    in_flight = Limit(batches=4, records=1000, most=32, waiting=2)
    """A limit of what is delivered of a partition and not yet complete: for memory, and the time that a stop takes."""

    def __init__(self, group: str, kafka: Kafka, *, fetch_wait_ms: int = 20, **settings: Any) -> None:
        self.hot_topics: set[str] = set()
        self.bulk_topics: set[str] = set()
        self.fetch_wait_ms = fetch_wait_ms
        self.crash_reason: BaseException | None = None
        self.watchers: list[Callable[[Batch], None]] = []
        instance = settings.get("consumer_group_instance_id")
        super().__init__(
            group,
            broker=[f"kafka://{address}" for address in kafka.bootstrap.split(",")],
            broker_credentials=_credentials(kafka),
            broker_session_timeout=kafka.session_timeout.total_seconds(),
            broker_client_id=client_id(instance) if instance else "tidings",
            **{**SETTINGS, **settings},
        )
        self.outputs = Producer(kafka.producer())

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def batch_agent(self, topic: str, work: BatchWork, *, name: str, is_bulk: bool = False, abreast: int = 1) -> None:
        """Have `work` called with each batch of a topic, a partition's in order. Its exception ends the process.

        `abreast`: of so many partitions at once.

        `is_bulk`: while there are batches of other topics, it goes on at a small share, wherever it gives way.
        """
        self.hot_topics.add(topic)
        if is_bulk:
            self.bulk_topics.add(topic)
        source = self.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")

        lanes = Lanes(work, abreast)

        async def run(stream: Any) -> None:
            async for batch in stream:
                try:
                    if is_bulk:
                        await batch.give_way()
                    await lanes.take(batch)
                except Exception as error:  # Faust would acknowledge the batch and go on
                    self.stop_at_once(error)
                    raise

        self.agent(source, name=name, concurrency=1)(run)

    def on_batch_committable(self, batch: Batch) -> None:
        """Tell those who measure."""
        for watcher in self.watchers:
            watcher(batch)

    def stop_at_once(self, error: BaseException) -> None:
        """End the process without committing anything more. Safe, since only complete batches are ever committed.

        `crash()` alone can hang: the consumer's thread dies first and the final commit waits for it for ever.
        """
        if self.crash_reason is None:
            self.crash_reason = error
            log.error("worker_crashed", error=str(error), kind=type(error).__name__, exit_code=self.exit_code())
            self._crashing = asyncio.ensure_future(self.crash(error))

    def fatal_error(self) -> BaseException | None:
        """The reason why the consumer will never get on, if it is so: this has to end the process."""
        return None if self._consumer is None else self._consumer.fatal_error()

    def begin_anew(self, topic: str, since: float) -> None:
        """Read a topic from its beginning: another one has taken its place after `since`, by the monotonic clock."""
        if self._consumer is not None and topic in self.hot_topics:
            self._consumer.begin_anew(topic, since)

    def go_back(self, tp: TP, offset: int) -> bool:
        """Read a partition again from an offset on; False where it was, and nothing is there any more."""
        return self._consumer is not None and bool(self._consumer.go_back(tp, offset))

    def arrived(self, tp: TP, offset: int) -> None:
        """Records of a partition came from an offset on."""
        if self._consumer is not None:
            self._consumer.arrived(tp, offset)

    @property
    def epoch(self) -> int:
        """Another one after each rebalance and seek, when batches in flight belong to the past."""
        return 0 if self._consumer is None else int(self._consumer.progress.epoch)

    def committed(self) -> dict[TP, int]:
        """Offsets that are committed, of the partitions that are read here."""
        consumer = self._consumer
        if consumer is None:
            return {}
        assigned = [tp for tp in consumer.assignment() if tp.topic in self.hot_topics]
        return {tp: offset for tp in assigned if (offset := consumer._committed_offset[tp])}

    async def stop_within(self, seconds: float) -> bool:
        """Stop in order, and tell whether it came to an end in time.

        Faust waits for what is under way without an end, and swallows being cancelled meanwhile.
        """
        ended, _ = await asyncio.wait({asyncio.ensure_future(self.stop())}, timeout=seconds)
        return bool(ended)


SETTINGS: Mapping[str, Any] = {
    "processing_guarantee": "at_least_once",
    "consumer_auto_offset_reset": "earliest",
    "broker_commit_interval": 0.5,
    "broker_heartbeat_interval": 2.0,
    "broker_request_timeout": 40.0,
    "producer_request_timeout": 30.0,
    "broker_max_poll_records": 2000,
    "broker_max_poll_interval": 10 * 365 * 86400.0,
    "consumer_metadata_max_age_ms": 30_000,
    "topic_allow_declare": False,
    "topic_disable_leader": True,
    "key_serializer": "raw",
    "value_serializer": "raw",
    "web_enabled": False,
    "web_tables_enabled": False,
    "web_router_enabled": False,
    "store": "memory://",
    "TableManager": Tables,
}
"""Faust's settings, from measurements: see the README beside this file."""


def _credentials(kafka: Kafka) -> Any:
    context = kafka.ssl_context()
    if kafka.uses_sasl:
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.reveal(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context else None
