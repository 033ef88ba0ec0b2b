"""Servers on loopback that answer with any bytes at all: for what no library would send and real ones do."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawReply:
    """Bytes written after a request: `parts` one by one; then the connection stays as it is, ends, or is reset.

    `stays` seconds are waited first: less than for ever, so that nothing outlives a test.
    """

    parts: tuple[bytes, ...]
    ends: bool = False
    resets: bool = False
    stays: float = 0.0

    async def written_to(self, writer: asyncio.StreamWriter) -> bool:
        """Say it, and tell whether the connection goes on."""
        for part in self.parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01 if len(self.parts) > 1 else 0)
        await asyncio.sleep(self.stays)
        if self.resets:
            writer.transport.abort()
        return not (self.ends or self.resets)


OK = RawReply((b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",))


class RawReceiver:
    """`await start()`, then `url`. `replies` is used up first, then `OK` answers. `requests` are those read whole.

    `reads_bodies` False: it answers as soon as it has the head, which is then all of the request.
    """

    def __init__(self) -> None:
        self.reads_bodies = True
        self.replies: deque[RawReply] = deque()
        self.requests: list[bytes] = []
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The address that it listens at."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening, and end every connection."""
        self.hang_up()
        if self._server is not None:
            self._server.close()

    def hang_up(self) -> None:
        """End every connection, as a server does to those at rest."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request, and tell whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head) if self.reads_bodies else None
        self.requests.append(head + await reader.readexactly(int(length[1]) if length else 0))
        reply = self.replies.popleft() if self.replies else OK
        return await reply.written_to(writer)
