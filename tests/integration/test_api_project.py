"""The project of a key over the API, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.control import projects
from console.control.documents import parse_documents
from deploy.settings.settings import Settings
from store.limits import Limits
from store.sending.ledger import Ledger
from tests.integration.api_client import DOCUMENT, Answer, Api, running_api, wired
from tests.integration.test_store import new

SETTINGS = Settings(project_id="shop")
OUTLET: dict[str, Any] = {"name": "Outlet", "plan": "verified", "brand": {"name": "Outlet"}}


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(replace(settings, project_id="shop"), dsn, ("distributions",)) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


async def put(api: Api, body: Any, query: str = "", project: str = "outlet", **headers: str) -> Answer:
    return await api.ask("PUT", f"/project{query}", body, project=project, **headers)


async def shown(api: Api, project: str = "outlet") -> Any:
    answer = await api.ask("GET", "/project", role="viewer", project=project)
    assert answer.status == 200, answer.json
    return answer.json


async def test_a_project_is_applied_read_and_not_overwritten(api: Api) -> None:
    undescribed = await shown(api)
    assert undescribed == {
        "project": "outlet", "plan": "paid", "is_default": False, "limits": [], "document": None,
    }  # fmt: skip
    tried = await put(api, OUTLET, "?dry_run=true")
    assert (tried.status, tried.json["plan"], tried.json["dry_run"]) == (200, "new", True)
    assert await shown(api) == undescribed
    made = await put(api, OUTLET, if_none_match="*")
    same = await put(api, OUTLET)
    assert [(one.status, one.json["plan"], one.headers["etag"]) for one in (made, same)] == [
        (201, "new", '"v1"'), (200, "unchanged", '"v1"'),
    ]  # fmt: skip
    changed = await put(api, {**OUTLET, "name": "Two"}, if_match='"v1"')
    assert (changed.json["version"], changed.json["changes"]) == (2, ["name: Outlet → Two"])
    late = await put(api, OUTLET, if_match='"v1"')
    assert (late.status, late.headers["etag"]) == (412, '"v2"')
    assert (await put(api, OUTLET, "?dry_run=true", if_match='"v1"')).status == 412
    assert (await put(api, OUTLET, if_none_match="*")).status == 412
    read = (await shown(api))["document"]
    assert (read["version"], read["definition"]["name"], read["definition"]["brand"]) == (2, "Two", {"name": "Outlet"})
    assert '"name":"Two"' in read["source"]
    assert read["applied_by"].startswith("key:live-admin-")


async def test_limits_say_what_is_used_and_when_it_is_counted_anew(api: Api) -> None:
    await put(api, {**OUTLET, "limits": {"a_day": 3}, "timezone": "Asia/Tokyo"})
    ledger = Ledger(api.pool)
    deliveries = [new(number, project_id="outlet") for number in range(2)]
    claimed = await ledger.claim_new(deliveries, owner="me", lease=timedelta(minutes=1))
    assert len(claimed) == 2
    limits = {one["limit"]: one for one in (await shown(api))["limits"]}
    assert {name: (one["used"], one["allowed"]) for name, one in limits.items()} == {
        "a_day": (2, 3), "a_month": (2, 100),
    }  # fmt: skip
    anew = datetime.fromisoformat(limits["a_day"]["free_at"])
    assert (anew.astimezone(UTC).hour, anew > datetime.now(UTC)) == (15, True), "midnight in Tokyo"
    assert (await shown(api, "shop"))["limits"] == []


async def test_the_default_project_is_described_by_the_settings(api: Api) -> None:
    for query in ("", "?dry_run=true"):
        for headers in ({}, {"if_match": '"v1"'}):
            answer = await put(api, {"name": "Shop", "brand": {"name": "Shop"}}, query, "shop", **headers)
            (problem,) = answer.json["errors"]
            assert (answer.status, problem["pointer"]) == (422, "/name")
            assert "shop is the default project: the settings say this" in problem["detail"]
    read = await shown(api, "shop")
    assert (read["is_default"], read["document"], read["plan"]) == (True, None, "paid")


async def test_a_limit_of_the_settings_is_shown_of_the_default_project(api: Api) -> None:
    await Limits(api.pool).put("shop", replace(SETTINGS, plan="trial").message_limits, "UTC")
    (limit,) = (await shown(api, "shop"))["limits"]
    assert limit == {"limit": "in_all", "used": 0, "allowed": 10, "free_at": None}
    assert (await put(api, {"brand": {"name": "Shop"}}, project="shop")).status == 201
    read = await shown(api, "shop")
    assert (read["limits"], read["document"]["definition"]["brand"]) == ([limit], {"name": "Shop"})


async def test_the_document_of_the_default_project_has_the_plan_of_the_settings(settings: Settings, dsn: str) -> None:
    with wired(replace(settings, project_id="shop", plan="trial"), dsn, ("distributions",)) as made:
        async with running_api(made) as api:
            assert (await put(api, {"brand": {"name": "Shop"}}, project="shop")).status == 201
            assert (await put(api, {"name": "Outlet", "plan": "verified"})).status == 201
            for project, plan in (("shop", "trial"), ("outlet", "verified")):
                read = await shown(api, project)
                assert (read["plan"], read["document"]["definition"]["plan"]) == (plan, plan), project


WRONG: tuple[tuple[Any, str], ...] = (
    ({"project": "shop"}, "/project"),
    ({"nmae": "Outlet"}, "/nmae"),
    ({"timezone": "Mars/Olympus"}, "/timezone"),
    ({"brand": {"colour": "#fff"}}, "/brand/colour"),
    ({"notices": {"emails": ["ops@outlet.example"], "account": "nobody"}}, "/notices/account"),
    ({"sandbox": {"allow": ["ok.example", "not one"]}}, "/sandbox/allow/1"),
    ({"limits": {"a_day": 0}}, "/limits/a_day"),
)


async def test_a_document_that_is_not_valid_says_where_and_changes_nothing(api: Api) -> None:
    for body, pointer in WRONG:
        for query in ("", "?dry_run=true"):
            answer = await put(api, body, query)
            assert answer.status == 422, (body, answer.json)
            assert pointer in [one["pointer"] for one in answer.json["errors"]], (body, answer.json)
    assert (await shown(api))["document"] is None


async def test_a_file_of_several_projects_shows_each_its_own_part(api: Api) -> None:
    source = (
        "# ours\nproject: outlet\nname: Outlet\n---\nproject: stage\nnotices: {webhook: 'https://a.example/T0K3N'}\n"
    )
    plan = await projects.plan(api.pool, parse_documents(source, "all.yaml"), SETTINGS, datetime.now(UTC))
    await projects.save(api.pool, plan, actor="ann", now=datetime.now(UTC))
    answer = await api.ask("GET", "/project", project="outlet")
    assert b"T0K3N" not in answer.raw
    assert answer.json["document"]["source"] == '{"project":"outlet","name":"Outlet"}'
    alone = "# ours\nproject: outlet\nname: Two\n"
    plan = await projects.plan(api.pool, parse_documents(alone, "one.yaml"), SETTINGS, datetime.now(UTC))
    await projects.save(api.pool, plan, actor="ann", now=datetime.now(UTC))
    assert (await shown(api))["document"]["source"] == alone


async def test_quiet_hours_reach_the_distributions_that_are_there(api: Api, wiring: Wiring) -> None:
    made = await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "LIVE"}, project="outlet")
    assert made.status == 201, made.json
    quiet = {"quiet_hours": {"from": "22:00", "to": "08:00"}}
    assert (await put(api, quiet, "?dry_run=true")).status == 200
    assert (await put(api, quiet)).status == 201
    with TopicReader(wiring, "distributions") as reader:
        told = [reader.decode(message) for message in reader.until_now()]
    assert [(one["project_id"], one["version"], "quiet_hours" in one) for one in told] == [
        ("outlet", 1, False), ("outlet", 2, True),
    ]  # fmt: skip
