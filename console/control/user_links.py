"""Links that are used once: the first admin comes, who is invited accepts, and a password is set anew.

Whatever is wrong with a link is said in one way: it is used, over, or was never there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, assert_never

from console.control.not_found import NotFound
from console.control.users import FIRST_ADMIN_LASTS, NewUser, Random, checked, note
from schemas.user import TOKEN_BYTES, USER_ID_BYTES, make_token, make_user_id
from store.users import Link, User, UserChange, Users

WELCOME_PATH = "/welcome/"
"""Below the pages' own address; the token follows."""

Needs = Literal["everything", "new_password", "own_password", "provider"]
"""What somebody who comes by a link has to say: who they are as well, a password to set, or the one that they have.

Who has no password and is somebody already signs in by the provider: else whoever knows the link would become them.
"""


@dataclass(frozen=True, slots=True)
class Welcome:
    """Somebody who comes by a link: what they have to say, and the address that it was made for."""

    needs: Needs
    email: str | None = field(repr=False)
    is_reset: bool = False


def actor_of(user_id: str) -> str:
    """A user as the audit log names who did something."""
    return f"user:{user_id}"


def address_of_link(url: str, token: str) -> str:
    """The address of a link; below the pages' own, where the settings do not say which that is."""
    return url.rstrip("/") + WELCOME_PATH + token


async def first_link(users: Users, project_id: str, random: Random) -> str | None:
    """The token of a link by which the first admin comes; None where somebody is there. Raises TryLater."""
    async with users.change() as change:
        if not await change.is_empty():
            return None
        token = make_token(random(TOKEN_BYTES))
        link = Link(project_id, None, "first_admin", True, "console", None, False)
        await change.add_link(token, link, FIRST_ADMIN_LASTS)
    return token


async def look(users: Users, token: str) -> Welcome:
    """Tell who comes by a link, without using it. Raises NotFound, TryLater."""
    link = await users.link(token)
    if link is None:
        raise _over()
    match link.purpose:
        case "first_admin":
            if not await users.is_empty():
                raise _over()
            return Welcome("everything", None)
        case "invitation":
            proves: Needs = "provider" if link.is_somebody else "new_password"
            return Welcome("own_password" if link.has_password else proves, link.email)
        case "reset":
            return Welcome("new_password", link.email, is_reset=True)
        case other:
            assert_never(other)


async def begin(users: Users, token: str, new: NewUser, password_hash: str, random: Random) -> str:
    """Let the first admin in; their id. Raises DefinitionInvalid, NotFound where somebody was faster."""
    role, email = checked(new)
    async with users.change() as change:
        link = await _take(change, token)
        if link.purpose != "first_admin" or not await change.is_empty():
            raise _over()
        user_id = make_user_id(random(USER_ID_BYTES))
        await change.add(user_id, email, new.display_name.strip())
        await change.put_role(link.project_id, user_id, role, by=actor_of(user_id), accepted=True)
        await change.set_password(user_id, password_hash)
        note(change, link.project_id, actor_of(user_id), "user.added", user_id, role=role)
    return user_id


async def choose_password(users: Users, token: str, password_hash: str) -> str:
    """Set a password, for who is invited and has none or is allowed a reset; their id. Raises NotFound."""
    async with users.change() as change:
        link = await _take(change, token)
        user = await _active(change, link)
        match link.purpose:
            case "first_admin":
                raise _over()
            case "invitation":
                if link.is_somebody:  # meanwhile, by way of another project or of the provider
                    raise _over()
                await _join(change, link, user)
            case "reset":
                await _may_reset(change, link, user)
            case other:
                assert_never(other)
        await change.set_password(user.user_id, password_hash)
        for project_id in await change.projects(user.user_id):
            note(change, project_id, actor_of(user.user_id), "user.password_set", user.user_id)
    return user.user_id


async def accept(users: Users, token: str, proved: User) -> None:
    """Let somebody in who is invited and has proved to be that user just now. Raises NotFound."""
    async with users.change() as change:
        link = await _take(change, token)
        user = await _active(change, link)
        is_same = user.user_id == proved.user_id and user.password_hash == proved.password_hash is not None
        if link.purpose != "invitation" or not is_same:
            raise _over()
        await _join(change, link, user)


async def accept_all(change: UserChange, user_id: str, **said: object) -> None:
    """Let somebody in wherever they are invited, who has proved to be that user; these links are over then."""
    for project_id in await change.invitations(user_id):
        role = await change.accept(project_id, user_id)
        await change.end_links(user_id, project_id, "invitation")
        note(change, project_id, actor_of(user_id), "user.joined", user_id, role=role, **said)


async def _take(change: UserChange, token: str) -> Link:
    link = await change.take_link(token)
    if link is None:
        raise _over()
    return link


async def _active(change: UserChange, link: Link) -> User:
    user = await change.find(link.user_id or "")
    if user is None or user.state != "active":
        raise _over()
    return user


async def _join(change: UserChange, link: Link, user: User) -> None:
    role = await change.accept(link.project_id, user.user_id)
    if role is None:
        raise _over()
    note(change, link.project_id, actor_of(user.user_id), "user.joined", user.user_id, role=role)


async def _may_reset(change: UserChange, link: Link, user: User) -> None:
    """An admin's link is worth nothing once its user is in another project too."""
    if not link.is_operators and set(await change.projects(user.user_id)) != {link.project_id}:
        raise _over()


def _over() -> NotFound:
    message = (
        "this link was used, is over, or was never there; ask for another one. The pages print one whenever they start "
        "and nobody is there yet"
    )
    return NotFound(message, kind="link", name="", meant=None)
