"""Users and the links by which they come, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import asyncpg
import pytest

from console.control import user_links, users
from console.control.not_found import NotFound
from console.control.users import NewUser
from schemas.access import AccessRole
from schemas.errors import DefinitionInvalid, TidingsError
from schemas.user import hash_of_token
from store.audit import AuditFilter, AuditLog
from store.users import Users

JO, KIM = "jo@shop.example", "kim@shop.example"


def new(email: str = JO, role: AccessRole = "editor", project: str = "shop") -> NewUser:
    return NewUser(project, email, email.partition("@")[0], role)


@pytest.fixture
def known(pool: asyncpg.Pool) -> Users:
    return Users(pool)


async def add(known: Users, email: str = JO, role: AccessRole = "editor", project: str = "shop") -> str:
    return await users.add(known, new(email, role, project), f"hash of {email}", os.urandom, actor="ann")


async def invite(known: Users, email: str = JO, project: str = "shop", **more: Any) -> users.Invited:
    return await users.invite(known, new(email, project=project), os.urandom, actor="ann", **more)


async def in_both(known: Users, email: str = JO) -> str:
    """Somebody who is in both projects."""
    user_id = await add(known, email)
    link = await invite(known, email, "outlet")
    proved = await known.find(email)
    assert proved is not None
    await user_links.accept(known, link.token, proved)
    return user_id


async def actions(pool: asyncpg.Pool, project: str = "shop") -> list[tuple[str, str]]:
    rows = await AuditLog(pool).page(AuditFilter(project), 100)
    return [(one.row.actor, one.row.action) for one in reversed(rows)]


async def test_an_address_is_one_user_whatever_its_case(known: Users) -> None:
    user_id = await add(known, "Jo@Shop.Example")
    for written in ("jo@shop.example", "JO@SHOP.EXAMPLE", " Jo@shop.example ", user_id):
        assert (await users.read(known, "shop", written)).user_id == user_id
    with pytest.raises(TidingsError, match="somebody has this address already"):
        await add(known, "JO@shop.example")
    with pytest.raises(NotFound) as caught:
        await users.read(known, "shop", "kim@shop.example")
    assert "kim@" not in str(caught.value)


async def test_a_link_is_used_once_and_is_over_when_another_one_is_made(known: Users, pool: asyncpg.Pool) -> None:
    first = await invite(known)
    second = await invite(known)
    assert (await users.read(known, "shop", JO)).state == "invited"
    for token in (first.token, "", "x", second.token + "x"):
        with pytest.raises(NotFound, match="used, is over, or was never there"):
            await user_links.choose_password(known, token, "hash")
    assert (await user_links.look(known, second.token)).needs == "new_password"
    user_id = await user_links.choose_password(known, second.token, "hash")
    assert (await users.read(known, "shop", JO)).state == "active"
    with pytest.raises(NotFound):
        await user_links.choose_password(known, second.token, "another hash")
    found = await known.find(user_id)
    assert found is not None
    assert found.password_hash == "hash"
    with pytest.raises(TidingsError, match="in this project already"):
        await invite(known)
    assert await actions(pool) == [
        ("ann", "user.invited"), ("ann", "user.invited"), (f"user:{user_id}", "user.joined"),
        (f"user:{user_id}", "user.password_set"),
    ]  # fmt: skip


async def test_a_link_that_is_used_twice_at_once_works_once(known: Users) -> None:
    made = await invite(known)
    answers = await asyncio.gather(
        *(user_links.choose_password(known, made.token, f"hash {n}") for n in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, str) for one in answers) == 1
    assert sum(isinstance(one, NotFound) for one in answers) == 3


async def test_a_link_ends_and_its_token_is_kept_nowhere(known: Users, pool: asyncpg.Pool) -> None:
    made = await invite(known)
    rows = await pool.fetch("select user_links::text as row from user_links")
    assert len(rows) == 1
    assert made.token not in rows[0]["row"]
    assert hash_of_token(made.token).hex() in rows[0]["row"]
    assert made.token not in repr(made)
    await pool.execute("update user_links set expires_at = now() - interval '1 s'")
    with pytest.raises(NotFound):
        await user_links.look(known, made.token)
    with pytest.raises(NotFound):
        await user_links.choose_password(known, made.token, "hash")


async def test_the_first_admin_comes_by_a_link_and_nobody_after_by_another(known: Users, pool: asyncpg.Pool) -> None:
    tokens = [await user_links.first_link(known, "shop", os.urandom) for _ in range(3)]
    assert all(tokens)
    begun = await asyncio.gather(
        *(user_links.begin(known, token or "", new(f"u{n}@shop.example", "admin"), "hash", os.urandom)
          for n, token in enumerate(tokens)),
        return_exceptions=True,
    )  # fmt: skip
    assert sum(isinstance(one, str) for one in begun) == 1
    assert sum(isinstance(one, NotFound) for one in begun) == 2
    (admin,) = await users.listed(known, "shop")
    assert (admin.role, admin.state) == ("admin", "active")
    assert await user_links.first_link(known, "shop", os.urandom) is None
    for token in tokens:
        with pytest.raises(NotFound):
            await user_links.look(known, token or "")
    assert await actions(pool) == [(f"user:{admin.user_id}", "user.added")]


async def test_the_last_active_admin_of_a_project_stays(known: Users, pool: asyncpg.Pool) -> None:
    one = await add(known, role="admin")
    await add(known, KIM)
    await invite(known, "new@shop.example")
    await users.change_role(known, "shop", KIM, "admin", actor="ann")
    await users.disable(known, "shop", KIM, actor="ann")
    for work in (
        users.remove(known, "shop", JO, actor="ann"),
        users.change_role(known, "shop", one, "operator", actor="ann"),
        users.disable(known, "shop", JO, actor="ann"),
        users.disable(known, "shop", JO, actor="ann", is_operator=True),
    ):
        with pytest.raises(TidingsError, match="the last active admin of shop"):
            await work
    await users.enable(known, "shop", KIM, actor="ann")
    await users.remove(known, "shop", JO, actor="ann")
    assert [member.email for member in await users.listed(known, "shop")] == [KIM, "new@shop.example"]
    assert await known.find(one) is None, "in no project, so forgotten"


@pytest.mark.parametrize("way", ["remove", "role", "disable"])
async def test_two_admins_who_do_it_to_each_other_at_once_leave_one(known: Users, way: str) -> None:
    for _ in range(3):
        pair = [await add(known, f"{name}@shop.example", "admin") for name in ("a", "b")]

        async def do(user_id: str) -> None:
            match way:
                case "remove":
                    await users.remove(known, "shop", user_id, actor="ann")
                case "role":
                    await users.change_role(known, "shop", user_id, "viewer", actor="ann")
                case _:
                    await users.disable(known, "shop", user_id, actor="ann")

        answers = await asyncio.gather(*map(do, pair), return_exceptions=True)
        assert [type(one) for one in answers if one is not None] == [TidingsError]
        left = [one for one in await users.listed(known, "shop") if (one.role, one.state) == ("admin", "active")]
        assert len(left) == 1
        await known._pool.execute("delete from users")


async def test_an_admin_learns_nothing_of_other_projects_and_reaches_none(known: Users, pool: asyncpg.Pool) -> None:
    user_id = await add(known)
    link = await invite(known, project="outlet")
    (seen,) = await users.listed(known, "outlet")
    assert (seen.state, seen.display_name, seen.last_signed_in_at, seen.role) == ("invited", None, None, "editor")
    with pytest.raises(NotFound):
        await user_links.choose_password(known, link.token, "of whoever invited")
    proved = await known.find(user_id)
    assert proved is not None
    assert proved.password_hash == f"hash of {JO}"
    assert (await user_links.look(known, link.token)).needs == "own_password"
    await user_links.accept(known, link.token, proved)
    assert await known.roles(user_id) == {"outlet": "editor", "shop": "editor"}
    for project in ("shop", "outlet"):
        for work in (users.disable, users.enable):
            with pytest.raises(TidingsError, match="in another project as well"):
                await work(known, project, user_id, actor="ann")
        with pytest.raises(TidingsError, match="in another project as well"):
            await users.allow_reset(known, project, user_id, os.urandom, actor="ann")
    await users.disable(known, "shop", user_id, actor="ann", is_operator=True)
    assert ("ann", "user.disabled") in await actions(pool)
    assert ("ann", "user.disabled") in await actions(pool, "outlet")
    await users.remove(known, "outlet", user_id, actor="ann")
    assert await known.roles(user_id) == {"shop": "editor"}
    assert ("ann", "user.removed") not in await actions(pool)


async def test_a_link_of_one_projects_admin_is_worth_nothing_once_its_user_is_in_another(known: Users) -> None:
    user_id = await add(known)
    reset = await users.allow_reset(known, "shop", JO, os.urandom, actor="ann")
    link = await invite(known, project="outlet")
    proved = await known.find(user_id)
    assert proved is not None
    await user_links.accept(known, link.token, proved)
    with pytest.raises(NotFound):
        await user_links.choose_password(known, reset.token, "of the admin of shop")
    by_operator = await users.allow_reset(known, "shop", JO, os.urandom, actor="ann", is_operator=True)
    assert await user_links.choose_password(known, by_operator.token, "new") == user_id


async def test_of_two_projects_that_invite_a_stranger_the_second_link_sets_no_password(known: Users) -> None:
    """Whoever invites knows the link: it must not set the password of a user who came by another one."""
    mine, theirs = await invite(known), await invite(known, project="outlet")
    await user_links.choose_password(known, mine.token, "of jo")
    with pytest.raises(NotFound):
        await user_links.choose_password(known, theirs.token, "of the admin of outlet")
    stranger = await add(known, KIM)
    proved = await known.find(stranger)
    assert proved is not None
    with pytest.raises(NotFound):
        await user_links.accept(known, theirs.token, proved)
    assert list(await known.roles((await users.read(known, "shop", JO)).user_id)) == ["shop"]


async def test_a_reset_ends_the_others_and_a_disabled_user_sets_none(known: Users) -> None:
    await add(known)
    first = await users.allow_reset(known, "shop", JO, os.urandom, actor="ann")
    second = await users.allow_reset(known, "shop", JO, os.urandom, actor="ann", is_operator=True)
    await users.disable(known, "shop", JO, actor="ann")
    for link in (first, second):
        with pytest.raises(NotFound):
            await user_links.choose_password(known, link.token, "hash")
    await users.enable(known, "shop", JO, actor="ann")
    await user_links.choose_password(known, second.token, "hash")
    with pytest.raises(NotFound):
        await user_links.look(known, first.token)
    await invite(known, KIM)
    for work in (users.disable, users.enable):
        with pytest.raises(TidingsError, match="not accepted the invitation yet"):
            await work(known, "shop", KIM, actor="ann")


async def test_a_dry_run_says_the_same_and_keeps_nothing(known: Users, pool: asyncpg.Pool) -> None:
    await add(known, role="admin")
    await add(known, KIM)
    before = await pool.fetch("select u::text, r::text from users u join user_roles r using (user_id) order by 1")
    await users.invite(known, new("new@shop.example"), os.urandom, actor="ann", dry_run=True)
    assert (await users.change_role(known, "shop", KIM, "viewer", actor="ann", dry_run=True)).role == "viewer"
    assert (await users.disable(known, "shop", KIM, actor="ann", dry_run=True)).state == "disabled"
    assert (await users.remove(known, "shop", KIM, actor="ann", dry_run=True)).email == KIM
    with pytest.raises(TidingsError, match="the last active admin"):
        await users.remove(known, "shop", JO, actor="ann", dry_run=True)
    assert (
        await pool.fetch("select u::text, r::text from users u join user_roles r using (user_id) order by 1") == before
    )
    assert await pool.fetch("select * from user_links") == []


async def test_all_that_is_wrong_with_a_user_is_told_without_the_address(known: Users) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        await users.invite(known, NewUser("shop", "planted at shop", " ", "owner"), os.urandom, actor="ann")
    assert [one.path for one in caught.value.problems] == ["email", "display_name", "role"]
    assert "planted" not in str(caught.value)
    assert "planted" not in repr(NewUser("shop", "planted@shop.example", "planted", "viewer"))
