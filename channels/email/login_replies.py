"""Refusals of a login as large providers word them, each with what would mend it: one table, the first row that fits.

The words are those that the providers document, or are seen to say in public reports; the page is behind each group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.email.smtp_replies import enhanced_code
from schemas.channels.mail_providers import provider_at


@dataclass(frozen=True, slots=True)
class LoginRule:
    """One row: patterns of the code, the enhanced code and the words; empty fits all."""

    mend: str
    code: str = ""
    enhanced: str = ""
    words: str = ""

    def fits(self, code: int, text: str) -> bool:
        """Tell whether this row says what a refusal means."""
        return (
            (not self.code or re.fullmatch(self.code, str(code)) is not None)
            and (not self.enhanced or re.fullmatch(self.enhanced, enhanced_code(code, text)) is not None)
            and (not self.words or re.search(self.words, text, re.IGNORECASE) is not None)
        )


_LATER = "Wait, and try less often: each try prolongs it"
_SMTP_AUTH = "An administrator switches it on:"

LOGIN_RULES: tuple[LoginRule, ...] = (
    # Microsoft: learn.microsoft.com, authenticated client SMTP submission; aka.ms/smtp_auth_disabled
    LoginRule(
        f"{_SMTP_AUTH} Set-TransportConfig -SmtpClientAuthenticationDisabled $false, or for one mailbox Set-CASMailbox"
        " with the same",
        words=r"SmtpClientAuthentication is disabled for the Tenant",
    ),
    LoginRule(
        f"{_SMTP_AUTH} Set-CASMailbox ADDRESS -SmtpClientAuthenticationDisabled $false",
        words=r"SmtpClientAuthentication is disabled",
    ),
    LoginRule(
        "It takes OAuth 2 alone: write client_id and refresh_token instead of the password",
        words=r"basic auth\w* is (disabled|not supported)",
    ),
    LoginRule(
        "Security defaults or conditional access of the organization keep this login out: use OAuth 2, or have an"
        " administrator except the mailbox",
        enhanced=r"5\.7\.139", words=r"did not meet the criteria|security defaults|conditional access|locked by your",
    ),
    LoginRule(
        "Check username and password; with two factors it takes OAuth 2 alone (client_id, refresh_token)",
        enhanced=r"5\.7\.139", words=r"credentials were incorrect",
    ),
    # Google: support.google.com/a/answer/3726730
    LoginRule(
        "Gmail needs an app password (myaccount.google.com/apppasswords) or OAuth 2",
        code="534", enhanced=r"5\.7\.9", words=r"application-specific|InvalidSecondFactor",
    ),
    LoginRule(
        "Gmail needs an app password (myaccount.google.com/apppasswords, with 2-step verification on) or OAuth 2, not"
        " the password of the account",
        enhanced=r"5\.7\.8", words=r"BadCredentials|support\.google\.com",
    ),
    LoginRule(
        "Google wants somebody to sign in with a browser once from this machine's network, or OAuth 2 instead",
        enhanced=r"5\.7\.(9|14)", words=r"web ?browser|WebLoginRequired",
    ),
    # Others
    LoginRule(
        "It needs a password made for applications, of the settings of the mailbox",
        words=r"app(lication)?[ -]?(specific)?[ -]password|parol prilozheniya|InvalidSecondFactor",
    ),
    LoginRule(
        "Access for other programs is switched off: switch on IMAP and SMTP in the settings of the mailbox",
        words=r"(imap|pop3?|smtp)[^.]{0,40}(disabled|not enabled|switched off)|access rights to this service",
    ),
    LoginRule(_LATER, words=r"too many (bad |failed )?(login|auth\w*)|AUTH005|rate.?limit"),
    LoginRule(
        "The mailbox is locked or suspended: sign in with a browser and see what it asks for",
        words=r"account (is |has been )?(locked|disabled|suspended|blocked)|unusual activity",
    ),
    LoginRule("It wants encryption first: set security to starttls or tls", code="538|530", enhanced=r"5\.7\.(0|11)|"),
    LoginRule("It wants another password first: sign in with a browser", code="432", enhanced=r"4\.7\.12|"),
    LoginRule(
        "It knows no login that we have: check host and port, or use OAuth 2", code="504", enhanced=r"5\.(7\.4|5\.4)|"
    ),
)  # fmt: skip


def mended(host: str, code: int, text: str, *, by_token: bool) -> str:
    """A sentence that says what would mend a refused login at a host."""
    for rule in LOGIN_RULES:
        if rule.fits(code, text):
            return rule.mend
    if by_token:
        return (
            "Check that username is the mailbox that has consented, and what its consent is for (scope); an application"
            " of its own has to be let into the mailbox"
        )
    provider = provider_at(host)
    if provider is not None and provider.wants:
        return f"Check username and password: {provider.name} wants {provider.wants}"
    return "Check username and password; where it has two factors, the server wants a password made for applications"
