"""A webhook receiver and a mail server on loopback, for a release that is made to write what `make.py` keeps."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from types import TracebackType
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP

ANSWERS = {"ok": 200, "busy": 503, "refused": 400, "closed": 401}
"""By path; `flaky` is busy once for each message, `held` answers when it is told to."""


class Receivers:
    """`with Receivers() as receivers:`, both in threads of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self._seen: Counter[str] = Counter()
        self._released = asyncio.Semaphore(0)
        self.held = 0
        self.web_port = self.mail_port = 0

    def __enter__(self) -> Receivers:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def release(self) -> None:
        """Answer the first of the held requests."""
        self._loop.call_soon_threadsafe(self._released.release)

    async def _listen(self) -> None:
        app = web.Application()
        app.add_routes([web.post("/{path}", self._answer)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.web_port = int(self._runner.addresses[0][1])
        mail = await self._loop.create_server(lambda: SMTP(_Mailbox()), "127.0.0.1", 0)
        self.mail_port = int(mail.sockets[0].getsockname()[1])

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        path, message = request.match_info["path"], request.headers.get("webhook-id", "")
        self._seen[message] += 1
        if path == "held":
            self.held += 1
            await self._released.acquire()
        if path == "flaky":
            return web.Response(status=503 if self._seen[message] == 1 else 200)
        return web.Response(status=ANSWERS.get(path, 200))


class _Mailbox:
    async def handle_DATA(self, *_: Any) -> str:
        return "250 2.0.0 kept"
