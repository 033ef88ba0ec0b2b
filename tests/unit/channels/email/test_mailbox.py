"""A mailbox over IMAP, before a server on loopback that misbehaves on request."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TypeVar

import pytest
import trustme

from channels.email import mailbox as module
from channels.email.mailbox import Mailbox, MailboxSession
from channels.email.reports import MOST_BYTES
from channels.fakes.imap import EVERYTHING, ImapServer
from schemas.errors import CannotStart, TidingsError, TryLater

PASSWORD = 'pl4nted "pa55\\word'
LOGIN = ("bounces@shop.example", PASSWORD)
LONG = 60.0

T = TypeVar("T")


def box(server: ImapServer, **changed: object) -> Mailbox:
    made = Mailbox(
        name="bounces", host="127.0.0.1", port=server.port, security="none", username=LOGIN[0], password=PASSWORD,
        folder="INBOX", taken_folder="Taken", other_folder="Other", timeout=LONG,
    )  # fmt: skip
    return replace(made, **changed)  # type: ignore[arg-type]


@pytest.fixture
async def server() -> AsyncIterator[ImapServer]:
    made = ImapServer(login=LOGIN)
    await made.start()
    yield made
    await made.stop()


async def within(mailbox: Mailbox, work: Callable[[MailboxSession], T]) -> T:
    def run() -> T:
        session = MailboxSession(mailbox)
        try:
            session.open()
            return work(session)
        finally:
            session.close()

    return await asyncio.wait_for(asyncio.to_thread(run), LONG)


def everything(session: MailboxSession) -> dict[int, bytes]:
    return session.fetch(session.waiting(100))


@pytest.mark.parametrize("offers", [EVERYTHING, EVERYTHING - {"AUTH=PLAIN"}])
@pytest.mark.parametrize("is_talkative", [False, True])
async def test_what_waits_is_read(server: ImapServer, offers: frozenset[str], is_talkative: bool) -> None:
    server.offers, server.is_talkative = offers, is_talkative
    mails = [b"first\r\n", b"* 7 FETCH (UID 9 BODY[]<0> {3}\r\n)\r\n", b"\xff\0 third"]
    for mail in mails:
        server.deliver(mail)
    assert await within(box(server), everything) == dict(enumerate(mails, 1))
    assert server.commands[-1] == "LOGOUT"


async def test_an_empty_message_and_a_huge_one(server: ImapServer) -> None:
    server.deliver(b"")
    server.deliver(b"x" * (MOST_BYTES + 10))
    assert await within(box(server), everything) == {1: b"", 2: b"x" * MOST_BYTES}


async def test_a_message_that_is_gone_meanwhile_is_left_out(server: ImapServer) -> None:
    for number in range(3):
        server.deliver(b"%d" % number)
    server.vanish = {2}
    assert await within(box(server), everything) == {1: b"0", 3: b"2"}


async def test_a_large_mailbox_is_searched_in_parts(server: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WINDOW", 10)
    for number in range(35):
        server.deliver(b"%d" % number)
    for one in server.folders["INBOX"][:15]:
        one.flags.add("\\Deleted")
    assert await within(box(server), lambda session: session.waiting(8)) == list(range(16, 24))
    assert await within(box(server), lambda session: session.waiting(100)) == list(range(16, 36))


@pytest.mark.parametrize(
    ("offers", "stays"),
    [(EVERYTHING, 1), (EVERYTHING - {"MOVE"}, 1), (EVERYTHING - {"MOVE", "UIDPLUS"}, 3)],
)
async def test_what_is_moved_is_no_longer_waiting(server: ImapServer, offers: frozenset[str], stays: int) -> None:
    server.offers = offers
    for name in (b"a", b"b", b"c"):
        server.deliver(name)

    def move(session: MailboxSession) -> list[int]:
        session.move([1], "Taken")
        session.move([3], "Taken")
        session.move([], "Other")
        return session.waiting(100)

    await within(box(server), move)
    assert server.contents("Taken") == [b"a", b"c"]
    assert len(server.folders["INBOX"]) == stays
    assert await within(box(server), everything) == {2: b"b"}
    assert "Other" not in server.folders


async def refusal(mailbox: Mailbox, work: Callable[[MailboxSession], object] = everything) -> TidingsError:
    with pytest.raises(TidingsError) as caught:
        await within(mailbox, work)
    assert PASSWORD not in str(caught.value)
    assert "pa55" not in repr((caught.value, mailbox))
    return caught.value


@pytest.mark.parametrize(
    ("command", "reply", "kind", "said"),
    [
        (
            "AUTHENTICATE",
            "NO [AUTHENTICATIONFAILED] wrong",
            CannotStart,
            "login: .* wrong. Check username and",
        ),
        ("AUTHENTICATE", f"NO not with {PASSWORD}", CannotStart, r"not with \[secret\]"),
        ("AUTHENTICATE", "NO [UNAVAILABLE] not now", TryLater, "not now"),
        ("AUTHENTICATE", "", TryLater, "bounces"),
        ("SELECT", "NO [NONEXISTENT] no", CannotStart, "INBOX: .*Check folder"),
        ("SELECT", "NO [INUSE] locked", TryLater, "locked"),
        ("SELECT", "OK [READ-ONLY] looking only", CannotStart, "INBOX may only be read"),
        ("UID SEARCH", "NO [SERVERBUG] oh", TryLater, "oh"),
        ("UID SEARCH", "BAD what", TryLater, "what"),
        ("UID SEARCH", "", TryLater, "bounces"),
        ("UID FETCH", "NO broken", TryLater, "broken"),
        ("UID FETCH", "", TryLater, "bounces"),
        ("CAPABILITY", "", TryLater, "bounces"),
    ],
)
async def test_what_is_refused_is_told_by_what_would_mend_it(
    server: ImapServer, command: str, reply: str, kind: type[TidingsError], said: str
) -> None:
    server.deliver(b"one")
    server.replies[command].append(reply)
    error = await refusal(box(server))
    assert isinstance(error, kind)
    assert re.search(said, str(error))


async def test_another_password_is_not_repeated(server: ImapServer) -> None:
    error = await refusal(box(server, username="ann"))
    assert isinstance(error, CannotStart)
    assert "[secret]" in str(error)


@pytest.mark.parametrize(
    ("offers", "changed", "said"),
    [
        (frozenset({"IMAP4REV1", "LOGINDISABLED"}), {}, "lets nobody log in like this"),
        (frozenset({"IMAP4REV1"}), {"username": "jörg"}, "in ASCII alone"),
        (EVERYTHING, {"security": "starttls"}, "does not offer STARTTLS"),
        (EVERYTHING, {"security": "tls", "ssl_cafile": "/not/there"}, "ssl_cafile cannot be read"),
    ],
)
async def test_what_cannot_be_is_for_a_person(
    server: ImapServer, offers: frozenset[str], changed: dict[str, str], said: str
) -> None:
    server.offers = offers
    error = await refusal(box(server, **changed))
    assert isinstance(error, CannotStart)
    assert said in str(error)


async def test_a_provider_that_takes_tokens_alone_is_told_of(server: ImapServer) -> None:
    server.replies["AUTHENTICATE"].append("NO AUTHENTICATE failed.")
    server.offers |= {"AUTH=XOAUTH2"}
    assert "takes OAuth 2 alone" in str(await refusal(box(server)))


async def test_names_outside_ascii_log_in_by_plain(server: ImapServer) -> None:
    await server.stop()
    foreign = ImapServer(login=("jörg", "geheim-ü"))
    await foreign.start()
    foreign.deliver(b"one")
    assert await within(box(foreign, username="jörg", password="geheim-ü"), everything) == {1: b"one"}
    await foreign.stop()


async def test_a_folder_that_cannot_be_made_is_named(server: ImapServer) -> None:
    server.deliver(b"one")
    server.replies["CREATE"].append("NO [CANNOT] use INBOX. in front")
    error = await refusal(box(server), lambda session: session.move([1], "Taken"))
    assert isinstance(error, CannotStart)
    assert "Taken: " in str(error)
    assert "some servers want INBOX. in front" in str(error)


async def test_nobody_listens(server: ImapServer) -> None:
    await server.stop()
    assert isinstance(await refusal(box(server)), TryLater)
    assert isinstance(await refusal(box(server, host="nowhere.invalid")), TryLater)


async def test_a_silent_server_is_given_up(server: ImapServer) -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LONG)

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    error = await refusal(box(server, port=listener.sockets[0].getsockname()[1], timeout=0.1))
    listener.close()
    assert "no answer within 0.1 s" in str(error)


async def test_a_server_that_announces_too_much_is_hung_up_on(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_LITERAL", 100)
    server.deliver(b"x" * 101)
    error = await refusal(box(server))
    assert "announces 101 bytes at once" in str(error)


async def test_a_message_that_breaks_off_is_not_one(server: ImapServer) -> None:
    server.deliver(b"x" * 1000)
    server.breaks_off = True
    assert isinstance(await refusal(box(server)), TryLater)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_tls_is_proved_by_the_authority_that_is_named(security: str, tmp_path: object) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    made = ImapServer(login=LOGIN, tls=context, implicit_tls=security == "tls", offers=EVERYTHING | {"STARTTLS"})
    await made.start()
    made.deliver(b"one")
    cafile = f"{tmp_path}/ca.pem"
    authority.cert_pem.write_to_path(cafile)
    assert await within(box(made, security=security, ssl_cafile=cafile), everything) == {1: b"one"}
    error = await refusal(box(made, security=security))
    assert isinstance(error, CannotStart)
    assert "its certificate is not trusted" in str(error)
    await made.stop()
