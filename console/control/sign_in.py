"""Signing in and out, and changing one's own password. Whatever is wrong with an attempt is said in one way."""

from __future__ import annotations

import re
from dataclasses import dataclass

from console.control.passwords import Passwords
from console.control.user_links import actor_of
from console.control.users import Random, check_password, note
from schemas.errors import TidingsError
from schemas.user import TOKEN_BYTES, email_key, make_session_id, make_token
from store.sessions import Comer, Sessions, SignedIn
from store.sign_ins import SignIns
from store.users import User, Users

MOST_CHARACTERS = 1024
"""Of what is typed as a password: nothing longer is hashed."""
_MOST_OF_AGENT, _MOST_READ = 120, 1024


class SignInRefused(TidingsError):
    """The address and the password do not belong together, or nobody may sign in with them."""


@dataclass(frozen=True, slots=True)
class Door:
    """Everything that signing in goes by."""

    users: Users
    sessions: Sessions
    sign_ins: SignIns
    passwords: Passwords


_BROWSERS = (
    ("Edge", re.compile(r"Edg(?:e|A|iOS)?/(\d+)")),
    ("Opera", re.compile(r"OPR/(\d+)")),
    ("Firefox", re.compile(r"(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"(?:HeadlessChrome|Chrome|CriOS)/(\d+)")),
    ("Safari", re.compile(r"Version/(\d+)\S* (?:Mobile/\S+ )?Safari/")),
)
"""In this order: most name others as well."""
_SYSTEMS = {
    "Windows": "Windows", "Android": "Android", "iPhone": "iOS", "iPad": "iOS", "Mac OS X": "macOS", "CrOS": "ChromeOS",
    "Linux": "Linux",
}  # fmt: skip


def agent_of(written: str) -> str:
    """A browser and its system, as in `Firefox 140 on Linux`; of what is no browser that is known its own words, few
    and printable.
    """
    for name, pattern in _BROWSERS:
        if found := pattern.search(written[:_MOST_READ]):
            system = next((one for word, one in _SYSTEMS.items() if word in written), "an unknown system")
            return f"{name} {found[1][:4]} on {system}"
    shown = "".join(one for one in written[:_MOST_READ] if one.isprintable())
    return shown if len(shown) <= _MOST_OF_AGENT else f"{shown[: _MOST_OF_AGENT - 1]}…"


async def prove(door: Door, email: str, password: str, comer: Comer) -> User:
    """The user who has this address and this password. Raises SignInRefused, MustWait, TryLater.

    It takes as long, and says the same, whether nobody has the address, the password is wrong, or the user is disabled.
    """
    attempt = await door.sign_ins.begin(email_key(email), comer.network)
    user = await door.users.find(email) if "@" in email else None
    kept = user.password_hash if user is not None else None
    verdict = await door.passwords.verify(kept, password[:MOST_CHARACTERS])
    if user is None or not verdict.is_right or user.state != "active":
        if attempt.is_told:
            await door.sign_ins.tell(user.user_id if user is not None else "", attempt)
        raise SignInRefused("the address and the password do not belong together")
    await door.sign_ins.forgive(attempt)
    if verdict.better is not None and kept is not None:
        await door.users.hash_again(user.user_id, kept, verdict.better)
        return await _again(door, user)
    return user


async def sign_in(door: Door, email: str, password: str, comer: Comer, random: Random) -> str:
    """The token of a new session. Raises SignInRefused, MustWait, TryLater."""
    return await begin(door, await prove(door, email, password, comer), comer, random)


async def begin(door: Door, user: User, comer: Comer, random: Random) -> str:
    """The token of a new session of somebody who has proved who they are. Raises SignInRefused."""
    token = make_token(random(TOKEN_BYTES))
    if not await door.sessions.begin(token, make_session_id(random(TOKEN_BYTES)), user, comer):
        raise SignInRefused("the address and the password do not belong together")
    return token


async def change_password(door: Door, who: SignedIn, current: str, new: str, comer: Comer, random: Random) -> str:
    """Set one's own password; every session ends, and the token of a new one is answered.

    Raises DefinitionInvalid for what is no password, SignInRefused where the current one is wrong, MustWait, TryLater.
    """
    check_password(new)
    user = await prove(door, who.email, current, comer)
    hashed = await door.passwords.hash(new)
    async with door.users.change() as change:
        found = await change.find(user.user_id)
        if found is None or found.password_hash != user.password_hash:
            raise SignInRefused("the password was changed meanwhile")
        await change.set_password(user.user_id, hashed)
        for project_id in await change.projects(user.user_id):
            note(change, project_id, actor_of(user.user_id), "user.password_set", user.user_id)
    return await begin(door, await _again(door, user), comer, random)


async def sign_out(sessions: Sessions, who: SignedIn) -> None:
    """End the session that asks."""
    user_id = who.session.user_id
    await sessions.end(user_id, who.session.session_id, by=actor_of(user_id))


async def _again(door: Door, user: User) -> User:
    found = await door.users.find(user.user_id)
    if found is None:
        raise SignInRefused("the address and the password do not belong together")
    return found
