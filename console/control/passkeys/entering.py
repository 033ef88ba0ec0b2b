"""Signing in by a passkey: a browser is asked to have a device sign, and whose key has signed comes in.

Attempts are counted as those with passwords are, for the account whose key it is said to be, and for the network.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from console.control.oidc.entering import BY_GROUPS
from console.control.passkeys import proof
from console.control.passkeys.own import PasskeyDoor
from console.control.passkeys.proof import SECONDS, Assertion, PasskeyRefused
from console.control.users import Random
from schemas.user import TOKEN_BYTES, make_session_id, make_token
from store.passkeys import Credential
from store.sessions import Comer, Signed


async def begin(keys: PasskeyDoor, browser: str, random: Random) -> str:
    """Options, as JSON, by which a browser has a device sign. Raises TryLater."""
    challenge = random(TOKEN_BYTES)
    await keys.passkeys.begin_sign_in(challenge, browser, timedelta(seconds=SECONDS))
    return proof.to_sign_in(keys.party, challenge)


async def end(keys: PasskeyDoor, written: str, browser: str, comer: Comer, random: Random) -> str:
    """The token of a new session of whoever's passkey has signed. Raises PasskeyRefused, MustWait, TryLater."""
    said = proof.read_assertion(written)
    if not browser or not await keys.passkeys.take_sign_in(said.challenge, browser):
        raise PasskeyRefused("not_ours", "this browser was not asked to sign it, or it took too long")
    key = await keys.passkeys.find(said.credential_id)
    sign_ins = keys.door.sign_ins
    attempt = await sign_ins.begin(key.email_key if key else _name_of(said), comer.network)
    try:
        user_id, signed = _proved(keys, said, key)
    except PasskeyRefused as error:
        if error.reason == "counter" and key is not None:
            await sign_ins.tell(key.user_id, attempt, passkey=key.passkey_id, why="its device counts backwards")
        elif attempt.is_told:
            await sign_ins.tell(key.user_id if key else "", attempt)
        raise
    await sign_ins.forgive(attempt)
    token, session_id = make_token(random(TOKEN_BYTES)), make_session_id(random(TOKEN_BYTES))
    sessions = keys.door.sessions
    if not await sessions.begin_by_passkey(token, session_id, user_id, comer, signed, without_roles_of=BY_GROUPS):
        raise PasskeyRefused("closed", f"{user_id} was changed meanwhile, or has roles by the provider's groups")
    return token


def _proved(keys: PasskeyDoor, said: Assertion, key: Credential | None) -> tuple[str, Signed]:
    """Whoever has signed, and by which key. Source: WebAuthn Level 3, 7.2. Raises PasskeyRefused."""
    if key is None:
        raise PasskeyRefused("unknown", "nobody has this passkey here")
    if said.user_handle != key.user_id.encode():
        raise PasskeyRefused("unproved", "it names another user")
    count = proof.prove(said, key.public_key, keys.party)
    if key.state != "active":
        raise PasskeyRefused("closed", f"{key.user_id} is disabled")
    if (count or key.sign_count) and count <= key.sign_count:
        raise PasskeyRefused("counter", f"{key.passkey_id} has signed {key.sign_count} times, and now says {count}")
    return key.user_id, Signed(key.passkey_id, said.credential_id, count)


def _name_of(said: Assertion) -> str:
    """An account that nobody has, in place of the one that is not known."""
    return f"passkey {hashlib.sha256(said.credential_id).hexdigest()}"
