"""Sessions of people who have signed in: one's own, and a user's for whoever answers for them."""

from __future__ import annotations

import asyncpg

from console.control.not_found import not_found
from console.control.user_links import actor_of
from console.control.users import check_alone, read
from deploy.settings.web import Web
from store.sessions import Session, Sessions
from store.users import Users


def sessions_by(web: Web, pool: asyncpg.Pool) -> Sessions:
    """Sessions that last as the settings say."""
    return Sessions(pool, idle=web.idle, longest=web.longest)


async def own(sessions: Sessions, user_id: str) -> list[Session]:
    """The sessions of whoever asks, the newest first. Raises TryLater."""
    return await sessions.of_user(user_id)


async def end_own(sessions: Sessions, session: Session, session_id: str) -> int:
    """End one session of whoever asks; how many, which is 0 for one that is over. Raises TryLater."""
    return await sessions.end(session.user_id, session_id, by=actor_of(session.user_id))


async def end_others(sessions: Sessions, session: Session) -> int:
    """End all sessions of whoever asks but that which asks; how many. Raises TryLater."""
    return await sessions.end_all(session.user_id, but=session.session_id, by=actor_of(session.user_id))


async def of_user(
    users: Users, sessions: Sessions, project_id: str, named: str, *, is_operator: bool = False
) -> list[Session]:
    """The sessions of a user of a project, the newest first.

    Raises NotFound, TidingsError for who is in other projects too: where they are signed in is no matter of this one's.
    """
    return await sessions.of_user(await answered_for(users, project_id, named, is_operator=is_operator))


async def end(
    users: Users,
    sessions: Sessions,
    project_id: str,
    named: str,
    session_id: str | None,
    *,
    actor: str,
    is_operator: bool = False,
    dry_run: bool = False,
) -> int:
    """End one session of a user of a project, or all; how many.

    Raises NotFound, also for a session that is over, TidingsError for who is in other projects too.
    """
    user_id = await answered_for(users, project_id, named, is_operator=is_operator)
    if session_id is None:
        return await sessions.end_all(user_id, by=actor, dry_run=dry_run)
    if not await sessions.end(user_id, session_id, by=actor, dry_run=dry_run):
        raise not_found("session", session_id, [one.session_id for one in await sessions.of_user(user_id)])
    return 1


async def answered_for(users: Users, project_id: str, named: str, *, is_operator: bool) -> str:
    """The id of a user of a project whom whoever asks answers for. Raises NotFound, TidingsError for others' too."""
    found = await read(users, project_id, named)
    if not is_operator:
        check_alone(found, await users.roles(found.user_id))
    return found.user_id
