"""Signing in by a provider: begun here, ended by what the provider answers; and being linked to what it names.

Who somebody is, is told by the issuer and the subject alone. An address never makes anybody another user: who has one
here already signs in as ever, and links what the provider names to themselves. Who is only invited is nobody yet: the
address that they were invited by, proved by the provider, makes them that user.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from console.control.oidc.claims import (
    address_of,
    groups_of,
    is_same_address,
    name_of,
    proved_address,
    roles_of,
)
from console.control.oidc.provider import Provider
from console.control.oidc.tokens import OidcRefused, Waiting, is_name
from console.control.sign_in import Door
from console.control.user_links import accept_all, actor_of
from console.control.users import Random, note
from schemas.access import AccessRole
from schemas.audit import AuditAction
from schemas.errors import TidingsError
from schemas.user import TOKEN_BYTES, USER_ID_BYTES, make_session_id, make_token, make_user_id
from store import identities
from store.identities import Attempt, Identities, Identity
from store.sessions import Comer, SignedIn
from store.users import UserChange

BY_GROUPS = "oidc"
"""Who gives and takes the roles of groups, and ends sessions by a logout token, as the audit log names it."""
_LASTS = timedelta(minutes=10)
_LONGEST_HINT = 4096
"""Characters of a token that goes into an address later: servers refuse longer ones (414)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer, as a browser brings it."""

    state: str = field(repr=False)
    code: str = field(repr=False)
    error: str = ""
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """The token of a new session, or none where somebody was linked; and the page that comes next."""

    token: str | None = field(repr=False)
    next_page: str


@dataclass(frozen=True, slots=True)
class OidcDoor:
    """Everything that signing in by a provider goes by."""

    door: Door
    provider: Provider
    identities: Identities
    default_project: str


async def begin(oidc: OidcDoor, browser: str, next_page: str, random: Random, links: SignedIn | None = None) -> str:
    """The address at the provider; `links` is whoever wants to be linked. Raises TryLater, OidcRefused."""
    state, nonce, verifier = (make_token(random(TOKEN_BYTES)) for _ in range(3))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    address = await oidc.provider.authorization_url(state, nonce, challenge)
    attempt = Attempt(nonce, verifier, next_page, links.session.session_id if links else None)
    await oidc.identities.begin(state, browser, attempt, _LASTS)
    return address


async def end(
    oidc: OidcDoor, answer: Answer, browser: str, who: SignedIn | None, comer: Comer, random: Random
) -> Entered:
    """Sign in, or link, who the provider says has come. Raises OidcRefused, TryLater."""
    attempt = await oidc.identities.take(answer.state, browser) if answer.state and browser else None
    if attempt is None:
        raise OidcRefused("not_ours", "nothing was begun here that has this state")
    if answer.error or not answer.code:
        raise OidcRefused("denied", "the provider answers without a code")
    proved = await oidc.provider.proved(answer.code, answer.issuer, Waiting(attempt.nonce, attempt.verifier))
    claims = proved.claims
    one = Identity(oidc.provider.settings.issuer, claims["sub"])
    if attempt.session_id is not None:
        if who is None or who.session.session_id != attempt.session_id:
            raise OidcRefused("not_ours", "the session that it was begun in is over")
        await _link(oidc, one, who)
        return Entered(None, attempt.next_page)
    settings = oidc.provider.settings
    groups = groups_of(claims, settings.groups_claim)
    roles = roles_of(groups, settings.group_roles(), oidc.default_project)
    async with oidc.door.users.change() as change:
        user = await identities.find(change, one)
        if user is not None and user.state != "active":
            raise OidcRefused("closed", f"{user.user_id} is disabled")
        invited = user.user_id if user else await _invited(change, one, claims)
        user_id = invited or await _come(oidc, change, one, claims, roles, random)
        await accept_all(change, user_id, issuer=one.issuer)
        is_in_some = await _put_roles(change, user_id, roles)
    if not is_in_some:
        raise OidcRefused("no_group", f"{user_id} is in no group that has a role, and has none by hand")
    token, session_id = make_token(random(TOKEN_BYTES)), make_session_id(random(TOKEN_BYTES))
    hint = proved.token if len(proved.token) <= _LONGEST_HINT else ""
    names, sid = {"issuer": one.issuer, "subject": one.subject, "hint": hint}, _session_at_provider(claims)
    if not await oidc.door.sessions.begin_by_identity(token, session_id, user_id, comer, sid=sid, **names):
        raise OidcRefused("closed", f"{user_id} was changed meanwhile")
    return Entered(token, attempt.next_page)


async def end_sessions(oidc: OidcDoor, token: str) -> int:
    """End the sessions that a provider's logout token says are over, of those that began by it; how many.

    Raises OidcRefused, also for a token that was used already, TryLater.
    """
    logout = await oidc.provider.proved_logout(token)
    ended = await oidc.door.sessions.end_by_provider(logout, by=BY_GROUPS)
    if ended is None:
        raise OidcRefused("unproved", "the token was used already")
    return ended


async def sign_out_url(oidc: OidcDoor, hint: str | None, browser: str) -> str | None:
    """The address at the provider for whoever has signed out here; None where their session did not begin by it, or it
    has none. Raises TryLater.
    """
    return None if hint is None else await oidc.provider.sign_out_url(hint, state_of_end(browser))


def state_of_end(browser: str) -> str:
    """The text that a provider repeats to a browser that has signed out there."""
    return hashlib.sha256(f"signed out {browser}".encode(errors="replace")).hexdigest()


async def unlink(oidc: OidcDoor, who: SignedIn) -> None:
    """Have the provider name nobody in place of whoever asks; every session goes on.

    Raises TidingsError for who has no password: they could not come in any more.
    """
    user_id, issuer = who.session.user_id, oidc.provider.settings.issuer
    async with oidc.door.users.change() as change:
        user = await change.find(user_id)
        if user is None or user.password_hash is None:
            raise TidingsError("it is the only way in that you have: ask an admin for a link to set a password first")
        if await identities.unlink(change, user_id, issuer):
            await _say(change, user_id, "user.unlinked", issuer)


def _session_at_provider(claims: Mapping[str, object]) -> str | None:
    """The name that a provider has for its own session; None where it says none that can be kept."""
    sid = claims.get("sid")
    return sid if is_name(sid) else None


async def _invited(change: UserChange, one: Identity, claims: Mapping[str, object]) -> str | None:
    """The id of a user who is invited and was never here, by the address that the provider has proved; linked to it.

    Who has proved to be a user before is nobody else by an address.
    """
    address = proved_address(claims)
    user = await change.find(address) if address else None
    if user is None or not is_same_address(user.email, address) or await change.is_somebody(user.user_id):
        return None
    if not await change.invitations(user.user_id) or not await identities.link(change, one, user.user_id):
        return None
    return user.user_id


async def _come(
    oidc: OidcDoor, change: UserChange, one: Identity, claims: Mapping[str, object], roles: Mapping[str, AccessRole],
    random: Random,
) -> str:  # fmt: skip
    """Let somebody in who was never here: the id of the new user."""
    if not roles:
        raise OidcRefused("no_group", "somebody new is in no group that has a role")
    address = address_of(claims, oidc.provider.settings)
    user_id = make_user_id(random(USER_ID_BYTES))
    if not await change.add(user_id, address, name_of(claims, address)):
        raise OidcRefused("taken", "somebody here has the address, and is not linked")
    await identities.link(change, one, user_id)
    return user_id


async def _put_roles(change: UserChange, user_id: str, roles: Mapping[str, AccessRole]) -> bool:
    """Have the roles of groups be those of now, and leave what was given by hand; False where none is left."""
    there = await change.granted_roles(user_id)
    for project_id in roles.keys() - there.keys():  # first: who is in no project is forgotten
        await change.put_role(project_id, user_id, roles[project_id], by=BY_GROUPS, accepted=True)
        note(change, project_id, BY_GROUPS, "user.added", user_id, role=roles[project_id])
    for project_id, (role, by) in there.items():
        wanted = roles.get(project_id)
        if by != BY_GROUPS or wanted == role:
            continue
        if wanted is None:
            await change.drop(project_id, user_id)
            note(change, project_id, BY_GROUPS, "user.removed", user_id, role=role)
        else:
            await change.change_role(project_id, user_id, wanted)
            said = {"before": {"role": role}, "after": {"role": wanted}}
            note(change, project_id, BY_GROUPS, "user.role_changed", user_id, **said)
    return bool(await change.projects(user_id))


async def _link(oidc: OidcDoor, one: Identity, who: SignedIn) -> None:
    user_id = who.session.user_id
    async with oidc.door.users.change() as change:
        known = await identities.find(change, one)
        if known is not None and known.user_id == user_id:
            return
        if not await identities.link(change, one, user_id):
            raise OidcRefused("taken", f"{user_id} or what the provider names is linked otherwise")
        await _say(change, user_id, "user.linked", one.issuer)


async def _say(change: UserChange, user_id: str, action: AuditAction, issuer: str) -> None:
    for project_id in await change.projects(user_id):
        note(change, project_id, actor_of(user_id), action, user_id, issuer=issuer)
