"""OAuth 2 of mail accounts: what may be written, and the grant that comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.account import changed_account, read_account
from schemas.channels.email import EmailAccountForm
from schemas.channels.mail_oauth import Grant, grant_of
from schemas.errors import DefinitionInvalid

GMAIL: dict[str, Any] = {
    "host": "smtp.gmail.com", "sender": "a@gmail.com", "username": "a@gmail.com", "client_id": "c",
    "client_secret": "cs", "refresh_token": "rt",
}  # fmt: skip
MICROSOFT = {**GMAIL, "host": "smtp.office365.com"}


def grant(written: dict[str, Any]) -> Grant | None:
    form = read_account("email", written)
    assert isinstance(form, EmailAccountForm)
    return grant_of(form.host, form.oauth)


def without(written: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in written.items() if name not in names}


def test_the_place_is_the_providers_own() -> None:
    google = grant(GMAIL)
    assert google is not None
    assert (google.token_url, google.scope) == ("https://oauth2.googleapis.com/token", "")
    microsoft = grant(MICROSOFT)
    assert microsoft is not None
    assert microsoft.token_url == "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    assert "SMTP.Send" in microsoft.scope
    of_tenant = grant({**MICROSOFT, "tenant": "shop.onmicrosoft.com"})
    assert of_tenant is not None
    assert "/shop.onmicrosoft.com/" in of_tenant.token_url


def test_an_application_alone_has_its_own_scope_and_tenant() -> None:
    found = grant({**without(MICROSOFT, "refresh_token"), "tenant": "t"})
    assert found is not None
    assert (found.refresh_token, found.scope) == ("", "https://outlook.office365.com/.default")


def test_what_is_written_counts() -> None:
    found = grant({**GMAIL, "host": "mail.example", "token_url": "https://t.example/token", "scope": "smtp"})
    assert found == Grant("https://t.example/token", "c", "cs", "rt", "smtp")
    assert grant({"host": "mail.example", "sender": "a@b.example", "username": "u", "password": "p"}) is None


@pytest.mark.parametrize(
    ("written", "field", "said"),
    [
        ({**GMAIL, "password": "p"}, "password", "must be left out"),
        (without(GMAIL, "client_id"), "client_id", "is missing"),
        (without(GMAIL, "client_secret", "refresh_token"), "refresh_token", "client_id alone is no login"),
        (without(GMAIL, "refresh_token"), "refresh_token", "no tokens to an application alone"),
        (without(MICROSOFT, "refresh_token"), "tenant", "is missing"),
        (without(GMAIL, "username"), "username", "is missing"),
        ({**GMAIL, "host": "mail.example"}, "token_url", "no token endpoint is known"),
        ({**GMAIL, "token_url": "http://t.example/token"}, "token_url", "must begin with https://"),
        ({**GMAIL, "token_url": "https://u:p@t.example/token"}, "token_url", "without user, password"),
        ({**GMAIL, "token_url": "file:///etc/passwd"}, "token_url", "must be an address of the web"),
        ({**GMAIL, "tenant": "a/../b"}, "tenant", "must be the id or a domain"),
        ({**GMAIL, "security": "none"}, "security", "must be starttls or tls"),
        ({"host": "h.example", "sender": "a@b.example", "tenant": "t"}, "tenant", "is for a login by OAuth 2"),
    ],
)
def test_what_cannot_be_is_said(written: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read_account("email", written)
    (problem,) = caught.value.problems
    assert (problem.path, said in problem.message) == (field, True), problem


@pytest.mark.parametrize("moved", [{"host": "evil.example"}, {"token_url": "https://evil.example/t"}, {"tenant": "e"}])
def test_secrets_are_written_anew_where_they_would_be_sent_elsewhere(moved: dict[str, str]) -> None:
    before = read_account("email", {**GMAIL, "token_url": "https://t.example/token"})
    with pytest.raises(DefinitionInvalid) as caught:
        changed_account("email", before, moved)
    assert {one.path for one in caught.value.problems} == {"client_secret", "refresh_token"}
