"""Pages: each with what makes it readable to everybody, and nothing that somebody typed as markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import minijinja
import pytest

from console.web import pages
from console.web.pages import (
    PAGES,
    FieldProblem,
    MessagePage,
    Page,
    PasskeysPage,
    PasswordPage,
    SessionsPage,
    ShownPasskey,
    ShownProject,
    ShownSession,
    SignedOutPage,
    SignInPage,
    StartPage,
    WelcomePage,
    respond,
)

EVIL = '"><script>alert(1)</script>&'
NOW = datetime(2026, 11, 29, 10, tzinfo=UTC)
WRONG = [FieldProblem("password", f"Password: {EVIL}")]


def session(is_this: bool) -> ShownSession:
    return ShownSession(EVIL, EVIL, EVIL, NOW, NOW, NOW, is_this)


def passkey(used_at: datetime | None) -> ShownPasskey:
    return ShownPasskey(EVIL, EVIL, used_at is None, NOW, used_at)


_SCRIPT = re.compile(r'<script src="&#x2f;static&#x2f;\w+\.[0-9a-f]{16}\.js" defer></script>')


EXAMPLES: tuple[Page, ...] = (
    MessagePage(title="Refused", text=EVIL),
    SignedOutPage(address=f"https://login.example/out?x={EVIL}", provider=EVIL),
    SignInPage(),
    SignInPage(email=EVIL, problems=WRONG),
    SignInPage(provider=EVIL, problems=[FieldProblem("provider", EVIL)]),
    WelcomePage(title="Welcome", needs="everything", text=EVIL, button="Begin", email=EVIL, name=EVIL, problems=WRONG),
    WelcomePage(title="Welcome", needs="new_password", text=EVIL, button="Accept", email=EVIL),
    WelcomePage(title="Welcome", needs="own_password", text=EVIL, button="Accept", email=EVIL, problems=WRONG),
    WelcomePage(title="Welcome", needs="provider", text=EVIL, button="", email=EVIL, provider=EVIL),
    WelcomePage(title="Welcome", needs="new_password", text=EVIL, button="Accept", email=EVIL, provider=EVIL),
    PasswordPage(who=EVIL, email=EVIL, problems=[FieldProblem("current", EVIL), *WRONG]),
    SessionsPage(who=EVIL, sessions=[session(True), session(False)]),
    SessionsPage(who=EVIL, sessions=[session(True)]),
    SessionsPage(who=EVIL, sessions=[session(True)], provider=EVIL),
    SessionsPage(who=EVIL, sessions=[session(True)], provider=EVIL, is_linked=True),
    SignInPage(has_passkeys=True, next_page="/sessions", problems=[FieldProblem("passkey", EVIL)]),
    PasskeysPage(who=EVIL, passkeys=[passkey(None), passkey(NOW)], name=EVIL, did=EVIL),
    PasskeysPage(who=EVIL, passkeys=[], has_password=False, problems=[FieldProblem("passkey", EVIL)]),
    PasskeysPage(who=EVIL, passkeys=[], is_offered=False),
    StartPage(who=EVIL, email=EVIL, projects=[ShownProject(EVIL, "admin")]),
    StartPage(who=EVIL, email=EVIL, projects=[ShownProject(EVIL, "admin", is_new=True)]),
    StartPage(who=EVIL, email=EVIL, projects=[]),
)


def test_every_page_has_an_example() -> None:
    assert {type(one) for one in EXAMPLES} == set(PAGES)


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda one: f"{type(one).__name__}-{len(one.problems)}")
def test_a_page_is_readable_to_everybody_and_shows_nothing_as_markup(page: Page) -> None:
    text = respond(page).text or ""
    assert "<script" not in _SCRIPT.sub("", text)
    assert not re.search(r"\son\w+=|style=|javascript:", text)
    assert re.findall(r"<html lang=\"(\w+)\">", text) == ["en"]
    assert len(re.findall(r"<h1>", text)) == len(re.findall(r"<title>.+</title>", text)) == 1
    assert len(re.findall(r"<main ", text)) == 1
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for name in re.findall(r'<input id="(\w+)"', text):
        assert f'<label for="{name}">' in text
    for named in re.findall(r'aria-describedby="([^"]+)"', text):
        assert set(named.split()) <= set(ids)
    for target in re.findall(r'href="#([^"]+)"', text):
        assert target in ids
    assert re.findall(r"<button[^>]*></button>", text) == []
    assert (">Error: " in text) is bool(page.problems)
    for problem in page.problems:
        assert f'<li><a href="#{problem.field}">' in text
        assert f'<p class="error" id="{problem.field}-error">' in text


def test_a_template_that_asks_for_what_is_not_there_fails() -> None:
    with pytest.raises(minijinja.TemplateError):
        pages._ENVIRONMENT.render_template("start.html", title="x", who=None, here="", problems=())


def test_a_page_lets_a_browser_load_nothing_from_elsewhere() -> None:
    first, second = respond(SignInPage()), respond(SignInPage())
    policy = first.headers["content-security-policy"]
    assert re.sub(r"nonce-[\w-]{22}", "nonce-…", policy) == (
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-…'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert policy != second.headers["content-security-policy"]
