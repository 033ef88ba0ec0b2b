"""The first bytes of each HTTP reply, kept as they came, and whether its connection had been used before.

aiohttp gives up a reply whose headers or body it cannot read, its status with it. But a receiver that has said 200 has
taken the message: whatever it says after that must not make us send it again.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from aiohttp.client_proto import ResponseHandler

from channels.http.retry_after import WAIT_HEADERS

_BUFFER = 65_536
_LONGEST_LINE, _MOST_HEADERS = 65_536, 1000
_KEPT = 65_536
_UNREAD_SECONDS = 5.0
_INTERIM = re.compile(rb"\s*HTTP/[0-9.]+[ \t]+1(?!01)[0-9]{2}(?![0-9]).*?\r?\n\r?\n", re.DOTALL)
_STATUS = re.compile(rb"\s*HTTP/[0-9.]+[ \t]+((?!1(?!01))[0-9]{3})\s")
_WAITS = re.compile(rf"\n({'|'.join(WAIT_HEADERS)})[ \t]*:[ \t]*([^\r\n]{{1,300}})".encode(), re.IGNORECASE)


class Connection(ResponseHandler):
    """A connection, read by aiohttp's own reader, which also keeps the beginning of what it is given."""

    requests = 0
    head = b""

    @property
    def is_written(self) -> bool:
        """Tell whether all that was asked has left this process: some receivers answer before they read the body."""
        return self.transport is None or self.transport.get_write_buffer_size() == 0

    def leave(self) -> None:
        """Close it once all is written, or soon where the receiver reads no further."""
        if self.transport is not None and not self.is_written:
            asyncio.get_running_loop().call_later(_UNREAD_SECONDS, self.transport.abort)
        self.close()

    def ask(self, data: bytes) -> None:
        """Write a request, whose reply is read next. Raises ConnectionError where the receiver has left."""
        if self.transport is None:
            raise ConnectionResetError("connection lost")
        self.requests += 1
        self.head = b""
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=_BUFFER,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=_MOST_HEADERS,
        )
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if len(self.head) < _KEPT:
            self.head += data[: _KEPT - len(self.head)]
        super().data_received(data)


@dataclass(slots=True)
class Exchange:
    """One request and what is known of its reply, however it ended."""

    on_used_connection: bool = False
    _connection: Connection | None = None

    @property
    def connected(self) -> bool:
        """Tell whether there was a connection, so that the request may have reached the receiver."""
        return self._connection is not None

    @property
    def answered(self) -> bool:
        """Tell whether a single byte came back."""
        return bool(self._head)

    @property
    def status(self) -> int | None:
        """The final status, where its line was read whole."""
        found = _STATUS.match(self._final)
        return int(found[1]) if found else None

    @property
    def waits(self) -> dict[str, str]:
        """The headers that say when to ask again, as far as they came; of two the first."""
        found = _WAITS.findall(self._final.split(b"\r\n\r\n", 1)[0])
        return {name.decode().lower(): value.decode("latin-1") for name, value in reversed(found)}

    @property
    def _head(self) -> bytes:
        return b"" if self._connection is None else self._connection.head

    @property
    def _final(self) -> bytes:
        head, interim = self._head, _INTERIM.match(self._head)
        while interim:
            head = head[interim.end() :]
            interim = _INTERIM.match(head)
        return head

    def on_connection(self, connection: Connection) -> None:
        """Follow the connection that the request goes over."""
        self._connection = connection
        self.on_used_connection = connection.requests > 0
