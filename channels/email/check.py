"""A mailbox tried without a message: what its server said to each step, and what would mend it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from typing import assert_never

import aiosmtplib

from channels.access_tokens import TokenFailed, Tokens
from channels.contract import AccountCheck, shortened
from channels.email.dkim_record import check_record
from channels.email.login_replies import mended
from channels.email.smtp_login import StageNotOffered
from channels.email.smtp_replies import Stage
from channels.email.smtp_session import EmailAccount, SmtpSession, certificate_error
from schemas.channels.dkim import dkim_advice

_TLS_AT_ONCE, _SUBMISSION = 465, 587
_AUTH_REFUSED = (534, 535, 538)
_FOR_GOOD = 5
_SAID = 100


async def check_mailbox(account: EmailAccount, timeout: float, tokens: Tokens | None = None) -> AccountCheck:
    """Connect, greet, encrypt as the account says, and log in, within `timeout` seconds; then take leave."""
    session = SmtpSession(account, tokens)
    try:
        async with asyncio.timeout(timeout):
            await session.try_login()
        await session.take_leave()
    except (aiosmtplib.SMTPException, OSError, ValueError, OverflowError, StageNotOffered, TokenFailed) as error:
        said = account.without_secrets(explained(account, session.stage, error, timeout))
        return AccountCheck(False, shortened(said))
    finally:
        session.close()
    how = {"none": "without TLS", "starttls": "after STARTTLS", "tls": "over TLS"}[account.security]
    who = f" lets {account.username} in" if account.username else " answers, and was asked for no login"
    return await _with_record(account, AccountCheck(True, f"{account.host}:{account.port}{who}, {how}"))


async def _with_record(account: EmailAccount, logged_in: AccountCheck) -> AccountCheck:
    """The same, and what DNS has of the key that signs its mail; a key that is not there is worth nothing."""
    if account.signer is None:
        return logged_in
    found = await check_record(account.signer)
    advice = dkim_advice(account.signer.domain, account.sender, account.host)
    return AccountCheck(found.is_well, ". ".join(filter(None, (logged_in.said, found.said, advice))))


def explained(account: EmailAccount, stage: Stage, error: BaseException, timeout: float) -> str:
    """The failure of a step in words, with what would mend it."""
    where, causes = f"{account.host}:{account.port}", tuple(_causes(error))
    if certificate := certificate_error(error):
        return (
            f"TLS: the certificate of {where} is not trusted: {certificate.verify_message}. Check that host is the name"
            " in the certificate; for an authority of your own, set ssl_cafile"
        )
    if any(isinstance(one, ssl.SSLError) for one in causes):
        hint = "starttls" if account.security == "tls" else "tls"
        return f"TLS with {where} does not come about. Check port and security: it may have to be {hint}"
    if isinstance(error, StageNotOffered | TokenFailed):
        return f"{stage}: {error}"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _of_answer(account, stage, error.code, error.message)
    if any(isinstance(one, UnicodeError | OverflowError) for one in causes):
        field = "username and password" if stage == "auth" else "host and port"
        return f"{stage}: {where} cannot be used ({type(error).__name__}). Check {field}"
    if any(isinstance(one, socket.gaierror) for one in causes):
        return f"the name {account.host} cannot be resolved. Check host"
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return f"{where} refuses connections. Check host and port: {_SUBMISSION} for starttls, {_TLS_AT_ONCE} for tls"
    if any(isinstance(one, TimeoutError | aiosmtplib.SMTPTimeoutError) for one in causes):
        return _of_silence(account, stage, timeout)
    return f"{stage}: {where} ended the connection ({type(error).__name__}). Check port and security"


def _of_answer(account: EmailAccount, stage: Stage, code: int, text: str) -> str:
    said = f"{code} {account.without_secrets(text)}"
    match stage:
        case "auth":
            mend = mended(account.host, code, text, by_token=account.grant is not None)
            if code in _AUTH_REFUSED:
                return f"the login of {account.username} is refused ({_in_short(said)}). {mend}"
            return f"the login of {account.username} came to nothing ({_in_short(said)}). {_passing(code, mend)}"
        case "starttls":
            return f"STARTTLS is refused ({said}). Check port and security"
        case "greeting" | "ehlo":
            return f"the server does not let us in ({said}). It may refuse this machine's address"
        case "mail" | "rcpt" | "data":
            return f"{stage}: {said}"
        case _:
            assert_never(stage)


def _in_short(said: str) -> str:
    """With room for what would mend it: some fill lines with links."""
    line = shortened(said)
    return line if len(line) <= _SAID else line[: _SAID - 1] + "…"


def _passing(code: int, mend: str) -> str:
    return mend if code // 100 == _FOR_GOOD else f"Try again later, or ask its provider. {mend}"


def _of_silence(account: EmailAccount, stage: Stage, timeout: float) -> str:
    where = f"{account.host}:{account.port}"
    if stage != "greeting":
        return f"{stage}: {where} did not answer within {timeout:g} s. Try again later"
    if account.port == _TLS_AT_ONCE and account.security != "tls":
        return f"{where} does not greet: port {_TLS_AT_ONCE} speaks TLS at once. Set security to tls"
    return f"{where} did not answer within {timeout:g} s. Check host, port and what a firewall lets out"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
