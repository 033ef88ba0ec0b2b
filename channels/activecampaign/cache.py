"""Lists of fields that were read: one an account, read by one request that all who wait for it share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from cachetools import LRUCache

from channels.activecampaign.fields import Fields
from schemas.channels.activecampaign import ActiveCampaignAccountForm
from schemas.receipt import Deferred, Receipt

_MOST_ACCOUNTS = 500
_AGAIN_SECONDS = 60.0
"""A list is not read again before."""

Account = tuple[str, str, ActiveCampaignAccountForm]
"""Project, name, and how it was written: one that is changed may have other fields."""
Read = Callable[[Account], Awaitable[Fields | Receipt]]


class FieldLists:
    """Lists by account; the ones that were asked for longest ago go first."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: LRUCache[Account, Fields] = LRUCache(_MOST_ACCOUNTS)
        self._reading: dict[Account, asyncio.Task[Fields | Receipt]] = {}

    async def of(self, account: Account, timeout: float, *, after: Fields | None = None) -> Fields | Receipt:
        """The list, newer than `after`; a receipt where it cannot be read. Raises AccountHeld, TryLater."""
        known = self._known.get(account)
        if known is not None and known is not after:
            return known
        task = self._reading.get(account) or self._started(account)
        await asyncio.wait({task}, timeout=timeout)
        if not task.done() or task.cancelled():
            return Deferred(f"the account's fields could not be read within {timeout:g} s")
        return task.result()

    def close(self) -> None:
        """End what is being read."""
        for task in self._reading.values():
            task.cancel()

    def _started(self, account: Account) -> asyncio.Task[Fields | Receipt]:
        task = asyncio.get_running_loop().create_task(self._kept(account))
        self._reading[account] = task
        task.add_done_callback(lambda done: self._ended(account, done))
        return task

    def _ended(self, account: Account, task: asyncio.Task[Fields | Receipt]) -> None:
        self._reading.pop(account, None)
        if not task.cancelled():
            task.exception()  # whoever waited may be gone

    async def _kept(self, account: Account) -> Fields | Receipt:
        found = await self._read(account)
        if isinstance(found, Fields):
            self._known[account] = found
        return found


def may_be_old(fields: Fields) -> bool:
    """True where a list may be read again because something does not fit it."""
    return time.monotonic() - fields.at >= _AGAIN_SECONDS
