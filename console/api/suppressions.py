"""Suppressions over HTTP: list, look for what covers an address, add, remove.

An address stands in bodies alone, never in a path, a query, a cursor or a problem, which proxies
and clients write down.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import next_cursor, read_cursor
from console.api.problems import refused
from console.api.route import PRIVATE, Call, Instant, Paged, Reply, Route, Writing
from console.control import suppressions as control
from schemas.closed import ChannelName
from schemas.suppression import LONGEST_SOURCE, Suppression, SuppressionReason
from store.sending.suppressions import Place, Suppressions, place_of

MOST_KEYS = 500
_LONGEST_KEY = 512
_KEY_SAID = "An address, a phone number, a domain, or a wildcard, as in ann@shop.example, shop.example, *.shop.example."

Key = Annotated[str, Meta(max_length=_LONGEST_KEY, description=_KEY_SAID, extra=PRIVATE)]
Keys = Annotated[
    list[Annotated[str, Meta(max_length=_LONGEST_KEY, description=_KEY_SAID)]],
    Meta(min_length=1, max_length=MOST_KEYS, extra=PRIVATE),
]
OnChannel = Annotated[ChannelName | None, Meta(description="On this channel alone; left out: on every one.")]


class Listing(Paged, frozen=True, kw_only=True):
    """The parameters of a list of suppressions."""

    channel: Annotated[ChannelName | None, Meta(description="Entries of this channel alone.")] = None
    reason: Annotated[SuppressionReason | None, Meta(description="Entries with this reason alone.")] = None


class SuppressionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the list: what is suppressed where, why, until when, and who added it when."""

    key: str
    channel: OnChannel
    reason: SuppressionReason
    source: str
    expires_at: Instant | None
    added_at: Instant
    added_by: str


class SuppressionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries, in an order that stays and has no meaning."""

    items: list[SuppressionEntry]
    next: str | None = None


class SoughtKey(msgspec.Struct, frozen=True, kw_only=True):
    """The address whose suppressions are sought."""

    key: Key


class Covering(msgspec.Struct, frozen=True, kw_only=True):
    """The entries that a key has itself, and those of its domain that cover it: nothing is sent there on their account.

    Empty where it is not suppressed.
    """

    entries: list[SuppressionEntry]


class AddedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Keys to send nothing to any more, each for the same reason and time."""

    keys: Keys
    channel: OnChannel = None
    reason: SuppressionReason = "requested"
    source: Annotated[str, Meta(max_length=LONGEST_SOURCE, description="Where it comes from, in your words.")] = "api"
    until: Annotated[str, Meta(max_length=64, description="A day, through which it holds, or a moment.")] | None = None
    lasts: Annotated[str, Meta(max_length=16, description="Instead of `until`: a span from now, as 30d.")] | None = None


class SuppressedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The number of keys given, and of those that are new on the list or stand there for longer by it."""

    given: int
    changed: int
    dry_run: bool


class RemovedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key to send to again; without a channel each entry is removed that it has."""

    key: Key
    channel: OnChannel = None


class RemovedEntries(msgspec.Struct, frozen=True, kw_only=True):
    """The number of entries that were removed."""

    removed: int
    dry_run: bool


async def list_suppressions(call: Call[Any, Listing, None]) -> Reply:
    """A page of them."""
    asked, after = call.query, read_cursor(call.query.cursor, Place)
    found = await control.page(
        Suppressions(call.pool),
        call.project_id,
        channel=asked.channel,
        reason=asked.reason,
        after=after,
        limit=asked.limit + 1,
    )
    rows, following = next_cursor(found, asked.limit, place_of)
    return Reply(SuppressionPage(items=list(map(_entry, rows)), next=following))


async def find_suppressions(call: Call[Any, Any, SoughtKey]) -> Reply:
    """Everything that covers a key."""
    found = await control.covering(Suppressions(call.pool), call.project_id, call.body.key)
    return Reply(Covering(entries=list(map(_entry, found))))


async def add_suppressions(call: Call[Any, Writing, AddedKeys]) -> Reply:
    """Send nothing to some keys any more."""
    asked, dry_run = call.body, call.query.dry_run
    wording = control.Wording(asked.reason, asked.source, asked.channel or "", asked.until, asked.lasts)
    entry = control.read_entry(call.project_id, call.actor, wording)
    changed = await control.add(Suppressions(call.pool), entry, asked.keys, dry_run=dry_run)
    return Reply(SuppressedKeys(given=len(asked.keys), changed=changed, dry_run=dry_run))


async def remove_suppression(call: Call[Any, Writing, RemovedKey]) -> Reply:
    """Send to a key again."""
    listed, asked, dry_run = Suppressions(call.pool), call.body, call.query.dry_run
    try:
        removed = await control.remove(
            listed, call.project_id, asked.key, asked.channel, actor=call.actor, dry_run=dry_run
        )
    except control.NotSuppressed as error:
        where = f" on {asked.channel} by an entry of its own" if asked.channel else ""
        hint = "; others cover it: POST /suppressions/find lists them" if error.covered_by else ""
        raise refused("not_found", f"the key is not suppressed{where}{hint}") from None
    return Reply(RemovedEntries(removed=removed, dry_run=dry_run))


def _entry(one: Suppression) -> SuppressionEntry:
    return SuppressionEntry(**asdict(one))


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/suppressions", "suppressions:read", "List what nothing is sent to", list_suppressions,
        {200: SuppressionPage}, query_type=Listing,
    ),
    Route(
        "POST", "/suppressions/find", "suppressions:read", "Find what covers an address", find_suppressions,
        {200: Covering}, body=SoughtKey, body_example={"key": "ann@shop.example"}, is_safe=True,
    ),
    Route(
        "POST", "/suppressions", "suppressions:write", "Send nothing to some addresses, domains or wildcards any more",
        add_suppressions, {200: SuppressedKeys}, query_type=Writing, body=AddedKeys,
        body_example={"keys": ["ann@shop.example", "*.spam.example"], "reason": "requested", "source": "ticket 4711"},
    ),
    Route(
        "POST", "/suppressions/remove", "suppressions:write", "Send to an address, a domain or a wildcard again",
        remove_suppression, {200: RemovedEntries}, query_type=Writing, body=RemovedKey,
        body_example={"key": "ann@shop.example"},
    ),
)  # fmt: skip
