"""Stories ask Kafka and Postgres beside each other, wait for Kafka for some seconds at most, and find it again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from agents.wiring import Wiring
from console.control import decision_search, refused_records
from console.control.explain import Asking, story
from schemas.topics import DECISIONS
from store.read_models.search import RecordedSearch
from tests.integration.test_why import NOW, kept, of_customer, recorded, told, written
from tests.waits import only_the_shared_client_is_patient_with_kafka

PATIENCE = 60.0


@asynccontextmanager
async def silent_broker() -> AsyncIterator[str]:
    """The address of one that takes connections and never answers."""
    open_ones = list[asyncio.StreamWriter]()

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for one in open_ones:
            one.close()


async def test_what_kafka_knows_is_asked_beside_the_search(
    pool: asyncpg.Pool, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the three waits until the others have begun."""
    await kept(pool, wiring, [of_customer(1)])
    begun = [threading.Event() for _ in range(3)]

    def beside(mine: int, work: Callable[..., Any]) -> Callable[..., Any]:
        def do(*args: Any) -> Any:
            begun[mine].set()
            assert all(one.wait(PATIENCE) for one in begun), "the others wait for this one"
            return work(*args)

        return do

    search = RecordedSearch.decisions

    async def searching(*args: Any) -> Any:
        begun[2].set()
        await asyncio.to_thread(lambda: [one.wait(PATIENCE) for one in begun])
        assert all(one.is_set() for one in begun), "the others wait for this one"
        return await search(*args)

    monkeypatch.setattr(decision_search, "_read_tail", beside(0, decision_search._read_tail))
    refusing = beside(1, refused_records.dead_letters_of)
    monkeypatch.setattr("console.control.explain.dead_letters_of", refusing)
    monkeypatch.setattr(RecordedSearch, "decisions", searching)
    found = await told(pool, wiring, who="c1")
    assert ([one.event.id for one in found.decisions], found.reading.notes) == (["ev1"], ())


@pytest.mark.parametrize("only_recorded", [False, True], ids=["with the topic", "only what is recorded"])
async def test_a_kafka_that_is_silent_is_waited_for_once_and_found_again(
    pool: asyncpg.Pool, wiring: Wiring, monkeypatch: pytest.MonkeyPatch, only_recorded: bool
) -> None:
    made = [of_customer(1), of_customer(2)]
    places = await written(wiring, made)
    await recorded(pool, wiring, made[:1], places[:1])
    asking = Asking(who="c1", only_recorded=only_recorded)
    async with silent_broker() as address:
        with monkeypatch.context() as away:
            away.setattr("agents.broker.extents.PATIENCE", 1.0)
            away.setattr(type(wiring.settings.kafka), "client", lambda _: {"bootstrap.servers": address})
            only_the_shared_client_is_patient_with_kafka(away)
            found = await story(pool, wiring, "shop", asking, NOW)
    assert ([one.event.id for one in found.decisions], found.reading.behind) == (["ev1"], None)
    wiring.extents._patience = PATIENCE
    found = await story(pool, wiring, "shop", asking, NOW)
    assert found.reading.behind == 1, "a client that had no answer is not kept"
    assert len(found.decisions) == (1 if only_recorded else 2)


async def test_the_client_is_kept_and_no_consumer_is_made_where_nothing_is_dead_lettered(
    pool: asyncpg.Pool, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [of_customer(1)]
    await recorded(pool, wiring, made, await written(wiring, made))
    await told(pool, wiring, who="c1")
    admin = wiring.extents._admin

    def no_more(*_: object) -> None:
        raise AssertionError("nothing is to be read")

    monkeypatch.setattr(refused_records, "TopicReader", no_more)
    monkeypatch.setattr(decision_search, "TopicReader", no_more)
    found = await told(pool, wiring, who="c1")
    assert (found.decisions, found.reading.behind, found.dead_letters) == (tuple(made), 0, ())
    assert wiring.extents._admin is admin
    assert {one.partition for one in wiring.extents.read([DECISIONS])} == {0, 1, 2, 3}
