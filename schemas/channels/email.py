"""E-mail: what is planned, where it goes, and its deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from schemas.account_fields import (
    COMMON_FIELDS,
    AccountField,
    AccountForm,
    AccountType,
    line,
    mailbox,
    mailto_address,
    one_of,
    secret,
    truth,
    unsubscribe_url,
    whole,
)
from schemas.channels.plan import Plan
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.formats.hosts import server_host
from schemas.record import Record
from schemas.template import TemplateRef

MailSecurity = Literal["none", "starttls", "tls"]

_LAST_PORT = 65_535
_MOST_CONNECTIONS = 100


class EmailPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="email"):
    """Send by e-mail from one of the configured accounts."""

    channel: ClassVar[ChannelName] = "email"
    account: str
    template: TemplateRef


class EmailAddress(Record, frozen=True, kw_only=True):
    """The addresses and the content of an e-mail."""

    to: str
    name: str | None = None
    template: TemplateRef


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
    sender_name: str = ""
    ssl_cafile: str = ""
    connections: int = 4
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    failover: tuple[str, ...] = ()
    failover_ambiguous: bool = False


def _problems(account: EmailAccountForm) -> Mapping[str, str]:
    if account.password and not account.username:
        return {"username": "is missing: the server wants to know whose password it is"}
    if account.username and not account.password:
        return {"password": "is missing: username alone is no login"}
    if account.password and account.security == "none" and account.host not in ("localhost", "127.0.0.1", "::1"):
        return {"security": "must be starttls or tls: without either the password would cross the network in the clear"}
    return {}


EMAIL_ACCOUNT = AccountType(
    EmailAccountForm,
    (
        AccountField("host", server_host, is_required=True, is_place=True),
        AccountField("sender", mailbox, is_required=True),
        AccountField("port", whole(1, _LAST_PORT), "number"),
        AccountField("security", one_of("none", "starttls", "tls")),
        AccountField("username", line),
        AccountField("password", secret, "secret"),
        AccountField("sender_name", line),
        AccountField("ssl_cafile", line),
        AccountField("connections", whole(1, _MOST_CONNECTIONS), "number"),
        AccountField("unsubscribe_url", unsubscribe_url),
        AccountField("unsubscribe_mailto", mailto_address),
        AccountField("failover", line, "names"),
        AccountField("failover_ambiguous", truth, "truth"),
        *COMMON_FIELDS,
    ),
    _problems,
)
