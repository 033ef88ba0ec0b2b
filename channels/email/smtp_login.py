"""The login at a mail server: by a password, or by an access token of OAuth 2."""

from __future__ import annotations

import base64

import aiosmtplib

from channels.access_tokens import Tokens
from channels.email.token_logins import TOKEN_LOGINS, TokenLogin
from schemas.channels.mail_oauth import Grant

_LONGEST_COMMAND = 510
"""Without its line end (RFC 5321, 4.5.3.1.4). What is longer is sent when the server asks for it (RFC 4954, 4):
Dovecot refuses a long command, and Postfix cuts it.
"""
_ASKS, _LETS_IN, _NOT_TAKEN = 334, 235, 535


class StageNotOffered(Exception):
    """The server does not have what the account's settings ask for."""


async def log_in(smtp: aiosmtplib.SMTP, username: str, password: str) -> None:
    """Log in by a password. Raises StageNotOffered, aiosmtplib's errors."""
    if not smtp.supports_extension("auth") or not smtp.supported_auth_methods:
        raise StageNotOffered("the server offers no login that can be used; security may have to be starttls")
    await smtp.login(username, password)


async def log_in_by_token(smtp: aiosmtplib.SMTP, username: str, grant: Grant, tokens: Tokens) -> None:
    """Log in by an access token; a server that does not take it, as one that has just ended, gets another one, once.

    Raises StageNotOffered, TokenFailed, aiosmtplib's errors.
    """
    login = _offered(smtp)
    token = await tokens.token(grant)
    try:
        await _present(smtp, login, username, token)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code != _NOT_TAKEN or not smtp.is_connected:
            raise
        another = await tokens.token(grant, refused=token)
        await _present(smtp, login, username, another)


def _offered(smtp: aiosmtplib.SMTP) -> TokenLogin:
    for one in TOKEN_LOGINS:
        if one.name.lower() in smtp.server_auth_methods:
            return one
    raise StageNotOffered("the server offers no login by OAuth 2; security may have to be starttls, or a password used")


async def _present(smtp: aiosmtplib.SMTP, login: TokenLogin, username: str, token: str) -> None:
    """Raises SMTPAuthenticationError, whose words do not have the token in them."""
    initial = base64.b64encode(login.says(username, token))
    command = (b"AUTH", login.name.encode(), initial)
    if sum(map(len, command)) + 2 <= _LONGEST_COMMAND:
        answer = await smtp.execute_command(*command)
    else:
        answer = await smtp.execute_command(*command[:2])
        if answer.code == _ASKS:
            answer = await smtp.execute_command(initial)
    if answer.code == _ASKS:  # why it is refused, as JSON; the refusal itself comes after our answer
        answer = await smtp.execute_command(base64.b64encode(login.ends))
    if answer.code != _LETS_IN:
        words = answer.message.replace(initial.decode(), "[secret]").replace(token, "[secret]")
        raise aiosmtplib.SMTPAuthenticationError(answer.code, words)
