"""A mail server on loopback that says anything at all at one stage of the dialogue, or goes away there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from channels.fakes.raw import RawReply

_USUAL = {
    "greeting": b"220 raw.test\r\n",
    "auth": b"235 2.7.0 in\r\n",
    "mail": b"250 2.1.0 ok\r\n",
    "rcpt": b"250 2.1.5 ok\r\n",
    "data": b"354 go on\r\n",
    "end": b"250 2.0.0 queued\r\n",
    "rset": b"250 2.0.0 ok\r\n",
    "noop": b"250 2.0.0 ok\r\n",
    "quit": b"221 2.0.0 bye\r\n",
}
_END = b"\r\n.\r\n"
_NOTHING = b".\r\n"


@dataclass(slots=True)
class RawMail:
    """One transaction: to whom, and the message as far as it came. `is_taken`: the server has said so."""

    recipients: list[str] = field(default_factory=list)
    content: bytes = b""
    is_taken: bool = False


class RawSmtp:
    """`await start()`, then `port`. `once` is said at a stage instead of the usual, the first time it is reached.

    `offers` is what EHLO says; `to_recipient` what is said of an address in place of the usual, empty where nothing is.

    Stages: greeting, ehlo, starttls, auth, mail, rcpt, data (the command), middle (of the message), end (of it), rset,
    noop, quit.
    """

    def __init__(self) -> None:
        self.offers: tuple[str, ...] = ("AUTH PLAIN",)
        self.once: dict[str, RawReply] = {}
        self.to_recipient: Callable[[str], bytes] = lambda _: b""
        self.mails: list[RawMail] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def say_unasked(self, words: bytes) -> None:
        """Say something on every connection, as a server does to those at rest."""
        for writer in self._writers:
            writer.write(words)

    async def stop(self) -> None:
        """Stop listening, and end every connection."""
        for writer in list(self._writers):
            writer.transport.abort()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if await self._say("greeting", writer):
                mine = RawMail()
                while (following := await self._command(mine, reader, writer)) is not None:
                    mine = following
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _command(
        self, mail: RawMail, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> RawMail | None:
        """Answer one command; the transaction that it leaves, None where the connection is over."""
        line, said = await reader.readuntil(b"\r\n"), b""
        stage = line.split()[0].decode().lower()
        if stage == "mail":
            self.mails.append(mail := RawMail())
        if stage == "rcpt":
            mail.recipients.append(line.decode().partition("<")[2].partition(">")[0])
            said = self.to_recipient(mail.recipients[-1])
        reply = RawReply((said,)) if said else self._reply(stage)
        goes_on = await reply.written_to(writer)
        if goes_on and b"354" in b"".join(reply.parts):
            goes_on = await self._message(mail, reader, writer)
        return mail if goes_on and stage != "quit" else None

    async def _message(self, mail: RawMail, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if "middle" in self.once:
            mail.content = await reader.read(100)
            if not await self._say("middle", writer):
                return False
        while not (b"\r\n" + mail.content).endswith(_END):
            mail.content += await reader.readuntil(b"\n")
        if mail.content == _NOTHING:
            return await RawReply((b"554 5.5.1 no valid recipients\r\n",)).written_to(writer)
        mail.is_taken = "end" not in self.once
        return await self._say("end", writer)

    async def _say(self, stage: str, writer: asyncio.StreamWriter) -> bool:
        return await self._reply(stage).written_to(writer)

    def _reply(self, stage: str) -> RawReply:
        offered = ("raw.test", *self.offers)
        lines = [f"250{'-' if one != offered[-1] else ' '}{one}\r\n" for one in offered]
        usual = "".join(lines).encode() if stage == "ehlo" else _USUAL.get(stage, b"")
        return self.once.pop(stage, None) or RawReply((usual,))
