"""`/sign-in/oidc`: the way to a provider, back from it, being linked to what it names, and its word that it is over."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from aiohttp import web

from console.control.oidc import entering
from console.control.oidc.entering import Answer, OidcDoor
from console.control.oidc.tokens import OidcRefused, Reason
from console.web.entrance import sign_in_page
from console.web.guard import TokenCookie, is_from_a_page_of_ours
from console.web.next_page import next_page_of
from console.web.pages import FieldProblem, MessagePage, SignedOutPage, respond, see
from console.web.visit import Visit
from console.web.words import as_sentence
from schemas.errors import TidingsError, TryLater
from schemas.user import TOKEN_BYTES, make_token

log = structlog.get_logger()

CALLBACK_PATH = "/sign-in/oidc/callback"
SIGNED_OUT_PATH = "/sign-in/oidc/signed-out"
BACK_CHANNEL_PATH = "/sign-in/oidc/back-channel-logout"
"""The one address that the provider itself asks: no browser brings a cookie there, a signature proves it."""
_NOT_KEPT = {"cache-control": "no-store"}
_PLACE = "provider"
_SAID: Mapping[Reason, str] = {
    "not_ours": "This sign-in was begun in another browser, was used already, or took too long. Begin again",
    "denied": "{provider} did not let you in",
    "unproved": "What {provider} said could not be proved. Begin again; if it stays so, tell who runs Tidings",
    "no_group": "You are in no group at {provider} that may come in here",
    "too_many_groups": "{provider} left out your groups, since there are too many. Tell who runs Tidings",
    "no_address": "{provider} names no e-mail address of yours that it has proved. Ask an admin for an invitation",
    "taken": "Somebody here has your e-mail address, or is linked otherwise. Sign in with the password, and link"
    " {provider} under your sessions",
    "closed": "You may not sign in. Ask an admin",
}


async def leave(visit: Visit) -> web.Response:
    """Send a browser to the provider."""
    oidc, cookie = _configured(visit)
    query = visit.request.query
    links = visit.who if "link" in query else None
    if "link" in query and (links is None or not is_from_a_page_of_ours(visit.request)):
        return see("/sessions")
    browser = cookie.read(visit.request) or make_token(visit.random(TOKEN_BYTES))
    try:
        address = await entering.begin(oidc, browser, next_page_of(query.get("next")), visit.random, links)
    except TryLater as error:
        return _away(visit, error)
    response = see(address)
    cookie.keep(response, browser)
    return response


async def come_back(visit: Visit) -> web.Response:
    """Take in what the provider answers."""
    oidc, cookie = _configured(visit)
    query = visit.request.query
    answer = Answer(query.get("state", ""), query.get("code", ""), query.get("error", ""), query.get("iss"))
    browser = cookie.read(visit.request)
    try:
        done = await entering.end(oidc, answer, browser, visit.who, visit.comer, visit.random)
    except TryLater as error:
        return _away(visit, error)
    except OidcRefused as error:
        log.warning("oidc_refused", reason=error.reason, why=str(error))
        return _refused(visit, _SAID[error.reason].format(provider=visit.provider))
    return see(done.next_page) if done.token is None else await visit.enter(done.token, done.next_page)


async def sign_out(visit: Visit, hint: str | None) -> web.Response:
    """Send whoever has signed out here on to the provider, where their session began by it and it has a page for that.

    The page does so by itself: browsers let no form lead to another site that the policy does not name.
    """
    oidc, cookie = visit.oidc, visit.oidc_cookie
    if oidc is None or cookie is None or hint is None:
        return see("/sign-in")
    browser = cookie.read(visit.request) or make_token(visit.random(TOKEN_BYTES))
    try:
        address = await entering.sign_out_url(oidc, hint, browser)
    except TryLater as error:
        log.warning("not_now", why=str(error))
        said = f"You are signed out here. {visit.provider} does not answer: you may be signed in there still."
        return respond(_signed_out(said))
    if address is None:
        return see("/sign-in")
    response = respond(SignedOutPage(address=address, provider=visit.provider))
    cookie.keep(response, browser)
    return response


async def come_back_signed_out(visit: Visit) -> web.Response:
    """Say so to who signed out here, and then at the provider."""
    _, cookie = _configured(visit)
    browser, state = cookie.read(visit.request), visit.request.query.get("state", "")
    if visit.who is not None or not browser or state != entering.state_of_end(browser):
        return see("/" if visit.who is not None else "/sign-in")
    response = respond(_signed_out(f"You are signed out here and at {visit.provider}."))
    cookie.forget(response)
    return response


async def end_sessions(visit: Visit) -> web.Response:
    """End the sessions that the provider says are over. Source: OpenID Connect Back-Channel Logout 1.0, 2.5 to 2.8.

    Where nobody is signed in any more, all is well: a session may have ended here before.
    """
    oidc, _ = _configured(visit)
    form = await visit.form()
    try:
        ended = await entering.end_sessions(oidc, form.get("logout_token", ""))
    except OidcRefused as error:
        log.warning("oidc_logout_refused", why=str(error))
        return web.json_response({"error": "invalid_request"}, status=400, headers=_NOT_KEPT)
    log.info("oidc_logout", ended=ended)
    return web.Response(headers=_NOT_KEPT)


def _signed_out(said: str) -> MessagePage:
    return MessagePage(title="Signed out", text=said, link="/sign-in", link_text="Sign in")


async def unlink(visit: Visit) -> web.Response:
    """Have the provider name nobody in one's place."""
    oidc, _ = _configured(visit)
    try:
        await entering.unlink(oidc, visit.signed_in)
    except TidingsError as error:
        if isinstance(error, TryLater):
            raise
        page = MessagePage(title="Not unlinked", who=visit.signed_in.display_name, text=as_sentence(str(error)))
        return respond(page, 409)
    return see("/sessions")


def _configured(visit: Visit) -> tuple[OidcDoor, TokenCookie]:
    if visit.oidc is None or visit.oidc_cookie is None:
        raise web.HTTPNotFound
    return visit.oidc, visit.oidc_cookie


def _away(visit: Visit, error: TryLater) -> web.Response:
    log.warning("not_now", why=str(error))
    said = f"{visit.provider} does not answer. Sign in with your password, or try again soon"
    response = _refused(visit, said, 503)
    response.headers["retry-after"] = "5"
    return response


def _refused(visit: Visit, said: str, status: int = 403) -> web.Response:
    if visit.who is not None:
        page = MessagePage(title="Not done", who=visit.who.display_name, text=f"{said}.")
        return respond(page, status)
    return respond(sign_in_page(visit, problems=[FieldProblem(_PLACE, said)]), status)
