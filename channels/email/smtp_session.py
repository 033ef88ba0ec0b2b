"""One connection with a mail server: opened, used for one message after another, and what each answer comes to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol, cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from channels.access_tokens import TokenAway, TokenFailed, Tokens
from channels.contract import shortened
from channels.email.dkim import Signer
from channels.email.smtp_dialogue import Dialogue, ended, opening
from channels.email.smtp_login import StageNotOffered, log_in, log_in_by_token
from channels.email.smtp_replies import Stage, is_about_session, smtp_receipt
from schemas.channels.email import EmailAccountForm
from schemas.channels.mail_oauth import Grant, grant_of
from schemas.domain_limits import parse_domain_limits
from schemas.formats.mail_address import mail_address, mailto
from schemas.limit import NO_LIMIT, Limit, written_limit
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused, Unanswered, Unreached

_LEAST_CODE = 200
"""Anything less is not an answer: a line without a code, or one that does not end. Nobody knows what comes after it."""
_KNOWS_NO_EHLO = (500, 501, 502, 504)
_SHORTEST_SECRET = 4
_BEFORE_MESSAGE = ("greeting", "ehlo", "starttls", "auth")
_REST_SECONDS = 5.0
"""To hear from a server whether a session that was at rest still stands; more where its answers took longer before.

Some answer MAIL only when they come to the end of what they were sent in one write.
"""
_DONE, _GO_ON = 250, 354
_NOT_UNDERSTOOD = (500, 502, 503)
_STEPS: tuple[tuple[Stage, tuple[int, ...]], ...] = (
    ("mail", (_DONE,)),
    ("rcpt", (_DONE, 251, 252)),
    ("data", (_GO_ON,)),
)
"""What comes before a message, and the answers by which it goes on."""
Write = tuple[bytes, int]
"""Commands, and how many answers they get; none where they were written before."""
_WRITTEN: tuple[Write, Write] = ((b"", 0), (b"", 0))


class Written(Protocol):
    """A message, written for a server that takes bytes of eight bits or for one that does not."""

    def __call__(self, *, eight_bit: bool) -> bytes:
        """The message, its lines ended by CRLF."""


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
    grant: Grant | None = None
    connections: int = 4
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    ssl_cafile: str = ""
    signer: Signer | None = None
    failover: tuple[str, ...] = field(default=(), compare=False)  # another order needs no other connections
    failover_ambiguous: bool = field(default=False, compare=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    limit: Limit = field(default=NO_LIMIT, compare=False)  # another one needs no other connections
    domain_limits: Mapping[str, Limit] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, name: str, form: EmailAccountForm) -> EmailAccount:
        """The mailbox that somebody described. Raises OSError where its authorities cannot be read."""
        described = asdict(form)
        limit = written_limit(described.pop("rate"), described.pop("concurrency"))
        del described["callback_secrets"]  # sends nothing
        for read_below in (*asdict(form.oauth), *asdict(form.dkim)):
            del described[read_below]
        described |= {
            "grant": grant_of(form.host, form.oauth),
            "signer": Signer.of(form.dkim, form.host),
            "sender": mail_address(form.sender),
            "domain_limits": parse_domain_limits(form.domain_limits),
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


class NotTaken(Exception):
    """The server states that it does not take such a message."""


class _InStep(SMTPProtocol):
    """Takes no answer for that to a later command: what a server said beyond what was asked is dropped before it."""

    def write(self, data: bytes) -> None:
        """Write a command, or a message."""
        del self._buffer[:]
        super().write(data)


class SmtpSession:
    """Opened by its first message. `is_open`: whether it can take another.

    `pipelines`: it writes commands at once where the server offers that; some offer it and lose what they were written.
    """

    def __init__(self, account: EmailAccount, tokens: Tokens | None = None, *, pipelines: bool = True) -> None:
        self._account, self._tokens = account, tokens or Tokens()
        self._pipelines, self._awaits_answers = pipelines, False
        self.is_out_of_step = False
        self._smtp = aiosmtplib.SMTP(
            timeout=None,  # that of each message bounds all that is done for it
            use_tls=account.security == "tls",
            start_tls=False,
            tls_context=account.tls if account.security != "none" else None,
        )
        self._dialogue: Dialogue | None = None
        self._slowest = 0.0
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
        return self._dialogue is not None and self._dialogue.is_open

    async def send(self, sender: str, recipient: str, written: Written, timeout: float) -> Receipt | None:
        """One transaction. None where the server had ended this session since its last one, as it may at rest."""
        try:
            async with asyncio.timeout(timeout):
                answer = await self._transact(sender, recipient, written)
        except NotTaken as error:  # nothing was said of it: the session takes the next one
            return Refused(str(error))
        except (aiosmtplib.SMTPException, OSError, ValueError, OverflowError, StageNotOffered, TokenFailed) as error:
            if self._awaits_answers and _loses_commands(error):
                self.is_out_of_step = True
                if not isinstance(error, TimeoutError):  # nothing of the message was written: another one can say it
                    self.close()
                    return None
            receipt = self._receipt(error, recipient.rpartition("@")[2])
            await self._end(error)
            return receipt
        if answer is None:
            self.close()
            return None
        return Accepted(shortened(f"{answer.code} {answer.message}"))

    async def try_login(self) -> None:
        """Open it and log in, without a message. Raises what `explained` puts in words."""
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

    async def _transact(self, sender: str, recipient: str, written: Written) -> aiosmtplib.SMTPResponse | None:
        """The answer to the message; None where the session ended while it was at rest."""
        is_used = self._dialogue is not None
        dialogue = self._dialogue = self._dialogue or await self._opened()
        self._stage = "mail"
        message = written(eight_bit=self._smtp.supports_extension("8bitmime"))
        must_fit(message, self._smtp.esmtp_extensions.get("size", ""))
        if not (recipient.isascii() or self._smtp.supports_extension("smtputf8")):
            raise NotTaken("the server takes ASCII alone before the @ of an address: it offers no SMTPUTF8")
        commands = opening(sender, recipient, eight_bit=not message.isascii())
        for (stage, good), write in zip(_STEPS, self._writes(commands), strict=True):
            self._stage = stage
            is_first = stage == "mail"
            answer = await (self._first(dialogue, write, is_used=is_used) if is_first else _asked(dialogue, write))
            if answer is None:
                return None
            _must_be(answer, good)
        self._awaits_answers = False
        return _must_be(await _asked(dialogue, (ended(message), 1)), (_DONE,))

    def _writes(self, commands: Sequence[bytes]) -> tuple[Write, ...]:
        """The commands written before each answer: all at once where the server offers it (RFC 2920)."""
        self._awaits_answers = self._pipelines and self._smtp.supports_extension("pipelining")
        if self._awaits_answers:
            return ((b"".join(commands), len(commands)), *_WRITTEN)
        return tuple((one, 1) for one in commands)

    async def _first(self, dialogue: Dialogue, write: Write, *, is_used: bool) -> aiosmtplib.SMTPResponse | None:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(_REST_SECONDS, 2 * self._slowest) if is_used else None):
                answer = await _asked(dialogue, write)
        except (aiosmtplib.SMTPServerDisconnected, TimeoutError):
            if not is_used:
                raise
            return None
        self._slowest = max(self._slowest, asyncio.get_running_loop().time() - began)
        return None if is_used and answer.code != _DONE and is_about_session(*answer) else answer

    async def _opened(self) -> Dialogue:
        await self._connect()
        protocol = self._smtp.protocol
        if protocol is None or not protocol.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        return Dialogue(cast(asyncio.Transport, protocol.transport))

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
            await self._log_in()

    async def _log_in(self) -> None:
        account = self._account
        if account.grant is None:
            await log_in(self._smtp, account.username, account.password)
        else:
            await log_in_by_token(self._smtp, account.username, account.grant, self._tokens)

    async def _greet(self) -> None:
        try:
            await self._smtp.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if error.code not in _KNOWS_NO_EHLO:
                raise
            await self._smtp.helo()

    def _receipt(self, error: Exception, domain: str) -> Receipt:
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= _LEAST_CODE:
            said = self._account.without_secrets(error.message)
            return smtp_receipt(self._stage, error.code, said, domain)
        if isinstance(error, TokenAway):
            return Unreached(f"{self._stage}: {error}")
        if isinstance(error, StageNotOffered | TokenFailed):
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
        if is_refusal and self._dialogue is not None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # a TimeoutError is an OSError
                async with asyncio.timeout(_REST_SECONDS):
                    if await _is_ready_again(self._dialogue):
                        return
        self.close()


def must_fit(message: bytes, stated: str) -> None:
    """`stated` is what the server says behind SIZE; nothing and 0 state no limit (RFC 1870, 4)."""
    most = int(stated) if stated.isascii() and stated.isdigit() else 0
    if most and len(message) > most:
        raise NotTaken(f"the message has {len(message):,} bytes: the server takes at most {most:,} (SIZE)")


async def _asked(dialogue: Dialogue, write: Write) -> aiosmtplib.SMTPResponse:
    commands, answers = write
    if commands:
        dialogue.say(commands, answers)
    return await dialogue.hear()


def _loses_commands(error: Exception) -> bool:
    """Tell whether the first wrong answer to commands in one write says that the server did not read all of them."""
    is_lost = isinstance(error, aiosmtplib.SMTPResponseException) and error.code in _NOT_UNDERSTOOD
    return is_lost or isinstance(error, TimeoutError)


def _must_be(answer: aiosmtplib.SMTPResponse, good: tuple[int, ...]) -> aiosmtplib.SMTPResponse:
    if answer.code not in good:
        raise aiosmtplib.SMTPResponseException(answer.code, answer.message)
    return answer


async def _is_ready_again(dialogue: Dialogue) -> bool:
    """Hear what is left of a refused transaction, and have the server forget it.

    One that goes on to ask for the message gets an empty one, which reaches nobody (RFC 2920, 3.1).
    """
    code = 0
    while dialogue.unheard:
        code = (await dialogue.hear()).code
    if code == _GO_ON:
        dialogue.say(b".\r\n")
        await dialogue.hear()
    dialogue.say(b"RSET\r\n")
    return (await dialogue.hear()).code == _DONE


def _ends_session(error: aiosmtplib.SMTPResponseException) -> bool:
    return error.code < _LEAST_CODE or is_about_session(error.code, error.message)


def certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The failure of a certificate that an error comes from."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error
