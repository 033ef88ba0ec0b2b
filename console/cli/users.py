"""People who sign in: add, invite, change, disable, remove."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from console.cli.context import Session, in_session
from console.cli.terminal import AsJson, show_json, show_rows, show_text, warn
from console.control import sessions, users
from console.control.passkeys import own
from console.control.passwords import Passwords
from console.control.user_links import address_of_link
from console.control.users import Invited, NewUser
from schemas.access import ACCESS_ROLES
from store.passkeys import Passkey, Passkeys
from store.sessions import Session as SignedInSession
from store.sessions import Sessions
from store.users import Member, Users

commands = typer.Typer()
users_app = typer.Typer(
    no_args_is_help=True,
    help=(
        "People who sign in: add, invite, role, disable, enable, remove, reset, sessions, sign-out, passkeys,"
        " remove-passkey."
    ),
)
commands.add_typer(users_app, name="users")

Email = Annotated[str, typer.Argument(help="The e-mail address by which they sign in.")]
Named = Annotated[str, typer.Argument(help="The user's e-mail address, or id.")]
Role = Annotated[str, typer.Option(help=f"{', '.join(ACCESS_ROLES)}.")]
Name = Annotated[str, typer.Option(help="As others see them. Default: what stands before the @.")]


@users_app.command("add")
def add_command(
    email: Email,
    role: Role,
    name: Name = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Add somebody with a password that is typed here, as for yourself; others are better invited."""
    if password_stdin:
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    else:
        password = typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True)

    async def add(opened: Session) -> str:
        users.check_password(password)
        passwords = Passwords(at_once=1)
        try:
            hashed = await passwords.hash(password)
        finally:
            passwords.close()
        new = NewUser(opened.project_id, email, name or _before_at(email), role)
        return await users.add(Users(opened.pool), new, hashed, secrets.token_bytes, actor=opened.actor)

    show_text(f"{in_session(add)} is {escape(role)}")


@users_app.command("invite")
def invite_command(email: Email, role: Role, name: Name = "", as_json: AsJson = False) -> None:
    """Print a link, used once, by which somebody comes and sets a password; again for another one."""

    async def invite(opened: Session) -> tuple[str, Invited]:
        new = NewUser(opened.project_id, email, name or _before_at(email), role)
        made = await users.invite(Users(opened.pool), new, secrets.token_bytes, actor=opened.actor)
        return opened.wiring.settings.web.url, made

    _show_link(*in_session(invite), as_json=as_json)


@users_app.command("reset")
def reset_command(user: Named, as_json: AsJson = False) -> None:
    """Print a link, used once, by which somebody sets a new password."""

    async def allow(opened: Session) -> tuple[str, Invited]:
        known = Users(opened.pool)
        made = await users.allow_reset(
            known, opened.project_id, user, secrets.token_bytes, actor=opened.actor, is_operator=True
        )
        return opened.wiring.settings.web.url, made

    _show_link(*in_session(allow), as_json=as_json)


@users_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every user of the project, with when they last signed in."""
    found = in_session(lambda opened: users.listed(Users(opened.pool), opened.project_id))
    columns = ("user", "email", "name", "role", "state", "granted by", "granted", "last signed in")
    rows = [
        (
            one.user_id, one.email, one.display_name, one.role, one.state, one.granted_by, one.granted_at,
            one.last_signed_in_at,
        )
        for one in found
    ]  # fmt: skip
    show_rows(columns, rows, as_json=as_json)


@users_app.command("role")
def role_command(user: Named, role: Annotated[str, typer.Argument(help=f"{', '.join(ACCESS_ROLES)}.")]) -> None:
    """Give somebody another role in the project."""
    changed = _done(lambda known, opened: users.change_role(known, opened.project_id, user, role, actor=opened.actor))
    show_text(f"{changed.user_id} is {changed.role}")


@users_app.command("disable")
def disable_command(user: Named) -> None:
    """Keep somebody from signing in, to whichever project."""
    changed = _done(
        lambda known, opened: users.disable(known, opened.project_id, user, actor=opened.actor, is_operator=True)
    )
    show_text(f"{changed.user_id} is disabled")


@users_app.command("enable")
def enable_command(user: Named) -> None:
    """Let somebody sign in again."""
    changed = _done(
        lambda known, opened: users.enable(known, opened.project_id, user, actor=opened.actor, is_operator=True)
    )
    show_text(f"{changed.user_id} is {changed.state}")


@users_app.command("remove")
def remove_command(user: Named) -> None:
    """Take somebody out of the project; who is in none then is forgotten."""
    gone = _done(lambda known, opened: users.remove(known, opened.project_id, user, actor=opened.actor))
    show_text(f"{gone.user_id} is removed")


@users_app.command("sessions")
def sessions_command(user: Named, as_json: AsJson = False) -> None:
    """Show where somebody is signed in, the newest first."""

    async def found(opened: Session) -> Sequence[SignedInSession]:
        return await sessions.of_user(Users(opened.pool), _sessions(opened), opened.project_id, user, is_operator=True)

    columns = ("session", "began", "used", "ends", "network", "agent")
    rows = [
        (one.session_id, one.began_at, one.used_at, one.ends_at, one.network, one.agent) for one in in_session(found)
    ]
    show_rows(columns, rows, as_json=as_json)


@users_app.command("sign-out")
def sign_out_command(
    user: Named,
    session: Annotated[str | None, typer.Option(metavar="ID", help="This session. Default: every one.")] = None,
) -> None:
    """End the sessions of somebody, at once."""

    async def end(opened: Session) -> int:
        known, there = Users(opened.pool), _sessions(opened)
        return await sessions.end(known, there, opened.project_id, user, session, actor=opened.actor, is_operator=True)

    show_text(f"{in_session(end)} ended")


@users_app.command("passkeys")
def passkeys_command(user: Named, as_json: AsJson = False) -> None:
    """Show the passkeys by which somebody may sign in, the oldest first."""

    async def found(opened: Session) -> Sequence[Passkey]:
        known, there = Users(opened.pool), Passkeys(opened.pool)
        return await own.of_user(known, there, opened.project_id, user, is_operator=True)

    columns = ("passkey", "name", "synced", "added", "used")
    rows = [(one.passkey_id, one.name, one.is_synced, one.added_at, one.used_at) for one in in_session(found)]
    show_rows(columns, rows, as_json=as_json)


@users_app.command("remove-passkey")
def remove_passkey_command(user: Named, passkey: Annotated[str, typer.Argument(help="Its id, as listed.")]) -> None:
    """Have a passkey sign nobody in any more; sessions go on (see sign-out)."""

    async def remove(opened: Session) -> None:
        known, there = Users(opened.pool), Passkeys(opened.pool)
        await own.remove(known, there, opened.project_id, user, passkey, actor=opened.actor, is_operator=True)

    in_session(remove)
    show_text(f"{escape(passkey)} is removed")


def _sessions(opened: Session) -> Sessions:
    return sessions.sessions_by(opened.wiring.settings.web, opened.pool)


def _done(work: Callable[[Users, Session], Awaitable[Member]]) -> Member:
    return in_session(lambda opened: work(Users(opened.pool), opened))


def _show_link(url: str, made: Invited, *, as_json: bool) -> None:
    link: Any = address_of_link(url, made.token)
    if as_json:
        show_json({"link": link, "user_id": made.user_id, "expires_at": made.expires_at})
        return
    show_text(escape(link))
    below = "" if url else "; it is below the address of `tidings web`"
    warn(f"works once, until {made.expires_at:%Y-%m-%d %H:%M} UTC, and is not shown again{below}")


def _before_at(email: str) -> str:
    return email.partition("@")[0]
