"""`/`, `/password`, `/sessions` and `/sign-out`: whatever is one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import msgspec
from aiohttp import web

from console.control import sessions as control
from console.control import sign_in
from console.control.sign_in import SignInRefused
from console.web import single_sign_on
from console.web.pages import (
    FieldProblem,
    PasswordPage,
    SessionsPage,
    ShownProject,
    ShownSession,
    StartPage,
    respond,
    see,
)
from console.web.visit import Visit
from schemas.errors import DefinitionInvalid
from store.first_steps import new_projects
from store.sign_ins import MustWait


async def start(visit: Visit) -> web.Response:
    """The user, and the projects that they are in."""
    who = visit.signed_in
    roles = await visit.door.users.roles(who.session.user_id)
    new = await new_projects(visit.pool, list(roles))
    projects = [ShownProject(project_id, role, project_id in new) for project_id, role in sorted(roles.items())]
    return respond(StartPage(who=who.display_name, email=who.email, projects=projects))


async def ask_password(visit: Visit) -> web.Response:
    """The form."""
    return _password(visit)


async def change_password(visit: Visit) -> web.Response:
    """Set one's own password; every other session ends."""
    form, who = await visit.form(), visit.signed_in
    try:
        token = await sign_in.change_password(
            visit.door, who, form.get("current", ""), form.get("password", ""), visit.comer, visit.random
        )
    except DefinitionInvalid as error:
        problems = [FieldProblem("password", f"New password: {one.message}") for one in error.problems]
        return _password(visit, problems, 422)
    except SignInRefused:
        return _password(visit, [FieldProblem("current", "Current password: is not yours")], 422)
    except MustWait as error:
        said = f"Too many attempts failed. Try again in {error.seconds} s"
        response = _password(visit, [FieldProblem("current", said)], 429)
        response.headers["retry-after"] = str(error.seconds)
        return response
    response = see("/sessions")
    visit.cookie.keep(response, token)
    return response


async def sessions(visit: Visit) -> web.Response:
    """The places where one is signed in."""
    who = visit.signed_in
    found = await control.own(visit.door.sessions, who.session.user_id)
    shown = [
        ShownSession(
            one.session_id, one.network, one.agent or "a silent browser", one.began_at, one.used_at,
            one.ends_at, one.session_id == who.session.session_id,
        )
        for one in found
    ]  # fmt: skip
    oidc = visit.oidc
    is_linked = oidc is not None and await oidc.identities.is_linked(who.session.user_id, oidc.provider.settings.issuer)
    page = SessionsPage(who=who.display_name, sessions=shown, provider=visit.provider, is_linked=is_linked)
    return respond(page)


async def list_sessions(visit: Visit) -> web.Response:
    """The same for programs."""
    who = visit.signed_in
    found = await control.own(visit.door.sessions, who.session.user_id)
    items = [{**asdict(one), "is_this": one.session_id == who.session.session_id} for one in found]
    return web.Response(body=msgspec.json.encode({"items": items}), content_type="application/json")


async def end_sessions(visit: Visit) -> web.Response:
    """End one of one's own, or all others."""
    form, session = await visit.form(), visit.signed_in.session
    if "others" in form:
        await control.end_others(visit.door.sessions, session)
    elif form.get("session"):
        await control.end_own(visit.door.sessions, session, form["session"])
    return see("/sessions")


async def sign_out(visit: Visit) -> web.Response:
    """End this session, and have the browser forget it; one that began by a provider is ended there as well."""
    who, sessions = visit.signed_in, visit.door.sessions
    hint = await sessions.provider_hint(who.session.session_id)
    await sign_in.sign_out(sessions, who)
    response = await single_sign_on.sign_out(visit, hint)
    visit.cookie.forget(response)
    return response


def _password(visit: Visit, problems: Sequence[FieldProblem] = (), status: int = 200) -> web.Response:
    who = visit.signed_in
    return respond(PasswordPage(who=who.display_name, email=who.email, problems=list(problems)), status)
