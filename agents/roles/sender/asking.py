"""Asking: a delivery is rendered and handed to its provider, and what comes back is its answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any

import msgspec

from agents.accounts import LiveAccounts
from agents.clock import Clock
from agents.roles.sender.calls import SenderCalls
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from channels.contract import AnyChannel, Policy
from schemas.closed import ChannelName, HoldKind
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.errors import AccountHeld, RenderRefused, TemplateFailed
from schemas.receipt import Receipt
from schemas.template import StoredTemplate
from streams.sending.gate import account_held, not_rendered
from streams.sending.judgement import Judgement

Pause = Callable[[Destination, HoldKind, str], Awaitable[None]]


KnownIds = Callable[[Delivery, list[str | None]], Awaitable[Collection[str]]]


async def _no_ids(_delivery: Delivery, _ids: list[str | None]) -> Collection[str]:
    return ()


class Asking:
    """Knows channels, templates and accounts, and nothing of when. `pause` notes in the ledger that one is paused.

    `known_ids` says which of a provider's ids are those of other deliveries than one that it may have had. `calls` is
    told which delivery a call was about.
    """

    def __init__(
        self,
        channels: Mapping[ChannelName, AnyChannel],
        policies: Mapping[ChannelName, Policy],
        templates: Callable[[str], Awaitable[StoredTemplate | None]],
        pause: Pause,
        metrics: Metrics,
        *,
        clock: Clock,
        accounts: LiveAccounts | None = None,
        known_ids: KnownIds = _no_ids,
        calls: SenderCalls | None = None,
    ) -> None:
        self._calls = calls
        self._channels, self._policies, self._templates, self._pause = channels, policies, templates, pause
        self._clock, self._accounts, self._known_ids = clock, accounts, known_ids
        self._in_flight: defaultdict[ChannelName, int] = defaultdict(int)
        for channel in channels:
            metrics.in_flight.labels(channel).set_function(partial(self._in_flight.__getitem__, channel))

    async def ask(self, work: Work) -> Judgement | Receipt:
        """The provider's answer, or the end of a delivery that cannot be written."""
        delivery = work.delivery
        channel, policy = self._channels[delivery.channel], self._policies[delivery.channel]
        template = await self._templates(delivery.template.digest) if delivery.template else None
        try:
            request = (
                channel.render_through(delivery, template, work.through)
                if work.through
                else channel.render(delivery, template)
            )
            timeout = policy.timeout.total_seconds()
            self._in_flight[delivery.channel] += 1
            try:
                if work.possibly_accepted and (had := await self._had_before(work, channel, request, timeout)):
                    return had
                receipt = await channel.send(request, timeout=timeout, now=self._clock())
                if self._calls:
                    self._calls.note(work)
                return receipt
            finally:
                self._in_flight[delivery.channel] -= 1
        except (TemplateFailed, RenderRefused) as error:
            return not_rendered(error)
        except AccountHeld as error:
            if self._accounts and not work.through:  # else it takes another way the next time, or is held then
                await self._accounts.hold(delivery, str(error))
            return account_held(str(error))

    async def _had_before(self, work: Work, channel: AnyChannel, request: Any, timeout: float) -> Receipt | None:
        """The receipt of a message that was accepted without our hearing of it; None where it has to be sent."""
        found = await channel.look_up(request, since=work.arrived_at, timeout=timeout, now=self._clock())
        if not isinstance(found, list):
            return found
        others = await self._known_ids(work.delivery, [one.provider_id for one in found]) if found else ()
        return next((one for one in found if one.provider_id not in others), None)

    async def pause(self, work: Work, kind: HoldKind, why: str) -> None:
        """Pause where a message left for; an account that was changed meanwhile goes on."""
        accounts, delivery = self._accounts, _leaving(work)
        known = accounts.changed_at(delivery) if accounts else None
        await self._pause(work.leaves_for, kind, why)
        if accounts:
            await accounts.release_changed_since(delivery, known)


def _leaving(work: Work) -> Delivery:
    """The delivery as if it were of the account that it leaves through."""
    return msgspec.structs.replace(work.delivery, account=work.through) if work.through else work.delivery
