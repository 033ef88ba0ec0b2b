"""Notices in a real PostgreSQL: each is told once when it begins and once when it is over, whoever looks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec

from schemas.notice import Notice
from schemas.topics import NOTICES
from store.notices import Notices
from streams.notices import codes_low, destination_paused

MAIL = destination_paused("shop", "email", "main", "HTTP 401")
LEASE = timedelta(minutes=1)


def ways(notice: Notice) -> set[str]:
    return {"webhook:https://ops.example.com/", *({"email:ops@example.com"} if notice.state == "opened" else ())}


async def told(pool: asyncpg.Pool) -> list[Notice]:
    rows = await pool.fetch("select payload from outbox where topic = $1 order by id", NOTICES)
    return [msgspec.json.decode(row["payload"], type=Notice) for row in rows]


async def test_what_many_see_is_told_once_and_its_end_once(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    await asyncio.gather(*(notices.keep("shop", "destination_paused", [MAIL]) for _ in range(8)))
    assert await notices.is_open("shop", "destination_paused") == {"email/main"}
    (opened,) = await told(pool)
    assert (opened.state, opened.about, "HTTP 401" in opened.summary) == ("opened", "email/main", True)
    assert opened.look_at.endswith("tidings destinations --resume email/main")

    await asyncio.gather(*(notices.keep("shop", "destination_paused", []) for _ in range(8)))
    _, closed = await told(pool)
    assert (closed.state, closed.notice_id, closed.opened_at) == ("closed", opened.notice_id, opened.opened_at)
    assert closed.closed_at is not None
    messages = await notices.take("me", limit=9, lease=LEASE)
    assert sorted((one.way.partition(":")[0], one.notice.state) for one in messages) == [
        ("email", "opened"), ("webhook", "closed"), ("webhook", "opened"),
    ]  # fmt: skip


async def test_what_comes_and_goes_is_told_once_in_the_quiet_time(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    for _ in range(5):
        await notices.keep("shop", "destination_paused", [MAIL])
        await notices.keep("shop", "destination_paused", [])
    assert [one.state for one in await told(pool)] == ["opened", "closed"]
    await pool.execute("update notices set told_at = told_at - interval '2 hours'")
    await notices.keep("shop", "destination_paused", [MAIL])
    later = (await told(pool))[2:]
    assert [one.state for one in later] == ["opened"]
    assert later[0].notice_id != (await told(pool))[0].notice_id


async def test_projects_and_kinds_are_apart(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    for project in ("shop", "spa"):
        await notices.keep(project, "codes_low", [codes_low(project, "spring", 5, 100)])
        await notices.keep(project, "destination_paused", [destination_paused(project, "email", "main", "no")])
    await notices.keep("spa", "codes_low", [])
    open_ones = [(one["kind"], one["about"]) for one in await listed(notices, "shop")]
    assert sorted(open_ones) == [("codes_low", "spring"), ("destination_paused", "email/main")]
    assert [one["kind"] for one in await listed(notices, "spa")] == ["destination_paused"]
    assert len(await notices.of_project("spa", closed=True)) == 2


async def listed(notices: Notices, project: str) -> list[Any]:
    return await notices.of_project(project)


async def test_a_young_notice_is_left_open_by_who_looks_elsewhere(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    await notices.open(MAIL)
    assert await notices.keep("shop", "destination_paused", [], settle=timedelta(minutes=1)) == 0
    await pool.execute("update notices set opened_at = opened_at - interval '2 minutes'")
    assert await notices.keep("shop", "destination_paused", [], settle=timedelta(minutes=1)) == 1


async def test_a_message_is_one_sender_s_at_a_time_and_comes_back(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, lambda notice: ["email:ops@example.com"])
    await notices.open(MAIL)
    first, second = await asyncio.gather(*(notices.take(name, limit=9, lease=LEASE) for name in ("a", "b")))
    assert len(first) + len(second) == 1
    (message,), mine = (first or second), "a" if first else "b"
    await notices.end(message, "somebody else")
    await notices.put_off(message, mine, timedelta(0), "the text\x00 of a provider")
    (again,) = await notices.take("c", limit=9, lease=LEASE)
    assert again.attempts == 1
    await notices.end(again, "c")
    assert await pool.fetchval("select count(*) from notice_messages") == 0
