"""Work that is left: the lag of a partition, and where reading has to stop."""

from __future__ import annotations

from typing import Any

import pytest

from agents.broker.lag import Lag
from agents.transport.consumer import _obstacle
from agents.transport.fetched import Unreadable
from agents.transport.fetching import Blocked


@pytest.mark.parametrize(
    ("committed", "start", "end", "lag"),
    [
        (None, 0, 0, 0),
        (None, 0, 7, 7),
        (None, 5, 7, 2),  # retention took five before the group's first start
        (None, 7, 7, 0),
        (0, 0, 7, 7),
        (3, 5, 7, 2),  # and two more than were read
        (7, 5, 7, 0),
        (20, 0, 7, 7),  # of a topic that was made anew
    ],
)
def test_lag_is_what_is_there_and_not_processed(committed: int | None, start: int, end: int, lag: int) -> None:
    assert Lag("group", "topic", 0, committed, end, start).lag == lag


class Record:
    def __init__(self, offset: int) -> None:
        self.offset = offset


DAMAGED, MARK = Unreadable(4, 6, b"", "its checksum is wrong"), Blocked(7, "an unknown codec")


@pytest.mark.parametrize(
    ("records", "is_hot", "stops_at"),
    [
        ([Record(1), Record(2)], True, None),
        ([Record(1), DAMAGED, Record(7)], True, None),  # dead-lettered whole
        ([Record(1), DAMAGED, Record(7)], False, 4),  # rows cannot do without theirs
        ([Record(1), MARK], True, 7),
        ([MARK], False, 7),
    ],
)
def test_reading_stops_where_something_would_be_lost(records: list[Any], is_hot: bool, stops_at: int | None) -> None:
    mark = _obstacle(records, is_hot=is_hot)
    assert (mark and mark.offset) == stops_at
