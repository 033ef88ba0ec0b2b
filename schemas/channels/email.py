"""E-mail: what is planned, where it goes, and its deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal

from schemas.account_fields import (
    COMMON_FIELDS,
    AccountField,
    AccountForm,
    AccountType,
    choice,
    line,
    mailbox,
    mailto_address,
    secret,
    switch,
    unsubscribe_url,
    whole,
)
from schemas.channels.dkim import DkimFields, dkim_domain, dkim_private_key, dkim_problems, dkim_selector
from schemas.channels.mail_oauth import LOOPBACK, OAuthFields, long_secret, oauth_problems, tenant, token_url
from schemas.channels.plan import Plan
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.domain_limits import domain_limits_text
from schemas.formats.hosts import server_host
from schemas.record import Record
from schemas.template import TemplateRef

MailSecurity = Literal["none", "starttls", "tls"]
_SECURITY: Mapping[MailSecurity, str] = {
    "none": "no encryption: without a login, or to a server on this machine",
    "starttls": "STARTTLS: encrypted before anything is said, as on port 587",
    "tls": "TLS from the beginning, as on port 465",
}

_LAST_PORT = 65_535
_MOST_CONNECTIONS = 100


class AttachedUrl(Record, frozen=True, kw_only=True):
    """A file that an e-mail brings along: templates of its address, and of its name where the address has none."""

    url: str
    name: str | None = None


class EmailPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="email"):
    """Send by e-mail from one of the configured accounts."""

    channel: ClassVar[ChannelName] = "email"
    account: str
    template: TemplateRef
    sender_name: str | None = None
    reply_to: str | None = None
    link_parameters: dict[str, str] = {}
    attachments: list[AttachedUrl] = []


class EmailAddress(Record, frozen=True, kw_only=True):
    """The addresses and the content of an e-mail.

    `sender_name` stands instead of the account's; `link_parameters` are added to the links of the message.
    `attachments` are fetched at each attempt.
    """

    to: str
    name: str | None = None
    template: TemplateRef
    sender_name: str | None = None
    reply_to: str | None = None
    link_parameters: dict[str, str] = {}
    attachments: list[AttachedUrl] = []


class EmailDelivery(Delivery, frozen=True, kw_only=True):
    """A record of `deliveries.email`."""

    channel: ClassVar[ChannelName] = "email"
    email: EmailAddress

    @property
    def template(self) -> TemplateRef:
        """The stored template that it is made of."""
        return self.email.template

    @property
    def reaches(self) -> str:
        """The mailbox."""
        return self.email.to

    def redacted_address(self) -> EmailAddress:
        """Only which template it was."""
        return EmailAddress(to="", template=self.email.template)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailAccountForm(AccountForm):
    """A mailbox to send from; `failover` names others that do it while this one takes nothing."""

    host: str
    sender: str
    port: int = 587
    security: MailSecurity = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
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
    dkim_private_key: str = field(default="", repr=False)
    failover: tuple[str, ...] = ()
    failover_ambiguous: bool = False
    domain_limits: str = ""

    @property
    def oauth(self) -> OAuthFields:
        """The fields of a login by OAuth 2."""
        return OAuthFields(**{one.name: getattr(self, one.name) for one in fields(OAuthFields)})

    @property
    def dkim(self) -> DkimFields:
        """The fields by which its mail is signed."""
        return DkimFields(**{one.name: getattr(self, one.name) for one in fields(DkimFields)})


def _problems(account: EmailAccountForm) -> Mapping[str, str]:
    return {**_login_problems(account), **dkim_problems(account.dkim)}


def _login_problems(account: EmailAccountForm) -> Mapping[str, str]:
    has_login = bool(account.password) or account.oauth.is_used
    if has_login and not account.username:
        return {"username": "is missing: the server wants to know whose password it is"}
    if account.username and not has_login:
        return {"password": "is missing: username alone is no login"}
    if has_login and account.security == "none" and account.host not in LOOPBACK:
        return {"security": "must be starttls or tls: without either the password would cross the network in the clear"}
    return oauth_problems(account.host, account.oauth, account.password)


EMAIL_ACCOUNT = AccountType(
    EmailAccountForm,
    (
        AccountField("host", server_host, is_required=True, is_place=True),
        AccountField("sender", mailbox, is_required=True),
        AccountField("port", whole(1, _LAST_PORT), "number"),
        choice("security", _SECURITY),
        AccountField("username", line),
        AccountField("password", secret, "secret"),
        AccountField("client_id", line),
        AccountField("client_secret", secret, "secret"),
        AccountField("refresh_token", long_secret, "secret"),
        AccountField("token_url", token_url, is_place=True),
        AccountField("tenant", tenant, is_place=True),
        AccountField("scope", line),
        AccountField("sender_name", line),
        AccountField("ssl_cafile", line),
        AccountField("connections", whole(1, _MOST_CONNECTIONS), "number"),
        AccountField("unsubscribe_url", unsubscribe_url),
        AccountField("unsubscribe_mailto", mailto_address),
        AccountField("dkim_domain", dkim_domain),
        AccountField("dkim_selector", dkim_selector),
        AccountField("dkim_private_key", dkim_private_key, "secret", stays_here=True),
        AccountField("failover", line, "names"),
        switch(
            "failover_ambiguous",
            "another account sends even what may have gone out already: it may arrive twice",
            "another account sends only what has certainly not gone out",
        ),
        AccountField("domain_limits", domain_limits_text),
        *COMMON_FIELDS,
    ),
    _problems,
)
