"""Failed deliveries sent again: first each is judged once more, by what is known of its customer by now.

Only the channel that failed is reached, since each has a delivery of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace

import asyncpg
import msgspec

from channels.registry import CHANNEL_TYPES
from console.control.deliveries import must_choose
from schemas.closed import Reason
from schemas.record import JsonObject
from store.sending.deliveries import Deliveries, DeliveryFilter
from streams.sending.resend import needs_consent, stands_against

Profiles = Callable[[Collection[str]], Awaitable[Mapping[str, JsonObject]]]
"""The profiles of customers by their ids, without those who have none of their own."""

_CHUNK = 1000
_KNOWN_AGAIN = frozenset(name for name, channel in CHANNEL_TYPES.items() if channel.repeats != "none")


@dataclass(frozen=True, slots=True)
class Resendable:
    """The deliveries that may be sent again, in order, and how many may not, by why.

    `possibly_accepted` may have arrived: their provider took them and did not answer, and would not know them again.
    They are among `ids` only where that was asked for.
    """

    ids: tuple[str, ...]
    held: Mapping[Reason, int]
    possibly_accepted: int = 0


class _Category(msgspec.Struct):
    category: str


class _Stored(msgspec.Struct):
    delivery: _Category


@dataclass(frozen=True, slots=True)
class _Failed:
    delivery_id: str
    customer_id: str
    category: str
    may_have_arrived: bool
    against: Reason | None


async def resendable(
    deliveries: Deliveries, chosen: DeliveryFilter, profiles: Profiles, *, possibly_accepted: bool = False
) -> Resendable:
    """Judge consent, suppression and duplicates of those chosen as they are now.

    `possibly_accepted`: those that may have arrived are sent again as well, and may arrive twice. Raises TidingsError
    for a filter without any condition, and TryLater.
    """
    must_choose(chosen)
    failed = await _failed(deliveries, chosen)
    asked = {one.customer_id for one in failed if needs_consent(one.category)}
    known = await profiles(asked) if asked else {}
    against = {one.delivery_id: stands_against(one.category, known.get(one.customer_id), one.against) for one in failed}
    held = Counter(reason for reason in against.values() if reason is not None)
    free = [one for one in failed if against[one.delivery_id] is None]
    ids = tuple(one.delivery_id for one in free if possibly_accepted or not one.may_have_arrived)
    return Resendable(ids, held, sum(one.may_have_arrived for one in free))


async def resend(
    deliveries: Deliveries,
    chosen: DeliveryFilter,
    ids: Collection[str],
    *,
    actor: str,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Send these of the chosen ones again, a transaction a chunk; how many. What has changed meanwhile is left."""
    done, left = 0, list(ids)
    while left:
        chunk, left = left[:_CHUNK], left[_CHUNK:]
        of_chunk = replace(chosen, ids=tuple(chunk))
        done += len(await deliveries.act("resend", of_chunk, actor, after="", limit=_CHUNK))
        on_progress(done)
    return done


async def _failed(deliveries: Deliveries, chosen: DeliveryFilter) -> list[_Failed]:
    found: list[_Failed] = []
    while rows := await deliveries.resendable(chosen, after=found[-1].delivery_id if found else "", limit=_CHUNK):
        found += map(_read, rows)
    return found


def _read(row: asyncpg.Record) -> _Failed:
    try:
        category = msgspec.json.decode(row["record"], type=_Stored).delivery.category
    except msgspec.DecodeError:  # of another release; consent is the safe side
        category = ""
    may_have_arrived = row["possibly_accepted"] and row["channel"] not in _KNOWN_AGAIN
    return _Failed(row["delivery_id"], row["customer_id"], category, may_have_arrived, row["against"])
