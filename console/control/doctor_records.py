"""Records that no worker can read at the moment, and commits of topics that are no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from agents.broker.lag import OPEN_SECONDS, LagReader
from agents.broker.open_transactions import OpenTransaction, open_transactions
from agents.broker.wire import Wire
from schemas.errors import TidingsError


def examine_records(wire: Wire, now: datetime) -> str:
    """A sentence about the records. Raises TidingsError where something has to be done, TryLater."""
    open_now, anew = open_transactions(wire, now), list(_made_anew(wire))
    sentences = [*anew, *map(_in_words, open_now)]
    if anew or any(one.seconds > OPEN_SECONDS for one in open_now):
        raise TidingsError("; ".join(sentences))
    return "; ".join(sentences) or "committed ones are read up to the end of each topic"


def _in_words(one: OpenTransaction) -> str:
    return (
        f"{one.topic}-{one.partition}: a transaction is open from offset {one.offset} on, {one.seconds:.0f} s so far; "
        f"what comes after it ({one.waiting} offsets) waits for its producer to commit or abort"
    )


def _made_anew(wire: Wire) -> Iterator[str]:
    """A group's committed offset that its topic does not reach: a worker that runs commits anew by itself."""
    with closing(LagReader(wire)) as reader:
        found = reader.read()
    for one in found:
        if one.committed is not None and one.committed > one.end:
            yield (
                f"{one.topic}-{one.partition} ends at {one.end}, but {one.group} has committed {one.committed}: the "
                "topic was made anew; a worker of the group reads it from its beginning as soon as one runs"
            )
