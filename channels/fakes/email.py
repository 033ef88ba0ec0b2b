"""An SMTP server on loopback that keeps what it gets.

On aiosmtpd: the only maintained SMTP server library for asyncio.
"""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import ssl
import time
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from channels.fakes.limit import Limit


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted message. `at` is in Unix seconds."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: float

    def parsed(self) -> EmailMessage:
        """The message as Python reads it."""
        message = email.message_from_bytes(self.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101 - what this policy makes
        return message

    @property
    def message_id(self) -> str:
        """The local part of its Message-ID: the delivery id."""
        for line in self.content.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
            if line.lower().startswith(b"message-id:"):
                return line.split(b":", 1)[1].strip().strip(b"<>").split(b"@")[0].decode()
        return ""


_BY_PASSWORD = ("LOGIN", "PLAIN")
_MECHANISMS = frozenset({*_BY_PASSWORD, "XOAUTH2", "OAUTHBEARER"})


class _LongLines(SMTP):  # type: ignore[misc]
    """Tokens are longer than lines of a message may be."""

    line_length_limit = 16_384


def token_shown(said: bytes) -> tuple[str, str]:
    """The user and the token of a login by XOAUTH2 or OAUTHBEARER."""
    parts = said.decode().strip("\x01").split("\x01")
    user = parts[0].removeprefix("user=").removeprefix("n,a=").rstrip(",")
    token = next((one.removeprefix("auth=Bearer ") for one in parts if one.startswith("auth=Bearer ")), "")
    return user, token


class _Greeter(asyncio.Protocol):
    """Says one thing and hangs up."""

    def __init__(self, greeting: str) -> None:
        self._greeting = greeting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        if isinstance(transport, asyncio.Transport):
            transport.write(f"{self._greeting}\r\n".encode())
            transport.close()


class SmtpSink:
    """`await start()`, then `port`. The next messages get `replies` first, at `at_stage`: ehlo, mail, rcpt or data.

    Beyond `limit` a message gets `too_many`; beyond `most_at_once` nobody is let in; `most_bytes` is the SIZE that it
    states. With a `greeting` that alone is said to whoever connects. With `token_logins` (XOAUTH2, OAUTHBEARER) it lets
    in whoever shows one of `tokens`; `shown` are the mechanisms and users that came. It says why it refuses one, and
    keeps what is answered in `ended`.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
        token_logins: Sequence[str] = (),
    ) -> None:
        self._tls, self._implicit, self.login = tls, implicit_tls, login
        self._token_logins = token_logins
        self.tokens: set[str] = set()
        self.shown: list[tuple[str, str]] = []
        self.ended: list[object] = []
        self.mails: list[Mail] = []
        self.replies: deque[str] = deque()
        self.at_stage = "data"
        self.delay = 0.0
        self.limit: Limit | None = None
        self.too_many = "450 4.7.1 Error: too many messages, slow down"
        self.greeting: str | None = None
        self.takes_utf8 = True
        self.connections = 0
        self.most_at_once: int | None = None
        self.most_bytes = 16 * 1024 * 1024
        self._open: weakref.WeakSet[SMTP] = weakref.WeakSet()
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def ids(self) -> list[str]:
        """The deliveries that were taken, one entry each time."""
        return [mail.message_id for mail in self.mails]

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        tls = self._tls if self._implicit else None
        self._server = await loop.create_server(self._session, "127.0.0.1", port, ssl=tls)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def hang_up(self) -> None:
        """Close every connection, as a server does to those at rest."""
        for session in list(self._open):
            if session.transport is not None:  # else it has ended
                session.transport.close()

    def _session(self) -> asyncio.BaseProtocol:
        self.connections += 1
        if self.greeting is not None:
            return _Greeter(self.greeting)
        open_now = sum(one.transport is not None and not one.transport.is_closing() for one in self._open)
        if self.most_at_once is not None and open_now >= self.most_at_once:
            return _Greeter("421 4.3.2 Too many concurrent SMTP connections; please try again later")
        made = _LongLines if self._token_logins else SMTP
        session: asyncio.BaseProtocol = made(
            self,
            hostname="sink.test",
            enable_SMTPUTF8=self.takes_utf8,
            data_size_limit=self.most_bytes,
            tls_context=None if self._implicit else self._tls,
            require_starttls=self._tls is not None and not self._implicit,
            authenticator=self._authenticate if self.login else None,
            auth_required=self.login is not None or bool(self._token_logins),
            auth_exclude_mechanism=_MECHANISMS - {*self._token_logins, *(_BY_PASSWORD if self.login else ())},
            auth_require_tls=False,
        )
        self._open.add(session)
        return session

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: object
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == self.login, handled=False)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        """Called by aiosmtpd for each login of this kind."""
        return await self._by_token(server, args)

    async def auth_OAUTHBEARER(self, server: SMTP, args: list[str]) -> AuthResult:
        """Called by aiosmtpd for each login of this kind."""
        return await self._by_token(server, args)

    async def _by_token(self, server: SMTP, args: list[str]) -> AuthResult:
        shown = base64.b64decode(args[1]) if len(args) > 1 else await server.challenge_auth("")
        user, token = token_shown(shown)
        self.shown.append((args[0], user))
        if token in self.tokens:
            return AuthResult(success=True)
        self.ended.append(await server.challenge_auth('{"status":"400","schemes":"Bearer","scope":"mail"}'))
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 not {token}: Username not accepted")

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Called by aiosmtpd for each greeting of a client."""
        if self.at_stage == "ehlo" and self.replies:
            return [self.replies.popleft()]
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Called by aiosmtpd for each sender."""
        if self.at_stage == "mail" and self.replies:
            return self.replies.popleft()
        if self.limit is not None and not self.limit.takes():
            return self.too_many
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Called by aiosmtpd for each recipient."""
        if self.at_stage == "rcpt" and self.replies:
            return self.replies.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd for each message."""
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.at_stage == "data" and self.replies:
            return self.replies.popleft()
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        self.mails.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), content, time.time()))
        return f"250 2.0.0 queued as {len(self.mails)}"
