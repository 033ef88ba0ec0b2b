"""The one producer of a process: idempotent, acks=all, with a delivery report for every record."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confluent_kafka

from agents.broker.records import Output
from schemas.errors import TryLater

Report = Callable[[Any, Any], None]
"""Called in the loop's thread with librdkafka's error (or None) and the record, with its offset."""

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

    def __init__(self, error: Any, record: Any) -> None:
        super().__init__(f"{record.topic()}: {error.str()}" if record else error.str())


_PAUSE = 0.002
"""Between two looks at what the broker has acknowledged, while anything is on its way."""
_PLENTY = 50_000
"""Records on their way, above which no further work is begun: half of librdkafka's queue."""
_GATHER_SECONDS = 0.02
"""Records of work that goes on are gathered for so long: what each costs goes by how many leave together."""
_ACKNOWLEDGED_SECONDS = 30.0


class Producer:
    """`librdkafka` behind a few calls. `client` holds the connection settings in its names.

    Reports are served by the loop, not by a thread: a thread would wait for the interpreter's lock once a report.
    """

    def __init__(self, client: Mapping[str, object], **overrides: object) -> None:
        self._producer = confluent_kafka.Producer({**SETTINGS, **client, **overrides})
        self._gathered: deque[tuple[Output, Report]] = deque()
        self._gathering_since = 0.0
        self._serving: asyncio.Task[None] | None = None
        self._is_abandoned = self._is_closed = False

    def produce(self, output: Output, report: Report) -> None:
        """Queue a record, after all that were queued before. `report` is called once, later: never once abandoned.

        Never refuses and never waits: whoever produces awaits `wait_for_capacity` after each piece of work.
        """
        if self._is_abandoned:
            return
        if not self._gathered:
            self._gathering_since = time.monotonic()
        self._gathered.append((output, report))
        if self._serving is None:
            self._serving = asyncio.ensure_future(self._serve_reports())

    async def wait_for_capacity(self, *, goes_on: bool = False) -> None:
        """Send what is queued, and wait, without holding the loop, until there is room for more.

        Where the same work `goes_on` at once, what is queued may wait for more of it, for a moment.
        """
        self._serve()
        if goes_on and len(self._gathered) < _PLENTY and not self._has_gathered():
            return
        self._send()
        while self._gathered or len(self._producer) > _PLENTY:
            await asyncio.sleep(_PAUSE)
            self._serve()
            self._send()

    def abandon(self) -> None:
        """Write nothing more, queued or to come: a record was refused, and those after it have to wait for it.

        librdkafka would go on with them, so that they stood before it once it is written again. The process has to end.
        """
        self._is_abandoned = True
        self._gathered.clear()
        self._producer.purge()

    def flush(self, timeout: float) -> int:
        """Wait at most `timeout` seconds for the reports of everything queued; how many are still open."""
        deadline = time.monotonic() + timeout
        self._send()
        open_reports = int(self._producer.flush(timeout))
        while self._gathered and (rest := deadline - time.monotonic()) > 0:  # what reports have brought
            self._send()
            open_reports = int(self._producer.flush(rest))
        return open_reports + len(self._gathered)

    def close(self, timeout: float = 5.0) -> None:
        """Flush, serve no more reports, and disconnect; what is still open then is tried on until the process ends.

        Not to disconnect would leave a client's threads and connections to whoever lets go of this last: aiohttp keeps
        the handlers of an application, and with them all that they announce by, in a cache of the process.
        """
        if self._is_closed:
            return
        is_done = not self.flush(timeout)
        if self._serving is not None:
            self._serving.cancel()
        if is_done:
            self._is_abandoned = self._is_closed = True
            self._producer.close()

    def _take(self, output: Output, report: Report) -> bool:
        topic, key, value, partition, headers, timestamp = output
        try:
            if headers is None and not timestamp:
                self._producer.produce(topic, value, key, partition, report)
            else:
                self._producer.produce(
                    topic, value, key, partition, report, timestamp=timestamp, headers=list(headers or ())
                )
        except BufferError:
            return False
        except confluent_kafka.KafkaException as error:
            report(error.args[0], None)
        return True

    def _has_gathered(self) -> bool:
        return time.monotonic() - self._gathering_since >= _GATHER_SECONDS

    def _send(self) -> None:
        """Hand librdkafka what is queued, as far as it takes it."""
        while self._gathered and self._take(*self._gathered[0]):
            self._gathered.popleft()

    def _serve(self) -> None:
        """Call the reports that have come, and send what they have brought, or has been gathered for long enough."""
        if self._is_closed:
            return
        goes_on = bool(self._gathered)
        self._producer.poll(0)
        if self._gathered and (not goes_on or self._has_gathered()):
            self._send()

    async def _serve_reports(self) -> None:
        """For as long as anything is on its way."""
        try:
            while self._gathered or len(self._producer):
                self._serve()
                await asyncio.sleep(_PAUSE)
        finally:
            self._serving = None


async def write_all(producer: Producer, outputs: Sequence[Output], *, patience: float = _ACKNOWLEDGED_SECONDS) -> None:
    """Write records and wait until all are acknowledged. Raises TryLater where that takes longer than `patience`."""
    if not outputs:
        return
    acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left = len(outputs)

    def report(error: Any, record: Any) -> None:
        """One for all: a future each, and a callback of it, took as long as the rest of it."""
        nonlocal left
        left -= 1
        if acknowledged.done():
            return
        if error is not None:
            acknowledged.set_exception(RefusedByBroker(error, record))
        elif not left:
            acknowledged.set_result(None)

    for output in outputs:
        producer.produce(output, report)
    await producer.wait_for_capacity()
    try:
        async with asyncio.timeout(patience):  # wait_for would leave what is gathered to the log where it is cancelled
            await acknowledged
    except (TimeoutError, RuntimeError) as error:
        said = f"Kafka did not take the records: {str(error) or 'no acknowledgement in time'}"
        raise TryLater(said, what="Kafka") from error
