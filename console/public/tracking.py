"""`/c/<project>/<token>` and `/o/<project>/<token>`: a link of a message, and the picture that tells of an open.

The answer waits for nothing: what is to be kept is kept behind it, a moment later, so that a machine which follows all
links of a message is known by the second one. While Postgres is away it is tried for a while; what is lost is counted.
"""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from aiohttp import web

from agents.telemetry.metrics import Metrics
from channels.tracked import CLICK_PATH, OPEN_PATH, clicked_of, opened_of
from console.control.tracking import TrackedVisits
from console.public.own_page import page, words_for
from schemas.errors import TryLater
from streams.noise import TOGETHER, Kind, Request

log = structlog.get_logger()

MOST_WAITING, MOST_OF_ONE = 5000, 50
"""Requests that wait to be kept, of all deliveries and of one: so much memory, and so much work."""
TRIES, PAUSE_SECONDS = 10, 3.0
_PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""
_KEPT_HEADERS = ("user-agent", "sec-purpose", "purpose", "x-purpose", "x-moz")
_SETTLE_SECONDS = TOGETHER.total_seconds() * 1.5


class _Visit(NamedTuple):
    """A request for a link or a picture of a delivery; `target` is empty for the picture."""

    project_id: str
    delivery_id: str
    target: str
    request: Request


class Tracker:
    """The routes, and the work behind them. `now` gives the time with its zone; `secrets` prove tokens."""

    def __init__(
        self, visits: TrackedVisits, secrets: Sequence[str], metrics: Metrics, now: Callable[[], datetime]
    ) -> None:
        self._visits, self._secrets, self._metrics, self._now = visits, secrets, metrics, now
        self._work: set[asyncio.Task[None]] = set()
        self._recent: dict[tuple[str, str], list[_Visit]] = defaultdict(list)

    def routes(self) -> list[web.RouteDef]:
        """GET and HEAD of both."""
        place = "{project}/{token}"
        return [web.get(CLICK_PATH + place, self.click), web.get(OPEN_PATH + place, self.open)]

    async def click(self, request: web.Request) -> web.Response:
        """Lead on; nowhere for a token that nobody made."""
        project = request.match_info["project"]
        found = clicked_of(project, request.match_info["token"], self._secrets)
        if found is None:
            words = words_for(request, "")
            return page(request, words, 404, title=words.invalid_title, lines=[words.invalid_line])
        self._note(project, found.delivery_id, found.target, self._read(request, "clicked"))
        return web.Response(status=302, headers={"location": found.target, "x-robots-tag": "noindex, nofollow"})

    async def open(self, request: web.Request) -> web.Response:
        """The picture, whatever the token is worth: a mail shows no broken one."""
        project = request.match_info["project"]
        found = opened_of(project, request.match_info["token"], self._secrets)
        if found is not None:
            self._note(project, found.delivery_id, "", self._read(request, "opened"))
        return web.Response(body=_PICTURE, content_type="image/gif")

    def _read(self, request: web.Request, kind: Kind) -> Request:
        headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
        return Request(kind, request.method, headers, self._now())

    def _note(self, project_id: str, delivery_id: str, target: str, request: Request) -> None:
        recent = self._recent.get((project_id, delivery_id), ())
        if len(self._work) >= MOST_WAITING or len(recent) >= MOST_OF_ONE:
            self._metrics.tracked.labels(request.kind, "lost").inc()
            return
        visit = _Visit(project_id, delivery_id, target, request)
        self._recent[project_id, delivery_id].append(visit)
        task = asyncio.get_running_loop().create_task(self._keep(visit))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _keep(self, visit: _Visit) -> None:
        """Keep a visit, once all that belongs to it has come; what cannot be kept for long is lost, and counted."""
        place = visit.project_id, visit.delivery_id
        try:
            await asyncio.sleep(_SETTLE_SECONDS)
            others = [
                one.request.at for one in self._recent[place] if one.target not in ("", visit.target) and visit.target
            ]
            fate = await self._taken(visit, others)
        finally:
            self._recent[place].remove(visit)
            if not self._recent[place]:
                del self._recent[place]
        self._metrics.tracked.labels(visit.request.kind, fate).inc()

    async def _taken(self, visit: _Visit, others: list[datetime]) -> str:
        for left in range(TRIES - 1, -1, -1):
            try:
                return await self._visits.take(visit.project_id, visit.delivery_id, visit.request, others)
            except TryLater as error:
                if not left:
                    log.warning("visit_lost", kind=visit.request.kind, why=str(error))
                    break
            await asyncio.sleep(PAUSE_SECONDS)
        return "lost"

    async def close(self, _app: web.Application) -> None:
        """Wait for what is to be kept, as long as a process has to stop; what is not kept by then is lost."""
        if self._work:
            _, left = await asyncio.wait(self._work, timeout=_SETTLE_SECONDS + PAUSE_SECONDS)
            for task in left:
                task.cancel()
            if left:
                log.warning("visits_lost", count=len(left), why="the process ends")
