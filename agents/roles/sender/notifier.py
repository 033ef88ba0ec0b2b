"""Telling owners: what of the destinations waits for them, what of a limit is used, and every message that is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from agents.clock import Clock
from agents.waiting import retry_until_available
from channels.contract import AnyChannel
from schemas.closed import ChannelName
from schemas.errors import RenderRefused, TemplateFailed
from schemas.notice import Concern
from schemas.receipt import Accepted, Gone, Receipt, Refused
from store.notices import Message, Notices
from store.sending.ledger import Ledger
from streams.notices import MAIL, RETRIES, destination_failing, destination_paused, limits_used, message_to_owner
from streams.sending.breaker import Breaker

log = structlog.get_logger()

_EVERY_SECONDS = 10.0
_AT_A_TIME = 10
_TIMEOUT_SECONDS = 20.0
_LEASE = timedelta(minutes=2)
"""Longer than all messages of a round take, which are sent at the same time."""


class Notifier:
    """Looks at what is paused and sends what owners have to be told. Any number of processes may do it.

    `flush` publishes the outbox. `account` is the e-mail account that messages leave through.
    """

    def __init__(
        self,
        notices: Notices,
        ledger: Ledger,
        channels: Mapping[ChannelName, AnyChannel],
        flush: Callable[[], Awaitable[object]],
        *,
        account: str,
        owner: str,
        clock: Clock,
    ) -> None:
        self._notices, self._ledger, self._channels, self._flush = notices, ledger, channels, flush
        self._account, self._owner, self._clock = account, owner, clock

    async def run(self) -> None:
        """Tell what there is to tell, until cancelled."""
        while True:
            await retry_until_available(self.tell, what="Postgres or Kafka")
            await asyncio.sleep(_EVERY_SECONDS)

    async def close(self) -> None:
        """Give back connections."""
        for channel in self._channels.values():
            await channel.close()

    async def tell(self) -> int:
        """Open and close what there is of destinations and limits, and send what is due; how many. Raises TryLater."""
        await self.look()
        messages = await self._notices.take(self._owner, limit=_AT_A_TIME, lease=_LEASE)
        await asyncio.gather(*map(self._send, messages))
        await self._flush()
        return len(messages)

    async def look(self) -> None:
        """Open and close what there is. Raises TryLater."""
        paused = await self._ledger.paused_destinations()
        await self._notices.keep_all("destination_paused", [destination_paused(*one) for one in paused.items()])
        await self._notices.keep_all("destination_failing", await self._failing())
        used = await self._ledger.limits.used_of_all()
        await self._notices.keep_all("limit_used", [concern for one in used for concern in limits_used(one)])

    async def _failing(self) -> list[Concern]:
        """Destinations that fail, or have not been well for long: their owners are not told each time."""
        known = await self._ledger.exchanges.breakers()
        return [
            destination_failing(destination, kept.why)
            for destination, kept in known.kept.items()
            if not Breaker.read(kept.state, known.now).is_well(known.now)
        ]

    async def _send(self, message: Message) -> None:
        delivery = message_to_owner(message.notice, message.way, self._account)
        channel = self._channels[delivery.channel]
        try:
            request = channel.render(delivery, MAIL)
            receipt = await channel.send(request, timeout=_TIMEOUT_SECONDS, now=self._clock())
        except (RenderRefused, TemplateFailed) as error:
            receipt = Refused(str(error))
        await self._settle(message, receipt)

    async def _settle(self, message: Message, receipt: Receipt) -> None:
        is_last = message.attempts >= len(RETRIES)
        if isinstance(receipt, Accepted):
            log.info("owner_told", notice=message.notice_id, kind=message.notice.kind, about=message.notice.about)
            await self._notices.end(message, self._owner)
        elif isinstance(receipt, Refused | Gone) or is_last:
            log.error("owner_not_told", notice=message.notice_id, kind=message.notice.kind, why=receipt.detail)
            await self._notices.end(message, self._owner)
        else:
            wait = RETRIES[message.attempts]
            await self._notices.put_off(message, self._owner, wait, receipt.detail)
