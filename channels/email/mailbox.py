"""A mailbox that reports come back to, read over IMAP (RFC 3501): what waits, and where it goes once it is taken.

Nothing is remembered from one session to the next: what stands in the folder is still to be taken. So there is no mark
that another reader could set, nor a number that another UIDVALIDITY would make wrong. On imaplib, whose calls block:
each method is for a thread of its own, and `cut` for any other.
"""

from __future__ import annotations

import base64
import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from channels.contract import shortened
from channels.email.reports import MOST_BYTES
from channels.email.token_logins import TOKEN_LOGINS
from schemas.channels.email import MailSecurity
from schemas.channels.mail_oauth import Grant
from schemas.errors import CannotStart, TryLater

_WINDOW = 1000
"""Messages that one search looks at: the numbers of all in a large mailbox would not fit on imaplib's longest line."""
_MOST_LITERAL = 64 * 1024 * 1024
"""Bytes that a server may announce at once; asked for are `MOST_BYTES`, which a sound one keeps to."""
_TRANSIENT = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|OVERQUOTA)\]", re.IGNORECASE)
"""Source: RFC 5530; with these an answer says nothing about the login or the folder."""
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_EMPTY_BODY = re.compile(rb'BODY\[\](<0>)? (NIL|"")', re.IGNORECASE)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox, the folder that is read, and those that its messages go to: reports, and whatever else is in it."""

    name: str
    host: str
    port: int
    security: MailSecurity
    username: str
    password: str = field(repr=False)
    folder: str
    taken_folder: str
    other_folder: str
    ssl_cafile: str = ""
    timeout: float = 30.0
    grant: Grant | None = None

    @property
    def where(self) -> str:
        """The mailbox in words."""
        return f"mailbox {self.name} ({self.host}:{self.port})"


class _Limited:
    """Bounds what a server may have us hold at once."""

    def read(self, size: int) -> bytes:
        if size > _MOST_LITERAL:
            raise imaplib.IMAP4.abort(f"the server announces {size} bytes at once")
        return super().read(size)  # type: ignore[misc,no-any-return]


class _Plain(_Limited, imaplib.IMAP4):
    """Without TLS, or with STARTTLS."""


class _Tls(_Limited, imaplib.IMAP4_SSL):
    """With TLS from the first byte."""


class MailboxSession:
    """One connection, with the folder open, and the `count` of its messages at that moment.

    Every method raises TryLater, CannotStart where a person has to mend. `token` is an access token of OAuth 2, for a
    mailbox that has a grant.
    """

    def __init__(self, mailbox: Mailbox, token: str = "") -> None:
        self._mailbox, self._token = mailbox, token
        self._connection: imaplib.IMAP4 | None = None
        self._offers: frozenset[str] = frozenset()
        self.count = 0

    def open(self) -> None:
        """Connect, encrypt, log in, open the folder."""
        try:
            self._connection = self._said(self._connect)
            self._encrypt()
        except _No as error:
            raise self._away(error.words) from None
        self._offers = self._capabilities()
        self._final(self._log_in, "login")
        self._offers = self._capabilities()
        self._final(self._select, self._mailbox.folder)

    def waiting(self, limit: int) -> list[int]:
        """The UIDs of the first messages of the folder, at most so many; not those that are marked as deleted."""
        found: list[int] = []
        for first in range(1, self.count + 1, _WINDOW):
            numbers = f"{first}:{min(first + _WINDOW - 1, self.count)}"
            data = self._ask("UID", "SEARCH", numbers, "UNDELETED")
            found += [int(one) for line in data if isinstance(line, bytes) for one in line.split()]
            if len(found) >= limit:
                break
        return found[:limit]

    def fetch(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The beginnings of some messages; without those that are gone meanwhile."""
        found = dict(_messages(self._ask("UID", "FETCH", _numbers(uids), f"(UID BODY.PEEK[]<0.{MOST_BYTES}>)")))
        return {uid: found[uid][:MOST_BYTES] for uid in uids if uid in found}

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move some to another folder, which is made where it does not exist."""
        if not uids:
            return
        command = "MOVE" if "MOVE" in self._offers else "COPY"
        arguments = ("UID", command, _numbers(uids), _quoted(folder))
        try:
            self._answer(*arguments)
        except _No:
            with suppress(_No):  # it may be there: then the second try says what is wrong
                self._answer("CREATE", _quoted(folder))
            self._final(lambda: self._answer(*arguments), folder)
        if command == "COPY":
            self._ask("UID", "STORE", _numbers(uids), "+FLAGS.SILENT", r"(\Deleted)")
            if "UIDPLUS" in self._offers:  # without it others' marks would be carried out as well
                self._ask("UID", "EXPUNGE", _numbers(uids))

    def close(self) -> None:
        """Take leave, as far as the server listens."""
        if self._connection is not None:
            with suppress(imaplib.IMAP4.error, OSError):
                self._connection.logout()
            self.cut()

    def cut(self) -> None:
        """End the connection at once, whatever waits for it. For any thread."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> imaplib.IMAP4:
        box = self._mailbox
        if box.security == "tls":
            return _Tls(box.host, box.port, ssl_context=self._tls(), timeout=box.timeout)
        return _Plain(box.host, box.port, timeout=box.timeout)

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._mailbox.ssl_cafile or None)
        except OSError as error:
            raise self._refused(f"ssl_cafile cannot be read: {error.strerror}") from None

    def _encrypt(self) -> None:
        if self._mailbox.security != "starttls":
            return
        if "STARTTLS" not in self._capabilities():
            raise self._refused("does not offer STARTTLS. Check port and security: it may have to be tls")
        tls = self._tls()
        self._said(lambda: self._imap.starttls(tls))

    def _log_in(self) -> None:
        user, password, offers = self._mailbox.username, self._mailbox.password, self._offers
        if self._token:
            self._log_in_by_token()
        elif "AUTH=PLAIN" in offers:
            self._said(lambda: self._imap.authenticate("PLAIN", lambda _: self._plain))
        elif "LOGINDISABLED" in offers:
            raise self._refused("lets nobody log in like this. Check port and security")
        elif not (user + password).isascii():
            raise self._refused("takes a username and password in ASCII alone")
        else:
            self._said(lambda: self._imap.login(_quoted(user), password))

    def _log_in_by_token(self) -> None:
        """A server that refuses says why before it does, and waits for our answer to that."""
        offered = [one for one in TOKEN_LOGINS if f"AUTH={one.name}" in self._offers]
        if not offered:
            raise self._refused("offers no login by OAuth 2. Check port and security, or use a password")
        answers = iter((offered[0].says(self._mailbox.username, self._token), offered[0].ends))
        self._said(lambda: self._imap.authenticate(offered[0].name, lambda _: next(answers, None)))

    def _select(self) -> None:
        (*_, count) = self._answer("SELECT", _quoted(self._mailbox.folder))
        self.count = int(count)

    def _capabilities(self) -> frozenset[str]:
        data = self._said(self._imap.capability)[1]
        words = b" ".join(line for line in data if isinstance(line, bytes)).decode("ascii", "replace")
        return frozenset(words.upper().split())

    @property
    def _imap(self) -> imaplib.IMAP4:
        if self._connection is None:
            raise TryLater(f"{self._mailbox.where} is not connected")
        return self._connection

    def _answer(self, command: str, *arguments: str) -> list[Any]:
        """The answer of a command. Raises _No where the server refuses it."""

        def asked() -> tuple[str, list[Any]]:
            if command == "UID":
                return self._imap.uid(*arguments)
            return self._imap.select(arguments[0]) if command == "SELECT" else self._imap.create(arguments[0])

        kind, data = self._said(asked)
        if kind != "OK":
            raise _No(self._words(data))
        return data

    def _ask(self, command: str, *arguments: str) -> list[Any]:
        """The answer of a command that is refused for a while alone."""
        try:
            return self._answer(command, *arguments)
        except _No as error:
            raise self._away(error.words) from None

    def _final(self, work: Callable[[], T], what: str) -> T:
        """The answer of what a person has to mend where it is refused, unless the server says that it will pass."""
        try:
            return work()
        except _No as error:
            if _TRANSIENT.search(error.words):
                raise self._away(error.words) from None
            if what == "login":
                raise LoginRefused(f"{self._mailbox.where}: login: {error.words}. {self._mend_login()}") from None
            raise self._refused(f"{what}: {error.words}. {_MEND_FOLDER}") from None

    def _mend_login(self) -> str:
        if self._token:
            return _MEND_OAUTH
        return _MEND_LOGIN + (_OFFERS_OAUTH if "AUTH=XOAUTH2" in self._offers else "")

    def _said(self, work: Callable[[], T]) -> T:
        """The result, with what failed in our words; none of them holds the password."""
        try:
            return work()
        except imaplib.IMAP4.readonly:
            raise self._refused(f"{self._mailbox.folder} may only be read. {_MEND_FOLDER}") from None
        except imaplib.IMAP4.abort as error:
            raise self._away(self._words([str(error)])) from None
        except imaplib.IMAP4.error as error:
            raise _No(self._words([error.args[0] if error.args else ""])) from None
        except ssl.SSLCertVerificationError as error:
            hint = "Check that host is the name in it; for an authority of your own, set ssl_cafile"
            raise self._refused(f"its certificate is not trusted: {error.verify_message}. {hint}") from None
        except socket.gaierror:
            raise self._away("its name cannot be resolved") from None
        except TimeoutError:
            raise self._away(f"no answer within {self._mailbox.timeout:g} s") from None
        except (OSError, ValueError, EOFError) as error:  # ValueError: a connection that was cut
            raise self._away(getattr(error, "strerror", None) or type(error).__name__) from None

    def _words(self, data: Iterable[Any]) -> str:
        said = " ".join(one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in data)
        for secret in self._secrets():  # some repeat what they got
            said = said.replace(secret, "[secret]") if secret else said
        return shortened(said).rstrip(". ") or "no reason given"

    def _secrets(self) -> list[str]:
        user, token = self._mailbox.username, self._token
        logins = [self._plain, *(one.says(user, token) for one in TOKEN_LOGINS if token)]
        return [*(base64.b64encode(one).decode() for one in logins), self._mailbox.password, token]

    @property
    def _plain(self) -> bytes:
        """Source: RFC 4616."""
        return b"\0" + self._mailbox.username.encode() + b"\0" + self._mailbox.password.encode()

    def _away(self, why: str) -> TryLater:
        return TryLater(f"{self._mailbox.where}: {why}", what=f"mailbox {self._mailbox.name}")

    def _refused(self, why: str) -> CannotStart:
        return CannotStart(f"{self._mailbox.where}: {why}")


class LoginRefused(CannotStart):
    """The server does not let us in."""


class _No(Exception):
    """The server refuses a command; its words."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


_MEND_LOGIN = "Check username and password; with two factors the server wants a password made for applications"
_OFFERS_OAUTH = ". Where its provider takes OAuth 2 alone (Microsoft 365), write client_id and refresh_token instead"
_MEND_OAUTH = "Check username, and that client_id may read mail (scope); some tenants switch IMAP off"
_MEND_FOLDER = "Check folder, taken_folder and other_folder; some servers want INBOX. in front"


def _numbers(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _messages(data: Sequence[Any]) -> Iterable[tuple[int, bytes]]:
    """UID and beginning of each message of an answer; the UID may stand before the text or behind it."""
    for place, item in enumerate(data):
        if isinstance(item, tuple):
            behind = data[place + 1] if place + 1 < len(data) and isinstance(data[place + 1], bytes) else b""
            if found := _UID.search(item[0]) or _UID.search(behind):
                yield int(found[1]), item[1]
        elif isinstance(item, bytes) and _EMPTY_BODY.search(item) and (found := _UID.search(item)):
            yield int(found[1]), b""
