"""Files that an e-mail brings along: those kept with its template, and those fetched from their URLs at each attempt.

Of the latter only what the guard of webhooks lets be reached is asked, and no redirect is followed. What goes wrong is
said of the message, not of the mail server it was for: that one was not asked.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from aiohttp import ClientError
from cachetools import LRUCache

from channels.contract import shortened
from channels.email.mime import AttachedFile, FileLimits
from channels.http.names import Names
from channels.http.replies import status_meaning
from channels.http.reply_heads import Exchange
from channels.http.retry_after import asked_seconds
from channels.http.ssrf import PlaceRefused, Reach
from channels.http.transport import BodyLimits, Reply, Transport
from channels.kept_files import KeptFile, no_kept_file
from schemas.channels.email import AttachedUrl
from schemas.errors import TemplateFailed
from schemas.formats.file_names import UNKNOWN_TYPE, content_type, file_name, type_problem
from schemas.formats.hosts import HostRefused, ascii_url
from schemas.receipt import Postponed, Receipt, Refused
from schemas.template import TemplateFile

_HEADERS = {"accept-encoding": "identity", "user-agent": "Tidings/1"}
_OK = 200
_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9.+_-]{0,60}/[a-z0-9][a-z0-9.+_-]{0,80}")
"""A part of several parts, or a whole message, does not stand in base64 (RFC 2045, 6.4)."""
_PAGES = ("text/html", "application/xhtml+xml")
_TYPES = mimetypes.MimeTypes()
"""Python's own, the same on every machine."""
_PUBLIC, _USUAL = Reach(), FileLimits()
_NO_NAME = "attachment"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that each attempt fetches. Its URL may hold a secret."""

    url: str = field(repr=False)
    name: str = field(repr=False)


AnyFile = RemoteFile | TemplateFile

_KEPT_BYTES = 64 * 2**20
"""Of files, as they stand in a message, that are remembered; the least recently used gives way."""


class _NotFetched(Exception):
    """No file; `receipt` says what becomes of the message."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt)
        self.receipt = receipt


def remote_file(one: AttachedUrl, url_of: Callable[[str], str], text_of: Callable[[str], str]) -> RemoteFile:
    """A file of one message; `url_of` and `text_of` fill in a template. Raises TemplateFailed, which shows no URL."""
    try:
        url = ascii_url(url_of(one.url).strip())
        path = urlsplit(url).path
    except (HostRefused, ValueError):
        raise TemplateFailed("attachments: what url was filled in to is not an address") from None
    if any(unquote(part) in (".", "..") for part in path.split("/")):
        raise TemplateFailed("attachments: a value makes url lead to another folder by . or ..")
    name = file_name(text_of(one.name)) if one.name else file_name(unquote(path.rpartition("/")[2]))
    problem = type_problem(name)
    if problem:
        raise TemplateFailed(f"attachments: {problem}")
    return RemoteFile(url, name or _NO_NAME)


class Attachments:
    """Fetches files, for one event loop."""

    def __init__(self, reach: Reach = _PUBLIC, limits: FileLimits = _USUAL, kept_file: KeptFile = no_kept_file) -> None:
        self._reach, self._limits, self._kept_file = reach, limits, kept_file
        self._remembered: LRUCache[TemplateFile, AttachedFile] = LRUCache(_KEPT_BYTES, lambda one: len(one.lines))
        self._transport = Transport(reach, Names())

    async def fetched(
        self, files: Sequence[AnyFile], *, timeout: float, now: datetime
    ) -> tuple[AttachedFile, ...] | Receipt:
        """All of them within `timeout` seconds, or what becomes of the message. Raises TryLater."""
        whole: list[AttachedFile] = []
        left = self._limits.together
        at = ""
        try:
            async with asyncio.timeout(timeout):
                for number, file in enumerate(files, 1):
                    if isinstance(file, TemplateFile):
                        whole.append(await self._kept(file))
                        left -= file.size
                        continue
                    at = f"attachment {number} ({urlsplit(file.url).hostname})"
                    reply = await self._reply(file.url, min(self._limits.each, left), timeout)
                    name, kind = self._judged(file, reply, at, left, now)
                    whole.append(await asyncio.to_thread(AttachedFile.of, name, kind, reply.body))
                    left -= len(reply.body)
        except _NotFetched as error:
            return error.receipt
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            return _unanswered(error, at, timeout)
        return tuple(whole)

    async def _kept(self, file: TemplateFile) -> AttachedFile:
        """A file of the template, read once and not once a message. Raises _NotFetched, TryLater."""
        known = self._remembered.get(file)
        if known is None:
            data = await self._kept_file(file.digest)
            if data is None:
                raise _NotFetched(Refused(f"attachment {file.name} ({file.digest[:8]}) is missing"))
            known = await asyncio.to_thread(AttachedFile.of, file.name, file.content_type, data)
            with suppress(ValueError):  # it is larger than all that may be kept
                self._remembered[file] = known
        return known

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    async def _reply(self, url: str, most: int, seconds: float) -> Reply:
        """Asked again at once where a connection at rest was closed meanwhile."""
        problem = self._reach.problem(url)
        if problem is not None:
            raise PlaceRefused(problem)
        limits = BodyLimits(kept=most, read=most, seconds=seconds)
        exchange = Exchange()
        try:
            return await self._transport.request("GET", url, _HEADERS, b"", exchange, limits, fresh=False)
        except (ClientError, ConnectionError):
            if not exchange.on_used_connection:
                raise
        return await self._transport.request("GET", url, _HEADERS, b"", Exchange(), limits, fresh=True)

    def _judged(self, file: RemoteFile, reply: Reply, at: str, left: int, now: datetime) -> tuple[str, str]:
        """The name and the type of a reply that is a file. Raises _NotFetched."""
        if reply.status != _OK:
            raise _NotFetched(_receipt_of(reply, at, now))
        if "content-encoding" in reply.headers:
            raise _NotFetched(Refused(f"{at}: it comes compressed, which was not asked for"))
        most = min(self._limits.each, left)
        if not reply.is_whole and len(reply.body) >= most:
            raise _NotFetched(Refused(f"{at}: {self._too_large(left)}"))
        if not reply.is_whole or not reply.body:
            raise _NotFetched(Postponed(f"{at}: {'it broke off' if reply.body else 'nothing came'}"))
        kind, expected = _type(reply.headers.get("content-type", "")), _type(content_type(file.name))
        if kind in _PAGES and expected not in (UNKNOWN_TYPE, *_PAGES):
            raise _NotFetched(Refused(f"{at}: a web page came, a login mostly, and no {expected}"))
        found = expected if kind == UNKNOWN_TYPE else kind
        return _with_type(file.name, found), found

    def _too_large(self, left: int) -> str:
        if left < self._limits.each:
            return f"the files have more than {self._limits.together:,} bytes (sender.attachments_max_bytes)"
        return f"it has more than {self._limits.each:,} bytes (sender.attachment_max_bytes)"


def _receipt_of(reply: Reply, at: str, now: datetime) -> Receipt:
    meaning = status_meaning(reply.status)
    said = f"{at}: HTTP {reply.status}"
    match meaning.meaning:
        case "later" | "throttled":
            wait = asked_seconds(reply.headers, now, is_throttled=meaning.meaning == "throttled")
            return Postponed(f"{said}: {meaning.why}", wait)
        case "accepted":
            return Postponed(f"{said}: it is not there yet")
        case _:
            return Refused(f"{said}: {'there is no such file' if reply.status in (404, 410) else meaning.why}")


def _unanswered(error: Exception, at: str, timeout: float) -> Receipt:
    if isinstance(error, PlaceRefused):
        return Refused(shortened(f"{at}: {error}"))
    if isinstance(error, ssl.SSLCertVerificationError):  # a ValueError as well
        return Postponed(shortened(f"{at}: its certificate is not trusted: {error.verify_message or error}"))
    if isinstance(error, ValueError):
        return Refused(f"{at}: the request cannot be written: {type(error).__name__}")
    if isinstance(error, TimeoutError) and not error.args:  # ours
        return Postponed(f"{at}: not there within {timeout:g} s")
    return Postponed(shortened(f"{at}: connection lost: {type(error).__name__}"))


def _type(said: str) -> str:
    kind = said.partition(";")[0].strip().lower()
    return kind if _TYPE.fullmatch(kind) else UNKNOWN_TYPE


def _with_type(name: str, kind: str) -> str:
    """A name that ends as its type does, where it has no end of its own: nothing would open it otherwise."""
    if PurePosixPath(name).suffix:
        return name
    ending = _TYPES.guess_extension(kind) or ""
    return name if kind == UNKNOWN_TYPE or type_problem(name + ending) else name + ending
