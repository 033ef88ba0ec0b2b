"""Pages: each is one frozen record, and the template of its name; what a template asks for and is not there fails."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import minijinja
from aiohttp import web

from console.web.static_files import PATHS
from console.web.words import FILTERS
from schemas.formats.passwords import LONGEST, SHORTEST

_HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _machine_moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds")


_ENVIRONMENT = minijinja.Environment(
    templates={file.name: file.read_text(encoding="utf-8") for file in (_HERE / "templates").glob("*.html")},
    undefined_behavior="strict",
    auto_escape_callback=lambda _: "html",
    filters={"moment": _moment, "machine_moment": _machine_moment, **FILTERS},
    globals={"static": PATHS, "shortest": SHORTEST, "longest": LONGEST},
)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A field of a form that is wrong: the id of its input, and why."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The parts that every page has: `who` is signed in, `here` is its place in the navigation."""

    template: ClassVar[str]
    title: str
    who: str | None = None
    here: str = ""
    problems: Sequence[FieldProblem] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage(Page):
    """A sentence, and the way on."""

    template: ClassVar[str] = "message.html"
    text: str
    link: str = "/"
    link_text: str = "Go to the start page"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOutPage(Page):
    """Whoever has signed out here goes on to their provider, at once."""

    template: ClassVar[str] = "signed_out.html"
    title: str = "Signed out"
    address: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage(Page):
    """The address and the password, and what else there is; `next_page` is where one goes on to."""

    template: ClassVar[str] = "sign_in.html"
    title: str = "Sign in"
    email: str = ""
    provider: str = ""
    has_passkeys: bool = False
    next_page: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class WelcomePage(Page):
    """Whoever comes by a link: asks for what `needs` says; with `provider` one may come by that instead."""

    template: ClassVar[str] = "welcome.html"
    needs: str
    text: str
    button: str
    email: str = ""
    name: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPage(Page):
    """One's own password, set anew."""

    template: ClassVar[str] = "password.html"
    title: str = "Change your password"
    here: str = "/password"
    email: str


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session in the list of one's own."""

    session_id: str
    network: str
    agent: str
    began_at: datetime
    used_at: datetime
    ends_at: datetime
    is_this: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsPage(Page):
    """The places where one is signed in."""

    template: ClassVar[str] = "sessions.html"
    title: str = "Your sessions"
    here: str = "/sessions"
    sessions: Sequence[ShownSession]
    provider: str = ""
    is_linked: bool = False


@dataclass(frozen=True, slots=True)
class ShownPasskey:
    """A passkey in the list of one's own."""

    passkey_id: str
    name: str
    is_synced: bool
    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeysPage(Page):
    """One's own passkeys, and a form for another one, of which `name` is suggested."""

    template: ClassVar[str] = "passkeys.html"
    title: str = "Your passkeys"
    here: str = "/passkeys"
    passkeys: Sequence[ShownPasskey]
    is_offered: bool = True
    has_password: bool = True
    name: str = ""
    did: str = ""


@dataclass(frozen=True, slots=True)
class ShownProject:
    """A project that one is in; a new one has not sent a message yet."""

    project_id: str
    role: str
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPage(Page):
    """The user, and the projects that they are in."""

    template: ClassVar[str] = "start.html"
    title: str = "Start"
    here: str = "/"
    email: str
    projects: Sequence[ShownProject]


PAGES: tuple[type[Page], ...] = (
    MessagePage, SignedOutPage, SignInPage, WelcomePage, PasswordPage, SessionsPage, PasskeysPage, StartPage,
)  # fmt: skip


def render(template: str, **values: Any) -> str:
    """A template that is not a page of its own."""
    return _ENVIRONMENT.render_template(template, **values)


def respond(page: Page, status: int = 200, policy: str = _POLICY) -> web.Response:
    """A page as an answer, with what a browser may do on it."""
    values = {one.name: getattr(page, one.name) for one in fields(page)}
    body = render(page.template, **values)
    headers = {
        "content-security-policy": policy.format(nonce=secrets.token_urlsafe(16)),
        "referrer-policy": "same-origin",  # with none at all, older browsers would send forms without their origin
        "x-robots-tag": "noindex",
    }
    return web.Response(status=status, text=body, content_type="text/html", headers=headers)


def see(path: str) -> web.Response:
    """Send a browser on to another page, which it gets."""
    return web.Response(status=303, headers={"location": path})
