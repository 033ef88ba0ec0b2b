"""Ids that a replay, a rebalance or a crash makes again exactly: hashes of what a thing is, not of when it was made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import assert_never

from schemas.distribution import Again
from schemas.formats.blank import is_blank
from schemas.formats.paths import read_names
from streams.conditions.answer import Failure, equality_key, with_kind
from streams.conditions.compile import Facts
from streams.conditions.getter import getter

_HEX = re.compile(r"[0-9a-f]{32}")


def delivery_id(project: str, distribution: str, occurrence: str, customer: str, channel: str, step: int) -> str:
    """The idempotency key of a delivery. `step` numbers the channels of a distribution from 0."""
    return "dlv_" + _digest(project, distribution, occurrence, customer, channel, str(step))


def publication_id(project: str, distribution: str, occurrence: str, customer: str) -> str:
    """The id of a publication, and so of the claim on a code: one for all channels of a send."""
    return "pub_" + _digest(project, distribution, occurrence, customer)


def hold_id(project: str, distribution: str, occurrence: str, customer: str) -> str:
    """The id of what waits: one for all messages of a send, however often it is held again."""
    return "hld_" + _digest(project, distribution, occurrence, customer)


def hold_id_of_step(delivery_id: str) -> str:
    """The id of one message that waits: its delivery's, so that both are one among what a customer was sent."""
    return "hld_" + delivery_id.removeprefix("dlv_")


def hold_id_of_fallback(delivery_id: str) -> str:
    """The id of what waits for a message that was sent, to follow it over another channel."""
    return "hld_" + _digest("fallback", delivery_id)


def digest_id(project: str, distribution: str, customer: str, value: str) -> str:
    """The id of what is gathered for a customer, and a value of the digest's path: the same for each of its windows."""
    return "dig_" + _digest(project, distribution, customer, value)


def decision_id(
    project: str, distribution: str, event: str, customer: str, channel: str | None, step: int, round_: int = 0
) -> str:
    """The id of a decision; `round_` numbers those of one event that was held in between."""
    again = (str(round_),) if round_ else ()
    return "dec_" + _digest(project, distribution, event, customer, channel or "", str(step), *again)


def segment_event_id(
    project: str, segment: str, serial: int, customer: str, epoch: int, direction: str, step: int
) -> str:
    """The id of an entry or a leave. `serial` and `epoch` tell apart a segment, or customer, that was deleted and is
    back; `step` numbers the changes of one membership."""
    raw = _written(project, segment, serial) + _written(customer, epoch) + _written(direction, step)
    return "seg_" + hashlib.blake2b(raw, digest_size=16).hexdigest()


def is_of_segmenter(event_id: str) -> bool:
    """True for an id that `segment_event_id` makes, so that upstream's own entries and leaves are told apart."""
    return event_id.startswith("seg_") and _HEX.fullmatch(event_id, 4) is not None


def send_event_id(project: str, send: str, customer: str) -> str:
    """The id of a member's event of a manual send."""
    return "snd_" + _digest(project, send, customer)


def drawn(experiment: str, project: str, distribution: str, customer: str, below: int) -> int:
    """A number from 0 to below `below`: of each experiment and distribution another, and evenly spread."""
    return int(_digest("draw", experiment, project, distribution, customer)[:16], 16) % below


def occurrence_key(again: Again, event_id: str, happened: datetime, facts: Facts) -> str | Failure:
    """The key by which sends of a distribution to a customer are the same. Failure where its path has no value."""
    match again.mode:
        case "every_event":
            return f"event {event_id}"
        case "once_per_customer":
            return "customer"
        case "once_per":
            return _once_per(again.path or "", facts)
        case "once_in":
            return f"window {_window(happened, again.seconds or 1)} of {again.seconds}"
        case _:
            assert_never(again.mode)


def _once_per(path: str, facts: Facts) -> str | Failure:
    key = key_at(path, facts, "again once_per")
    return key if isinstance(key, Failure) else f"{path} {key}"


def key_at(path: str, facts: Facts, what: str) -> object:
    """The value of a path as one that others can be equal to; Failure, which says for `what`, where it has none."""
    try:
        value = getter(read_names(path))(facts)
    except ValueError as error:  # as an earlier release took it
        return Failure(f"{what} {path}: {error}")
    key = equality_key(value)
    if key is None or (isinstance(key, str) and is_blank(key)):
        is_missing = value is None or key is not None
        return Failure(f"{what} {path}: {'not set' if is_missing else with_kind(value)}")
    return key


def _window(moment: datetime, seconds: int) -> int:
    return int(moment.timestamp()) // seconds


def _digest(*parts: str) -> str:
    """Each part with its length in bytes, so that no two lists of parts read the same."""
    return hashlib.blake2b(_in_a_row(parts), digest_size=16).hexdigest()


@lru_cache(maxsize=4096)
def _written(*parts: str | int) -> bytes:
    """The parts as `_digest` takes them, for those that many ids begin with, or end."""
    return _in_a_row([str(part) for part in parts])


def _in_a_row(parts: Sequence[str]) -> bytes:
    text = "".join([f"{len(part)}:{part}" for part in parts])
    return text.encode() if text.isascii() else b"".join(map(_with_length, parts))


def _with_length(part: str) -> bytes:
    raw = part.encode()
    return b"%d:%b" % (len(raw), raw)
