"""Mailboxes that reports come back to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from deploy.secret import Secret
from schemas.channels.email import MailSecurity
from schemas.channels.mail_oauth import OAuthFields, oauth_problems, tenant, token_url
from schemas.channels.mail_providers import preset_of
from schemas.errors import CannotStart
from schemas.formats.mail_address import mail_address

_HIGHEST_PORT = 65_535
_LONGEST_NAME = 200
_PORT = 993
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """One mailbox, read over IMAP. What is in `folder` has still to be taken, and is moved to the others afterwards.

    Accounts whose `unsubscribe_mailto` is `address` are left by a mail to it. Without a `host`, the server of the
    `username`'s domain is read, where its provider is known.
    """

    host: str = ""
    username: str = ""
    password: Secret = Secret("")
    client_id: str = ""
    client_secret: Secret = Secret("")
    refresh_token: Secret = Secret("")
    token_url: str = ""
    tenant: str = ""
    scope: str = ""
    port: int = _PORT
    security: MailSecurity = "tls"
    ssl_cafile: str = ""
    folder: str = "INBOX"
    taken_folder: str = "Tidings-taken"
    other_folder: str = "Tidings-other"
    address: str = ""
    every: timedelta = timedelta(minutes=1)
    timeout: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        found = None if self.host else preset_of(self.username.rpartition("@")[2])
        if found is not None:
            provider = found.provider
            object.__setattr__(self, "host", provider.reads)
            if (self.port, self.security) == (_PORT, "tls"):  # else both are as somebody wrote them
                object.__setattr__(self, "port", provider.reads_port)
                object.__setattr__(self, "security", provider.reads_security)

    @property
    def oauth(self) -> OAuthFields:
        """The fields of a login by OAuth 2."""
        return OAuthFields(
            client_id=self.client_id,
            client_secret=self.client_secret.reveal(),
            refresh_token=self.refresh_token.reveal(),
            token_url=self.token_url,
            tenant=self.tenant,
            scope=self.scope,
        )

    def check(self, name: str) -> None:
        """Raises CannotStart for what no server takes, and for a password that would cross the network in the clear."""
        at = f"mailboxes.{name}"
        if not self.host:
            raise CannotStart(f"{at}.host is missing, and no preset fits {self.username!r}: write its IMAP server")
        if not 0 < self.port <= _HIGHEST_PORT:
            raise CannotStart(f"{at}.port must be a port from 1 to {_HIGHEST_PORT}, not {self.port}")
        if self.security == "none" and self.host not in _LOOPBACK:
            raise CannotStart(
                f"{at}.security must be starttls or tls: without either the password would cross the network in the"
                " clear"
            )
        if not self.username or not self.username.isprintable():
            raise CannotStart(f"{at}.username must be one line, and not empty")
        if not self.password.reveal().isprintable():
            raise CannotStart(f"{at}.password must be one line of characters that print")
        self._check_oauth(at)
        self._check_address(at)
        for key in ("folder", "taken_folder", "other_folder"):
            _check_folder(getattr(self, key), f"{at}.{key}")
        if len({self.folder, self.taken_folder, self.other_folder}) < 3:
            raise CannotStart(f"{at}: folder, taken_folder and other_folder must be three")
        for key in ("every", "timeout"):
            if getattr(self, key) < timedelta(seconds=1):
                raise CannotStart(f"{at}.{key} must be at least 1s")

    def _check_address(self, at: str) -> None:
        try:
            if self.address:
                mail_address(self.address)
        except ValueError as error:
            raise CannotStart(f"{at}.address must be an address such as leave@shop.example: {error}") from None

    def _check_oauth(self, at: str) -> None:
        for key, read in (("token_url", token_url), ("tenant", tenant)):
            try:
                read(getattr(self, key))
            except ValueError as error:
                raise CannotStart(f"{at}.{key} {error}") from None
        for key, why in oauth_problems(self.host, self.oauth, self.password.reveal()).items():
            raise CannotStart(f"{at}.{key} {why}")


def _check_folder(name: str, path: str) -> None:
    is_sound = name.isascii() and name.isprintable() and name == name.strip() and not set(name) & set("*%")
    if not is_sound or not 0 < len(name) <= _LONGEST_NAME:
        raise CannotStart(f"{path} must be a name in ASCII of at most {_LONGEST_NAME} characters, without * and %")
