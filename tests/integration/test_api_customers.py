"""Customers over the API, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.api.customers import MOST_PROFILES
from deploy.settings.settings import Settings
from tests.integration.api_client import Api, running_api, wired

ANN: dict[str, Any] = {"email": "ann@shop.example", "consents": {"marketing": True}, "shoe_size": 42}


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("customers",)) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


def told(wiring: Wiring) -> list[tuple[bytes, Any]]:
    """The keys and profiles on the topic; None for a tombstone."""
    with TopicReader(wiring, "customers") as reader:
        return [(one.key(), one.value() and reader.decode(one)) for one in reader.until_now()]


# -- in -------------------------------------------------------------------------------------------------------------


async def test_one_profile_or_many_are_on_their_topic_under_the_key_of_their_project(api: Api, wiring: Wiring) -> None:
    one = await api.ask("PUT", "/customers/c1", ANN, role="operator")
    tried = await api.ask("PUT", "/customers/c2?dry_run=true", ANN, role="editor")
    many = await api.ask("POST", "/customers", [{"id": "c2"}, {"id": "c3", "name": "Cy"}], role="editor")
    other = await api.ask("POST", "/customers", {"id": "c1"}, project="outlet")
    assert [(a.status, a.json["accepted"], a.json["dry_run"]) for a in (one, tried, many, other)] == [
        (202, 1, False), (200, 1, True), (202, 2, False), (202, 1, False),
    ]  # fmt: skip
    found = told(wiring)
    assert [key for key, _ in found] == [b"c1", b"c2", b"c3", wiring.key("outlet", "c1")]
    assert found[0][1] == {"id": "c1", "metadata": {}, **ANN}
    assert found[2][1]["name"] == "Cy"


async def test_the_id_in_the_body_is_that_in_the_path(api: Api, wiring: Wiring) -> None:
    same = await api.ask("PUT", "/customers/c1", {**ANN, "id": "c1"})
    other = await api.ask("PUT", "/customers/c1", {**ANN, "id": "ann@shop.example"})
    assert (same.status, other.status, other.json["errors"][0]["pointer"]) == (202, 422, "/id")
    assert b"ann@" not in other.raw
    for path in ("/customers/a%1Fb", "/customers/a%00b", "/customers/" + "x" * 257):
        refused = await api.ask("PUT", path, ANN)
        assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, "id"), path
    assert len(told(wiring)) == 1


async def test_of_profiles_with_wrong_ones_none_is_written_and_each_is_named(api: Api, wiring: Wiring) -> None:
    wrong = [
        {"id": "c1", **ANN}, "ann@shop.example", {**ANN}, {"id": "c2", "email": ["ann@shop.example"]},
        {"id": "c3", "project_id": "outlet"}, {"id": "a\x1fann@shop.example"}, {"id": "c1"},
    ]  # fmt: skip
    answer = await api.ask("POST", "/customers", wrong)
    assert answer.status == 422
    assert [one["pointer"] for one in answer.json["errors"]] == [
        "/1", "/2/id", "/3/email", "/4/project_id", "/5/id", "/6/id",
    ]  # fmt: skip
    assert b"ann@" not in answer.raw
    huge = await api.ask("PUT", "/customers/c1", {"metadata": {"note": "x" * 1_100_000}})
    assert (huge.status, "at most 1,048,576 are read" in huge.json["errors"][0]["detail"]) == (422, True)
    many: list[dict[str, Any]] = [{"id": f"c{number}"} for number in range(MOST_PROFILES + 1)]
    for body in (b"[]", msgspec.json.encode(many), b'"ann@shop.example"', b"null"):
        refused = await api.ask("POST", "/customers", body)
        assert (refused.status, b"ann@" in refused.raw) == (422, False), body[:20]
    assert (await api.ask("PUT", "/customers/c1", b'{"email": "a", "email": "b"}')).status == 400
    assert (await api.ask("PUT", "/customers/c1", [{"id": "c1"}])).status == 422
    assert told(wiring) == []


async def test_profiles_that_are_sent_again_are_written_once(api: Api, wiring: Wiring) -> None:
    first = await api.ask("POST", "/customers", [{"id": "c1"}], idempotency_key="import-1")
    again = await api.ask("POST", "/customers", [{"id": "c1"}], idempotency_key="import-1")
    other = await api.ask("POST", "/customers", [{"id": "c2"}], idempotency_key="import-1")
    assert (first.raw, again.headers["idempotency-replayed"], other.status) == (again.raw, "true", 409)
    assert [key for key, _ in told(wiring)] == [b"c1"]
