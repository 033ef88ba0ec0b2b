"""Signing in, sessions, and attempts that fail, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from console.control import sessions, sign_in, user_links, users
from console.control.not_found import NotFound
from console.control.passwords import Cost, Passwords
from console.control.sign_in import Door, SignInRefused
from console.control.users import NewUser
from schemas.access import AccessRole
from schemas.errors import DefinitionInvalid
from schemas.user import hash_of_token
from store.audit import AuditFilter, AuditLog
from store.sessions import Comer, Sessions, SignedIn
from store.sign_ins import LIMITS, MustWait, SignIns
from store.users import Users

JO, KIM, PASSWORD = "jo@shop.example", "kim@shop.example", "planted-brown-bear"
HOME, ELSEWHERE = Comer("203.0.113.7", "Firefox"), Comer("198.51.100.9", "curl")


@pytest.fixture
async def door(pool: asyncpg.Pool) -> AsyncIterator[Door]:
    passwords = Passwords(cost=Cost(kib=64, passes=1))
    sessions = Sessions(pool, idle=timedelta(hours=2), longest=timedelta(hours=12))
    yield Door(Users(pool), sessions, SignIns(pool), passwords)
    passwords.close()


@pytest.fixture
async def jo(door: Door) -> str:
    return await add(door, JO)


async def add(door: Door, email: str, role: AccessRole = "editor", password: str = PASSWORD) -> str:
    new = NewUser("shop", email, "Jo", role)
    return await users.add(door.users, new, await door.passwords.hash(password), os.urandom, actor="ann")


async def enter(door: Door, email: str = JO, password: str = PASSWORD, comer: Comer = HOME) -> str:
    return await sign_in.sign_in(door, email, password, comer, os.urandom)


async def fails(door: Door, email: str = JO, comer: Comer = ELSEWHERE) -> type[Exception] | None:
    try:
        await enter(door, email, "another brown bear", comer)
    except (SignInRefused, MustWait) as error:
        return type(error)
    return None


async def who(door: Door, token: str) -> SignedIn:
    found = await door.sessions.check(token)
    assert found is not None
    return found


async def told(pool: asyncpg.Pool) -> list[str]:
    rows = await AuditLog(pool).page(AuditFilter("shop"), 200)
    return [one.row.action for one in reversed(rows) if one.row.action != "user.added"]


# -- who comes in ---------------------------------------------------------------------------------------------------


async def test_whoever_has_the_password_gets_a_session_of_a_new_id_each_time(door: Door, jo: str) -> None:
    first, second = await enter(door), await enter(door, " JO@Shop.Example ")
    assert first != second
    found = await who(door, first)
    assert (found.session.user_id, found.email, found.session.network) == (jo, JO, HOME.network)
    assert found.session.session_id not in first
    listed = await door.sessions.of_user(jo)
    assert [one.session_id for one in listed] == [(await who(door, one)).session.session_id for one in (second, first)]
    assert (await users.read(door.users, "shop", JO)).last_signed_in_at is not None


async def test_who_signs_in_many_times_at_once_gets_a_session_each(door: Door, jo: str) -> None:
    tokens = await asyncio.gather(*(enter(door) for _ in range(LIMITS["pair"].free)))
    assert len(set(tokens)) == len(await door.sessions.of_user(jo)) == len(tokens)


async def test_who_is_unknown_wrong_disabled_or_only_invited_is_told_the_same_after_the_same_work(
    door: Door, jo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(door, KIM)
    await users.disable(door.users, "shop", KIM, actor="ann")
    await users.invite(door.users, NewUser("shop", "new@shop.example", "N", "viewer"), os.urandom, actor="ann")
    work: list[str] = []
    verify = door.passwords._verify
    monkeypatch.setattr(door.passwords, "_verify", lambda kept, given: work.append("argon2id") or verify(kept, given))
    said = set()
    for email, password in (
        (JO, "another brown bear"), ("nobody@shop.example", PASSWORD), (KIM, PASSWORD), (KIM, "x"), (jo, PASSWORD),
        ("new@shop.example", ""), ("no address", PASSWORD), ("", ""), ("a\0b@shop.example", "\ud800" * 2000),
    ):  # fmt: skip
        with pytest.raises(SignInRefused) as caught:
            await enter(door, email, password, Comer(f"192.0.2.{len(work)}", ""))
        said.add(str(caught.value))
    assert (len(said), work) == (1, ["argon2id"] * 9)


async def test_no_secret_is_in_any_table_or_row_of_the_log(door: Door, jo: str, pool: asyncpg.Pool) -> None:
    token = await enter(door)
    await fails(door)
    tables = await pool.fetch("select table_name as name from information_schema.tables where table_schema = 'public'")
    for table in tables:
        rows = await pool.fetch(f"select t::text as row from {table['name']} t")  # noqa: S608
        for row in rows:
            for secret in (token, PASSWORD, "another brown bear"):
                assert secret not in row["row"], table["name"]
            if table["name"] != "users":
                assert JO not in row["row"], table["name"]
    kept = await pool.fetchval("select session_hash from sessions")
    assert kept == hash_of_token(token)
    assert PASSWORD not in repr(door) + repr(await door.users.find(JO))


async def test_a_weak_hash_is_made_anew_when_its_password_is_proved(door: Door, jo: str) -> None:
    stronger = Passwords(cost=Cost(kib=128, passes=2))
    try:
        await enter(Door(door.users, door.sessions, door.sign_ins, stronger))
        found = await door.users.find(JO)
        assert found is not None
        assert (found.password_hash or "").startswith("$argon2id$v=19$m=128,t=2,")
        await enter(door)
    finally:
        stronger.close()


# -- the end of a session -------------------------------------------------------------------------------------------


async def test_a_session_ends_when_it_is_not_used_and_in_any_case(door: Door, jo: str, pool: asyncpg.Pool) -> None:
    idle, old, used = [await enter(door) for _ in range(3)]
    await pool.execute(
        "update sessions set used_at = now() - interval '2 h 1 s' where session_hash = $1", hash_of_token(idle)
    )
    await pool.execute("update sessions set ends_at = now() where session_hash = $1", hash_of_token(old))
    await pool.execute(
        "update sessions set used_at = now() - interval '1 h' where session_hash = $1", hash_of_token(used)
    )
    assert [await door.sessions.check(one) for one in (idle, old, "", "x")] == [None] * 4
    assert (await who(door, used)).session.session_id
    assert await pool.fetchval(
        "select now() - used_at < interval '1 min' from sessions where session_hash = $1", hash_of_token(used)
    )
    assert len(await door.sessions.of_user(jo)) == 1


@pytest.mark.parametrize("change", ["disable", "role", "remove", "reset", "enable"])
async def test_sessions_end_with_whatever_changes_what_somebody_may_do(door: Door, jo: str, change: str) -> None:
    other = await add(door, KIM, "admin")
    kept = await enter(door, KIM)
    mine = await enter(door)
    match change:
        case "role":
            await users.change_role(door.users, "shop", jo, "viewer", actor="ann")
        case "reset":
            link = await users.allow_reset(door.users, "shop", jo, os.urandom, actor="ann")
            await user_links.choose_password(door.users, link.token, await door.passwords.hash("another brown bear"))
        case "enable":
            await users.disable(door.users, "shop", jo, actor="ann")
            await users.enable(door.users, "shop", jo, actor="ann")
        case "disable":
            await users.disable(door.users, "shop", jo, actor="ann")
        case _:
            await users.remove(door.users, "shop", jo, actor="ann")
    assert await door.sessions.check(mine) is None
    assert (await who(door, kept)).session.user_id == other


async def test_who_is_disabled_while_signing_in_stays_out(door: Door, jo: str) -> None:
    proved = await sign_in.prove(door, JO, PASSWORD, HOME)
    await users.disable(door.users, "shop", jo, actor="ann")
    with pytest.raises(SignInRefused):
        await sign_in.begin(door, proved, HOME, os.urandom)
    await users.enable(door.users, "shop", jo, actor="ann")
    await door.users._pool.execute("update users set password_hash = 'of somebody else'")
    with pytest.raises(SignInRefused):
        await sign_in.begin(door, proved, HOME, os.urandom)


async def test_a_new_password_ends_every_session_and_begins_one(door: Door, jo: str, pool: asyncpg.Pool) -> None:
    mine, other = await enter(door), await enter(door)
    signed_in = await who(door, mine)
    for current, new, error in (
        ("another brown bear", "a third brown bear", SignInRefused), (PASSWORD, "short", DefinitionInvalid),
    ):  # fmt: skip
        with pytest.raises(error):
            await sign_in.change_password(door, signed_in, current, new, HOME, os.urandom)
    fresh = await sign_in.change_password(door, signed_in, PASSWORD, "a third brown bear", HOME, os.urandom)
    assert [await door.sessions.check(one) for one in (mine, other)] == [None, None]
    assert (await who(door, fresh)).session.user_id == jo
    with pytest.raises(SignInRefused):
        await enter(door)
    assert "user.password_set" in await told(pool)


async def test_sessions_are_ended_one_or_all_by_their_owner_or_an_operator(
    door: Door, jo: str, pool: asyncpg.Pool
) -> None:
    tokens = [await enter(door) for _ in range(4)]
    ids = [(await who(door, token)).session.session_id for token in tokens]
    await sign_in.sign_out(door.sessions, await who(door, tokens[0]))
    assert await door.sessions.end(jo, ids[1], by="ann") == 1
    assert await door.sessions.end("usr_other", ids[2], by="ann") == 0
    with pytest.raises(NotFound):
        await sessions.end(door.users, door.sessions, "shop", JO, ids[0], actor="ann")
    assert await door.sessions.end_all(jo, but=ids[3], by="ann") == 1
    assert [one.session_id for one in await sessions.of_user(door.users, door.sessions, "shop", JO)] == [ids[3]]
    with pytest.raises(NotFound):
        await sessions.end(door.users, door.sessions, "outlet", JO, None, actor="ann")
    assert await sessions.end(door.users, door.sessions, "shop", JO, None, actor="ann") == 1
    assert await told(pool) == ["user.signed_in"] * 4 + ["user.sessions_ended"] * 4


# -- attempts that fail ---------------------------------------------------------------------------------------------


async def test_who_fails_waits_longer_each_time(door: Door, jo: str, pool: asyncpg.Pool) -> None:
    free = LIMITS["pair"].free
    assert [await fails(door) for _ in range(free)] == [SignInRefused] * free
    for more, longest in ((6, 64), (8, 256), (9, 512), (10, 900), (10_000, 900)):
        await pool.execute(
            "update sign_in_attempts set failures = $1, last_at = now() where kind = 'pair'", free + more
        )
        with pytest.raises(MustWait) as caught:
            await enter(door, comer=ELSEWHERE)
        assert longest - 60 < caught.value.seconds <= longest
        left = await pool.fetchval("select failures from sign_in_attempts where kind = 'pair'")
        assert left == free + more, "who waits is not counted"
        await pool.execute("update sign_in_attempts set last_at = last_at - make_interval(secs => $1)", longest)
        assert await fails(door) is SignInRefused
    await pool.execute("update sign_in_attempts set last_at = now() - interval '15 min'")
    assert await enter(door, comer=ELSEWHERE)


async def test_many_attempts_at_once_are_counted_as_one_after_the_other(door: Door, jo: str) -> None:
    answers = await asyncio.gather(*(fails(door) for _ in range(20)))
    assert (answers.count(SignInRefused), answers.count(MustWait)) == (LIMITS["pair"].free, 15)


async def test_who_guesses_elsewhere_keeps_no_owner_waiting_where_they_were_before(
    door: Door, jo: str, pool: asyncpg.Pool
) -> None:
    await enter(door)
    await pool.execute("update sign_in_attempts set failures = 1000")
    for number in range(LIMITS["account"].free + 5):
        await fails(door, comer=Comer(f"192.0.2.{number}", ""))
    with pytest.raises(MustWait) as caught:
        await enter(door, comer=Comer("192.0.2.250", ""))
    assert caught.value.seconds <= LIMITS["account"].longest.total_seconds()
    assert await enter(door)
    assert await fails(door, KIM, Comer("192.0.2.251", "")) is SignInRefused, "another account"


async def test_a_network_that_tries_many_accounts_waits_and_its_people_go_on(door: Door, jo: str) -> None:
    await enter(door, comer=ELSEWHERE)
    answers = [await fails(door, f"u{number}@shop.example") for number in range(LIMITS["network"].free + 2)]
    assert answers[-1] is MustWait
    assert await enter(door, comer=ELSEWHERE)
    assert await enter(door, comer=HOME)


async def test_an_attempt_that_is_right_is_no_failure(door: Door, jo: str, pool: asyncpg.Pool) -> None:
    for _ in range(LIMITS["pair"].free - 1):
        await fails(door, comer=HOME)
    await enter(door)
    for _ in range(LIMITS["network"].free + 5):
        await enter(door)
    rows = await pool.fetch("select kind, failures from sign_in_attempts order by kind")
    assert {row["kind"]: row["failures"] for row in rows} == {"account": 4, "network": 4}


async def test_failures_are_told_once_they_have_others_wait_and_begin_anew_after_a_day(
    door: Door, jo: str, pool: asyncpg.Pool
) -> None:
    for _ in range(LIMITS["pair"].free):
        await fails(door)
        await fails(door, "nobody@shop.example")
    assert await told(pool) == ["user.sign_in_refused"]
    row = (await AuditLog(pool).page(AuditFilter("shop"), 1))[0].row
    assert (row.thing, row.actor, ELSEWHERE.network in row.change) == (jo, "nobody", False)
    assert await fails(door) is MustWait
    await pool.execute("update sign_in_attempts set last_at = now() - interval '3 d' where kind = 'account'")
    await pool.execute("update sign_in_attempts set last_at = now() - interval '25 h' where kind <> 'account'")
    assert await fails(door) is SignInRefused
    rows = await pool.fetch("select kind, failures from sign_in_attempts order by kind, failures")
    assert [(row["kind"], row["failures"]) for row in rows] == [
        ("account", 1),
        ("network", 1),
        ("pair", 1),
        ("pair", 5),
    ]


async def test_a_strange_network_tells_the_owner_from_nobody(door: Door, jo: str, pool: asyncpg.Pool) -> None:
    """Whoever asks for many addresses from one network does not learn by the wait which of them there are."""
    await enter(door)
    strangers: list[Any] = []
    for email in (JO, "nobody@shop.example"):
        network = Comer("192.0.2.77" if email == JO else "192.0.2.78", "")
        strangers.append([await fails(door, email, network) for _ in range(LIMITS["pair"].free + 1)])
    assert strangers[0] == strangers[1]
