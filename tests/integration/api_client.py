"""The API on a free port, and those who ask it, for tests."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import wait
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import msgspec
import structlog
from confluent_kafka.admin import NewTopic

from agents.broker.admin import Admin
from agents.broker.topics import make, wait_until_led
from agents.clock import utc_now
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from console.api.bodies import Bodies
from console.api.gate import Gate
from console.api.server import ApiServer
from console.control import api_keys
from console.control.api_keys import NewKey
from console.http.api import listen
from console.http.database import LateDatabase
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.access import ACCESS_ROLES, AccessRole
from schemas.api_key import RANDOM_BYTES, KeyKind
from store.api_keys import ApiKeys

DOCUMENT: dict[str, Any] = {
    "trigger": "customer.order.paid",
    "consent": "transactional",
    "channels": [{"webhook": {"url": "https://shop.example.com/hooks", "type": "thanks"}}],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply."""

    status: int
    headers: Any
    raw: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.raw)


@dataclass(slots=True)
class Api:
    """A running API, with a key of each role in two projects."""

    base: str
    server: ApiServer
    session: aiohttp.ClientSession
    pool: asyncpg.Pool
    logged: list[Any]
    keys: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    async def new_key(self, role: AccessRole, *, project: str = "shop", kind: KeyKind = "live", **more: Any) -> str:
        name = more.pop("name", f"{kind}-{role}-{secrets.token_hex(4)}")
        new = NewKey(project, name, role, kind, **more)
        key, _ = await api_keys.create(ApiKeys(self.pool), new, secrets.token_bytes(RANDOM_BYTES), actor="ann")
        return key

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str = "admin",
        project: str = "shop",
        key: str | None = None,
        **headers: str,
    ) -> Answer:
        """Ask with a key, else that of a role; headers are written with underscores."""
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        key = self.keys[project, role] if key is None else key
        if key:
            sent.setdefault("authorization", f"Bearer {key}")
        data = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        if data is not None:
            sent.setdefault("content-type", "application/json")
        address = self.base + (path if path.startswith(("/api", "/healthz", "/metrics")) else "/api/v1" + path)
        async with self.session.request(method, address, data=data, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    async def pages(self, path: str, **asked: Any) -> AsyncIterator[list[Any]]:
        """The items of one page after the other, until one names no next."""
        cursor = ""
        while True:
            page = await self.ask("GET", path + cursor, **asked)
            assert page.status == 200, page.json
            yield page.json["items"]
            if page.json["next"] is None:
                return
            cursor = f"{'&' if '?' in path else '?'}cursor={page.json['next']}"

    async def listed(self, path: str, name: str, **asked: Any) -> list[Any]:
        """A field of the items of all pages."""
        return [one[name] async for items in self.pages(path, **asked) for one in items]


@contextmanager
def wired(settings: Settings, dsn: str, names: Iterable[str], partitions: int = 1) -> Iterator[Wiring]:
    """A wiring with these topics alone: a broker takes its time over all of them, for each test."""
    made = Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))
    admin = Admin(made.kafka)
    topics = [made.topic(name) for name in names]
    new = [NewTopic(one, partitions, 1) for one in topics]
    make(admin, new)
    wait_until_led(admin, dict.fromkeys(topics, partitions))
    yield made
    made.close()
    wait(admin.delete_topics(topics, request_timeout=60).values(), timeout=60)
    admin.close()


@asynccontextmanager
async def running_api(wiring: Wiring, *, body_seconds: float = 60.0, **settings: Any) -> AsyncIterator[Api]:
    """The API of a wiring's deployment. `body_seconds`: more than a busy machine ever stands still."""
    mine: Settings = replace(wiring.settings, api=replace(wiring.settings.api, **settings))
    database = LateDatabase(mine)
    gate = Gate(mine.api.requests_a_minute, failures_within=timedelta(days=3_650))  # no window ends within a test
    server = ApiServer(Wiring(mine), database.pool, Metrics(), utc_now, bodies=Bodies(seconds=body_seconds), gate=gate)
    runner, port = await listen(mine, server)
    try:
        with structlog.testing.capture_logs() as logged:
            async with aiohttp.ClientSession() as session:
                api = Api(f"http://127.0.0.1:{port}", server, session, await database.pool(), logged)
                for project in ("shop", "outlet"):
                    for role in ACCESS_ROLES:
                        api.keys[project, role] = await api.new_key(role, project=project)
                yield api
    finally:
        await runner.cleanup()
        await server.close()
        await database.close()
