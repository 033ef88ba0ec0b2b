"""A mail server that reads, counts and forgets: run as a process of its own, it says its port and goes on until stdin
ends. It is quick, so that it is not what is measured, and offers what servers on the internet do.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

_OFFERED = b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 33554432\r\n"
_END = b"\r\n.\r\n"


class _Counted(asyncio.Protocol):
    """One connection. XCOUNT answers how many messages, and bytes of them, all connections have had."""

    messages = 0
    size = 0

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._is_message = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not an instance of it
        self._transport.write(b"220 sink.test\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies = []
        while (reply := self._reply()) is not None:
            replies.append(reply)
        if replies:
            self._transport.write(b"".join(replies))

    def _reply(self) -> bytes | None:
        end = self._buffer.find(_END if self._is_message else b"\r\n")
        if end < 0:
            return None
        if self._is_message:
            _Counted.messages += 1
            _Counted.size += end + len(_END)
            del self._buffer[: end + len(_END)]
            self._is_message = False
            return b"250 2.0.0 queued\r\n"
        verb = bytes(self._buffer[:4]).upper()
        del self._buffer[: end + 2]
        if verb == b"DATA":
            self._is_message = True
            return b"354 go on\r\n"
        if verb == b"EHLO":
            return _OFFERED
        return f"250 {_Counted.messages} {_Counted.size}\r\n".encode() if verb == b"XCOU" else b"250 2.0.0 ok\r\n"


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Counted, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve())
