"""Records of a customer that were refused, as the customer's story tells them."""

from __future__ import annotations

from dataclasses import dataclass

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.control import dead_letters
from schemas.dead_letter import DeadLetter
from schemas.topics import DEAD_LETTERS

_NEWEST = 20_000
"""Dead-letters that are looked through for those of a customer: they are found by reading them."""


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that was dead-lettered: its place among them, where it was read, and why it was refused."""

    place: str
    record: str
    facts: DeadLetter


def dead_letters_of(wiring: Wiring, key: bytes) -> tuple[RefusedRecord, ...]:
    """The newest dead-letters with a customer's key, whatever partition they are on. Blocks. Raises TryLater."""
    there = wiring.extents.read([DEAD_LETTERS])
    if there and all(one.start == one.end for one in there):
        return ()  # without a consumer, which takes its time to find its place
    with TopicReader(wiring, DEAD_LETTERS) as reader:
        found = dead_letters.select(reader, dead_letters.Filter(), newest=_NEWEST)
        mine = [one for one in found if one.message.key() == key]
    return tuple(RefusedRecord(one.place, one.source, one.facts) for one in mine)
