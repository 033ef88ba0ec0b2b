"""An open session with a mail server: commands, several in one write where it takes them, and the answer to each.

Sources: RFC 2920 (pipelining: each command has its own answer, in order), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8),
RFC 5321, 4.2 (answers) and 4.5.2 (a line that begins with a dot).
"""

from __future__ import annotations

import asyncio
import re
from collections import deque

from aiosmtplib import SMTPResponse, SMTPResponseException, SMTPServerDisconnected

_LONGEST_ANSWER = 32 * 1024
"""Bytes; the longest that are seen, those to EHLO, take a few hundred."""
_NOT_AN_ANSWER = -1
_GOODBYE = b"421"
_UNFIT = re.compile(r"[\x00-\x20\x7f-\xa0<>\u2028\u2029]")
"""What would end an address, or its command."""


class Dialogue(asyncio.Protocol):
    """Takes over a connection that somebody else has opened and logged in on."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._heard: deque[SMTPResponse] = deque()
        self._due = 0
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Tell whether another command can be said."""
        return self._failure is None and not self._transport.is_closing()

    @property
    def unheard(self) -> int:
        """The number of answers to what was said that are still to be heard."""
        return self._due + len(self._heard)

    def say(self, commands: bytes, answers: int = 1) -> None:
        """Write commands that get so many answers. What a server said beyond those to earlier ones is dropped."""
        if not self.is_open:
            raise SMTPServerDisconnected("Connection lost")
        self._heard.clear()
        del self._buffer[:]
        self._due = answers
        self._transport.write(commands)

    async def hear(self) -> SMTPResponse:
        """The next answer. Raises SMTPServerDisconnected, and SMTPResponseException for what is not an answer."""
        while not self._heard:
            if self._failure is not None:
                raise self._failure
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._heard.popleft()

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if not self._due:
            if data.startswith(_GOODBYE):  # at rest; some then wait for us to hang up
                self._failure = SMTPServerDisconnected("Connection closed by the server")
            return
        self._buffer += data
        try:
            while self._due and (answer := self._answer()) is not None:
                self._heard.append(answer)
                self._due -= 1
        except SMTPResponseException as error:
            self._failure = error
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport."""
        if self._failure is None:
            self._failure = SMTPServerDisconnected("Connection lost")
            self._failure.__cause__ = exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done() and (self._heard or self._failure):
            self._waiter.set_result(None)

    def _answer(self) -> SMTPResponse | None:
        """The first answer of those that have come whole."""
        said, at = [], 0
        while (end := self._buffer.find(b"\n", at)) >= 0:
            line = bytes(self._buffer[at:end])
            if not re.match(rb"\d{3}", line):
                raise SMTPResponseException(_NOT_AN_ANSWER, f"Not an answer: {line.decode(errors='replace')}")
            said.append(line[4:].strip())
            at = end + 1
            if line[3:4] != b"-":
                del self._buffer[:at]
                return SMTPResponse(int(line[:3]), b"\n".join(said).decode("utf-8", "surrogateescape"))
        if len(self._buffer) > _LONGEST_ANSWER:
            raise SMTPResponseException(_NOT_AN_ANSWER, "The answer does not end")
        return None


def opening(sender: str, recipient: str, *, eight_bit: bool = False) -> tuple[bytes, bytes, bytes]:
    """The commands before a message: MAIL, RCPT and DATA. Raises ValueError for what could hold another command."""
    if not sender.isascii() or any(map(_UNFIT.search, (sender, recipient))):
        raise ValueError("an address is of letters that print, without < and >, and the sender's of ASCII")
    body = " BODY=8BITMIME" if eight_bit else ""
    utf8 = "" if recipient.isascii() else " SMTPUTF8"
    return f"MAIL FROM:<{sender}>{body}{utf8}\r\n".encode(), f"RCPT TO:<{recipient}>\r\n".encode(), b"DATA\r\n"


def ended(message: bytes) -> bytes:
    """A message whose lines end with CRLF as DATA takes it, with its end: no line of its own ends it early."""
    stuffed = message.replace(b"\r\n.", b"\r\n..") if b"\r\n." in message else message
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
