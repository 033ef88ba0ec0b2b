"""Calls of endpoints, on their way into the log: all that were not accepted, up to a bound, and some that were."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog

from agents.roles.sender.work import Work
from channels.webhook.calls import Call
from schemas.channels.webhook import endpoint_account
from schemas.errors import TryLater
from schemas.receipt import Accepted, Receipt
from store.sending.endpoint_calls import EndpointCalls, NewCall

log = structlog.get_logger()

_TOLD_EVERY = 2.0
_SAMPLED_EVERY = 10.0
"""Seconds between two accepted calls of an endpoint that are kept."""
_MOST_OF_ENDPOINT, _MOST = 10, 500
"""Calls that are kept between two times that the log is told: a receiver that fails by the thousand says it in ten."""


class SenderCalls:
    """Sees the calls of one sender (`Calls` of the channel). Nothing waits for it: what cannot be kept is let go."""

    def __init__(self, kept: EndpointCalls, *, steady: Callable[[], float] = time.monotonic) -> None:
        self._kept, self._steady = kept, steady
        self._sampled: dict[tuple[str, str], float] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._open: dict[str, Call] = {}
        self._ended: list[tuple[Call, Work, float]] = []

    def wants(self, project_id: str, endpoint: str, receipt: Receipt) -> bool:
        """True for one in ten seconds that an endpoint accepts, and for the first others of each that it does not."""
        of = project_id, endpoint
        if type(receipt) is Accepted:
            now = self._steady()
            if now < self._sampled.get(of, 0.0) or len(self._ended) >= _MOST:
                return False
            self._sampled[of] = now + _SAMPLED_EVERY
            return True
        seen = self._seen.get(of, 0)
        self._seen[of] = seen + 1
        return seen < _MOST_OF_ENDPOINT and len(self._ended) < _MOST

    def add(self, call: Call) -> None:
        """A call whose delivery is told by `note`."""
        self._open[call.delivery_id] = call

    def note(self, work: Work) -> None:
        """The delivery that was just asked for, in case its call is kept."""
        if self._open and (call := self._open.pop(work.delivery.delivery_id, None)):
            self._ended.append((call, work, self._steady()))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_TOLD_EVERY)
            await self.tell()

    async def tell(self) -> None:
        """Keep what there is by now."""
        now, ended, self._ended = self._steady(), self._ended, []
        self._seen.clear()
        self._sampled = {of: until for of, until in self._sampled.items() if until > now}
        if not ended:
            return
        try:
            await self._kept.add([_kept(*one, now) for one in ended])
        except TryLater as error:
            log.info("endpoint_calls_not_kept", calls=len(ended), why=str(error))
        except Exception:  # a defect of a log must not stop what it is about
            log.exception("endpoint_calls_not_kept", calls=len(ended))


def _kept(call: Call, work: Work, ended: float, now: float) -> NewCall:
    seconds = now - ended + call.milliseconds / 1000
    request = {"url": call.url, "headers": call.headers, "body": call.body, "body_bytes": call.body_bytes}
    reply = {"status": call.status, "headers": call.reply_headers, "body": call.reply_body}
    return NewCall(
        call.project_id,
        endpoint_account(call.endpoint),
        call.outcome == "accepted",
        call.delivery_id,
        work.delivery.customer.id,
        work.arrived_at,
        work.attempts + 1,
        seconds,
        call.milliseconds,
        call.outcome,
        call.detail,
        msgspec.json.encode(request).decode(),
        None if call.status is None else msgspec.json.encode(reply).decode(),
    )
