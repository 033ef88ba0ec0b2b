"""Destinations that nothing is sent to, over the API, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.closed import ChannelName
from schemas.destination import Destination
from store.sending.ledger import Ledger
from tests.factory import NOW
from tests.integration.api_client import Answer, Api, running_api
from tests.integration.test_store import new


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


async def pause(api: Api, channel: ChannelName, name: str, project: str = "shop", why: str = "HTTP 401") -> None:
    await Ledger(api.pool).pause_destination(Destination(project, channel, name), "refused", why)


async def resume(api: Api, destination: str, query: str = "", project: str = "shop") -> Answer:
    body = {"destination": destination}
    return await api.ask("POST", f"/destinations/resume{query}", body, role="operator", project=project)


async def names(api: Api, limit: int = 2, project: str = "shop") -> list[str]:
    return await api.listed(f"/destinations?limit={limit}", "destination", role="viewer", project=project)


async def test_what_waits_for_a_destination_is_listed_by_pages_with_why(api: Api) -> None:
    ledger = Ledger(api.pool)
    for number in range(3):
        await pause(api, "webhook", f"h{number}.example.com:8443")
    await pause(api, "email", "main", why="535 no")
    await pause(api, "email", "main", project="outlet", why="other")
    opened = msgspec.json.encode({"opened_at": NOW.timestamp()}).decode()
    await api.pool.execute("insert into breakers values ('shop', 'sms', 'main', $1, 'HTTP 503')", opened)
    waiting = [new(number, "main", channel="email") for number in range(2)]
    await ledger.claim_new(waiting, owner="me", lease=timedelta(minutes=1))
    assert await names(api) == [
        "email/main",
        "sms/main",
        *(f"webhook/h{number}.example.com:8443" for number in range(3)),
    ]
    mail, sms, *_ = (await api.ask("GET", "/destinations", role="viewer")).json["items"]
    assert (mail["state"], mail["kind"], mail["reason"], mail["waiting"]) == ("paused", "refused", "535 no", 2)
    assert mail["oldest"] is not None
    assert mail["paused_at"] is not None
    assert (sms["state"], sms["kind"], sms["reason"], sms["waiting"]) == ("failing", None, "HTTP 503", 0)
    assert await names(api, project="outlet") == ["email/main"]


async def test_a_paused_destination_is_sent_to_again_and_what_is_not_paused_is_told(api: Api) -> None:
    for project in ("shop", "outlet"):
        await pause(api, "email", "main", project)
    tried = await resume(api, "email/main", "?dry_run=true")
    assert (tried.status, tried.json) == (200, {"destination": "email/main", "dry_run": True})
    assert await names(api) == ["email/main"]
    assert (await resume(api, "email/main")).json["dry_run"] is False
    assert (await names(api), await names(api, project="outlet")) == ([], ["email/main"])
    await pause(api, "sms", "main")
    for query in ("", "?dry_run=true"):
        again = await resume(api, "email/main", query)
        assert (again.status, "email/main is not paused" in again.json["detail"]) == (409, True)
        assert "Paused: sms/main" in again.json["detail"]


async def test_what_names_no_destination_is_told_where_it_stands(api: Api) -> None:
    for named in ("email", "emial/main", "/", "x" * 257):
        answer = await resume(api, named)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/destination"), answer.json
    assert "email/main" in (await resume(api, "emial/main")).json["errors"][0]["nearest"]
