"""Refused logins, as real servers have worded them, and what is said of each."""

from __future__ import annotations

import aiosmtplib
import pytest

from channels.email.check import explained
from channels.email.login_replies import mended
from channels.email.smtp_session import EmailAccount
from schemas.channels.mail_oauth import Grant

GMAIL, MICROSOFT, OTHER = "smtp.gmail.com", "smtp.office365.com", "mail.shop.example"


@pytest.mark.parametrize(
    ("host", "code", "text", "said"),
    [
        (
            GMAIL, 534, "5.7.9 Application-specific password required. For more information, go to\n5.7.9  "
            "https://support.google.com/mail/?p=InvalidSecondFactor x - gsmtp", "Gmail needs an app password",
        ),
        (
            GMAIL, 535, "5.7.8 Username and Password not accepted. For more information, go to\n5.7.8  "
            "https://support.google.com/mail/?p=BadCredentials x - gsmtp", "not the password of the account",
        ),
        (
            GMAIL, 534, "5.7.14 <https://accounts.google.com/signin/continue?sarp=1> Please log in via your web browser"
            " and then try again. 5.7.14 Learn more at https://support.google.com/mail/answer/78754",
            "sign in with a browser once",
        ),
        (GMAIL, 454, "4.7.0 Too many login attempts, please try again later. x - gsmtp", "Wait, and try less often"),
        (
            MICROSOFT, 535, "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. "
            "Visit https://aka.ms/smtp_auth_disabled for more information. [X.PROD.OUTLOOK.COM]", "Set-TransportConfig",
        ),
        (
            MICROSOFT, 535, "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox",
            "Set-CASMailbox ADDRESS",
        ),
        (
            "smtp-mail.outlook.com", 535, "5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "takes OAuth 2 alone",
        ),
        (MICROSOFT, 550, "5.7.30 Basic authentication is not supported for Client Submission", "takes OAuth 2 alone"),
        (
            MICROSOFT, 535, "5.7.139 Authentication unsuccessful, the request did not meet the criteria to be"
            " authenticated successfully. Contact your administrator.", "conditional access",
        ),
        (
            MICROSOFT, 535, "5.7.139 Authentication unsuccessful, user is locked by your organization's security"
            " defaults policy. Contact your administrator.", "Security defaults",
        ),
        (
            MICROSOFT, 535, "5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
            "Check username and password; with two factors",
        ),
        (MICROSOFT, 535, "5.7.3 Authentication unsuccessful [X.PROD.OUTLOOK.COM]", "Microsoft 365 wants OAuth 2"),
        (MICROSOFT, 504, "5.7.4 Unrecognized authentication type", "knows no login that we have"),
        ("smtp.mail.yahoo.com", 535, "5.7.0 (#AUTH005) Too many bad auth attempts.", "Wait"),
        ("smtp.mail.me.com", 535, "5.7.8 Error: authentication failed: failure", "app-specific password"),
        ("smtp.mail.ru", 535, "5.7.0 NEOBHODIM parol prilozheniya https://help.mail.ru", "made for applications"),
        (
            OTHER, 535, "5.7.8 Error: authentication failed: This user does not have access rights to this service",
            "switch on IMAP and SMTP",
        ),
        ("mail.gmx.net", 535, "Authentication credentials invalid", "POP3/IMAP switched on"),
        (OTHER, 538, "5.7.11 Encryption required for requested authentication mechanism", "set security to starttls"),
        (OTHER, 530, "5.7.0 Must issue a STARTTLS command first", "set security to starttls"),
        (OTHER, 432, "4.7.12 A password transition is needed", "another password first"),
        (OTHER, 535, "5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "where it has two factors"),
    ],
)  # fmt: skip
def test_each_refusal_says_what_would_mend_it(host: str, code: int, text: str, said: str) -> None:
    account = EmailAccount("main", host, 587, "starttls", "a@example.com", username="a@example.com", password="secret")
    words = explained(account, "auth", aiosmtplib.SMTPAuthenticationError(code, text), 10.0)
    assert said in words
    assert words.startswith("the login of a@example.com")
    assert len(words) <= 300, words


def test_a_token_has_another_cause() -> None:
    account = EmailAccount("main", MICROSOFT, 587, "starttls", "a@example.com", username="u", grant=Grant("u", "c"))
    words = explained(
        account, "auth", aiosmtplib.SMTPAuthenticationError(535, "5.7.3 Authentication unsuccessful"), 10.0
    )
    assert "the mailbox that has consented" in words


def test_a_secret_is_taken_out_before_words_are_cut() -> None:
    account = EmailAccount("main", OTHER, 587, "tls", "a@example.com", username="u", password="p" * 40)
    words = explained(account, "auth", aiosmtplib.SMTPAuthenticationError(535, "x" * 80 + " " + "p" * 40), 10.0)
    assert "ppp" not in words


@pytest.mark.parametrize("text", ["", "\x00", "5.7.8", "é" * 5000])
def test_any_words_have_a_sentence(text: str) -> None:
    assert mended(OTHER, 535, text, by_token=False)
