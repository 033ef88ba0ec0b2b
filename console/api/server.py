"""Requests of the API from the table of routes: each is proved, counted, permitted, decoded, done once, answered."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import asyncpg
import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from agents.broker.outbox import publish_outbox
from agents.broker.producer import Producer
from agents.clock import Clock
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from console.api import once
from console.api.bodies import Bodies
from console.api.gate import Gate, address_of, must_be_live, must_be_permitted
from console.api.openapi import description
from console.api.problems import (
    MEANINGS,
    PROBLEM_JSON,
    ProblemKind,
    Refusal,
    Refused,
    in_body,
    refusal_of,
    refused,
)
from console.api.reading import read_body, read_json, read_parameters
from console.api.route import API, AccountBody, Call, CsvBody, DocumentBody, EventsBody, ProfilesBody, Reply, Route
from console.api.table import ROUTES
from console.control.imports import Upload
from schemas.audit import Origin
from schemas.errors import TidingsError
from store import audit
from store.api_keys import KeyHolder
from store.api_replies import ApiReplies, KeptReply
from store.distributions import Control, VersionConflict
from streams.values.wording import invalid, invalid_kind

log = structlog.get_logger()

_PART_BYTES = 64 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_OF_STATUS: dict[int, ProblemKind] = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 503: "later"}
_JSON = "application/json"
_NO_ROUTE = "…"


@dataclass(slots=True)
class _Asked:
    """Everything known of a request while it is worked on, for its reply and its line in the log."""

    request_id: str
    route: str = _NO_ROUTE
    headers: dict[str, str] = field(default_factory=dict)
    holder: KeyHolder | None = None


_ASKED: web.RequestKey[_Asked] = web.RequestKey("asked", _Asked)


class ApiServer:
    """The API of one process. `database` gives connections, or raises TryLater until there are any."""

    def __init__(
        self,
        wiring: Wiring,
        database: Callable[[], Awaitable[asyncpg.Pool]],
        metrics: Metrics,
        now: Clock,
        *,
        bodies: Bodies | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._wiring, self._database, self.metrics, self._now = wiring, database, metrics, now
        self._gate = gate or Gate(wiring.settings.api.requests_a_minute)
        self._bodies = bodies or Bodies()
        self._producer: Producer | None = None

    def routes(self) -> list[web.RouteDef]:
        """Those of the table, and the two that need no key: the description, and what a problem means."""
        return [
            *(_served(one, self._handler(one)) for one in ROUTES),
            web.get(f"{API}/openapi.json", _describe),
            web.get(f"{API}/problems/{{kind}}", _explain),
        ]

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer everything with its request id, what is refused as a problem, and write one line about it."""
        given = request.headers.get("x-request-id", "")
        asked = request[_ASKED] = _Asked(given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)
        started = time.perf_counter()
        try:
            response = await handler(request)
        except Exception as error:  # whatever was not expected is told by its kind, not its words
            response = _problem(request, asked, _refusal(request, error, asked))
        for name, value in asked.headers.items():
            response.headers.setdefault(name, value)
        response.headers["x-request-id"] = asked.request_id
        seconds = time.perf_counter() - started
        self.metrics.api_requests.labels(asked.route, str(response.status)).inc()
        self.metrics.api_seconds.labels(asked.route).observe(seconds)
        who = {"project": asked.holder.project_id, "key": asked.holder.key_id} if asked.holder else {}
        ms = round(seconds * 1000, 1)
        log.info("request", route=asked.route, status=response.status, ms=ms, request_id=asked.request_id, **who)
        return response

    async def close(self) -> None:
        """Let go of Kafka."""
        if self._producer is not None:
            self._producer.close(1.0)
        await asyncio.to_thread(self._wiring.close)

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            asked = request[_ASKED]
            asked.route = route.name
            pool = await self._database()
            holder = await self._holder(pool, request, asked)
            must_be_permitted(route, holder)
            path = read_parameters(route.path_type, request.match_info)
            query = read_parameters(route.query_type, request.query)
            must_be_live(route, holder, dry_run=getattr(query, "dry_run", False))
            origin = Origin(asked.request_id, holder.key_id, address_of(request))
            async with self._sent(request, route) as (raw, body), asyncio.timeout(route.seconds):
                call = self._call(request, holder, pool, path, query, _body(route, raw) if body is None else body)
                with audit.coming_from(origin):
                    done = await self._done(request, route, call, raw)
            if isinstance(done, KeptReply):
                return web.Response(status=done.status, body=done.body, headers=done.headers)
            return await _send_file(request, asked, done)

        return handle

    async def _holder(self, pool: asyncpg.Pool, request: web.Request, asked: _Asked) -> KeyHolder:
        written = request.headers.get("authorization")
        holder = await self._gate.holder(pool, written, address_of(request))
        asked.holder = holder
        asked.headers |= self._gate.count(holder)
        return holder

    @asynccontextmanager
    async def _sent(self, request: web.Request, route: Route) -> AsyncIterator[tuple[bytes, Upload | None]]:
        """The body of a request; of a large one its digest, and the file that it is in until it is done."""
        if not isinstance(route.body, CsvBody):
            yield await self._raw(request, route), None
            return
        most = self._wiring.settings.api.import_max_bytes
        received = await self._bodies.receive(request, most, route.body.types)
        with received.upload.file:
            yield received.digest, received.upload

    async def _raw(self, request: web.Request, route: Route) -> bytes:
        if route.body is not None:
            return await self._bodies.read(request, route.most_bytes)
        if route.method != "GET" and request.body_exists:
            raise refused("unreadable", "this takes no body; parameters are in the path and the query")
        return b""

    def _call(
        self, request: web.Request, holder: KeyHolder, pool: asyncpg.Pool, path: Any, query: Any, body: Any
    ) -> Call[Any, Any, Any]:
        async def announce(control: Control) -> None:
            await publish_outbox(control, self._wiring, self._kafka())

        headers = request.headers
        return Call(
            holder, self._now(), self._wiring, pool, announce, self._kafka, path, query, body,
            headers.get("if-match"), headers.get("if-none-match"),
        )  # fmt: skip

    async def _done(
        self, request: web.Request, route: Route, call: Call[Any, Any, Any], raw: bytes
    ) -> KeptReply | BinaryIO:
        """Get what is to be answered; a file is kept nowhere."""
        if route.method == "GET":
            reply = await route.handler(call)
            return reply.file or _kept(reply)
        shown_once: Any = None

        async def work() -> KeptReply:
            nonlocal shown_once
            reply = await route.handler(call)
            shown_once = reply.shown_once
            return _kept(reply)

        key = request.headers.get(once.HEADER)
        if key is None or route.method != "POST" or not route.writes:
            kept = await work()
        else:
            asked = (route.name.encode(), request.raw_path.encode(errors="surrogateescape"), raw)
            kept = await once.once(ApiReplies(call.pool), call.holder, key, asked, work)
        return kept if shown_once is None else replace(kept, body=msgspec.json.encode(shown_once))

    def _kafka(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._wiring.kafka.client())
        return self._producer


async def _send_file(request: web.Request, asked: _Asked, file: BinaryIO) -> web.StreamResponse:
    """Send a file in parts, and close it. It is whole before: what can be refused was refused."""
    headers = {**asked.headers, "content-type": _JSON, "x-request-id": asked.request_id}
    response = web.StreamResponse(headers=headers)
    with file, suppress(ConnectionError):  # whoever asked may be gone
        response.content_length = file.tell()
        file.seek(0)
        await response.prepare(request)
        while part := await asyncio.to_thread(file.read, _PART_BYTES):
            await response.write(part)
        await response.write_eof()
    return response


def _served(route: Route, handle: Handler) -> web.RouteDef:
    path = API + route.path
    return web.get(path, handle) if route.method == "GET" else web.route(route.method, path, handle)


def _body(route: Route, raw: bytes) -> Any:
    """The body as its route declares it. Raises Refused."""
    match route.body:
        case None:
            return None
        case AccountBody():
            value = read_json(raw)
            if not isinstance(value, dict):
                raise refused("invalid", "", in_body("", invalid_kind(value, "an object")))
            return value
        case DocumentBody():
            value = read_json(raw)
            if not isinstance(value, dict):
                raise refused("invalid", invalid(value, "an object"))
            return value
        case CsvBody() | EventsBody() | ProfilesBody():
            return raw
        case kind:
            return read_body(kind, read_json(raw))


def _kept(reply: Reply) -> KeptReply:
    has_body = reply.value is not None
    headers = dict(reply.headers) | ({"content-type": _JSON} if has_body else {})
    return KeptReply(reply.status, headers, msgspec.json.encode(reply.value) if has_body else b"")


def _refusal(request: web.Request, error: Exception, asked: _Asked) -> Refusal:
    match error:
        case Refused(refusal=refusal):
            return refusal
        case VersionConflict() if "if-match" in request.headers:
            return Refusal("changed", str(error))
        case TidingsError():
            refusal = refusal_of(error)
            if refusal.kind == "later":
                log.warning("not_now", route=asked.route, request_id=asked.request_id, why=str(error))
            return refusal
        case TimeoutError():
            log.warning("took_too_long", route=asked.route, request_id=asked.request_id)
            return Refusal("later", "it took too long", headers={"retry-after": "5"})
        case web.HTTPException():
            headers = {"allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return Refusal(_OF_STATUS.get(error.status, "unreadable"), headers=headers)
    log.error("request_failed", route=asked.route, request_id=asked.request_id, error=type(error).__name__)
    return Refusal("failed")


def _problem(request: web.Request, asked: _Asked, refusal: Refusal) -> web.Response:
    instance = request.rel_url.raw_path if asked.route != _NO_ROUTE else ""  # it may be an address of somebody
    problem = refusal.problem(instance, asked.request_id)
    response = web.Response(status=problem.status, body=msgspec.json.encode(problem), content_type=PROBLEM_JSON)
    response.headers.update(refusal.headers)
    if refusal.kind in ("too_slow", "too_large", "unsupported"):
        response.force_close()  # the rest of the body is not wanted
    return response


_DESCRIBED: list[bytes] = []


async def _describe(request: web.Request) -> web.Response:
    request[_ASKED].route = "get_openapi"
    if not _DESCRIBED:
        _DESCRIBED.append(description().encode())
    return web.Response(body=_DESCRIBED[0], content_type=_JSON)


async def _explain(request: web.Request) -> web.Response:
    request[_ASKED].route = "get_problems_kind"
    for kind, meaning in MEANINGS.items():
        if kind == request.match_info["kind"]:
            said = {"kind": kind, "status": meaning.status, "title": meaning.title, "advice": meaning.advice}
            return web.Response(body=msgspec.json.encode(said), content_type=_JSON)
    raise refused("not_found", f"there are: {', '.join(MEANINGS)}")
