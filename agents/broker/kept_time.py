"""The time with which a record is written again."""

from __future__ import annotations

import time

from schemas.topics import Topic


def kept_time(topic: Topic, timestamp: int) -> int:
    """A record's own time in Unix ms; 0, the present one, where the topic would not keep it so.

    Kafka counts `retention.ms` from the times in records. One that comes back after weeks, where little is written,
    would be taken out before anybody has read it: half of the retention is left to whoever reads. A time to come is
    refused by brokers, or keeps a record beyond its retention.
    """
    retention, now = topic.retention, int(time.time() * 1000)
    oldest = 0 if retention is None else now - retention * 500
    return timestamp if oldest <= timestamp <= now else 0
