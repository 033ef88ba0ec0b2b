"""The gate of the API: who holds the key, what that key may do, and how often it may ask."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import asyncpg
from aiohttp import web
from cachetools import TTLCache

from console.api.looks import Looks
from console.api.problems import Refusal, Refused, refused
from console.api.route import Route
from schemas.access import may, roles_with
from schemas.api_key import hash_of_key, kind_of_key
from schemas.formats.networks import network_of
from store.api_keys import ApiKeys, KeyHolder, Looked

MOST_FAILURES = 30
"""Attempts of one address within a window that prove nothing, before keys that are not known here are not looked at."""
_KNOWN_SECONDS, _MOST_KNOWN = 3600.0, 10_000
WINDOW_SECONDS = 60
_CHALLENGE = 'Bearer realm="tidings"'


@dataclass(slots=True)
class _Window:
    """Requests of a key within a minute."""

    ends_at: float
    used: int = 0


@dataclass(slots=True)
class Gate:
    """One of a process. `allowed` requests a minute go to each key here; `ticks` is a steady clock, and failures are
    counted in windows of the database's.

    Where an address has failed too often, only keys that were right a while ago are looked at: whoever shares it with
    somebody who guesses goes on working, and guessing is at an end.
    """

    allowed: int
    failures_within: timedelta = timedelta(minutes=1)
    ticks: Callable[[], float] = time.monotonic
    _looks: Looks[tuple[str, str], Looked] = field(init=False, default_factory=Looks)
    _windows: TTLCache[str, _Window] = field(init=False)
    _known: TTLCache[bytes, bool] = field(init=False)

    def __post_init__(self) -> None:
        self._windows = TTLCache(_MOST_KNOWN, WINDOW_SECONDS * 2, timer=self.ticks)
        self._known = TTLCache(_MOST_KNOWN, _KNOWN_SECONDS, timer=self.ticks)

    async def holder(self, pool: asyncpg.Pool, authorization: str | None, address: str) -> KeyHolder:
        """The holder of a request's key. Raises Refused, TryLater; says the same of whatever is no valid key."""
        if authorization is None:
            raise _unauthenticated("an Authorization header is missing")
        scheme, _, key = authorization.partition(" ")
        key, network = key.strip(), network_of(address)
        if scheme.lower() != "bearer" or kind_of_key(key) is None:
            key = ""  # nothing is looked up for it, and it is counted as any other
        keys = ApiKeys(pool, window=self.failures_within)
        looked = await self._looks.look((key, network), partial(keys.look, key, network))
        digest = hash_of_key(key)
        if looked.failures >= MOST_FAILURES and digest not in self._known:
            after = str(looked.window_ends_in)
            raise refused("too_many_requests", "too many attempts without a valid key", retry_after=after)
        if looked.holder is None:
            self._known.pop(digest, None)
            await keys.count_failure(network)
            raise _unauthenticated("the key is not valid, has expired or is revoked")
        self._known[digest] = True
        return looked.holder

    def count(self, holder: KeyHolder) -> dict[str, str]:
        """Count a request of a key; the headers that say what is left. Raises Refused.

        Source: draft-ietf-httpapi-ratelimit-headers-10.
        """
        window = self._windows.get(holder.key_id)
        if window is None or window.ends_at <= self.ticks():
            window = self._windows[holder.key_id] = _Window(self.ticks() + WINDOW_SECONDS)
        window.used += 1
        ends_in = max(1, math.ceil(window.ends_at - self.ticks()))
        headers = {
            "ratelimit-policy": f'"key";q={self.allowed};w={WINDOW_SECONDS}',
            "ratelimit": f'"key";r={max(0, self.allowed - window.used)};t={ends_in}',
        }
        if window.used > self.allowed:
            detail = f"a key may ask {self.allowed} times a minute"
            raise Refused(Refusal("too_many_requests", detail, headers={**headers, "retry-after": str(ends_in)}))
        return headers


def must_be_permitted(route: Route, holder: KeyHolder) -> None:
    """Refuse what the key's role lacks. Raises Refused."""
    needed = route.permission
    if not may(holder.role, needed):
        detail = f"{holder.role} lacks {needed}; roles that have it: {', '.join(roles_with(needed))}"
        raise Refused(Refusal("forbidden", detail, permission=needed))


def must_be_live(route: Route, holder: KeyHolder, *, dry_run: bool) -> None:
    """Refuse a change by a test key. Raises Refused."""
    if route.writes and holder.kind == "test" and not dry_run:
        detail = "a test key changes nothing; ask with ?dry_run=true, or use a live key"
        raise Refused(Refusal("forbidden", detail, permission=route.permission))


def address_of(request: web.Request) -> str:
    """The address of whoever is connected: a proxy's, where one stands in front."""
    return request.remote or ""


def _unauthenticated(detail: str) -> Refused:
    return refused("unauthenticated", detail, www_authenticate=_CHALLENGE)
