"""One's own passkeys, and a user's for whoever answers for them: add, list, remove. Removing one ends nothing else.

Whoever adds one proves their password first, or has signed in just now where they have none: so that a session that was
left open does not become a way in for good. Who has roles by a provider's groups adds none: it would go on after the
provider has let them go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from console.control import sign_in
from console.control.not_found import not_found
from console.control.oidc.entering import BY_GROUPS
from console.control.passkeys import proof
from console.control.passkeys.proof import SECONDS, Owner, PasskeyRefused, RelyingParty
from console.control.sessions import answered_for
from console.control.sign_in import Door, SignInRefused
from console.control.user_links import actor_of
from console.control.users import Random, note
from schemas.errors import DefinitionInvalid, Problem
from schemas.user import LONGEST_NAME, TOKEN_BYTES, make_passkey_id
from store import passkeys as kept
from store.passkeys import MOST, Passkey, Passkeys
from store.sessions import Comer, SignedIn
from store.users import UserChange, Users
from streams.values.wording import invalid_kind

YOUNG = timedelta(minutes=15)
"""A session that began within it needs no password to add a passkey, of who has none."""


@dataclass(frozen=True, slots=True)
class PasskeyDoor:
    """Everything that passkeys go by."""

    door: Door
    passkeys: Passkeys
    party: RelyingParty


async def own(passkeys: Passkeys, user_id: str) -> list[Passkey]:
    """The passkeys of whoever asks, the oldest first. Raises TryLater."""
    return await passkeys.of_user(user_id)


async def begin(keys: PasskeyDoor, who: SignedIn, name: str, password: str, comer: Comer, random: Random) -> str:
    """Options, as JSON, by which a device makes a key for whoever asks.

    Raises DefinitionInvalid for the name, SignInRefused for the password, MustWait, PasskeyRefused, TryLater.
    """
    user_id, session_id, name = who.session.user_id, who.session.session_id, name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        allowed = f"a name of 1 to {LONGEST_NAME} characters"
        raise DefinitionInvalid((Problem("name", invalid_kind(name, allowed)),))
    if await keys.passkeys.has_roles_of(user_id, BY_GROUPS):
        raise PasskeyRefused("by_groups", f"{user_id} has roles by the provider's groups")
    user = await keys.door.users.find(user_id)
    has_password = user is not None and user.password_hash is not None
    if has_password:
        proved = await sign_in.prove(keys.door, who.email, password, comer)
        if proved.user_id != user_id:
            raise SignInRefused("the password is another user's")
    known = await keys.passkeys.credentials(user_id)
    if len(known) >= MOST:
        raise PasskeyRefused("taken", f"{user_id} has {MOST} passkeys already")
    challenge, lasts = random(TOKEN_BYTES), timedelta(seconds=SECONDS)
    young = None if has_password else YOUNG
    if not await keys.passkeys.begin_adding(challenge, session_id, name, lasts, young=young):
        raise PasskeyRefused("stale", f"{user_id} has no password, and signed in too long ago")
    return proof.to_add(keys.party, Owner(user_id, who.email, who.display_name), challenge, known)


async def add(keys: PasskeyDoor, who: SignedIn, written: str, random: Random) -> str:
    """Keep the key that a device has made; the id of the passkey. Raises PasskeyRefused, TryLater."""
    user_id = who.session.user_id
    challenge = proof.challenge_of_new(written)
    name = await keys.passkeys.take_adding(challenge, who.session.session_id)
    if name is None:
        raise PasskeyRefused("not_ours", "this session was not asked to sign it, or it took too long")
    made = proof.prove_new(written, challenge, keys.party)
    passkey_id = make_passkey_id(random(TOKEN_BYTES))
    async with keys.door.users.change() as change:
        if not await kept.add(change, passkey_id, user_id, name, made):
            raise PasskeyRefused("taken", f"it is somebody's already, or {user_id} has too many or is disabled")
        await _say_added(change, user_id, passkey_id)
    return passkey_id


async def remove_own(users: Users, who: SignedIn, passkey_id: str) -> bool:
    """Remove one passkey of whoever asks; False where they have it not. Raises TryLater."""
    user_id = who.session.user_id
    return await _remove(users, user_id, passkey_id, actor=actor_of(user_id))


async def of_user(
    users: Users, passkeys: Passkeys, project_id: str, named: str, *, is_operator: bool = False
) -> list[Passkey]:
    """The passkeys of a user of a project, the oldest first. Raises NotFound, TidingsError for others' too."""
    return await passkeys.of_user(await answered_for(users, project_id, named, is_operator=is_operator))


async def remove(
    users: Users, passkeys: Passkeys, project_id: str, named: str, passkey_id: str, *, actor: str,
    is_operator: bool = False, dry_run: bool = False,
) -> None:  # fmt: skip
    """Remove one passkey of a user of a project. Raises NotFound, TidingsError for who is in other projects too."""
    user_id = await answered_for(users, project_id, named, is_operator=is_operator)
    if not await _remove(users, user_id, passkey_id, actor=actor, dry_run=dry_run):
        raise not_found("passkey", passkey_id, [one.passkey_id for one in await passkeys.of_user(user_id)])


async def _remove(users: Users, user_id: str, passkey_id: str, *, actor: str, dry_run: bool = False) -> bool:
    async with users.change(dry_run=dry_run) as change:
        is_removed = await kept.remove(change, user_id, passkey_id)
        if is_removed:
            for project_id in await change.projects(user_id):
                note(change, project_id, actor, "user.passkey_removed", user_id, passkey=passkey_id)
    return is_removed


async def _say_added(change: UserChange, user_id: str, passkey_id: str) -> None:
    for project_id in await change.projects(user_id):
        note(change, project_id, actor_of(user_id), "user.passkey_added", user_id, passkey=passkey_id)
