"""Consents as a profile on `customers` has them, read without the rest of it."""

from __future__ import annotations

from schemas.record import Record
from schemas.wire.codec import TopicCodec
from streams.checks.consent import all_given
from streams.events import check_owner, read_customer


class _Said(Record, frozen=True):
    id: str
    project_id: str | None = None
    consents: dict[str, bool] = {}


class ConsentReader:
    """Reads as `read_customer` does: what a profile holds besides can make it no other's, nor wrong."""

    def __init__(self, codec: TopicCodec, default_project: str) -> None:
        self._codec, self._default = codec, default_project
        self._straight = codec.straight(_Said)

    def read(self, raw: bytes, key: bytes | None) -> tuple[str, ...]:
        """The categories that a profile consents to, in order. Raises BadRecord where it is not a customer's."""
        said: _Said | None = self._straight(raw)
        if said is None:
            return all_given(read_customer(self._codec.decode(raw), key, self._default))
        check_owner(said.project_id, said.id, key, self._default)
        return tuple(sorted(name for name, is_given in said.consents.items() if is_given))
