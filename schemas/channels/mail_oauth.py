"""OAuth 2 for mail servers: what an account writes of it, and the grant that access tokens are asked for with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from schemas.account_fields import base_url
from schemas.channels.mail_providers import TokenEndpoint, provider_at
from schemas.formats.hosts import is_name

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST_TOKEN = 8000
_ANY_TENANT = "common"
_TENANT_MARK = "{tenant}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthFields:
    """The fields of an account that logs in by OAuth 2; with a `refresh_token` somebody has consented, without one the
    application has a right of its own (the client credentials of RFC 6749, 4.4).

    `token_url`, `tenant` and `scope` are by default as the provider of the host has them.
    """

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    token_url: str = ""
    tenant: str = ""
    scope: str = ""

    @property
    def is_used(self) -> bool:
        """True where anything of it is written."""
        return bool(self.client_id or self.client_secret or self.refresh_token)


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to access tokens, and the place that gives them. Neither secret is part of its `repr`."""

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""


def token_url(text: str) -> str:
    """An address that secrets may be sent to. Raises ValueError."""
    if text and not text.startswith("https://") and urlsplit(base_url(text)).hostname not in LOOPBACK:
        raise ValueError("must begin with https://: the secrets of the account are sent there")
    return base_url(text) if text else text


def tenant(text: str) -> str:
    """The directory of an application: an id or a domain. Raises ValueError."""
    if text and not is_name(text):
        raise ValueError("must be the id or a domain of a directory, as in shop.onmicrosoft.com")
    return text


def long_secret(text: str) -> str:
    """A refresh token: some are longer than any password. Raises ValueError."""
    if not text.isprintable() or len(text) > _LONGEST_TOKEN:
        raise ValueError(f"must be one line of at most {_LONGEST_TOKEN} characters that print; it may have a line end")
    return text


def grant_of(host: str, written: OAuthFields) -> Grant | None:
    """The grant of an account at a host; None where it logs in by a password, or not at all."""
    if not written.is_used:
        return None
    endpoint = _endpoint(host)
    url = written.token_url or endpoint.url.replace(_TENANT_MARK, written.tenant or _ANY_TENANT)
    scope = endpoint.scope if written.refresh_token else endpoint.app_scope
    return Grant(url, written.client_id, written.client_secret, written.refresh_token, written.scope or scope)


def oauth_problems(host: str, written: OAuthFields, password: str) -> Mapping[str, str]:
    """All that is wrong with what is written, by field."""
    if not written.is_used:
        unused = [name for name in ("token_url", "tenant", "scope") if getattr(written, name)]
        return dict.fromkeys(unused, "is for a login by OAuth 2, which client_id begins")
    problems = {}
    if password:
        problems["password"] = "must be left out: client_id logs in by OAuth 2"  # noqa: S105 - words
    if not written.client_id:
        problems["client_id"] = "is missing: the token endpoint wants to know whose secret it is"
    if not (written.client_secret or written.refresh_token):
        problems["refresh_token"] = "is missing: client_id alone is no login"  # noqa: S105 - words
    return _problems_of_place(_endpoint(host), written) | problems


def _problems_of_place(endpoint: TokenEndpoint, written: OAuthFields) -> dict[str, str]:
    if not (endpoint.url or written.token_url):
        return {"token_url": "is missing: no token endpoint is known for this host"}
    if not written.refresh_token and not written.token_url:
        if not endpoint.app_scope:
            return {"refresh_token": "is missing: this provider gives no tokens to an application alone"}
        if not written.tenant:
            return {"tenant": "is missing: an application has rights of its own in one directory alone"}
    return {}


def _endpoint(host: str) -> TokenEndpoint:
    provider = provider_at(host)
    return (provider.tokens if provider else None) or TokenEndpoint("")
