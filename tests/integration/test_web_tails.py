"""Topics followed on pages, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import html
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from agents.wiring import Wiring
from console.control import topic_tails
from console.control.topic_records import Wanted
from console.control.topic_tails import TopicTails
from deploy.settings.web import Web
from schemas.errors import TryLater
from tests.integration.test_api_dead_letters import wiring
from tests.integration.test_web import Browser, Site, running
from tests.integration.test_web_live import LATEST, event, following
from tests.integration.test_web_projects import EVIL, signed_in
from tests.integration.test_web_projects import site as away
from tests.integration.test_web_topics import IDS, LIST, order, write

__all__ = ["away", "wiring"]
FOLLOW = f"{LIST}/follow"


@pytest.fixture
async def site(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        yield one


async def rows(response: Any, many: int) -> list[str]:
    """The keys of so many records that come, the oldest first."""
    found: list[str] = []
    while len(found) < many and (one := await event(response)):
        found += reversed(re.findall(IDS, one.get("data", "")))
    return found


async def follow_path(mine: Browser, query: str = "?topic=events.orders") -> str:
    """The address at which the page says that what comes is."""
    page = await mine.ask("GET", LIST + query)
    found = re.search(r'hx-sse:connect="([^"]+)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


async def test_what_comes_after_the_page_is_followed_and_nothing_is_lost_in_between(site: Site, wiring: Wiring) -> None:
    await write(wiring, [order(number) for number in range(3)])
    mine = await signed_in(site, "operator")
    path = await follow_path(mine)
    await write(wiring, [order(number, partition=number % 2) for number in range(3, 6)])  # before it is followed
    async with following(mine, path) as response:
        assert sorted(await rows(response, 3)) == ["c3", "c4", "c5"]
        await write(wiring, [order(6, text=EVIL)])
        last = await event(response)
        assert (re.findall(IDS, last["data"]), "<script" in last["data"]) == (["c6"], False)
        assert re.fullmatch(r"0:\d+,1:\d+", last["id"])
    await write(wiring, [order(7)])
    async with following(mine, path, last_event_id=last["id"]) as again:
        assert await rows(again, 1) == ["c7"], "and what it had does not come again"


async def test_only_what_is_asked_for_and_of_the_project_comes(site: Site, wiring: Wiring) -> None:
    mine = await signed_in(site, "operator")
    path = await follow_path(mine, "?topic=events.orders&id=c1&text=ord_2")
    async with following(mine, path) as response:
        await write(wiring, [
            order(1, "c1", -1), order(2, "c2", -1), order(2, "outlet\x1fc1", -1), order(22, "c1", -1),
        ])  # fmt: skip
        found = await event(response)
        assert re.findall("ord_[0-9]+", found["data"])[:1] == ["ord_22"]
        assert re.findall(IDS, found["data"]) == ["c1"]


async def test_it_ends_with_the_right_to_see_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.web.tails._KNOWN_SECONDS", 0.2)
    mine = await signed_in(site, "operator")
    for role, status in (("viewer", 403), ("approver", 403)):
        other = await signed_in(site, role)  # type: ignore[arg-type]
        assert (await other.ask("GET", f"{FOLLOW}?topic=events.orders")).status == status
    for query in ("", "?topic=audit", "?topic=dead-letters", "?topic=decisions&id=" + "x" * 300, "?topic=a%00"):
        assert (await mine.ask("GET", FOLLOW + query)).status == 422, query
    async with following(mine, f"{FOLLOW}?topic=events.orders") as response:
        assert response.status == 200
        await site.pool.execute("update user_roles set role = 'viewer'")
        assert await event(response) == {"event": "over", "data": "over"}


async def test_who_takes_nothing_loses_the_oldest_and_holds_up_nobody(
    wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_tails, "_MOST_BEHIND", 10_000)
    tails, wanted = TopicTails(wiring), Wanted("events.orders")
    try:
        async with tails.follow("shop", wanted) as slow, tails.follow("shop", wanted) as quick:
            await write(wiring, [order(number, partition=0) for number in range(1_000)])
            taken, lost, ends_at = list[str](), 0, time.monotonic() + LATEST
            while len(taken) + lost < 1_000 and time.monotonic() < ends_at:
                found, skipped = await quick.take(1)
                taken, lost = taken + [one.id for one in found], lost + skipped
            assert (len(taken) + lost, taken[-1]) == (1_000, "c999")
            found, skipped = await slow.take(1)
            assert (len(found), skipped, found[-1].id) == (topic_tails.QUEUED, 800, "c999")
    finally:
        await asyncio.to_thread(tails.close)


async def test_a_reader_that_is_far_behind_goes_on_near_the_end(
    wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_tails, "_MOST_BEHIND", 50)
    monkeypatch.setattr(topic_tails, "_AT_ONCE", 10)
    tails = TopicTails(wiring)
    try:
        async with tails.follow("shop", Wanted("events.orders")) as mine:
            await write(wiring, [order(number, partition=0) for number in range(1_000)])
            came, lost, ends_at = list[str](), 0, time.monotonic() + LATEST
            while "c999" not in came and time.monotonic() < ends_at:
                found, skipped = await mine.take(1)
                came, lost = came + [one.id for one in found], lost + skipped
            assert (came[-1], len(came) + lost) == ("c999", 1_000)
            assert lost > 0
    finally:
        await asyncio.to_thread(tails.close)


async def test_a_topic_is_read_once_for_all_and_not_for_long_after_the_last(wiring: Wiring) -> None:
    others, tails = set(threading.enumerate()), TopicTails(wiring, idle=0.1)

    def readers() -> list[str]:
        mine = set(threading.enumerate()) - others
        return sorted(one.name for one in mine if one.name.startswith("follows-"))

    try:
        async with AsyncExitStack() as all_of_them:
            for topic in ("events.orders", "events.orders", "customers"):
                await all_of_them.enter_async_context(tails.follow("shop", Wanted(topic)))
            assert tails.topics == ["customers", "events.orders"]
            assert readers() == ["follows-customers", "follows-events.orders"]
        ends_at = time.monotonic() + LATEST
        while tails.topics and time.monotonic() < ends_at:
            await asyncio.sleep(0.05)
        assert tails.topics == []
        async with tails.follow("shop", Wanted("customers")):
            assert tails.topics == ["customers"]
    finally:
        await asyncio.to_thread(tails.close)
    ends_at = time.monotonic() + LATEST
    while readers() and time.monotonic() < ends_at:
        await asyncio.sleep(0.05)
    assert readers() == []


async def test_so_many_topics_and_so_many_readers_and_no_more(wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_tails, "MOST_TOPICS", 1)
    monkeypatch.setattr(topic_tails, "MOST_FOLLOWERS", 2)
    tails = TopicTails(wiring)
    try:
        async with tails.follow("shop", Wanted("customers")):
            with pytest.raises(TryLater, match="so many topics"):
                await tails.follow("shop", Wanted("events.orders")).__aenter__()
            async with tails.follow("shop", Wanted("customers")):
                with pytest.raises(TryLater, match="so many follow"):
                    await tails.follow("shop", Wanted("customers")).__aenter__()
            async with tails.follow("shop", Wanted("customers")):
                pass
    finally:
        await asyncio.to_thread(tails.close)


async def test_while_kafka_is_away_nothing_is_followed(away: Site) -> None:
    mine = await signed_in(away, "operator")
    async with following(mine, f"{FOLLOW}?topic=decisions") as response:
        assert (response.status, response.headers["retry-after"]) == (503, "30")
