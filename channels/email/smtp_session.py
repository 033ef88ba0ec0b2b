"""One connection with a mail server: opened, used for one message after another, and what each answer comes to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from dataclasses import asdict, dataclass, field

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from channels.contract import shortened
from channels.email.smtp_replies import Stage, is_about_session, smtp_receipt
from schemas.channels.email import EmailAccountForm
from schemas.formats.mail_address import mail_address, mailto
from schemas.limit import NO_LIMIT, Limit, written_limit
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused, Unanswered, Unreached

_LEAST_CODE = 200
"""Anything less is not an answer: a line without a code, or one that does not end. Nobody knows what comes after it."""
_KNOWS_NO_EHLO = (500, 501, 502, 504)
_SHORTEST_SECRET = 4
_BEFORE_MESSAGE = ("greeting", "ehlo", "starttls", "auth")
_REST_SECONDS = 5.0
"""To hear from a server whether a session that was at rest still stands."""


@dataclass(frozen=True, slots=True)
class EmailAccount:
    """A mailbox to send from. `security` is one of none, starttls, tls. The password is not part of its `repr`."""

    name: str
    host: str
    port: int
    security: str
    sender: str
    sender_name: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    connections: int = 4
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    ssl_cafile: str = ""
    failover: tuple[str, ...] = field(default=(), compare=False)  # another order needs no other connections
    failover_ambiguous: bool = field(default=False, compare=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    limit: Limit = field(default=NO_LIMIT, compare=False)  # another one needs no other connections

    @classmethod
    def of(cls, name: str, form: EmailAccountForm) -> EmailAccount:
        """The mailbox that somebody described. Raises OSError where its authorities cannot be read."""
        described = asdict(form)
        limit = written_limit(described.pop("rate"), described.pop("concurrency"))
        del described["callback_secrets"]  # sends nothing
        described |= {
            "sender": mail_address(form.sender),
            "unsubscribe_mailto": mailto(form.unsubscribe_mailto),
        }
        tls = None if form.security == "none" else ssl.create_default_context(cafile=form.ssl_cafile or None)
        return cls(name=name, tls=tls, limit=limit, **described)

    def without_secrets(self, text: str) -> str:
        """A server's words without the password, which some repeat as they got it."""
        credentials, at, _ = self.host.rpartition("@")  # of one that was copied with its URL
        text = text.replace(credentials + at, "") if at else text
        if len(self.password) < _SHORTEST_SECRET:  # to take out so little would show what it is
            return text
        user, password = (one.encode(errors="replace") for one in (self.username, self.password))
        plain = b"\0" + user + b"\0" + password
        for secret in (*(base64.b64encode(one).decode() for one in (plain, password)), self.password):
            text = text.replace(secret, "[secret]")
        return text


class StageNotOffered(Exception):
    """The server does not have what the account's settings ask for."""


class _InStep(SMTPProtocol):
    """Takes no answer for that to a later command: what a server said beyond what was asked is dropped before it."""

    def write(self, data: bytes) -> None:
        """Write a command, or a message."""
        del self._buffer[:]
        super().write(data)


class SmtpSession:
    """Opened by its first message. `is_open`: whether it can take another."""

    def __init__(self, account: EmailAccount) -> None:
        self._account = account
        self._smtp = aiosmtplib.SMTP(
            timeout=None,  # that of each message bounds all that is done for it
            use_tls=account.security == "tls",
            start_tls=False,
            tls_context=account.tls if account.security != "none" else None,
        )
        self._is_used = False
        self._stage: Stage = "greeting"

    @property
    def stage(self) -> Stage:
        """The stage that it has come to."""
        return self._stage

    @property
    def was_greeted(self) -> bool:
        """Tell whether the server has let us in at all."""
        return self._stage != "greeting"

    @property
    def is_open(self) -> bool:
        """Tell whether it can take another message."""
        return self._smtp.is_connected

    async def send(self, sender: str, recipient: str, message: bytes, timeout: float) -> Receipt | None:
        """One transaction. None where the server had ended this session since its last one, as it may at rest."""
        try:
            async with asyncio.timeout(timeout):
                if not await self._begins(sender):
                    self.close()
                    return None
                self._stage = "rcpt"
                await self._smtp.rcpt(recipient)
                self._stage = "data"
                answer = await self._smtp.data(message)
                return Accepted(shortened(f"{answer.code} {answer.message}"))
        except (aiosmtplib.SMTPException, OSError, ValueError, OverflowError, StageNotOffered) as error:
            receipt = self._receipt(error)
            await self._end(error)
            return receipt

    async def try_login(self) -> None:
        """Open it and log in, without a message. Raises what `explained` puts in words."""
        self._is_used = True
        await self._connect()
        await self._smtp.noop()

    async def take_leave(self) -> None:
        """End it as a mail server is told; whatever its farewell, and whether there is one."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # a TimeoutError is an OSError
            async with asyncio.timeout(_REST_SECONDS):
                await self._smtp.quit()

    def close(self) -> None:
        """Drop the connection."""
        self._smtp.close()

    async def _begins(self, sender: str) -> bool:
        is_used, self._is_used = self._is_used, True
        if not is_used:
            await self._connect()
        self._stage = "mail"
        try:
            async with asyncio.timeout(_REST_SECONDS if is_used else None):
                await self._smtp.mail(sender)
        except (aiosmtplib.SMTPServerDisconnected, TimeoutError):
            if not is_used:
                raise
            return False
        except aiosmtplib.SMTPSenderRefused as error:
            if not is_used or not is_about_session(error.code, error.message):
                raise
            return False
        return True

    async def _connect(self) -> None:
        account, smtp = self._account, self._smtp
        self._stage = "greeting"
        await smtp.connect(hostname=account.host, port=account.port)
        if smtp.protocol is not None:
            smtp.protocol.__class__ = _InStep  # the client makes its own, and takes no other
        self._stage = "ehlo"
        await self._greet()
        if account.security == "starttls":
            self._stage = "starttls"
            if not smtp.supports_extension("starttls"):
                raise StageNotOffered("the server does not offer STARTTLS; security is starttls, tls or none")
            await smtp.starttls()
            await self._greet()
        if account.username:
            self._stage = "auth"
            if not smtp.supports_extension("auth") or not smtp.supported_auth_methods:
                raise StageNotOffered("the server offers no login that can be used; security may have to be starttls")
            await smtp.login(account.username, account.password)

    async def _greet(self) -> None:
        try:
            await self._smtp.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if error.code not in _KNOWS_NO_EHLO:
                raise
            await self._smtp.helo()

    def _receipt(self, error: Exception) -> Receipt:
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= _LEAST_CODE:
            return smtp_receipt(self._stage, error.code, self._account.without_secrets(error.message))
        if isinstance(error, StageNotOffered):
            return Blocked(f"{self._stage}: {error}")
        certificate = certificate_error(error)
        if certificate is not None:
            return Blocked(shortened(f"tls: the server's certificate is not trusted: {certificate.verify_message}"))
        if isinstance(error, OSError | aiosmtplib.SMTPException):  # a TimeoutError is an OSError
            said = shortened(self._account.without_secrets(f"{self._stage}: {type(error).__name__}: {error}"))
            if self._stage == "greeting":
                return Unreached(said)
            return Unanswered(said) if self._stage == "data" else Deferred(said)
        if self._stage in _BEFORE_MESSAGE:  # a name that is too long, a port that there is not, letters no login takes
            return Blocked(f"{self._stage}: the account cannot be used ({type(error).__name__}): tidings accounts test")
        return Refused(f"the address cannot be used: {type(error).__name__}")

    async def _end(self, error: Exception) -> None:
        """A refusal ends the transaction, not the connection; except 421, by which the server says goodbye."""
        is_refusal = isinstance(error, aiosmtplib.SMTPResponseException) and not _ends_session(error)
        if is_refusal and self._stage in ("mail", "rcpt", "data"):
            try:
                async with asyncio.timeout(_REST_SECONDS):
                    await self._smtp.rset()
                    return
            except (aiosmtplib.SMTPException, OSError):
                pass
        self.close()


def _ends_session(error: aiosmtplib.SMTPResponseException) -> bool:
    return error.code < _LEAST_CODE or is_about_session(error.code, error.message)


def certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The failure of a certificate that an error comes from."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error
