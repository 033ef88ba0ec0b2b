"""`/callbacks/<project>/<channel>/<account>`: providers tell what became of messages that they took.

Whoever cannot prove to be the provider gets one answer, whatever is wrong; whoever can, one that says nothing of which
deliveries there are. What cannot be kept now is refused with 503, so that a provider tells it again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import datetime

import msgspec
import structlog
from aiohttp import web

from agents.telemetry.metrics import Metrics
from channels.status_calls import JSON_TYPE, CallForm, NotProven, StatusCall
from console.control.callbacks import MOST_BYTES, RETRY_AFTER, Callbacks
from console.control.reports import TakenReport
from schemas.errors import DefinitionInvalid, TryLater

log = structlog.get_logger()

BODY_SECONDS = 10.0
"""For a body to come, all of it."""
TAKE_SECONDS = 30.0
"""For what it says to be kept."""
MOST_AT_ONCE = 32
"""Calls under way in one process: so much memory, at `MOST_BYTES` each."""
DAWDLES_AFTER = 1.0
"""Seconds after which a body that is still to come gives its place to the next call, once all are taken."""


def callback_routes(callbacks: Callbacks, metrics: Metrics, now: Callable[[], datetime]) -> list[web.RouteDef]:
    """The routes, for whichever application joins them. `now` gives the time with its zone."""
    receiver, path = _Receiver(callbacks, metrics, now), "/callbacks/{project}/{channel}/{account}"
    return [web.post(path, receiver.receive), web.get(path, receiver.look_up)]


class _Refused(Exception):
    """A call that is not taken; the status, and for people what would be."""

    def __init__(self, status: int, title: str, detail: str = "", errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.errors = status, title, detail, errors or []


class _Receiver:
    def __init__(self, callbacks: Callbacks, metrics: Metrics, now: Callable[[], datetime]) -> None:
        self._callbacks, self._metrics, self._now = callbacks, metrics, now
        self._under_way = 0
        self._awaited: dict[asyncio.Timeout, float] = {}
        """The bodies that are to come, since when, the oldest first."""

    async def receive(self, request: web.Request) -> web.Response:
        form = self._callbacks.form(request.match_info["channel"])
        try:
            taken = await self._taken(request, form)
        except _Refused as refused:
            self._metrics.callbacks.labels(str(refused.status)).inc()
            return _problem(refused)
        status, kind, body = _answer(form, taken)
        self._metrics.callbacks.labels(str(status)).inc()
        for done in [one.done for one in taken] or ["not a report"]:
            self._metrics.reports.labels("callback", done).inc()
        return web.Response(status=status, body=body, content_type=kind)

    async def look_up(self, request: web.Request) -> web.Response:
        """Say to a provider that asks before it calls, by GET or HEAD, that somebody is here, whatever the account."""
        if not self._callbacks.form(request.match_info["channel"]).is_looked_up:
            raise web.HTTPMethodNotAllowed("GET", ["POST"])
        return web.Response()

    async def _taken(self, request: web.Request, form: CallForm) -> list[TakenReport]:
        _check_head(request, form)
        if self._under_way >= MOST_AT_ONCE and not self._has_given_way():
            raise _later("too many calls at once")
        self._under_way += 1
        try:
            address = self._callbacks.address(request.raw_path) or str(request.url)
            call = StatusCall(address, _headers(request), await self._body(request), self._now())
            return await self._take(request, call)
        finally:
            self._under_way -= 1

    async def _body(self, request: web.Request) -> bytes:
        """The body as it was signed, within its limits of size and time."""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS) as within:
                self._awaited[within] = time.monotonic()
                try:
                    async for chunk in request.content.iter_any():
                        body += chunk
                        if len(body) > MOST_BYTES:
                            raise _too_large()
                finally:
                    self._awaited.pop(within, None)
        except TimeoutError:
            raise _Refused(408, "Too slow", f"the body must come within {BODY_SECONDS:.0f} s") from None
        return bytes(body)

    def _has_given_way(self) -> bool:
        """End the oldest wait for a body, where it dawdles: who never sends one keeps nobody out for long."""
        for within, since in self._awaited.items():
            if time.monotonic() - since < DAWDLES_AFTER:
                return False
            del self._awaited[within]
            if not within.expired():
                within.reschedule(asyncio.get_running_loop().time())
            return True
        return False

    async def _take(self, request: web.Request, call: StatusCall) -> list[TakenReport]:
        place = request.match_info["project"], request.match_info["channel"], request.match_info["account"]
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                return await self._callbacks.take(*place, call)
        except NotProven:
            raise _not_proven(self._callbacks.form(place[1])) from None
        except DefinitionInvalid as error:
            errors = [{"pointer": one.path, "detail": one.message} for one in error.problems]
            raise _Refused(400, "Not valid", "Nothing of it was taken.", errors) from None
        except (TryLater, TimeoutError) as error:
            log.warning("callback_not_kept", why=str(error) or type(error).__name__)
            raise _later("what it says cannot be kept now") from None


def _answer(form: CallForm, taken: list[TakenReport]) -> tuple[int, str, bytes]:
    """The status, the type and the body of the answer to a call that was taken."""
    if form.answer is not None:
        return 200, *form.answer
    return 202, JSON_TYPE, msgspec.json.encode({"received": len(taken)})


def _check_head(request: web.Request, form: CallForm) -> None:
    """Refuse what can be refused before its body is read."""
    if not any(all(request.headers.get(name) for name in proof) for proof in form.proofs):
        raise _not_proven(form)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _Refused(415, "Unsupported encoding", "content-encoding must be left out: what is signed is the body")
    if request.content_type not in form.types:
        raise _Refused(415, "Unsupported type", f"content-type must be one of {', '.join(sorted(form.types))}")
    if (request.content_length or 0) > MOST_BYTES:
        raise _too_large()


def _headers(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _not_proven(form: CallForm) -> _Refused:
    named = " (or ".join(f"{', '.join(others)} and {last}" if others else last for *others, last in form.proofs)
    return _Refused(401, "Not proven", f"{named}{')' * (len(form.proofs) - 1)} must fit the body")


def _too_large() -> _Refused:
    return _Refused(413, "Too large", f"a body has at most {MOST_BYTES} bytes")


def _later(why: str) -> _Refused:
    return _Refused(503, "Later", f"{why}; send the same again")


def _problem(refused: _Refused) -> web.Response:
    """Source: RFC 9457."""
    said = {"title": refused.title, "status": refused.status, "detail": refused.detail}
    response = web.Response(
        status=refused.status,
        body=msgspec.json.encode(said | ({"errors": refused.errors} if refused.errors else {})),
        content_type="application/problem+json",
    )
    if refused.status == 503:
        response.headers["retry-after"] = str(math.ceil(RETRY_AFTER.total_seconds()))
    if refused.status in (408, 413):
        response.force_close()  # the rest of the body is not wanted
    return response
