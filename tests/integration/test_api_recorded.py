"""The API over what recorders keep: statistics, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.api import statistics
from schemas.delivery import EventRef
from schemas.project import Project
from schemas.topics import DECISIONS
from store.projects import Projects
from store.read_models.recorded import Recorded
from tests.integration.api_client import Api, running_api
from tests.integration.test_recorder import KEEP, NOW, decision, put, status


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
    shop = Project(id="shop", name="Shop", version=1, timezone="Europe/Warsaw", updated_at=NOW)
    await Projects(api.pool).save([(shop, "")], applied_by="ann", now=NOW)
    at = [f"2026-10-{moment}+00:00" for moment in ("24T21:59", "24T22:00", "25T22:59", "25T23:00")]
    moments = [datetime.fromisoformat(one) for one in at]
    await put(Recorded(api.pool, timedelta(days=36_500)), [decision(number, one) for number, one in enumerate(moments)])
    found = (await api.ask("GET", f"/statistics?since=2026-10-25&until=2026-10-26&by={quote('day,outcome')}")).json
    assert (found["zone"], found["since"]) == ("Europe/Warsaw", "2026-10-24T22:00:00Z")
    assert found["until"] == "2026-10-25T23:00:00Z", "the day has 25 hours"
    assert found["decisions"] == [{"at": "2026-10-24T22:00:00Z", "outcome": "skipped", "records": 2}]


async def test_what_recorders_have_not_read_is_said_beside_the_numbers(api: Api, wiring: Wiring) -> None:
    await counted(api)
    codec, topic = wiring.codec(DECISIONS), wiring.topic(DECISIONS)
    producer = Producer(wiring.settings.kafka.client())
    late = [Output(topic, wiring.key("shop", "c1"), codec.encode(decision(number))) for number in range(3)]
    await write_all(producer, late, patience=60)
    producer.close()
    behind = (await api.ask("GET", "/statistics")).json["behind"]
    assert behind["records"] == 3
    assert behind["since"] is not None
