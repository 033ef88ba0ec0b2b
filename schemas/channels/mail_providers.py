"""Providers of mailboxes: the servers to send through and to read from, by the domain of an address.

A domain that is not in the table is often run by one that is: then the names of its mail exchangers (MX) say by which.
Facts are those that each provider published by autumn 2025, on the page of `source`. `rate` is the published limit of
messages where there is one number for all; what differs by plan or grows with an account's age is left to its owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """The place that gives access tokens; `{tenant}` in `url` is the directory of the application."""

    url: str
    scope: str = ""
    app_scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProvider:
    """One provider. `mx` is a pattern of the whole name of a mail exchanger; its groups fill in `host`.

    `wants` says what its login takes that a person would not guess. `is_login`: whether one logs in by the address.
    """

    name: str
    host: str
    source: str
    wants: str = ""
    domains: tuple[str, ...] = ()
    mx: str = ""
    port: int = 587
    security: Literal["starttls", "tls"] = "starttls"
    reads: str = ""
    reads_port: int = 993
    reads_security: Literal["starttls", "tls"] = "tls"
    rate: str = ""
    connections: int = 0
    tokens: TokenEndpoint | None = None
    is_login: bool = True


_GOOGLE = TokenEndpoint("https://oauth2.googleapis.com/token")
"""A refresh token keeps the scope that it was granted for: https://mail.google.com/."""
_MICROSOFT = TokenEndpoint(
    "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
    scope="https://outlook.office.com/SMTP.Send https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    app_scope="https://outlook.office365.com/.default",
)
_APP_PASSWORD = "a password made for applications, not that of the account"  # noqa: S105 - words

PROVIDERS: tuple[MailProvider, ...] = (
    MailProvider(
        name="Gmail", host="smtp.gmail.com", reads="imap.gmail.com", rate="500/d", tokens=_GOOGLE,
        domains=("gmail.com", "googlemail.com"),
        wants="an app password (myaccount.google.com/apppasswords, with 2-step verification on) or OAuth 2",
        source="support.google.com/mail/answer/7126229, /22839",
    ),
    MailProvider(
        name="Google Workspace", host="smtp.gmail.com", reads="imap.gmail.com", rate="2000/d", tokens=_GOOGLE,
        mx=r"(?:.+\.)?(?:google|googlemail)\.com",
        wants="an app password (with 2-step verification on) or OAuth 2",
        source="support.google.com/a/answer/176600, /166852",
    ),
    MailProvider(
        name="Outlook.com", host="smtp-mail.outlook.com", reads="outlook.office365.com", tokens=_MICROSOFT,
        domains=("outlook.com", "outlook.de", "outlook.fr", "outlook.jp", "hotmail.com", "hotmail.co.uk", "hotmail.de",
                 "hotmail.fr", "hotmail.it", "hotmail.es", "live.com", "live.co.uk", "live.de", "live.fr", "msn.com"),
        wants="OAuth 2; passwords are not taken since September 2024",
        source="support.microsoft.com: POP, IMAP, and SMTP settings for Outlook.com",
    ),
    MailProvider(
        name="Microsoft 365", host="smtp.office365.com", reads="outlook.office365.com", tokens=_MICROSOFT,
        rate="30/m", connections=3,
        mx=r".+\.(?:mail\.protection\.outlook\.com|mx\.microsoft)",
        wants="OAuth 2, and SMTP AUTH switched on for the mailbox (Set-CASMailbox -SmtpClientAuthenticationDisabled"
        " $false)",
        source="learn.microsoft.com: authenticated client SMTP submission; Exchange Online limits",
    ),
    MailProvider(
        name="Yahoo", host="smtp.mail.yahoo.com", port=465, security="tls", reads="imap.mail.yahoo.com", rate="500/d",
        domains=("yahoo.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "yahoo.it", "yahoo.es", "yahoo.ca", "yahoo.in",
                 "yahoo.co.in", "yahoo.com.br", "yahoo.com.au", "ymail.com", "rocketmail.com"),
        mx=r".+\.yahoodns\.net", wants=_APP_PASSWORD, source="help.yahoo.com/kb/SLN4075, SLN15241",
    ),
    MailProvider(
        name="AOL", host="smtp.aol.com", port=465, security="tls", reads="imap.aol.com", domains=("aol.com",),
        wants=_APP_PASSWORD, source="help.aol.com: POP and IMAP settings",
    ),
    MailProvider(
        name="iCloud", host="smtp.mail.me.com", reads="imap.mail.me.com", rate="1000/d",
        domains=("icloud.com", "me.com", "mac.com"), mx=r".+\.mail\.icloud\.com",
        wants="an app-specific password (account.apple.com)",
        source="support.apple.com/102525, /102198",
    ),
    MailProvider(
        name="Fastmail", host="smtp.fastmail.com", port=465, security="tls", reads="imap.fastmail.com",
        domains=("fastmail.com", "fastmail.fm"), mx=r".+\.messagingengine\.com", wants=_APP_PASSWORD,
        source="fastmail.help: server names and ports",
    ),
    MailProvider(
        name="Zoho", host="smtp.zoho.com", port=465, security="tls", reads="imap.zoho.com",
        domains=("zoho.com", "zohomail.com"), wants=_APP_PASSWORD, source="zoho.com/mail/help/zoho-smtp.html",
    ),
    MailProvider(
        name="Zoho (EU)", host="smtp.zoho.eu", port=465, security="tls", reads="imap.zoho.eu",
        domains=("zoho.eu", "zohomail.eu"), wants=_APP_PASSWORD, source="zoho.com/mail/help/zoho-smtp.html",
    ),
    MailProvider(
        name="Zoho (India)", host="smtp.zoho.in", port=465, security="tls", reads="imap.zoho.in",
        domains=("zoho.in", "zohomail.in"), wants=_APP_PASSWORD, source="zoho.com/mail/help/zoho-smtp.html",
    ),
    MailProvider(
        name="Zoho for organizations", host="smtppro.zoho.{0}", port=465, security="tls", reads="imappro.zoho.{0}",
        mx=r"(?:mx\d*|smtpin\d*)\.zoho\.(com|eu|in|jp|com\.au)", wants=_APP_PASSWORD,
        source="zoho.com/mail/help/zoho-smtp.html",
    ),
    MailProvider(
        name="GMX", host="mail.gmx.net", reads="imap.gmx.net", domains=("gmx.net", "gmx.de", "gmx.at", "gmx.ch"),
        wants="POP3/IMAP switched on in its settings", source="hilfe.gmx.net: IMAP-Serverdaten",
    ),
    MailProvider(
        name="GMX.com", host="mail.gmx.com", reads="imap.gmx.com", domains=("gmx.com", "gmx.co.uk", "gmx.us"),
        wants="POP3/IMAP switched on in its settings", source="support.gmx.com: IMAP server data",
    ),
    MailProvider(
        name="WEB.DE", host="smtp.web.de", reads="imap.web.de", domains=("web.de",),
        wants="POP3/IMAP switched on in its settings", source="hilfe.web.de: IMAP-Serverdaten",
    ),
    MailProvider(
        name="mail.com", host="smtp.mail.com", reads="imap.mail.com", domains=("mail.com",),
        wants="POP3/IMAP switched on in its settings", source="support.mail.com: IMAP server data",
    ),
    MailProvider(
        name="Proton Mail Bridge", host="127.0.0.1", port=1025, reads="127.0.0.1",
        reads_port=1143, reads_security="starttls", domains=("proton.me", "protonmail.com", "pm.me"),
        wants="Bridge running on this machine, the password that it shows, and its certificate in ssl_cafile",
        source="proton.me/support/bridge",
    ),
    MailProvider(
        name="Proton Mail", host="smtp.protonmail.ch", mx=r".+\.protonmail\.ch",
        wants="an SMTP token of this address (Settings, IMAP/SMTP)", source="proton.me/support/smtp-submission",
    ),
    MailProvider(
        name="Amazon SES", host="email-smtp.{0}.amazonaws.com", mx=r"inbound-smtp\.([a-z0-9-]+)\.amazonaws\.com",
        is_login=False, wants="SMTP credentials made in its console as username and password, not an access key",
        source="docs.aws.amazon.com/ses: Amazon SES SMTP endpoints",
    ),
    MailProvider(
        name="IONOS", host="smtp.ionos.de", port=465, security="tls", reads="imap.ionos.de",
        mx=r"mx\d*\.(?:kundenserver|ionos)\.de", source="ionos.de/hilfe: E-Mail-Serverdaten",
    ),
    MailProvider(
        name="OVHcloud", host="ssl0.ovh.net", port=465, security="tls", reads="ssl0.ovh.net",
        mx=r"mx\d*\.(?:mail\.)?ovh\.net", source="help.ovhcloud.com: MX Plan",
    ),
    MailProvider(
        name="T-Online", host="securesmtp.t-online.de", port=465, security="tls", reads="secureimap.t-online.de",
        domains=("t-online.de", "magenta.de"), wants="the e-mail password of its settings, not that of the customer"
        " centre", source="telekom.de/hilfe: Servereinstellungen",
    ),
    MailProvider(
        name="mailbox.org", host="smtp.mailbox.org", port=465, security="tls", reads="imap.mailbox.org",
        domains=("mailbox.org",), mx=r"mx\w*\.mailbox\.org", source="kb.mailbox.org",
    ),
    MailProvider(
        name="Posteo", host="posteo.de", port=465, security="tls", reads="posteo.de",
        domains=("posteo.de", "posteo.net"), source="posteo.de/hilfe",
    ),
    MailProvider(
        name="WP", host="smtp.wp.pl", port=465, security="tls", reads="imap.wp.pl", domains=("wp.pl",),
        wants="POP3/IMAP switched on in its settings", source="pomoc.wp.pl",
    ),
    MailProvider(
        name="Onet", host="smtp.poczta.onet.pl", port=465, security="tls", reads="imap.poczta.onet.pl",
        domains=("onet.pl", "op.pl", "poczta.onet.pl", "vp.pl"), source="pomoc.onet.pl",
    ),
    MailProvider(
        name="o2", host="poczta.o2.pl", port=465, security="tls", reads="poczta.o2.pl", domains=("o2.pl", "tlen.pl"),
        wants="POP3/IMAP switched on in its settings", source="pomoc.o2.pl",
    ),
    MailProvider(
        name="Interia", host="poczta.interia.pl", port=465, security="tls", reads="poczta.interia.pl",
        domains=("interia.pl", "interia.eu", "poczta.fm"), source="pomoc.poczta.interia.pl",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MailPreset:
    """A provider as it serves one domain."""

    provider: MailProvider
    host: str

    def fields(self, address: str) -> dict[str, object]:
        """The fields of an account that sends from an address there."""
        one = self.provider
        login = {"username": address} if one.is_login else {}
        bounds = {"rate": one.rate, "connections": one.connections}
        return {
            "host": self.host, "port": one.port, "security": one.security, **login,
            **{name: value for name, value in bounds.items() if value},
        }  # fmt: skip


def preset_of(domain: str) -> MailPreset | None:
    """The provider of a domain, where it is its own."""
    domain = domain.lower().rstrip(".")
    found = next((one for one in PROVIDERS if domain in one.domains), None)
    return None if found is None else MailPreset(found, found.host)


def preset_of_exchangers(hosts: Iterable[str]) -> MailPreset | None:
    """The provider that runs mail exchangers, the preferred one first."""
    for host in hosts:
        for one in PROVIDERS:
            if one.mx and (found := re.fullmatch(one.mx, host.lower().rstrip("."))):
                return MailPreset(one, one.host.format(*found.groups()))
    return None


def provider_at(host: str) -> MailProvider | None:
    """The provider that one sends through, or reads from, at a host."""
    host = host.lower()
    return next((one for one in PROVIDERS if host in (one.host, one.reads)), None)


def with_preset(written: Mapping[str, object], preset: MailPreset, address: str) -> dict[str, object]:
    """The fields that somebody wrote of an account, and those of the preset for the rest."""
    return {**preset.fields(address), **written}
