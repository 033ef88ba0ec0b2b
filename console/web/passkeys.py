"""`/passkeys`, one's own, and `/sign-in/passkey`: a script takes options to a device, and its answer into a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog
from aiohttp import web

from console.control.passkeys import entering, own
from console.control.passkeys.own import PasskeyDoor
from console.control.passkeys.proof import PasskeyRefused, Reason
from console.control.sign_in import SignInRefused
from console.web.entrance import must_wait, said_of, sign_in_page
from console.web.guard import TokenCookie
from console.web.next_page import next_page_of
from console.web.pages import FieldProblem, PasskeysPage, ShownPasskey, respond, see
from console.web.visit import Visit
from schemas.errors import DefinitionInvalid
from schemas.user import TOKEN_BYTES, make_token
from store.passkeys import MOST, Passkeys
from store.sign_ins import MustWait

log = structlog.get_logger()

_PLACE = "passkey"
_NOT_IN = "That passkey does not let you in here. Try again, or sign in with your password"
_NOT_ADDED: Mapping[Reason, str] = {
    "not_ours": "This was begun elsewhere, was used already, or took too long. Begin again",
    "taken": f"The passkey is somebody's here already, or you have {MOST}, which is the most",
    "by_groups": "Your roles come from the groups of your provider, so you sign in there and not by a passkey",
    "stale": "You signed in too long ago to add a passkey without a password. Sign out, sign in again, and add it then",
}
_UNPROVED = "What your device said could not be proved. Begin again; if it stays so, tell who runs Tidings"
_DID = {"added": "The passkey is added.", "removed": "The passkey is removed."}
_MOST_BYTES = 64 * 1024


async def show(visit: Visit) -> web.Response:
    """One's own passkeys."""
    return await _page(visit, did=_DID.get(visit.request.query.get("did", ""), ""))


async def ask(visit: Visit) -> web.Response:
    """Options, for a script, by which a device makes a key."""
    keys, form = _configured(visit)[0], await visit.form()
    name, password = form.get("name", ""), form.get("current", "")
    try:
        return _json(await own.begin(keys, visit.signed_in, name, password, visit.comer, visit.random))
    except DefinitionInvalid as error:
        return _told(422, f"Name: {error.problems[0].message}", field="name")
    except SignInRefused:
        return _told(422, "Current password: is not yours", field="current")
    except PasskeyRefused as error:
        return _told(403, f"{_NOT_ADDED.get(error.reason, _UNPROVED)}.")
    except MustWait as error:
        response = _told(429, f"{said_of(error)}.")
        response.headers["retry-after"] = str(error.seconds)
        return response


async def add(visit: Visit) -> web.Response:
    """Keep what a device has made."""
    keys, form = _configured(visit)[0], await visit.form(_MOST_BYTES)
    try:
        await own.add(keys, visit.signed_in, form.get("credential", ""), visit.random)
    except PasskeyRefused as error:
        log.warning("passkey_refused", reason=error.reason, why=str(error))
        problem = FieldProblem(_PLACE, _NOT_ADDED.get(error.reason, _UNPROVED))
        return await _page(visit, [problem], 403)
    return see("/passkeys?did=added")


async def remove(visit: Visit) -> web.Response:
    """Have one of one's own be worth nothing, whether or not others can be added."""
    form = await visit.form()
    is_removed = await own.remove_own(visit.door.users, visit.signed_in, form.get("passkey", ""))
    return see("/passkeys?did=removed" if is_removed else "/passkeys")


async def ask_sign_in(visit: Visit) -> web.Response:
    """Options, for a script, by which a device signs; its answer is taken from this browser alone."""
    keys, cookie = _configured(visit)
    browser = cookie.read(visit.request) or make_token(visit.random(TOKEN_BYTES))
    response = _json(await entering.begin(keys, browser, visit.random))
    cookie.keep(response, browser)
    return response


async def enter(visit: Visit) -> web.Response:
    """Sign in. Whatever is wrong is said in one way."""
    keys, cookie = _configured(visit)
    form = await visit.form()
    next_page, browser = next_page_of(form.get("next")), cookie.read(visit.request)
    try:
        token = await entering.end(keys, form.get("credential", ""), browser, visit.comer, visit.random)
    except PasskeyRefused as error:
        log.warning("passkey_refused", reason=error.reason, why=str(error))
        problems = [FieldProblem(_PLACE, _NOT_IN)]
        return respond(sign_in_page(visit, problems=problems, next_page=next_page), 422)
    except MustWait as error:
        problems = [FieldProblem(_PLACE, said_of(error))]
        return must_wait(sign_in_page(visit, problems=problems, next_page=next_page), error)
    return await visit.enter(token, next_page)


async def _page(visit: Visit, problems: Sequence[FieldProblem] = (), status: int = 200, did: str = "") -> web.Response:
    who = visit.signed_in
    user = await visit.door.users.find(who.session.user_id)
    shown = [
        ShownPasskey(one.passkey_id, one.name, one.is_synced, one.added_at, one.used_at)
        for one in await own.own(Passkeys(visit.pool), who.session.user_id)
    ]
    page = PasskeysPage(
        who=who.display_name, passkeys=shown, is_offered=visit.passkeys is not None, problems=problems, did=did,
        has_password=user is not None and user.password_hash is not None, name=visit.comer.agent,
    )  # fmt: skip
    return respond(page, status)


def _configured(visit: Visit) -> tuple[PasskeyDoor, TokenCookie]:
    if visit.passkeys is None or visit.passkey_cookie is None:
        raise web.HTTPNotFound
    return visit.passkeys, visit.passkey_cookie


def _told(status: int, message: str, field: str = "") -> web.Response:
    return _json(msgspec.json.encode({"message": message, "field": field}).decode(), status)


def _json(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json")
