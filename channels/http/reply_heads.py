"""The first bytes of each HTTP reply, kept as they came, and whether its connection had been used before.

aiohttp gives up a reply whose headers or body it cannot read, its status with it. But a receiver that has said 200 has
taken the message: whatever it says after that must not make us send it again.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

_KEPT = 65_536
_INTERIM = re.compile(rb"\s*HTTP/[0-9.]+[ \t]+1(?!01)[0-9]{2}(?![0-9]).*?\r?\n\r?\n", re.DOTALL)
_STATUS = re.compile(rb"\s*HTTP/[0-9.]+[ \t]+([0-9]{3})\s")
_RETRY_AFTER = re.compile(rb"\nretry-after[ \t]*:[ \t]*([^\r\n]{1,100})", re.IGNORECASE)


class _HeadKeeper(ResponseHandler):
    """aiohttp's own reader, which also keeps the beginning of what it is given."""

    requests = 0
    head = b""

    def set_response_params(self, **params: Any) -> None:
        """Called by aiohttp before each request."""
        self.requests += 1
        self.head = b""
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if len(self.head) < _KEPT:
            self.head += data[: _KEPT - len(self.head)]
        super().data_received(data)


@dataclass(slots=True)
class Exchange:
    """One request and what is known of its reply, however it ended."""

    on_used_connection: bool = False
    _reader: _HeadKeeper | None = None

    def follow(self) -> None:
        """The next request of this task is this one."""
        _CURRENT.set(self)

    @property
    def connected(self) -> bool:
        """Tell whether there was a connection, so that the request may have reached the receiver."""
        return self._reader is not None

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
    def retry_after(self) -> str | None:
        """That header, as far as the headers came."""
        found = _RETRY_AFTER.search(self._final.split(b"\r\n\r\n", 1)[0])
        return found[1].decode("latin-1") if found else None

    @property
    def _head(self) -> bytes:
        return b"" if self._reader is None else self._reader.head

    @property
    def _final(self) -> bytes:
        head, interim = self._head, _INTERIM.match(self._head)
        while interim:
            head = head[interim.end() :]
            interim = _INTERIM.match(head)
        return head

    def on_connection(self, connection: Connection) -> None:
        """Called by the connector."""
        reader = connection.protocol
        if isinstance(reader, _HeadKeeper):
            self._reader = reader
            self.on_used_connection = reader.requests > 0


_CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


class HeadKeepingConnector(aiohttp.TCPConnector):
    """aiohttp's connections, whose replies an `Exchange` can look into."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_HeadKeeper, loop=self._loop)  # type: ignore[assignment]  # a kind of it

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        """See aiohttp."""
        connection = await super().connect(req, traces, timeout)
        exchange = _CURRENT.get()
        if exchange is not None:
            exchange.on_connection(connection)
        return connection
