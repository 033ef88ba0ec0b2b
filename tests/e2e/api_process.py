"""`tidings api` as a process of its own, which is asked with a key, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import psutil

from agents.wiring import Wiring
from console.control import api_keys
from console.control.api_keys import NewKey
from schemas.api_key import RANDOM_BYTES
from store.api_keys import ApiKeys

_ADDRESS = re.compile(r"API\s+(\S+)")
_SAMPLE_SECONDS = 0.2


class ApiProcess:
    """One at a time; `peak` is the most memory that any of them was seen with, in bytes."""

    def __init__(self, environ: Mapping[str, str], folder: Path, key: str) -> None:
        self._environ, self._folder = {**os.environ, **environ, "TIDINGS_DATA": str(folder)}, folder
        folder.mkdir(parents=True, exist_ok=True)
        self._headers = {"authorization": f"Bearer {key}"}
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[bytes] | None = None
        self._address = ""
        self.peak = 0

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self._folder / "api.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "console", "api", "--port", "0",
                env=self._environ, stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(120):
            while not (found := _ADDRESS.search((line := await self._process.stdout.readline()).decode())):
                assert line, (self._folder / "api.log").read_text()[-3000:]
        self._address = found[1]
        self._drain = asyncio.ensure_future(self._process.stdout.read())

    async def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None and self._drain is not None:
            self._process.kill()
            await self._process.wait()
            await self._drain
            self._process = None

    async def watch(self) -> None:
        """Look at its memory, until canceled."""
        while True:
            if self._process is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.peak = max(self.peak, psutil.Process(self._process.pid).memory_info().rss)
            await asyncio.sleep(_SAMPLE_SECONDS)

    async def ask(self, method: str, path: str, body: bytes | Any = None, content_type: str = "text/csv") -> Any:
        """The answer, as JSON."""
        headers = self._headers | ({"content-type": content_type} if body is not None else {})
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session,
            session.request(method, self._address + path, data=body, headers=headers) as reply,
        ):
            said = msgspec.json.decode(await reply.read())
            assert reply.status < 300, said
            return said


@contextlib.asynccontextmanager
async def api_process(
    pool: asyncpg.Pool, wiring: Wiring, environ: Mapping[str, str], folder: Path
) -> AsyncIterator[ApiProcess]:
    """One that runs, with a key of an admin."""
    new = NewKey(wiring.default_project, f"process-{secrets.token_hex(4)}", "admin", "live")
    key, _ = await api_keys.create(ApiKeys(pool), new, secrets.token_bytes(RANDOM_BYTES), actor="ann")
    process = ApiProcess(environ, folder, key)
    watching = asyncio.ensure_future(process.watch())
    try:
        await process.start()
        yield process
    finally:
        watching.cancel()
        await process.kill()
