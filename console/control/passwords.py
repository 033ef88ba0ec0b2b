"""Hashes of passwords by argon2id, made in a few threads: each takes 64 MB, so that their number bounds the memory.

By the library that encrypts accounts as well. Source of the parameters: RFC 9106, 4, the second recommendation, in one
lane, since several people may sign in at once.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from schemas.errors import TryLater
from schemas.formats.passwords import normal_password

_SALT_BYTES, _HASH_BYTES = 16, 32
_PARAMETERS = re.compile(r"\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$")
_COSTLIEST_KIB, _MOST_PASSES, _MOST_LANES = 256 * 1024, 20, 16
"""A hash that asks for more is not verified: a damaged row takes no server's memory."""
_RETRY_AFTER = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """The effort of a hash: memory in KiB, and passes over it."""

    kib: int = 64 * 1024
    passes: int = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about a password; `better` is a new hash, where that which is kept is weaker than is usual now."""

    is_right: bool
    better: str | None = None


class Passwords:
    """`at_once` are hashed at a time and `waiting` more may wait: whoever comes then is told to come again."""

    def __init__(self, *, cost: Cost | None = None, at_once: int = 2, waiting: int = 32) -> None:
        self._cost = cost or Cost()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="password")
        self._most, self._under_way = at_once + waiting, 0
        self._nobodys = ""

    async def hash(self, password: str) -> str:
        """The hash that is kept in a password's place. Raises TryLater."""
        return await self._in_thread(lambda: _hash(password, self._cost))

    async def verify(self, kept: str | None, password: str) -> Verdict:
        """The answer about a password: wrong, after as long, where there is no hash of one. Raises TryLater."""
        return await self._in_thread(lambda: self._verify(kept, password))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str | None, password: str) -> Verdict:
        self._nobodys = self._nobodys or _hash(secrets.token_urlsafe(), self._cost)  # whoever comes first waits for it
        if kept is None:
            _is_right(self._nobodys, password)
            return Verdict(False)
        if not _is_right(kept, password):
            return Verdict(False)
        return Verdict(True, _hash(password, self._cost) if is_weaker(kept, self._cost) else None)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._under_way >= self._most:
            raise TryLater("too many passwords are being checked", retry_after=_RETRY_AFTER)
        self._under_way += 1
        done = self._threads.submit(work)
        done.add_done_callback(self._note_end(asyncio.get_running_loop()))  # not before: a thread cannot be cancelled
        return await asyncio.wrap_future(done)

    def _note_end(self, loop: asyncio.AbstractEventLoop) -> Callable[[object], None]:
        def end() -> None:
            self._under_way -= 1

        def note(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(end)

        return note


def is_weaker(kept: str, cost: Cost) -> bool:
    """True of a hash that takes less memory or fewer passes than is usual now."""
    found = _PARAMETERS.match(kept)
    return found is None or int(found[1]) < cost.kib or int(found[2]) < cost.passes


def _hash(password: str, cost: Cost) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    made = Argon2id(salt=salt, length=_HASH_BYTES, iterations=cost.passes, lanes=1, memory_cost=cost.kib)
    return made.derive_phc_encoded(_bytes(password))


def _is_right(kept: str, password: str) -> bool:
    found = _PARAMETERS.match(kept)
    if found is None:
        return False
    kib, passes, lanes = map(int, found.groups())
    if kib > _COSTLIEST_KIB or passes > _MOST_PASSES or lanes > _MOST_LANES:
        return False
    try:
        Argon2id.verify_phc_encoded(_bytes(password), kept)
    except InvalidKey:
        return False
    return True


def _bytes(password: str) -> bytes:
    return normal_password(password).encode(errors="surrogatepass")
