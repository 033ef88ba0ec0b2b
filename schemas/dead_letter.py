"""Facts about a record that could not be processed.

The dead-letter keeps the record's own key, bytes and headers as they came; the facts below stand in headers after
these, so that a replay is a copy without them. It has a timestamp of its own, since the record's may be one that no
broker takes, or so old that it would be gone at once; the record's stands among the facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from schemas.record import Record, doc

Headers = Sequence[tuple[str, bytes | None]]

HEADER_PREFIX = "tidings-"
_NAME = HEADER_PREFIX + "name-"
"""The bytes of an own header's name that are not UTF-8, by its number: no client writes such a name."""

WHOLE_BATCH = "batch"
"""The path of a dead-letter that is not a record but a batch."""


class DeadLetter(Record, frozen=True, kw_only=True):
    """The origin of a refused record, and the reason."""

    topic: Annotated[str, doc("The topic it was read from, without the prefix.")]
    partition: int
    offset: int
    role: Annotated[str, doc("The role that refused it.")]
    kind: Annotated[str, doc("undecodable, too_large, too_deep, invalid_event, bad_record or internal")]
    message: Annotated[str, doc("What was wrong and what would be right.")]
    path: Annotated[str, doc("The field, where one is to blame.")] = ""
    failed_at: Annotated[str, doc("RFC 3339.")]
    timestamp: Annotated[int, doc("The record's own, in Unix milliseconds; -1 where it had none.")] = -1
    own_headers: Annotated[int, doc("How many of the record's own headers stand before these.")] = 0
    cut: Annotated[int, doc("Bytes of the record where it was too large to be kept whole, else 0.")] = 0

    def headers(self, own: Headers = ()) -> list[tuple[str, bytes | None]]:
        """A record's own headers, as far as `own_headers` says, and the facts after them."""
        kept = own[: self.own_headers]
        names = [
            (f"{_NAME}{number}", name.encode("utf-8", "surrogateescape"))
            for number, (name, _) in enumerate(kept)
            if not _is_utf8(name)
        ]
        facts = [
            (HEADER_PREFIX + name, str(getattr(self, name)).encode("utf-8", "backslashreplace"))
            for name in self.__struct_fields__
        ]
        return [*((_shown(name), value) for name, value in kept), *names, *facts]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | None]]) -> DeadLetter:
        """Read the facts back. Raises msgspec.ValidationError where one is missing or wrong."""
        known = {HEADER_PREFIX + name for name in cls.__struct_fields__}
        facts = {
            name.removeprefix(HEADER_PREFIX): (value or b"").decode(errors="replace")
            for name, value in headers  # of several with one name, the last is ours
            if name in known
        }
        return msgspec.convert(facts, cls, strict=False)

    def own_of(self, headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
        """The record's own headers, with a name that is not UTF-8 written out."""
        return list(headers[: self.own_headers])


def names_written_out(headers: Headers) -> int:
    """The number of own header names of a dead-letter that were not UTF-8, and cannot be written again as they were."""
    return sum(name.startswith(_NAME) for name, _ in headers)


def _is_utf8(name: str) -> bool:
    try:
        return bool(name.encode()) or not name
    except UnicodeEncodeError:
        return False


def _shown(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
