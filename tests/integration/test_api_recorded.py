"""The API over what recorders keep: statistics and decisions, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from agents.wiring import Wiring
from console.api import statistics
from schemas.delivery import EventRef
from schemas.project import Project
from store.projects import Projects
from store.read_models.recorded import Recorded
from tests.integration.api_client import Api, running_api
from tests.integration.test_recorder import KEEP, NOW, decision, put, status
from tests.integration.test_why import written


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


# -- statistics -----------------------------------------------------------------------------------------------------


async def counted(api: Api) -> None:
    """Some of what two distributions decided and sent within two hours, and long before."""
    sent = EventRef(id="ev", type="manual_distribution_schedule", created_at=NOW, send_id="snd_1")
    decisions = [
        decision(1, outcome="emitted", reason=None, arm="a"),
        decision(2, outcome="emitted", reason=None, arm="b"),
        decision(3, NOW - timedelta(hours=2), reason="capped"),
        decision(4, NOW - timedelta(days=40)),
        decision(5, outcome="emitted", reason=None, event=sent),
        decision(6, project_id="outlet"),
    ]
    await put(Recorded(api.pool, KEEP), decisions)
    await put(Recorded(api.pool, KEEP), [status(1, arm="a"), status(1, arm="a", outcome="opened"), status(2, arm="b")])


async def test_decisions_and_deliveries_are_counted_as_the_command_counts_them(api: Api) -> None:
    await counted(api)
    found = (await api.ask("GET", "/statistics", role="viewer")).json
    assert found["decisions"] == [
        {"distribution": "thanks", "outcome": "emitted", "records": 3},
        {"distribution": "thanks", "outcome": "skipped", "records": 1},
    ]
    assert found["deliveries"] == [
        {"distribution": "thanks", "outcome": "opened", "records": 1},
        {"distribution": "thanks", "outcome": "sent", "records": 2},
    ]
    assert (found["zone"], found["behind"]) == ("UTC", {"records": 0, "since": None})
    apart = (await api.ask("GET", "/statistics?distribution=thanks&by=arm,%20reason&since=60d")).json
    assert apart["decisions"][-2:] == [
        {"outcome": "skipped", "reason": "capped", "arm": "", "records": 1},
        {"outcome": "skipped", "reason": "consent", "arm": "", "records": 1},
    ]
    by_hand = (await api.ask("GET", "/statistics?send=snd_1")).json
    assert by_hand["decisions"] == [{"outcome": "emitted", "records": 1}]
    assert (await api.ask("GET", "/statistics", project="outlet")).json["decisions"] == [
        {"distribution": "thanks", "outcome": "skipped", "records": 1}
    ]


async def test_a_question_that_cannot_be_answered_names_its_parameter(api: Api) -> None:
    wrong = {
        "by=chanel": "by", "by=hour,day": "by", "by=minute&since=3d": "by", "since=yesterday": "since",
        "until=2h&since=1h": "until", "since=2026-11-20T08:00%2B01": None, "bye=day": "bye",
        "since=2026-11-20T08:00+01:00": "since",
    }  # fmt: skip
    for query, parameter in wrong.items():
        answer = await api.ask("GET", f"/statistics?{query}")
        named = [one.get("parameter") for one in answer.json.get("errors", [])]
        assert (answer.status, named) == ((422, [parameter]) if parameter else (200, [])), (query, answer.json)
    near = await api.ask("GET", "/statistics?by=chanel")
    assert "day" in near.json["errors"][0]["allowed"]
    assert (await api.ask("GET", "/statistics?distribution=never")).status == 404
    assert (await api.ask("GET", "/statistics?distribution=%00")).status == 422


async def test_more_numbers_than_a_reply_holds_are_refused_rather_than_cut(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counted(api)
    monkeypatch.setattr(statistics, "MOST_NUMBERS", 2)
    assert (await api.ask("GET", "/statistics?since=60d")).status == 200
    refused = await api.ask("GET", "/statistics?since=60d&by=reason,arm")
    assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, "by")
    assert "more than 2 numbers" in refused.json["detail"]


async def test_days_begin_in_the_projects_zone_also_where_clocks_are_changed(api: Api) -> None:
    outlet = Project(id="outlet", name="Outlet", version=1, timezone="Europe/Warsaw", updated_at=NOW)
    await Projects(api.pool).save([(outlet, "")], applied_by="ann", now=NOW)
    at = [f"2026-10-{moment}+00:00" for moment in ("24T21:59", "24T22:00", "25T22:59", "25T23:00")]
    moments = [datetime.fromisoformat(one) for one in at]
    made = [decision(number, one, project_id="outlet") for number, one in enumerate(moments)]
    await put(Recorded(api.pool, timedelta(days=36_500)), made)
    asked = f"/statistics?since=2026-10-25&until=2026-10-26&by={quote('day,outcome')}"
    found = (await api.ask("GET", asked, project="outlet")).json
    assert (found["zone"], found["since"]) == ("Europe/Warsaw", "2026-10-24T22:00:00Z")
    assert found["until"] == "2026-10-25T23:00:00Z", "the day has 25 hours"
    assert found["decisions"] == [{"at": "2026-10-24T22:00:00Z", "outcome": "skipped", "records": 2}]


async def test_what_recorders_have_not_read_is_said_beside_the_numbers(api: Api, wiring: Wiring) -> None:
    await counted(api)
    await written(wiring, [decision(number) for number in range(3)])
    behind = (await api.ask("GET", "/statistics")).json["behind"]
    assert behind["records"] == 3
    assert behind["since"] is not None


# -- decisions ------------------------------------------------------------------------------------------------------


async def seen(api: Api, query: str, limit: int = 200) -> list[str]:
    """The decisions of all pages, each once, whatever page it is on."""
    found = await api.listed(f"/decisions?{query}&limit={limit}", "decision_id")
    assert len(set(found)) == len(found)
    return found


async def test_decisions_are_found_by_whom_what_and_when_with_their_reasons(api: Api) -> None:
    made = [
        decision(1, NOW - timedelta(days=3), customer_id="c1"),
        decision(2, NOW - timedelta(hours=2), customer_id="c1", reason="capped"),
        decision(3, NOW, customer_id="c1", outcome="emitted", reason=None, delivery_id=status(3).delivery_id),
        decision(4, NOW, customer_id="c2"),
        decision(5, NOW, customer_id="c1", project_id="outlet"),
    ]
    await put(Recorded(api.pool, KEEP), made)
    await put(Recorded(api.pool, KEEP), [status(3, customer_id="c1"), status(3, customer_id="c1", outcome="opened")])
    ids = {number: one.decision_id for number, one in enumerate(made, start=1)}
    for query, wanted in {
        "customer=c1": [3, 2, 1],
        "customer=c1&since=1d": [3, 2],
        "customer=c1&until=1h": [2, 1],
        "customer=c1&reason=capped": [2],
        "customer=c1&outcome=skipped": [2, 1],
        "distribution=thanks&outcome=emitted": [3],
        "event=ev4": [4],
        f"delivery={status(3).delivery_id}": [3],
        "customer=c1&distribution=other": [],
    }.items():
        assert await seen(api, query) == [ids[number] for number in wanted], query
    page = (await api.ask("GET", "/decisions?customer=c1", role="viewer")).json
    assert page["items"][1]["reason"] == "capped"
    assert page["items"][1]["checks"] == [{"test": "order.amount at_least 1000", "passed": True, "seen": "1500"}]
    assert sorted(one["outcome"] for one in page["ends"]) == ["opened", "sent"]
    assert page["behind"] == {"records": 0, "since": None}
    other = (await api.ask("GET", "/decisions?customer=c1", project="outlet")).json
    assert [one["decision_id"] for one in other["items"]] == [ids[5]]


async def test_pages_of_decisions_of_one_moment_lose_none_while_others_come_in(api: Api) -> None:
    """Reported elsewhere: a cursor that is a time alone skips what else happened at that moment."""
    made = [decision(number, NOW - timedelta(seconds=number // 40), customer_id="c1") for number in range(100)]
    await put(Recorded(api.pool, KEEP), made)
    found: list[str] = []
    async for page in api.pages("/decisions?customer=c1&limit=7"):
        if not found:
            later = decision(900, NOW + timedelta(seconds=1), customer_id="c1")
            await put(Recorded(api.pool, KEEP), [later], start=100)
        found += [one["decision_id"] for one in page]
    assert sorted(found) == sorted(one.decision_id for one in made)


async def test_decisions_come_from_the_read_models_alone_and_what_lacks_is_counted(api: Api, wiring: Wiring) -> None:
    await put(Recorded(api.pool, KEEP), [decision(0, customer_id="c1")])
    await written(wiring, [decision(number, customer_id="c1") for number in (1, 2)])
    page = (await api.ask("GET", "/decisions?customer=c1")).json
    assert [one["event"]["id"] for one in page["items"]] == ["ev0"]
    assert page["behind"]["records"] == 2


async def test_a_search_for_decisions_that_makes_no_sense_names_what_is_wrong(api: Api) -> None:
    for query, parameter in {
        "since=1d": None, "customer=c1&delivery=dlv_1": "delivery", "customer=c1&since=soon": "since",
        "customer=c1&outcome=sent": "outcome", "customer=c1&reason=capt": "reason", "customer=c1&cursor=AAAA": "cursor",
        "customer=c1&limit=201": "limit", "customer=c1&cursor=WyIyMDI2LTExLTIwIiwiYSIsImIiXQ": "cursor",
    }.items():  # fmt: skip
        answer = await api.ask("GET", f"/decisions?{query}")
        named = [one.get("parameter") for one in answer.json.get("errors", [])]
        assert (answer.status, named) == (422, [parameter] if parameter else []), (query, answer.json)
    assert (await api.ask("GET", "/decisions?delivery=dlv_none")).status == 404
    assert (await api.ask("GET", "/decisions?code=NONE")).status == 404
    assert (await api.ask("GET", "/decisions?customer=%00")).status == 422
