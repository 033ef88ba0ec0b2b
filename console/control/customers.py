"""Customers: profiles into their topic, each checked as a matcher reads it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec

from agents.broker.records import Output
from agents.broker.wire import Wire
from console.control.events import Checked, Reading, check_all, encoded, must_be_own, read_record
from schemas.errors import BadQuestion, BadRecord, InvalidEvent, TooLarge
from schemas.events.event import MAX_ID
from schemas.events.objects import Customer
from schemas.record_key import check_parts
from schemas.topics import LARGEST_ROW
from schemas.wire.avro_schema import EXTRA
from streams.values.wording import invalid_kind

_ALLOWED_ID = f"a text of 1 to {MAX_ID} characters without U+0000 and U+001F, which no key of a topic keeps"


def check_id(identity: str, option: str = "id") -> None:
    """Refuse an id that no key of a topic can carry. Raises BadQuestion."""
    try:
        _read_id(identity)
    except InvalidEvent as error:
        raise BadQuestion(str(error), option) from None


def check_profiles(wire: Wire, profiles: Sequence[Any], reading: Reading, *, is_list: bool = True) -> Checked:
    """Check profiles that came together, as a matcher would. Raises DefinitionInvalid as `check_all`.

    A profile of another project than that of `reading` is wrong, and so is a second one of the same customer: which of
    the two is meant, nobody knows. No problem shows what a profile says.
    """
    first: dict[str, int] = {}
    numbers = count()

    def check(wire: Wire, profile: Any, reading: Reading) -> tuple[str, Output]:
        number = next(numbers)
        topic, output = check_profile(wire, profile, reading)
        if (before := first.setdefault(profile["id"], number)) != number:
            raise InvalidEvent(f"is the id of [{before}] already: one profile of a customer at once", path="id")
        return topic, output

    return check_all(wire, profiles, reading, check, is_list=is_list)


def check_profile(wire: Wire, profile: Any, reading: Reading) -> tuple[str, Output]:
    """Check one profile as a matcher would: its topic, without prefix, and what is written. Raises BadRecord."""
    if not isinstance(profile, dict):
        raise InvalidEvent(invalid_kind(profile, "an object"))
    _read_id(profile.get("id"))
    if profile.get("project_id") is not None:
        must_be_own(profile["project_id"], reading.project_id)
    if EXTRA in profile:
        raise InvalidEvent("is not kept under this name: write what else there is into metadata", path=EXTRA)
    topic, key, read = read_record(wire, profile, reading)
    _must_fit(read)
    if (size := len(msgspec.json.encode(read))) > LARGEST_ROW:
        raise TooLarge(f"has {size:,} bytes; at most {LARGEST_ROW:,} are kept")
    return topic, Output(wire.topic(topic), key, encoded(wire, topic, read, reading.max_bytes))


def _read_id(identity: Any) -> None:
    if not isinstance(identity, str) or not 0 < len(identity) <= MAX_ID:
        raise InvalidEvent(invalid_kind(identity, _ALLOWED_ID), path="id")
    try:
        check_parts(identity, "")
    except BadRecord:
        raise InvalidEvent(invalid_kind(identity, _ALLOWED_ID), path="id") from None


def _must_fit(profile: dict[str, Any]) -> None:
    """Refuse a field of another kind than the topic has: matchers would pass over it."""
    try:
        msgspec.convert(profile, Customer)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        raise InvalidEvent(message, path=where.rstrip("`").lstrip(".")) from None
