"""Offsets that may be committed: the invariants of the batched transport that need no broker."""

from __future__ import annotations

import time
from typing import Any, cast

import confluent_kafka
import faust
import mode
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.broker.producer import Producer, Report
from agents.broker.records import Output
from agents.transport.batch import Batch
from agents.transport.progress import Limit, OffsetRegression, Progress

ORDERS = TP("orders", 0)


class Record:
    key = value = b""
    timestamp = 0

    def __init__(self, offset: int) -> None:
        self.offset = offset


class HeldProducer:
    """Keeps the reports back until told."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.topics: list[str] = []

    def produce(self, output: Output, report: Report) -> None:
        self.reports.append(report)
        self.topics.append(output.topic)


class Refused:
    def str(self) -> str:
        return "refused"


class Owner:
    def __init__(self) -> None:
        self.done: list[Batch] = []
        self.failed: list[BaseException] = []

    def batch_done(self, batch: Batch) -> None:
        self.done.append(batch)

    def delivery_failed(self, error: BaseException) -> None:
        self.failed.append(error)

    async def give_way(self, batch: Batch) -> None:
        """Nothing is more urgent."""


def batch(first: int, last: int, epoch: int = 0, owner: Any = None, producer: Any = None) -> Batch:
    records: list[Any] = [Record(offset) for offset in range(first, last + 1)]
    held: Any = producer or HeldProducer()
    return Batch(ORDERS, records, owner=owner or Owner(), producer=held, epoch=epoch)


def test_nothing_is_committable_before_its_batch_is_complete() -> None:
    progress = Progress()
    progress.enter(batch(0, 9))
    assert progress.next_offset(ORDERS) is None


def test_a_batch_is_committable_only_with_all_before_it() -> None:
    progress = Progress()
    first, second = batch(0, 9), batch(10, 19)
    progress.enter(first)
    progress.enter(second)
    assert progress.complete(second) == []
    assert progress.next_offset(ORDERS) is None
    assert progress.complete(first) == [first, second]
    assert progress.next_offset(ORDERS) == 20


@given(st.permutations(range(6)))
def test_in_whatever_order_batches_end_the_offset_is_that_of_the_unbroken_run(order: list[int]) -> None:
    progress = Progress()
    batches = [batch(10 * number, 10 * number + 9) for number in range(6)]
    for one in batches:
        progress.enter(one)
    ended: set[int] = set()
    for number in order:
        progress.complete(batches[number])
        ended.add(number)
        unbroken = next(n for n in range(7) if n not in ended)
        assert progress.next_offset(ORDERS) == (10 * unbroken or None)


def test_after_a_seek_an_old_batch_changes_nothing() -> None:
    progress = Progress()
    old = batch(0, 9)
    progress.enter(old)
    progress.forget()
    again = batch(0, 9, epoch=progress.epoch)
    progress.enter(again)
    assert progress.complete(old) == []
    assert progress.next_offset(ORDERS) is None
    progress.complete(again)
    assert progress.next_offset(ORDERS) == 10


def test_a_position_without_records_is_committed_after_all_that_is_in_flight_before_it() -> None:
    progress = Progress()
    progress.move(ORDERS, 5)
    assert progress.next_offset(ORDERS) == 5
    first, second = batch(5, 9), batch(12, 14)
    progress.enter(first)
    progress.move(ORDERS, 12)
    progress.enter(second)
    progress.move(ORDERS, 20)
    progress.complete(second)
    assert progress.next_offset(ORDERS) == 5
    progress.complete(first)
    assert progress.next_offset(ORDERS) == 20
    progress.move(ORDERS, 21)
    assert progress.next_offset(ORDERS) == 21


def test_a_partition_that_begins_anew_forgets_its_batches_and_no_other_does() -> None:
    progress, payments = Progress(), TP("payments", 0)
    old = batch(100, 109)
    progress.enter(old)
    progress.move(payments, 7)
    progress.forget_partition(ORDERS)
    again = batch(0, 9)
    progress.enter(again)
    assert progress.complete(old) == []
    assert progress.next_offset(ORDERS) is None
    progress.complete(again)
    assert (progress.next_offset(ORDERS), progress.next_offset(payments)) == (10, 7)


def test_what_the_broker_was_told_is_no_news_until_the_log_is_another_one() -> None:
    progress = Progress()
    assert progress.is_news(ORDERS, 20)
    progress.committed({ORDERS: 20})
    assert not progress.is_news(ORDERS, 20)
    assert progress.is_news(ORDERS, 3)
    progress.forget_partition(ORDERS)
    assert progress.is_news(ORDERS, 20)


def test_a_batch_that_goes_back_in_the_log_is_an_error() -> None:
    progress = Progress()
    progress.enter(batch(0, 9))
    with pytest.raises(OffsetRegression):
        progress.enter(batch(5, 12))


LIMIT = Limit(batches=4, records=100, most=8, waiting=2)


@pytest.mark.parametrize(
    ("records", "begun", "count", "is_full"),
    [
        pytest.param(1, 0, 1, False, id="one waits"),
        pytest.param(1, 0, 2, True, id="two wait: what comes meanwhile is one batch"),
        pytest.param(1, 1, 2, False, id="one is worked on, one waits"),
        pytest.param(1, 7, 7, False, id="many small ones wait for their acknowledgements alone"),
        pytest.param(1, 8, 8, True, id="each has a place in a queue"),
        pytest.param(25, 4, 4, True, id="as many records as may be"),
        pytest.param(50, 3, 3, False, id="large ones, and few"),
    ],
)
def test_a_partition_is_full(records: int, begun: int, count: int, is_full: bool) -> None:
    progress = Progress()
    for number in range(count):
        one = batch(number * records, (number + 1) * records - 1)
        one.begun = number < begun
        progress.enter(one)
    assert progress.full([ORDERS], LIMIT) == ({ORDERS} if is_full else set())


async def test_a_batch_is_complete_only_when_closed_and_every_output_is_acknowledged() -> None:
    owner, producer = Owner(), HeldProducer()
    one = batch(0, 9, owner=owner, producer=producer)
    one.emit([Output("out", None, b"1"), Output("out", None, b"2")])
    producer.reports[0](None, None)
    producer.reports[1](None, None)
    assert owner.done == []
    one.close()
    assert owner.done == [one]


async def test_a_closed_batch_waits_for_its_last_acknowledgement() -> None:
    owner, producer = Owner(), HeldProducer()
    one = batch(0, 9, owner=owner, producer=producer)
    one.emit([Output("out", None, b"1")])
    one.close()
    assert owner.done == []
    producer.reports[0](None, None)
    assert owner.done == [one]


async def test_a_refused_output_never_completes_its_batch() -> None:
    owner, producer = Owner(), HeldProducer()
    one = batch(0, 9, owner=owner, producer=producer)
    one.emit([Output("out", None, b"1"), Output("out", None, b"2")])
    one.close()
    producer.reports[0](Refused(), None)
    producer.reports[1](None, None)
    assert (owner.done, len(owner.failed)) == ([], 1)


class Rows:
    """A table that keeps what is put into it."""

    changelog_topic_name = "rows"

    def __init__(self) -> None:
        self.data = self
        self.put_rows: list[tuple[int, bytes, bytes | None]] = []

    def put(self, *row: Any) -> None:
        self.put_rows.append(row)


class Written:
    """A changelog record as it is reported."""

    def topic(self) -> str:
        return "rows"

    def offset(self) -> int:
        return 7


async def test_what_a_row_limits_leaves_once_the_broker_has_the_row_and_belongs_to_its_batch() -> None:
    owner, producer, rows = Owner(), HeldProducer(), Rows()
    one = batch(0, 9, owner=owner, producer=producer)
    one.put(rows, b"ann", b"1", then=[Output("out", None, b"1"), Output("out", None, b"2")])
    one.close()
    assert producer.topics == ["rows"]
    producer.reports[0](None, Written())
    assert producer.topics == ["rows", "out", "out"]
    producer.reports[1](None, None)
    assert owner.done == []
    producer.reports[2](None, None)
    assert (owner.done, one.written) == ([one], {"rows": 7})


async def test_what_a_row_limits_never_leaves_where_the_broker_refuses_the_row() -> None:
    owner, producer = Owner(), HeldProducer()
    one = batch(0, 9, owner=owner, producer=producer)
    one.put(Rows(), b"ann", b"1", then=[Output("out", None, b"1")])
    one.close()
    producer.reports[0](Refused(), None)
    assert (producer.topics, owner.done, len(owner.failed)) == (["rows"], [], 1)


@pytest.mark.parametrize("is_one_partition", [True, False])
async def test_a_batch_of_the_past_emits_and_writes_nothing_not_even_what_waited_for_its_row(
    is_one_partition: bool,
) -> None:
    progress, producer, rows = Progress(), HeldProducer(), Rows()
    one = batch(0, 9, producer=producer)
    progress.enter(one)
    one.put(rows, b"ann", b"1", then=[Output("out", None, b"1")])
    if is_one_partition:
        progress.forget_partition(ORDERS)
    else:
        progress.forget()
    producer.reports[0](None, Written())
    one.put(rows, b"ann", b"2")
    one.emit([Output("out", None, b"2")])
    assert (producer.topics, rows.put_rows) == (["rows"], [(0, b"ann", b"1")])


async def test_what_reports_bring_is_sent_at_once_and_by_a_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    class Queue:
        """Acknowledges what it has at each look."""

        def __init__(self, _: object) -> None:
            self.got: list[bytes] = []
            self.reports: list[Report] = []

        def produce(self, topic: str, value: bytes, key: object, partition: object, report: Report) -> None:
            self.got.append(value)
            self.reports.append(report)

        def poll(self, _: float) -> None:
            reports, self.reports = self.reports, []
            for report in reports:
                report(None, Written())

        def flush(self, timeout: float) -> int:
            self.poll(timeout)
            return len(self.reports)

        def __len__(self) -> int:
            return len(self.reports)

        def close(self) -> None:
            """Nothing is to be let go of."""

    monkeypatch.setattr(confluent_kafka, "Producer", Queue)
    producer = Producer({})
    sent = cast(Any, producer)._producer
    one = batch(0, 9, producer=producer)
    one.put(Rows(), b"ann", b"row 1", then=[Output("out", None, b"1")])
    await one.wait_for_capacity()
    assert sent.got == [b"row 1"]
    cast(Any, producer)._serve()
    assert sent.got == [b"row 1", b"1"]
    one.put(Rows(), b"ann", b"row 2", then=[Output("out", None, b"2")])
    assert producer.flush(1.0) == 0
    assert sent.got == [b"row 1", b"1", b"row 2", b"2"]
    producer.close(0.0)


async def test_a_full_queue_keeps_the_order_and_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Queue:
        """Takes every other record, as a full queue that is drained now and then."""

        def __init__(self, _: object) -> None:
            self.tries = 0
            self.got: list[bytes] = []

        def produce(self, topic: str, value: bytes, *_: object) -> None:
            self.tries += 1
            if self.tries % 2:
                raise BufferError
            self.got.append(value)

        def poll(self, _: float) -> None:
            time.sleep(0.001)

        def flush(self, _: float) -> int:
            return 0

        def __len__(self) -> int:
            return 0

        def close(self) -> None:
            """Nothing is to be let go of."""

    monkeypatch.setattr(confluent_kafka, "Producer", Queue)
    producer = Producer({})
    one = batch(0, 9, producer=producer)
    one.emit([Output("out", None, value) for value in (b"1", b"2", b"3")])
    await one.wait_for_capacity()
    producer.close(1.0)
    assert cast(Any, producer)._producer.got == [b"1", b"2", b"3"]


async def test_work_that_goes_on_sends_its_records_together_and_work_that_is_done_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Queue(list[bytes]):
        def __init__(self, _: object) -> None:
            super().__init__()

        def produce(self, topic: str, value: bytes, *_: object) -> None:
            self.append(value)

        def poll(self, _: float) -> None:
            """Nothing is acknowledged."""

        def flush(self, _: float) -> int:
            return 0

        def close(self) -> None:
            """Nothing is to be let go of."""

    now = 0.0
    monkeypatch.setattr(confluent_kafka, "Producer", Queue)
    monkeypatch.setattr("agents.broker.producer.time.monotonic", lambda: now)
    producer = Producer({})
    sent = cast(Any, producer)._producer
    one = batch(0, 9, producer=producer)
    for value, later, are_sent in ((b"1", 0.0, []), (b"2", 0.01, []), (b"3", 0.03, [b"1", b"2", b"3"])):
        one.emit([Output("out", None, value)])
        now = later
        await one.wait_for_capacity(goes_on=True)
        assert sent == are_sent
    one.emit([Output("out", None, b"4")])
    await one.wait_for_capacity()
    assert sent == [b"1", b"2", b"3", b"4"]
    producer.close(0.0)


def test_the_internals_that_the_transport_leans_on_are_where_they_were() -> None:
    from importlib.metadata import version

    from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
    from aiokafka.consumer.group_coordinator import GroupCoordinator
    from aiokafka.consumer.subscription_state import TopicPartitionState
    from faust.tables.recovery import Recovery
    from faust.transport.consumer import Consumer
    from faust.transport.drivers import aiokafka as driver

    assert (version("faust-streaming"), version("mode-streaming"), version("aiokafka")) == ("0.15.3", "0.7.1", "0.14.0")
    assert faust.__version__ and mode.__version__
    for owner, names in (
        (
            Consumer,
            (
                "_drain_messages",
                "_new_offset",
                "_should_commit",
                "_commit",
                "_filter_tps_with_pending_acks",
                "perform_seek",
                "on_partitions_revoked",
            ),
        ),
        (driver.Consumer, ("_new_consumer_thread", "_to_message", "_getmany", "verify_event_path")),
        (
            driver.AIOKafkaConsumerThread,
            ("_create_worker_consumer", "_fetch_records", "highwater", "seek_to_beginning"),
        ),
        (GroupCoordinator, ("reset_generation", "_do_rejoin_group", "_send_req", "check_errors")),
        (Fetcher, ("_get_actions_per_node", "_proc_fetch_request", "seek_to", "request_offset_reset")),
        (TopicPartitionState, ("await_reset", "consumed_to", "has_valid_position", "position")),
        (Recovery, ("need_recovery", "signal_recovery_end", "_set_recovery_ended", "_build_highwaters")),
        (faust.App, ("_new_transport", "crash")),
        (
            PartitionRecords,
            ("_unpack_records", "__iter__", "__next__", "_consume_aborted_up_to", "_contains_abort_marker"),
        ),
    ):
        for name in names:
            assert hasattr(owner, name), f"{owner.__name__}.{name}"


def test_work_on_a_topic_is_known_until_its_agent_is_done() -> None:
    progress, one = Progress(), batch(0, 4)
    assert not progress.is_working(except_topics=())
    progress.enter(one)
    assert progress.is_working(except_topics=())
    assert not progress.is_working(except_topics=(one.tp.topic,))
    one.closed = True
    assert not progress.is_working(except_topics=())
