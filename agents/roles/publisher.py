"""The publisher: requests for codes in, messages with their codes out, each code to one customer.

A batch is claimed in chunks, each in one transaction of Postgres, by ids that a replay repeats: so a crash, a rebalance
or a replay gets the same code and makes the same messages again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from agents.broker.outbox import publish_outbox
from agents.broker.producer import write_all
from agents.broker.records import Incoming, Output
from agents.clock import Clock, utc_now
from agents.dead_letters import DeadLetters
from agents.ingest_time import arrived_at, header_of
from agents.intake import Chunk, Intake
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.campaign import publication_customer
from schemas.errors import InvalidEvent, TryLater
from schemas.events.triggers import PUBLISHED, TRIGGERS, began_in
from schemas.publication_request import PublicationRequest
from schemas.record_key import Keyed, label_of
from schemas.topics import DECISIONS, PUBLICATION_REQUESTS, deliveries
from schemas.wire.read_as import read_as
from store.codes.claims import Answer, Claim, Empty, Published, Unusable, Withdrawn
from store.codes.held import CodeRequest, Held, Standing
from store.codes.pool import Codes, Count
from store.distributions import Control, VersionConflict
from store.notices import Notices
from streams.notices import codes_low, distribution_paused
from streams.publication import (
    Settled,
    after_waiting,
    erased,
    is_expired,
    not_wanted,
    too_late,
    with_code,
    without_again,
    without_code,
)

log = structlog.get_logger()

_Read = tuple[PublicationRequest, datetime]
"""A request, and when its event reached Kafka."""
_Judge = Callable[[PublicationRequest, Standing, datetime], Settled | None]
_CHUNK_SIZE = 500
"""Requests of one transaction."""
_TRY_AGAIN = timedelta(seconds=2)
"""A held request asks again so often."""
_IDLE_SECONDS = 0.5
_COUNT_SECONDS = 5.0
_SETTLED = timedelta(minutes=1)
"""So long a distribution may take from being noted as paused to being paused."""


def build_publisher(
    wiring: Wiring,
    codes: Codes,
    held: Held,
    control: Control,
    notices: Notices,
    metrics: Metrics,
    *,
    clock: Clock = utc_now,
    **settings: Any,
) -> tuple[BatchApp, Publisher]:
    """The Faust app of one publisher process, and the publisher whose `run` goes with it."""
    app = BatchApp(wiring.group("publisher"), wiring.settings.kafka, **settings)
    publisher = Publisher(app, wiring, codes, held, control, notices, metrics, clock)
    app.batch_agent(wiring.topic(PUBLICATION_REQUESTS), publisher.intake.take, name=PUBLICATION_REQUESTS)
    return app, publisher


class Publisher:
    """Claims codes for requests and lets their messages go. Any number of processes share the work."""

    def __init__(
        self,
        app: BatchApp,
        wiring: Wiring,
        codes: Codes,
        held: Held,
        control: Control,
        notices: Notices,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._app, self._wiring, self._metrics, self._clock = app, wiring, metrics, clock
        self._codes, self._held, self._control, self._notices = codes, held, control, notices
        self._default, self._requests = wiring.default_project, wiring.codec(PUBLICATION_REQUESTS)
        self._low: set[str] = set()
        dead_letters = DeadLetters("publisher", wiring, metrics)
        self.intake = Intake(
            self._read, self._answer, dead_letters, metrics, clock, size=_CHUNK_SIZE, counted="outputs"
        )

    # -- from Kafka ---------------------------------------------------------------------------------------------

    def _read(self, record: Incoming) -> _Read:
        if record.value is None:
            raise InvalidEvent("a request has a value; this record is a tombstone")
        request = read_as(self._requests.decode(record.value), PublicationRequest)
        return request, arrived_at(record)

    async def _answer(self, taken: Chunk[_Read]) -> int:
        """Claim, keep what has to wait, emit what goes out, and pause what is to stop; how many records went out."""
        batch = taken.batch
        asked = [CodeRequest(request, batch.partition, arrived) for request, arrived in taken.items]
        settled = await retry_until_available(lambda: self._settle(asked, _when_new), what="Postgres")
        pairs = list(zip(asked, settled, strict=True))
        await self._hold([one for one, end in pairs if end.held])
        outputs = [output for one, end in pairs for output in self._outputs(one, end)]
        batch.emit(outputs)
        await batch.wait_for_capacity()
        await self._stop({_sends(one.request): one.request.campaign for one, end in pairs if end.stops})
        return len(outputs)

    async def _hold(self, asked: list[CodeRequest]) -> None:
        if asked:
            await retry_until_available(lambda: self._held.hold(asked), what="Postgres")

    # -- codes --------------------------------------------------------------------------------------------------

    async def _settle(self, asked: Sequence[CodeRequest], judge: _Judge) -> list[Settled]:
        """The end of each request: what it has without a code, by `judge`, else what its claim gives."""
        now = await self._codes.now()
        standings = await self._held.standings(asked)
        ends = [judge(one.request, standing, now) for one, standing in zip(asked, standings, strict=True)]
        asking = [one.request for one, end in zip(asked, ends, strict=True) if end is None]
        answers = iter(await self._codes.claim([_claim(one) for one in asking], now))
        found = [(one.request, end or next(answers)) for one, end in zip(asked, ends, strict=True)]
        without = await self._note_without([request for request, answer in found if _goes_without(request, answer)])
        return [self._settled(request, self._repeats(request, answer, without, now), now) for request, answer in found]

    async def _note_without(self, requests: list[PublicationRequest]) -> Mapping[str, str]:
        return await self._held.note_without(requests) if requests else {}

    @staticmethod
    def _repeats(
        request: PublicationRequest, answer: Answer | Settled, without: Mapping[str, str], now: datetime
    ) -> Answer | Settled:
        """The answer; a duplicate where another event's message went out without a code."""
        first = without.get(request.publication_id) if _goes_without(request, answer) else None
        return answer if first in (None, request.event.id) else without_again(request, str(first), now)

    def _settled(self, request: PublicationRequest, answer: Answer | Settled, now: datetime) -> Settled:
        outcome: str
        match answer:
            case Settled():
                if answer.held:  # it has not asked
                    return answer
                outcome, settled = answer.decisions[0].reason or "repeated", answer
            case Published(publication, voucher, campaign, event_id, is_new):
                objects = {"campaign": campaign, "voucher": voucher, "publication": publication}
                outcome = "published" if is_new else "repeated"
                settled = with_code(request, objects, event_id, now)
            case Empty(campaign_id):
                outcome, settled = "empty", without_code(request, f"campaign {campaign_id} has no code left", now)
            case Unusable(_, detail):
                outcome, settled = "unusable", without_code(request, detail, now)
            case Withdrawn(detail):
                outcome, settled = "withdrawn", not_wanted(request, detail, now)
        self._metrics.publications.labels(outcome).inc()
        return settled

    def _outputs(self, asked: CodeRequest, settled: Settled) -> list[Output]:
        wiring, request, partition = self._wiring, asked.request, asked.partition
        arrived = header_of(int(asked.arrived_at.timestamp() * 1000))
        key = wiring.key(request.project_id, request.customer_id)
        outputs = []
        for delivery in settled.deliveries:
            name = deliveries(delivery.channel)
            outputs.append(Output(wiring.topic(name), key, wiring.codec(name).encode(delivery), partition, arrived))
        if settled.event:
            name = TRIGGERS[PUBLISHED].topic
            outputs.append(Output(wiring.topic(name), key, wiring.codec(name).encode(settled.event), partition))
        topic, codec = wiring.topic(DECISIONS), wiring.codec(DECISIONS)
        outputs += [Output(topic, key, codec.encode(decision), partition) for decision in settled.decisions]
        return outputs

    # -- when there are none ------------------------------------------------------------------------------------

    async def _stop(self, distributions: Mapping[Keyed, str]) -> None:
        """Pause distributions that have no codes left and say `when_empty: stop`; nothing where they are paused.

        `distributions` stand with the campaigns that have none.
        """
        for (project, identity), campaign in sorted(distributions.items()):
            pause = partial(self._pause, project, identity, campaign)
            if await retry_until_available(pause, what="Postgres or Kafka"):
                self._metrics.distributions_stopped.inc()
                why = "its campaign has no code left"
                log.error("distribution_paused", project=project, distribution=identity, why=why)

    async def _pause(self, project: str, identity: str, campaign: str) -> bool:
        current = (await self._control.current(project)).get(identity)
        if current is not None and current.status == "LIVE":
            # first, so that nobody dies in between; where it stays live, the next count closes the notice
            await self._notices.open(distribution_paused(project, identity, campaign))
            try:
                await self._control.set_status(current, "PAUSED", applied_by="publisher", now=self._clock())
            except VersionConflict:  # somebody applied it at this moment: their version is what counts
                return False
        await publish_outbox(self._control, self._wiring, self._app.outputs)
        return current is not None and current.status == "LIVE"

    async def run(self) -> None:
        """All background work of a publisher, until cancelled. An error that escapes ends the process."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve_held())
            group.create_task(self._count())

    async def _serve_held(self) -> None:
        while True:
            if not await retry_until_available(self.try_held, what="Postgres or Kafka"):
                await asyncio.sleep(_IDLE_SECONDS)

    async def try_held(self) -> int:
        """Ask again for requests that wait; how many got an end. Raises TryLater, and then nothing is noted."""
        async with self._held.take(_TRY_AGAIN, _CHUNK_SIZE) as batch:
            if not batch.requests:
                return 0
            settled = await self._settle(batch.requests, _when_held)
            pairs = list(zip(batch.requests, settled, strict=True))
            await write_all(self._app.outputs, self._outputs_of_held(pairs))
            ended = [one.request.publication_id for one, end in pairs if not end.held]
            waiting = [one.request.publication_id for one, end in pairs if end.held]
            await batch.note(settled=ended, still_held=waiting)
        return len(ended)

    def _outputs_of_held(self, pairs: Sequence[tuple[CodeRequest, Settled]]) -> list[Output]:
        """Nothing that was decided before is told again: those that wait on say nothing."""
        return [output for held, end in pairs if not end.held for output in self._outputs(held, end)]

    async def _count(self) -> None:
        """The codes left in each pool, for those who have to fill them."""
        while True:
            try:
                await self._count_once()
            except TryLater as error:
                log.warning("dependency_unavailable", what="Postgres", error=str(error))
            await asyncio.sleep(_COUNT_SECONDS)

    async def _count_once(self) -> None:
        counts = await self._codes.counts(None, await self._codes.now())
        low = {self._label(count) for count in counts if count.is_low}
        for count in counts:
            self._metrics.codes_left.labels(self._label(count)).set(count.left)
        for campaign in sorted(low - self._low):
            log.warning("codes_low", campaign=campaign)
        self._low = low
        for project in sorted({self._default, *(count.project_id for count in counts)}):
            await self._note(project, [one for one in counts if one.is_low and one.project_id == project])
        self._metrics.requests_held.set(await self._held.count())

    def _label(self, count: Count) -> str:
        return label_of(count.project_id, count.campaign_id, self._default)

    async def _note(self, project: str, low: Sequence[Count]) -> None:
        """Note what waits for a person: pools to be filled. What is over is closed, refilled or resumed by whomever."""
        concerns = [codes_low(project, one.campaign_id, one.left, one.left + one.published) for one in low]
        changed = await self._notices.keep(project, "codes_low", concerns)
        paused = await self._notices.is_open(project, "distribution_paused")
        if paused:
            current = await self._control.current(project)
            for identity in sorted(one for one in paused if one not in current or current[one].status != "PAUSED"):
                changed += await self._notices.close(project, "distribution_paused", identity, settle=_SETTLED)
            changed += await self._notices.tell_late(project, "distribution_paused")
        if changed:
            await publish_outbox(self._control, self._wiring, self._app.outputs)


def _when_new(request: PublicationRequest, standing: Standing, now: datetime) -> Settled | None:
    """The end of one that has just come, where it needs no code."""
    if standing.is_erased:
        return erased(request, now)
    if is_expired(request, now):
        return too_late(request, now)
    return without_again(request, standing.went_without, now) if standing.went_without else None


def _goes_without(request: PublicationRequest, answer: Answer | Settled) -> bool:
    return request.when_empty == "send_without" and isinstance(answer, Empty | Unusable)


def _when_held(request: PublicationRequest, standing: Standing, now: datetime) -> Settled | None:
    """The same of one that has waited: its distribution may have been changed since."""
    if standing.is_erased:
        return erased(request, now)
    return after_waiting(request, now, status=standing.status, ends_at=standing.ends_at, send=standing.send)


def _sends(request: PublicationRequest) -> Keyed:
    return Keyed(request.project_id, request.distribution.id)


def _claim(request: PublicationRequest) -> Claim:
    return Claim(
        publication_id=request.publication_id,
        project_id=request.project_id,
        campaign_id=request.campaign,
        customer_id=request.customer_id,
        customer=publication_customer(request.data["customer"]),
        distribution_id=request.distribution.id,
        event_id=request.event.id,
        channel=began_in(request.event.type),
        category=request.category,
    )
