"""Senders of messages as receivers and customers know them: signatures, mailboxes, the brand, addresses of codes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from deploy.secret import Secret
from schemas.account import read_account
from schemas.account_fields import LONGEST_HEADER_URL, signing_key
from schemas.brand import FONTS
from schemas.channels.email import MailSecurity
from schemas.domain_limits import parse_domain_limits
from schemas.errors import CannotStart, DefinitionInvalid, Problem
from schemas.failover import failover_problems
from schemas.formats.mail_address import mail_address
from schemas.limit import MOST_AT_ONCE, written_limit
from schemas.notice import Notice, NoticeAddresses
from schemas.project import COLOR, CURRENCY, LANGUAGE_TAG

SHORTEST_SECRET = 16
"""In characters, of a secret that signs what customers can see."""

_STOP_THE_START = (
    "sender", "unsubscribe_mailto", "callback_secrets", "dkim_domain", "dkim_selector", "dkim_private_key"
)  # fmt: skip
_SOCIAL = ("facebook_url", "instagram_url", "linkedin_url", "tiktok_url", "x_url", "youtube_url")
_OPTIONAL = ("preferences_url", "locale", "shop_url", "color", "letters_color", "font", "currency", *_SOCIAL)
_WEB = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Signatures by which receivers know us. `secrets` sign by Standard Webhooks, all at once while rotating.

    `callback_secrets` prove what is reported back; each of them does.
    """

    secrets: tuple[Secret, ...] = ()
    legacy_secret: Secret = Secret("")
    callback_secrets: tuple[Secret, ...] = ()
    rate: str = ""
    concurrency: int = 0

    def check(self) -> None:
        """Raises CannotStart for a secret that proves nothing, and for a limit of endpoints that cannot be read."""
        check_signing(self.callback_secrets, "webhook.callback_secrets")
        _check_limit("webhook", self.rate, self.concurrency)


def check_signing(secrets: Iterable[Secret], path: str) -> None:
    """Raises CannotStart naming the secret that is not as Standard Webhooks has it."""
    for index, secret in enumerate(secrets):
        try:
            signing_key(secret.reveal())
        except ValueError as error:
            raise CannotStart(f"{path}[{index}]: {error}") from None


@dataclass(frozen=True, slots=True)
class Console:
    """The console's own address, and those of pictures of codes. Port 0 takes a free one.

    `public_url` is how customers reach it, and needs `secrets`: the first signs addresses, all prove them. Without
    `public_url` no message carries such an address.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str = ""
    secrets: tuple[Secret, ...] = ()

    def check(self) -> None:
        """Raises CannotStart for an address that no browser opens, and for secrets that lack or can be guessed."""
        if self.public_url and not self.public_url.startswith(_WEB):
            raise CannotStart("console.public_url must begin with https:// or http://")
        if self.public_url and not self.secrets:
            raise CannotStart(
                "console.secrets is empty: console.public_url needs one that signs the addresses below it"
            )
        for index, secret in enumerate(self.secrets):
            if len(secret.reveal()) < SHORTEST_SECRET:
                raise CannotStart(f"console.secrets[{index}] must be at least {SHORTEST_SECRET} random characters")


@dataclass(frozen=True, slots=True)
class Api:
    """The API's own address, for whoever has a key; port 0 takes a free one.

    `requests_a_minute` is what each key may ask of each process, `import_max_bytes` bounds a file that is handed in.
    """

    host: str = "127.0.0.1"
    port: int = 0
    requests_a_minute: int = 600
    import_max_bytes: int = 64 * 1024 * 1024

    def check(self) -> None:
        """Raises CannotStart for a limit that nobody can keep, and for a port that there is not."""
        if not self.requests_a_minute:
            raise CannotStart("api.requests_a_minute must be at least 1")
        if self.import_max_bytes < 1:
            raise CannotStart("api.import_max_bytes must be at least 1")
        if self.port > 65_535:
            raise CannotStart(f"api.port must be at most {65_535}, or 0 for a free one")


@dataclass(frozen=True, slots=True)
class EmailAccountSettings:
    """One mailbox to send from; `failover` names others that do it while this one takes nothing."""

    host: str
    sender: str
    port: int = 587
    security: MailSecurity = "starttls"
    username: str = ""
    password: Secret = Secret("")
    client_id: str = ""
    client_secret: Secret = Secret("")
    refresh_token: Secret = Secret("")
    token_url: str = ""
    tenant: str = ""
    scope: str = ""
    sender_name: str = ""
    ssl_cafile: str = ""
    connections: int = 4
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    dkim_domain: str = ""
    dkim_selector: str = ""
    dkim_private_key: Secret = Secret("")
    failover: tuple[str, ...] = ()
    failover_ambiguous: bool = False
    domain_limits: str = ""
    callback_secrets: tuple[Secret, ...] = ()
    rate: str = ""
    concurrency: int = 0

    @property
    def written(self) -> dict[str, object]:
        """Its fields as accounts are described everywhere, what is secret among them."""
        return {one.name: _revealed(getattr(self, one.name)) for one in fields(self)}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that `tidings accounts add` would refuse."""
        try:
            read_account("email", self.written)
        except DefinitionInvalid as error:
            return error.problems
        return ()

    def check(self, name: str) -> None:
        """Raises CannotStart for an address that mail can neither come from nor go to, or that fits on no line,
        and for a key that cannot sign.

        Whatever else is wrong is said by the log and by `tidings doctor`: settings that did start go on starting.
        """
        _check_limit(f"email_accounts.{name}", self.rate, self.concurrency)
        try:
            parse_domain_limits(self.domain_limits)
        except ValueError as error:
            raise CannotStart(f"email_accounts.{name}.domain_limits: {error}") from error
        is_too_long = len(self.unsubscribe_url) > LONGEST_HEADER_URL
        for problem in self.problems:
            if problem.path in _STOP_THE_START or (problem.path == "unsubscribe_url" and is_too_long):
                raise CannotStart(f"email_accounts.{name}.{problem.path} {problem.message}")


def _revealed(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(_revealed, value))
    return value.reveal() if isinstance(value, Secret) else value


def _check_limit(path: str, rate: str, concurrency: int) -> None:
    try:
        written_limit(rate, concurrency)
    except ValueError as error:
        raise CannotStart(f"{path}.rate: {error}") from error
    if concurrency > MOST_AT_ONCE:
        raise CannotStart(f"{path}.concurrency must be at most {MOST_AT_ONCE}, or 0 where nothing bounds it")


def check_failover(accounts: Mapping[str, EmailAccountSettings]) -> None:
    """Raises CannotStart for an order of accounts that cannot be."""
    for name, problem in failover_problems({name: one.failover for name, one in accounts.items()}).items():
        raise CannotStart(f"email_accounts.{name}.failover {problem}")


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """Addresses that hear what waits for a person: `emails`, by the e-mail account named `account`, and a `webhook`."""

    emails: tuple[str, ...] = ()
    account: str = ""
    webhook: str = ""

    def check(self, accounts: Collection[str]) -> None:
        """Raises CannotStart for what no mail and no POST can reach, or no account is there for."""
        for index, address in enumerate(self.emails):
            try:
                mail_address(address)
            except ValueError as error:
                raise CannotStart(
                    f"notices.emails[{index}] must be an address such as ops@shop.example: {error}"
                ) from error
        if self.emails and self.account not in accounts:
            known = ", ".join(sorted(accounts)) or "none"
            raise CannotStart(
                f'notices.account "{self.account}" must be one of the email_accounts: {known}; notices.emails needs it'
            )
        if self.webhook and not self.webhook.startswith(_WEB):
            raise CannotStart("notices.webhook must begin with https:// or http://")
        if self.webhook and not _has_host(self.webhook):
            raise CannotStart("notices.webhook must name a host, as in https://ops.shop.example/notices")

    def ways(self, notice: Notice) -> tuple[str, ...]:
        """The ways in which owners are told of a notice of a project that names nobody."""
        known = NoticeAddresses(emails=list(self.emails), account=self.account, webhook=self.webhook)
        return known.ways(notice.state)


@dataclass(frozen=True, slots=True)
class Brand:
    """The sender as customers see it: in the footer of every e-mail, and complete before one can be sent.

    `locale` is the language of templates' default variants, as in pl or pl-PL; empty is English. Buttons are of
    `color` and lead to `shop_url`, with letters of `letters_color`, else of black or white, whichever can be read;
    `currency` (ISO 4217) is that of the amounts in events, which do not say it.
    """

    name: str = ""
    address: str = ""
    contact: str = ""
    privacy_url: str = ""
    terms_url: str = ""
    logo_url: str = ""
    permission_reminder: str = ""
    preferences_url: str = ""
    locale: str = ""
    shop_url: str = ""
    color: str = ""
    letters_color: str = ""
    font: str = ""
    currency: str = ""
    facebook_url: str = ""
    instagram_url: str = ""
    linkedin_url: str = ""
    tiktok_url: str = ""
    x_url: str = ""
    youtube_url: str = ""

    def missing(self) -> tuple[str, ...]:
        """The keys that e-mail needs and that are empty."""
        return tuple(key.name for key in fields(self) if key.name not in _OPTIONAL and not getattr(self, key.name))

    def check(self) -> None:
        """Raises CannotStart for what is not an address of the web, a language tag, a colour or a currency."""
        for key in ("privacy_url", "terms_url", "logo_url", "preferences_url", "shop_url", *_SOCIAL):
            url = getattr(self, key)
            if url and not url.startswith(_WEB):
                raise CannotStart(f"brand.{key} must be an address such as https://shop.example.com/page, not {url!r}")
        if self.locale and not re.fullmatch(LANGUAGE_TAG, self.locale):
            raise CannotStart(f"brand.locale must be a language tag such as pl or pl-PL, not {self.locale!r}")
        for key in ("color", "letters_color"):
            color = getattr(self, key)
            if color and not re.fullmatch(COLOR, color):
                raise CannotStart(f"brand.{key} must be a color such as #1d4ed8, not {color!r}")
        if self.font and not re.fullmatch(FONTS, self.font):
            raise CannotStart(f"brand.font must be names of fonts such as Georgia, serif, not {self.font!r}")
        if self.currency and not re.fullmatch(CURRENCY, self.currency):
            raise CannotStart(f"brand.currency must be a currency of ISO 4217 such as EUR, not {self.currency!r}")


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:  # brackets of IPv6 that are not closed
        return False
