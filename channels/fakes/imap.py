"""An IMAP server on loopback with one mailbox, that misbehaves on request: as much of RFC 3501 as reading one needs."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from channels.fakes.email import token_shown

EVERYTHING = frozenset({"IMAP4REV1", "AUTH=PLAIN", "MOVE", "UIDPLUS"})

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\([^)]*\))|(\S+)')
_PARTIAL = re.compile(r"BODY\.PEEK\[\]<0\.(\d+)>")


@dataclass(slots=True)
class Kept:
    """One message of a folder."""

    uid: int
    content: bytes
    flags: set[str] = field(default_factory=set)


class ImapServer:
    """`await start()`, then `port`. `folders` is what it holds, `offers` what it can do.

    The next commands of a name get `replies[name]` instead, as in `replies["LOGIN"].append("NO [UNAVAILABLE] later")`;
    an empty one hangs up without a word. `vanish`: messages that are gone once they are asked for. With `is_talkative`
    it says unasked what it may, and the UID behind the text. With `breaks_off` it hangs up in the middle of a message.
    `tokens` let in by XOAUTH2, where it offers that; answers to the reason for which one is refused are in `ended`.
    """

    def __init__(
        self,
        *,
        login: tuple[str, str] = ("bounces", "secret"),
        offers: frozenset[str] = EVERYTHING,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
    ) -> None:
        self._login, self._tls, self._implicit = login, tls, implicit_tls
        self.offers = offers
        self.folders: dict[str, list[Kept]] = {"INBOX": []}
        self.tokens: set[str] = set()
        self.ended: list[bytes] = []
        self.replies: defaultdict[str, deque[str]] = defaultdict(deque)
        self.vanish: set[int] = set()
        self.is_talkative = False
        self.breaks_off = False
        self.commands: list[str] = []
        self.connections = 0
        self.port = 0
        self._next_uid = 1
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes a free one."""
        tls = self._tls if self._implicit else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=tls)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening, and hang up."""
        if self._server is not None:
            self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection."""
        for writer in list(self._open):
            writer.transport.abort()

    def deliver(self, content: bytes, folder: str = "INBOX") -> int:
        """A message comes in; its UID."""
        uid, self._next_uid = self._next_uid, self._next_uid + 1
        self.folders[folder].append(Kept(uid, content))
        return uid

    def contents(self, folder: str) -> list[bytes]:
        """The messages of a folder."""
        return [one.content for one in self.folders.get(folder, ())]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await _Conversation(self, reader, writer).run()
        self._open.discard(writer)
        writer.close()

    def knows(self, user: str, password: str) -> bool:
        """Tell whether somebody may log in."""
        return (user, password) == self._login

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The encryption that STARTTLS begins."""
        return self._tls


class _Conversation:
    def __init__(self, server: ImapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._folder: list[Kept] = []

    async def run(self) -> None:
        """From the greeting to LOGOUT, or until one side hangs up."""
        self._say("* OK fake ready")
        while line := (await self._reader.readline()).decode("utf-8", "replace").rstrip("\r\n"):
            tag, *words = list(_words(line))
            name = " ".join(words[:2]).upper() if words[0].upper() == "UID" else words[0].upper()
            self._server.commands.append(name)
            if replies := self._server.replies[name]:
                if not (reply := replies.popleft()):
                    return
                self._say(f"{tag} {reply}")
                continue
            done = await self._carry_out(name, words[len(name.split()) :], tag)
            self._say(f"{tag} {done or 'OK done'}")
            await self._writer.drain()
            if name == "LOGOUT":
                return
            if name == "STARTTLS" and self._server.tls is not None:
                await self._writer.start_tls(self._server.tls)

    async def _carry_out(self, name: str, words: list[str], tag: str) -> str | None:
        if name == "AUTHENTICATE" and words[0].upper() in ("XOAUTH2", "OAUTHBEARER"):
            return await self._let_in_by_token()
        if name == "AUTHENTICATE":
            self._say("+ ")
            await self._writer.drain()
            given = base64.b64decode(await self._reader.readline()).decode().split("\0")
            return self._let_in(given[1], given[2])
        carried: dict[str, Callable[..., str | None]] = {
            "CAPABILITY": self._capability, "LOGIN": self._let_in, "SELECT": self._select, "CREATE": self._create,
            "LOGOUT": self._logout, "NOOP": _nothing, "STARTTLS": _nothing,
            "UID SEARCH": self._search, "UID FETCH": self._fetch, "UID MOVE": self._move, "UID COPY": self._copy,
            "UID STORE": self._store, "UID EXPUNGE": self._expunge,
        }  # fmt: skip
        return carried[name](*words) if name in carried else f"BAD {name} is not known"

    def _say(self, text: str) -> None:
        self._writer.write(f"{text}\r\n".encode())

    def _capability(self) -> None:
        self._say(f"* CAPABILITY {' '.join(sorted(self._server.offers))}")

    def _let_in(self, user: str, password: str) -> str | None:
        return None if self._server.knows(user, password) else f"NO [AUTHENTICATIONFAILED] not {user} with {password}"

    async def _let_in_by_token(self) -> str | None:
        self._say("+ ")
        await self._writer.drain()
        user, token = token_shown(base64.b64decode(await self._reader.readline()))
        if token in self._server.tokens:
            return None
        self._say("+ " + base64.b64encode(b'{"status":"400"}').decode())
        await self._writer.drain()
        self._server.ended.append((await self._reader.readline()).strip())
        return f"NO [AUTHENTICATIONFAILED] not {user} with {token}"

    def _select(self, name: str) -> str | None:
        if name not in self._server.folders:
            return f"NO [NONEXISTENT] no folder {name}"
        self._folder = self._server.folders[name]
        self._say(f"* {len(self._folder)} EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* FLAGS (\\Deleted \\Seen)")
        return "OK [READ-WRITE] selected"

    def _create(self, name: str) -> str | None:
        if name in self._server.folders:
            return "NO [ALREADYEXISTS] it is there"
        self._server.folders[name] = []
        return None

    def _logout(self) -> None:
        self._say("* BYE")

    def _search(self, numbers: str, *_: str) -> None:
        first, _colon, last = numbers.partition(":")
        found = [one.uid for one in self._folder[int(first) - 1 : int(last)] if "\\Deleted" not in one.flags]
        self._say(f"* SEARCH {' '.join(map(str, found))}".rstrip())

    def _fetch(self, uids: str, what: str) -> None:
        partial = _PARTIAL.search(what)
        most, asked = int(partial[1]) if partial else None, set(uids.split(","))
        self._folder[:] = [one for one in self._folder if one.uid not in self._server.vanish]
        for number, one in enumerate(self._folder, 1):
            if str(one.uid) in asked:
                self._say_message(number, one, one.content[:most])

    def _say_message(self, number: int, one: Kept, content: bytes) -> None:
        if self._server.breaks_off:
            head = f"* {number} FETCH (UID {one.uid} BODY[]<0> {{{len(content)}}}\r\n".encode()
            self._writer.write(head + content[: len(content) // 2])
            raise ConnectionAbortedError
        if self._server.is_talkative:
            self._say(f"* {len(self._folder)} EXISTS\r\n* {number} FETCH (FLAGS (\\Recent) UID {one.uid})")
            self._writer.write(f"* {number} FETCH (BODY[]<0> {{{len(content)}}}\r\n".encode() + content)
            self._say(f" UID {one.uid} FLAGS (\\Seen))")
        elif not content:
            self._say(f"* {number} FETCH (UID {one.uid} BODY[]<0> NIL)")
        else:
            self._writer.write(f"* {number} FETCH (UID {one.uid} BODY[]<0> {{{len(content)}}}\r\n".encode() + content)
            self._say(")")

    def _move(self, uids: str, name: str) -> str | None:
        if refused := self._copy(uids, name):
            return refused
        gone = set(uids.split(","))
        self._forget(lambda one: str(one.uid) in gone)
        return None

    def _copy(self, uids: str, name: str) -> str | None:
        if name not in self._server.folders:
            return "NO [TRYCREATE] no such folder"
        asked = set(uids.split(","))
        for one in [one for one in self._folder if str(one.uid) in asked]:
            self._server.deliver(one.content, name)
        return None

    def _store(self, uids: str, *_: str) -> None:
        asked = set(uids.split(","))
        for one in self._folder:
            if str(one.uid) in asked:
                one.flags.add("\\Deleted")

    def _expunge(self, uids: str) -> None:
        asked = set(uids.split(","))
        self._forget(lambda one: "\\Deleted" in one.flags and str(one.uid) in asked)

    def _forget(self, goes: Callable[[Kept], bool]) -> None:
        for number in range(len(self._folder), 0, -1):
            if goes(self._folder[number - 1]):
                del self._folder[number - 1]
                self._say(f"* {number} EXPUNGE")


def _words(line: str) -> Iterator[str]:
    for found in _WORD.finditer(line):
        yield re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2] or found[3]


def _nothing(*_: str) -> None:
    return None
