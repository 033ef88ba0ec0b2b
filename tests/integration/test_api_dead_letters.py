"""Dead-letters over the API, on a real Kafka."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.settings.settings import Settings
from schemas.dead_letter import DeadLetter
from streams.events import EventReader
from tests.factory import NOW, order_event
from tests.integration.api_client import Answer, Api, running_api, wired

PARTITIONS = 2
FACTS = DeadLetter(
    topic="events.orders", partition=1, offset=5, role="matcher", kind="undecodable", message="why",
    failed_at="2026-11-24T08:00:00+00:00", timestamp=(int(time.time()) - 3600) * 1000, own_headers=1,
)  # fmt: skip


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("dead-letters", "events.orders", "customers"), PARTITIONS) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


async def refuse(wiring: Wiring, at: int, key: bytes | None, value: bytes | None, **changes: Any) -> None:
    """Write a record of a customer as a role leaves it."""
    headers = msgspec.structs.replace(FACTS, **changes).headers([("trace", b"\xff1")])
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic("dead-letters"), key, value, at, headers)])
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


async def mend(api: Api, value: Any, place: str = "0:0", query: str = "", **more: Any) -> Answer:
    force = {"force": more.pop("force")} if "force" in more else {}
    body = {"value": value, **force}
    return await api.ask("POST", f"/dead-letters/{place}/mend{query}", body, **{"role": "operator", **more})


def records(wiring: Wiring, topic: str = "events.orders") -> list[Any]:
    with TopicReader(wiring, topic) as reader:
        return list(reader.until_now())


async def test_a_mended_record_goes_back_under_its_key_and_headers_and_says_so(api: Api, wiring: Wiring) -> None:
    wrong = order_event(created_at="soon", data={**order_event()["data"], "extra": [1, 2]})
    await refuse(wiring, 0, b"c1", msgspec.json.encode(wrong), kind="invalid_event")
    right = order_event(data={**order_event()["data"], "extra": [1, 3, 4]})
    tried = await mend(api, right, query="?dry_run=true")
    assert (tried.status, tried.json["now_at"], tried.json["why_not"]) == (200, None, "")
    assert tried.json["changes"] == [
        {"pointer": "/created_at", "before": "soon", "after": NOW.isoformat()},
        {"pointer": "/data/extra/1", "before": 2, "after": 3},
        {"pointer": "/data/extra/2", "after": 4},
    ]
    assert records(wiring) == []
    done = [await mend(api, right, idempotency_key="k1") for _ in range(2)]
    assert [one.json["now_at"] for one in done] == ["events.orders 1@0"] * 2
    assert (done[0].json["changes"], done[0].headers["cache-control"]) == (tried.json["changes"], "no-store")
    assert done[1].json["changes"] == [{"pointer": one["pointer"]} for one in tried.json["changes"]]
    (record,) = records(wiring)
    assert (record.partition(), record.key(), record.timestamp()[1]) == (1, b"c1", FACTS.timestamp)
    assert record.headers() == [("trace", b"\xff1"), ("tidings-mended", b"0:0")]
    assert wiring.codec("events.orders").decode(record.value())["data"] == right["data"]
    reader = EventReader(
        "events.orders", wiring.codec("events.orders"), max_future=timedelta(days=1), max_bytes=1_000_000,
        default_project="shop",
    )  # fmt: skip
    assert reader.read(record.value(), record.key(), NOW, record.headers()).id == "ev1"
    shown = await api.ask("GET", "/dead-letters/0:0", role="operator")
    assert msgspec.json.decode(shown.json["value"]) == wrong, "the original stays as it was"
    (row,) = (await api.ask("GET", "/audit?action=dead_letters.mended")).json["items"]
    assert (row["thing"], row["change"]) == (
        "0:0", {"topic": "events.orders", "fields": ["created_at", "data.extra.1", "data.extra.2"]},
    )  # fmt: skip


async def test_what_is_still_wrong_is_refused_at_its_place(api: Api, wiring: Wiring) -> None:
    await refuse(wiring, 0, b"c1", b"{bad")
    await refuse(wiring, 0, b"c1", b"{bad", topic="customers")
    await refuse(wiring, 0, b"c1", b"{bad", topic="deliveries.email")
    wrong: tuple[tuple[str, Any, str], ...] = (
        ("0:0", order_event(created_at="soon"), "/value/created_at"),
        ("0:0", order_event(type="customer.created"), "/value/type"),
        ("0:0", order_event(data={"customer": {"id": "c2"}, "order": {"id": "o1"}}), "/value/key"),
        ("0:0", order_event(project_id="outlet"), "/value/key"), ("0:0", {}, "/value"),
        ("0:1", {"id": "c2"}, "/value/key"), ("0:1", {"id": 7}, "/value/id"),
        ("0:1", {"id": "c1", "consents": 7}, "/value/consents"), ("0:1", [1], "/value"),
    )  # fmt: skip
    for place, value, pointer in wrong:
        for query in ("", "?dry_run=true"):
            answer = await mend(api, value, place, query)
            assert answer.status == 422, (value, answer.json)
            assert answer.json["errors"][0]["pointer"].startswith(pointer), (value, answer.json)
    ours = await mend(api, order_event(), "0:2")
    assert (ours.status, "is written by Tidings itself" in ours.json["detail"]) == (409, True)
    assert (records(wiring), records(wiring, "customers")) == ([], [])


async def test_a_mended_profile_does_not_take_the_place_of_a_newer_one(api: Api, wiring: Wiring) -> None:
    await refuse(wiring, 0, b"c1", b"", topic="customers", partition=0, offset=0)
    await refuse(wiring, 0, b"c2", b"{", topic="customers", partition=0, offset=0, cut=99_999_999)
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic("customers"), b"c1", b"{}", 0) for _ in range(2)])
    producer.close()
    refused = await mend(api, {"id": "c1", "name": "Ann"})
    assert (refused.json["now_at"], "a newer record of the same key" in refused.json["why_not"]) == (None, True)
    for answer in (await mend(api, {"id": "c1"}, force=True), await mend(api, {"id": "c2"}, "0:1")):
        assert (answer.json["why_not"], answer.json["now_at"] is None) == ("", False), answer.json
    assert [one.key() for one in records(wiring, "customers")] == [b"c1", b"c1", b"c1", b"c2"]


async def test_a_record_in_avro_that_is_mended_twice_says_so_once(api: Api, wiring: Wiring) -> None:
    own = [("tidings-mended", b"0:9"), ("trace", b"1")]
    headers = msgspec.structs.replace(FACTS, own_headers=2).headers(own)
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic("dead-letters"), b"c1", b"\xc3\x01avro", 0, headers)])
    producer.close()
    done = await mend(api, order_event())
    assert (done.json["now_at"], done.json["changes"][0]["before"]) == ("events.orders 1@0", "\\xc3\x01avro")
    (record,) = records(wiring)
    assert (record.value()[:2], wiring.codec("events.orders").decode(record.value())["id"]) == (b"\xc3\x01", "ev1")
    assert record.headers() == [("trace", b"1"), ("tidings-mended", b"0:0")]


async def test_nobody_mends_what_is_of_another_project_or_with_a_key_that_may_not(api: Api, wiring: Wiring) -> None:
    await refuse(wiring, 0, b"c1", b"{bad")
    assert (await mend(api, order_event(), project="outlet")).status == 404
    assert (await mend(api, order_event(), role="approver")).status == 403
    key = await api.new_key("operator", kind="test")
    assert [(await mend(api, order_event(), query=one, key=key)).status for one in ("", "?dry_run=true")] == [403, 200]
    assert (await mend(api, order_event(), "0:7")).status == 404
    assert records(wiring) == []
