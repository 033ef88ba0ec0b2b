"""Dead-letters over the API, on a real Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.settings.settings import Settings
from schemas.dead_letter import DeadLetter
from tests.integration.api_client import Answer, Api, running_api, wired

PARTITIONS = 2
FACTS = DeadLetter(
    topic="events.orders", partition=1, offset=5, role="matcher", kind="undecodable", message="why",
    failed_at="2026-11-24T08:00:00+00:00", timestamp=1_700_000_000_000, own_headers=1,
)  # fmt: skip


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("dead-letters", "events.orders"), PARTITIONS) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


async def refuse(wiring: Wiring, partition: int, key: bytes | None, value: bytes | None, **changes: Any) -> None:
    """Write a record of a customer as a role leaves it."""
    headers = msgspec.structs.replace(FACTS, **changes).headers([("trace", b"\xff1")])
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic("dead-letters"), key, value, partition, headers)])
    producer.close()


async def places(api: Api, query: str = "", **who: str) -> list[str]:
    """Those of all pages."""
    return await api.listed(f"/dead-letters?limit=2{query}", "place", **{"role": "operator", **who})


async def replay(api: Api, *named: str, query: str = "", **who: str) -> Answer:
    body = {"places": list(named)}
    return await api.ask("POST", f"/dead-letters/replay{query}", body, **{"role": "operator", **who})


def on_orders(wiring: Wiring) -> list[tuple[int, Any, Any]]:
    with TopicReader(wiring, "events.orders") as reader:
        return [(one.partition(), one.key(), one.value()) for one in reader.until_now()]


async def test_a_dead_letter_is_listed_shown_and_put_back_as_it_was(api: Api, wiring: Wiring) -> None:
    for partition in range(PARTITIONS):
        for number in range(3):
            await refuse(wiring, partition, b"c1", b"{bad" + str(number).encode())
    await refuse(wiring, 1, b"c1", None, kind="too_large", cut=99)
    assert await places(api) == ["0:0", "0:1", "0:2", "1:0", "1:1", "1:2", "1:3"]
    assert await places(api, "&kind=too_large") == ["1:3"]
    assert await places(api, "&since=2026-11-25T00:00:00Z") == []
    shown = (await api.ask("GET", "/dead-letters/1:2", role="operator")).json
    assert (shown["key"], shown["value"], shown["bytes"]) == ("c1", "{bad2", 5)
    assert shown["headers"] == [["trace", "\\xff1"]]
    assert (shown["facts"]["topic"], shown["facts"]["message"]) == ("events.orders", "why")
    tried = await replay(api, "1:2", query="?dry_run=true")
    assert tried.json["replayed"][0]["why_not"] == ""
    assert on_orders(wiring) == []
    done = await replay(api, "1:2", "1:3")
    assert [one["now_at"] for one in done.json["replayed"]] == ["events.orders 1@0", None]
    assert "too large to be kept whole" in done.json["replayed"][1]["why_not"]
    assert on_orders(wiring) == [(1, b"c1", b"{bad2")]


async def test_a_place_that_is_not_there_or_none_is_told(api: Api) -> None:
    missing = await api.ask("GET", "/dead-letters/0:7")
    assert (missing.status, missing.json["type"]) == (404, "/api/v1/problems/not_found")
    assert (await api.ask("GET", "/dead-letters/9:" + "9" * 30)).status == 404
    assert (await api.ask("GET", "/dead-letters/x")).json["errors"][0]["parameter"] == "id"
    wrong = await replay(api, "0:1", "x", "-1:2")
    assert (wrong.status, [one["pointer"] for one in wrong.json["errors"]]) == (422, ["/places/1", "/places/2"])
    assert (await replay(api, "0:7")).status == 404


async def test_a_key_sees_the_dead_letters_of_its_project_alone(api: Api, wiring: Wiring) -> None:
    """The settings name the default project, whose keys are ids alone."""
    default = wiring.default_project
    assert default == "shop"
    await refuse(wiring, 0, b"c1", b"{bad")
    await refuse(wiring, 0, b"outlet\x1fc1", b"{secret of outlet")
    await refuse(wiring, 0, b"c1", b'{"project_id": "outlet", "id": "ev_1"}')
    await refuse(wiring, 0, None, b"whose")
    await refuse(wiring, 0, b"a\x1fb\x1fc", b"whose")
    assert await places(api) == ["0:0"]
    assert await places(api, project="outlet") == ["0:1"]
    for number in (1, 2, 3, 4):
        assert (await api.ask("GET", f"/dead-letters/0:{number}")).status == 404
        assert (await replay(api, f"0:{number}")).status == 404
    assert (await replay(api, "0:0", project="outlet")).status == 404
    assert on_orders(wiring) == []
