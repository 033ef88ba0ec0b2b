"""Batches: messages that one account's provider takes together leave in one request, and each has its own outcome.

Nothing of it is seen outside of a channel: `send` waits for its message's own receipt. A batch leaves when it is full,
or a moment after its first message. Where a provider refuses a batch and does not say which message it means, they are
sent again one by one, so that none is refused for its neighbour; one that is too long is halved.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import compress
from typing import ClassVar, TypeVar

from channels.accounts import ChannelAccounts
from channels.codes.links import Links, no_links
from channels.http.api import HttpRequest, not_understood
from channels.http.names import Names
from channels.http.provider import ProviderChannel
from channels.http.ssrf import Reach
from channels.http.transport import Reply
from schemas.delivery import Delivery
from schemas.receipt import Accepted, Postponed, Receipt, Refused

_TOO_LONG = 413
_ALONE_AT_ONCE = 8
"""Messages of a refused batch that are under way at once when they are sent again one by one."""
LEAST_SECONDS = 0.05
"""A request is given at least so long, or its time-out would speak of us alone."""

D = TypeVar("D", bound=Delivery)
BucketKey = tuple[str, str, str, str, str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The most that one request holds: objects, and bytes of its body."""

    objects: int
    max_bytes: int


@dataclass(slots=True, eq=False)
class _Waiting:
    """A message on its way, and whoever waits for its receipt."""

    request: HttpRequest
    deadline: float
    now: datetime
    receipt: asyncio.Future[Receipt]
    batch: _Batch | None = None


@dataclass(slots=True, eq=False)
class _Batch:
    """Messages that leave together."""

    limits: BatchLimits
    waiting: list[_Waiting] = field(default_factory=list)
    objects: int = 0
    size: int = 0
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None

    def takes(self, objects: int, size: int) -> bool:
        """True where a message fits in beside those that are there."""
        within = self.objects + objects <= self.limits.objects and self.size + size <= self.limits.max_bytes
        return within or not self.waiting

    def is_full(self) -> bool:
        """True where no other message can be waited for."""
        return self.objects >= self.limits.objects or self.size >= self.limits.max_bytes

    def put(self, one: _Waiting, objects: int) -> None:
        """One message more."""
        one.batch = self
        self.waiting.append(one)
        self.objects += objects
        self.size += len(one.request.body)


class BatchingChannel(ProviderChannel[D]):
    """A channel whose requests carry many messages. A rendered request is a whole one, of one message.

    A provider's own file says how large a batch is (`batch_limits`), how bodies become one (`joined`) and what a reply
    says of each message (`outcomes`).
    """

    batch_wait: ClassVar[float] = 0.02
    """Seconds that the first message of a batch waits for others."""
    max_bytes: ClassVar[int] = 4_000_000
    """Of the body of one request."""

    def __init__(
        self, accounts: ChannelAccounts, *, reach: Reach, links: Links = no_links, names: Names | None = None
    ) -> None:
        super().__init__(accounts, reach=reach, links=links, names=names)
        self._buckets: dict[BucketKey, _Batch] = {}

    def batch_limits(self, request: HttpRequest) -> BatchLimits:
        """The bounds of its account. Raises AccountHeld."""
        return BatchLimits(self.form(request.project_id, request.account).batch_size, self.max_bytes)

    def kind(self, request: HttpRequest) -> str:
        """A mark that messages of one request share, beside their account and place."""
        return ""

    def objects(self, request: HttpRequest) -> int:
        """The number of objects in a message, as its provider counts them."""
        return 1

    def joined(self, bodies: Sequence[bytes]) -> bytes:
        """One body of many."""
        raise NotImplementedError

    def outcomes(self, reply: Reply, bodies: Sequence[bytes], receipt: Receipt) -> Sequence[Receipt | None]:
        """The receipts of each message, where `receipt`, Accepted or Refused, is that of the reply as a whole.

        None for a message of which the reply does not tell: it is sent again.
        """
        raise NotImplementedError

    def together(self, request: HttpRequest, bodies: Sequence[bytes]) -> HttpRequest:
        """One request of many, like `request`."""
        return replace(request, body=self.joined(bodies))

    async def settled(
        self, request: HttpRequest, reply: Reply, bodies: Sequence[bytes], receipt: Receipt, ends: float
    ) -> Sequence[Receipt | None]:
        """The same of a provider that tells of its outcomes later, `ends` (monotonic) at most: here, the reply does."""
        return self.outcomes(reply, bodies, receipt)

    async def send(self, request: HttpRequest, *, timeout: float, now: datetime) -> Receipt:
        """See `Channel`. Cancelled, it leaves the other messages of its batch as they are."""
        answer = asyncio.get_running_loop().create_future()
        one = _Waiting(request, time.monotonic() + timeout, now, answer)
        self._put(one)
        try:
            receipt: Receipt = await answer
        except asyncio.CancelledError:
            _leave_alone(one.batch)
            raise
        return receipt

    async def close(self) -> None:
        """See `Channel`. What waits for others leaves at once."""
        for key in list(self._buckets):
            self._depart(key)
        await super().close()

    def _put(self, one: _Waiting) -> None:
        key, objects = self._key(one.request), self.objects(one.request)
        batch = self._buckets.get(key)
        if batch is not None and not batch.takes(objects, len(one.request.body)):
            self._depart(key)
            batch = None
        if batch is None:
            batch = self._buckets[key] = _Batch(self.batch_limits(one.request))
            batch.timer = asyncio.get_running_loop().call_later(self.batch_wait, self._depart, key)
        batch.put(one, objects)
        if batch.is_full():
            self._depart(key)

    def _key(self, request: HttpRequest) -> BucketKey:
        """Messages that may leave in one request: those of one account of one project, to one place, of one kind."""
        headers = frozenset(request.headers.items())
        return request.project_id, request.account, request.method, request.url, self.kind(request), headers

    def _depart(self, key: BucketKey) -> None:
        batch = self._buckets.pop(key)
        if batch.timer is not None:
            batch.timer.cancel()
        batch.task = asyncio.get_running_loop().create_task(self._carry(batch))

    async def _carry(self, batch: _Batch) -> None:
        """Give every message of a batch its receipt, or the error in place of one."""
        try:
            await self._ask_together([one for one in batch.waiting if not one.receipt.done()])
        except Exception as error:
            for one in batch.waiting:
                if not one.receipt.done():
                    one.receipt.set_exception(error)

    async def _ask_together(self, waiting: Sequence[_Waiting]) -> None:
        if not waiting:
            return
        left = min(one.deadline for one in waiting) - time.monotonic()
        bodies, last = [one.request.body for one in waiting], waiting[-1]
        request = last.request if len(waiting) == 1 else self.together(last.request, bodies)
        answer = await self.ask(request, timeout=max(left, LEAST_SECONDS), now=last.now)
        if not isinstance(answer, Reply):
            _give(waiting, [answer] * len(waiting))
        elif answer.status == _TOO_LONG and len(waiting) > 1:
            half = len(waiting) // 2
            await asyncio.gather(self._ask_together(waiting[:half]), self._ask_together(waiting[half:]))
        else:
            await self._settle(request, answer, waiting, bodies)

    async def _settle(
        self, request: HttpRequest, reply: Reply, waiting: Sequence[_Waiting], bodies: Sequence[bytes]
    ) -> None:
        """Give what a reply says to whom it is about; send the rest again."""
        ends = min(one.deadline for one in waiting)
        receipt, found = await self._outcomes(request, reply, bodies, waiting[-1].now, ends)
        if len(waiting) == 1:
            _give(waiting, [found[0] or receipt])
            return
        _give(waiting, found)
        rest = list(compress(waiting, (one is None for one in found)))
        if isinstance(receipt, Refused) and len(rest) < len(waiting):
            await self._ask_together(_in_time(rest))  # of a refused batch nothing was taken
        else:
            await self._ask_alone(rest)

    async def _outcomes(
        self, request: HttpRequest, reply: Reply, bodies: Sequence[bytes], now: datetime, ends: float
    ) -> tuple[Receipt, Sequence[Receipt | None]]:
        try:
            receipt = self.receipt(reply, now)
            if not isinstance(receipt, Accepted | Refused):
                return receipt, [receipt] * len(bodies)
            return receipt, await self.settled(request, reply, bodies, receipt, ends)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            receipt = not_understood(reply, now, error)
            return receipt, [None if isinstance(receipt, Refused) else receipt] * len(bodies)

    async def _ask_alone(self, waiting: Sequence[_Waiting]) -> None:
        slots = asyncio.Semaphore(_ALONE_AT_ONCE)

        async def ask(one: _Waiting) -> None:
            async with slots:
                await self._ask_together(_in_time([one]))

        await asyncio.gather(*map(ask, waiting))


def _give(waiting: Sequence[_Waiting], receipts: Sequence[Receipt | None]) -> None:
    for one, receipt in zip(waiting, receipts, strict=True):
        if receipt is not None and not one.receipt.done():
            one.receipt.set_result(receipt)


def _in_time(waiting: Sequence[_Waiting]) -> list[_Waiting]:
    """Those that somebody still waits for. Others are told that their batch was refused, and that is all."""
    now = time.monotonic()
    late = [one for one in waiting if one.deadline <= now]
    _give(late, [Postponed("its batch was refused, and no time was left to send it alone")] * len(late))
    return [one for one in waiting if not one.receipt.done()]


def _leave_alone(batch: _Batch | None) -> None:
    """End a request that nobody waits for any more."""
    if batch is not None and batch.task is not None and all(one.receipt.done() for one in batch.waiting):
        batch.task.cancel()
