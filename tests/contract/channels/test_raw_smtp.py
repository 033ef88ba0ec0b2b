"""Mail servers that go away, fall silent or say what nobody expects, at each stage: what becomes of the message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from channels.accounts import fixed_accounts
from channels.email.channel import Email
from channels.email.smtp_session import EmailAccount
from channels.fakes.raw import RawReply
from channels.fakes.raw_smtp import RawSmtp
from channels.templates.engine import Templates
from schemas.receipt import Accepted, Blocked, Deferred, Postponed, Receipt, Refused, Unanswered
from tests.factory import TEMPLATE, customer, delivery

LONG = 60.0
BEFORE, AFTER = ("greeting", "ehlo", "auth", "mail", "rcpt"), ("data", "middle", "end")
STAGES = [*((stage, Deferred) for stage in BEFORE), *((stage, Unanswered) for stage in AFTER)]
"""Up to the recipient the server has nothing; from DATA on it may have the message, whatever it says of it."""
RESET, GONE, SILENT = RawReply((), resets=True), RawReply((), ends=True), RawReply((), stays=600.0)
NO_ANSWERS = {
    "no code": RawReply((b"hello?\r\n",)),
    "a line that does not end": RawReply((b"2" * 200_000,)),
    "a code of letters": RawReply((b"abc ok\r\n",)),
    "nothing but an empty line": RawReply((b"\r\n",)),
}
Odd = Callable[[bytes], RawReply]
ODD_BUT_CLEAR: dict[str, Odd] = {
    "a byte at a time": lambda said: RawReply(tuple(bytes((one,)) for one in said)),
    "many lines": lambda said: RawReply((b"".join(said[:3] + b"-%d\r\n" % one for one in range(50)) + said,)),
    "letters of no encoding": lambda said: RawReply((said[:3] + b" \xff\xfe\xe9 ok\r\n",)),
    "the code alone": lambda said: RawReply((said[:3] + b"\r\n",)),
    "a bare line feed": lambda said: RawReply((said[:3] + b" ok\n",)),
}


@asynccontextmanager
async def opened(*offers: str) -> AsyncIterator[tuple[RawSmtp, Email]]:
    """A server that offers something beside a login, and the channel that sends through it."""
    server = RawSmtp()
    server.offers = (*offers, *server.offers)
    await server.start()
    account = EmailAccount(
        "main", "127.0.0.1", server.port, "none", "shop@example.com", username="user", password="hush-password"
    )
    channel = Email(fixed_accounts("email", {"main": account}), Templates())
    try:
        yield server, channel
    finally:
        await channel.close()
        await server.stop()


async def send(channel: Email, number: int, timeout: float = LONG) -> Receipt:
    """The mail of this number, to an address of its own."""
    made = replace(delivery("email", customer(email=f"c{number}@example.com")), delivery_id=f"dlv_{number}")
    return await channel.send(channel.render(made, TEMPLATE), timeout=timeout, now=datetime.now(UTC))


async def ends_well(
    channel: Email, server: RawSmtp, first: Receipt, kind: type[Receipt] | tuple[type[Receipt], ...]
) -> None:
    """The first mail was not taken and is not said to be; it and another go out over sound sessions."""
    assert isinstance(first, kind), first
    assert "hush" not in repr(first)
    assert not any(mail.is_taken for mail in server.mails)
    again, other = await asyncio.gather(send(channel, 1), send(channel, 2))
    assert [type(one) for one in (again, other)] == [Accepted, Accepted]
    taken = {mail.recipients[0]: mail.content for mail in server.mails if mail.is_taken}
    assert sorted(taken) == ["c1@example.com", "c2@example.com"]
    assert all(f"<dlv_{number}@example.com>".encode() in taken[f"c{number}@example.com"] for number in (1, 2))
    assert all(len(mail.recipients) == 1 for mail in server.mails if mail.is_taken)


@pytest.mark.parametrize("fault", [RESET, GONE], ids=["reset", "gone"])
@pytest.mark.parametrize(("stage", "kind"), STAGES)
async def test_a_server_that_goes_away(stage: str, kind: type[Receipt], fault: RawReply) -> None:
    async with opened() as (server, channel):
        server.once[stage] = fault
        await ends_well(channel, server, await send(channel, 1), kind)
        assert server.connections >= 2


async def test_a_server_that_falls_silent() -> None:
    """All stages at once, since each takes as long as its timeout."""

    async def at(stage: str, kind: type[Receipt]) -> None:
        async with opened() as (server, channel):
            server.once[stage] = SILENT
            await ends_well(channel, server, await send(channel, 1, timeout=5.0), kind)

    await asyncio.gather(*(at(stage, kind) for stage, kind in STAGES))


@pytest.mark.parametrize("said", NO_ANSWERS.values(), ids=list(NO_ANSWERS))
@pytest.mark.parametrize(("stage", "kind"), [one for one in STAGES if one[0] != "middle"])
async def test_what_is_no_answer(stage: str, kind: type[Receipt], said: RawReply) -> None:
    async with opened() as (server, channel):
        server.once[stage] = said
        await ends_well(channel, server, await send(channel, 1), kind)


@pytest.mark.parametrize("odd", ODD_BUT_CLEAR.values(), ids=list(ODD_BUT_CLEAR))
@pytest.mark.parametrize("stage", ["greeting", "auth", "mail", "rcpt", "data", "end"])
async def test_what_is_odd_but_clear(stage: str, odd: Odd) -> None:
    usual = {"greeting": b"220 a\r\n", "auth": b"235 a\r\n", "data": b"354 a\r\n"}.get(stage, b"250 a\r\n")
    async with opened() as (server, channel):
        server.once[stage] = odd(usual)
        assert isinstance(await send(channel, 1), Accepted)
        assert [mail.recipients for mail in server.mails] == [["c1@example.com"]]


async def test_a_session_that_ends_at_rest_costs_no_attempt() -> None:
    async with opened() as (server, channel):
        assert isinstance(await send(channel, 1), Accepted)
        for fault in (RESET, GONE):
            server.once["mail"] = fault
            assert isinstance(await send(channel, 2), Accepted)
        taken = [mail.recipients for mail in server.mails if mail.is_taken]
        assert taken == [["c1@example.com"], ["c2@example.com"], ["c2@example.com"]]


@pytest.mark.parametrize(
    ("early", "late", "kind"),
    [
        ("mail", "rcpt", Refused),
        ("rcpt", "data", Refused),
        ("data", "end", Refused),
        ("ehlo", "mail", Blocked),
    ],
)
async def test_an_answer_too_many_is_not_the_one_to_the_next_command(
    early: str, late: str, kind: type[Receipt]
) -> None:
    """In the same packet as the answer that was due, which leaves it waiting when the next command is sent."""
    usual = {"ehlo": b"250-a\r\n250 AUTH PLAIN\r\n", "data": b"354 a\r\n"}.get(early, b"250 a\r\n")
    async with opened() as (server, channel):
        server.once[early] = RawReply((usual + b"250 2.0.0 queued\r\n",))
        server.once[late] = RawReply((b"550 5.7.1 go away\r\n" if late == "mail" else b"550 5.1.1 no such user\r\n",))
        receipt = await send(channel, 1)
        assert isinstance(receipt, kind), receipt
        assert not any(mail.is_taken for mail in server.mails)


@pytest.mark.parametrize("stage", ["rcpt", "data", "end"])
async def test_who_is_put_off_is_sent_the_same_message_later(stage: str) -> None:
    async with opened() as (server, channel):
        server.once[stage] = RawReply((b"451 4.7.1 Greylisting in action, please come back later\r\n",))
        assert isinstance(await send(channel, 1), Postponed)
        assert isinstance(await send(channel, 1), Accepted)
        taken = [mail for mail in server.mails if mail.is_taken]
        assert [mail.recipients for mail in taken] == [["c1@example.com"]]
        assert b"<dlv_1@example.com>" in taken[0].content


# -- commands in one write ------------------------------------------------------------------------------------------

NO_SUCH_USER, CLOSING = b"550 5.1.1 no such user\r\n", b"421 4.3.2 closing\r\n"
PIPELINED: dict[str, tuple[dict[str, bytes], type[Receipt]]] = {
    "the sender is refused": ({"mail": b"550 5.7.1 no\r\n", "rcpt": b"503 a\r\n", "data": b"503 a\r\n"}, Blocked),
    "the recipient is refused, and DATA": ({"rcpt": NO_SUCH_USER, "data": b"503 5.5.1 RCPT first\r\n"}, Refused),
    "the recipient is refused, and DATA otherwise": ({"rcpt": NO_SUCH_USER, "data": b"554 5.5.1 no\r\n"}, Refused),
    "the recipient is refused, and the message asked for": ({"rcpt": NO_SUCH_USER}, Refused),
    "the recipient is put off, and the message asked for": ({"rcpt": b"450 4.7.0 greylisted\r\n"}, Postponed),
    "DATA is put off": ({"data": b"451 4.3.0 later\r\n"}, Postponed),
    "the message is refused": ({"end": b"550 5.1.1 no such user\r\n"}, Refused),
}  # fmt: skip


@pytest.mark.parametrize("case", PIPELINED)
async def test_each_command_of_one_write_has_its_own_answer_and_the_session_goes_on(case: str) -> None:
    said, kind = PIPELINED[case]
    async with opened("PIPELINING") as (server, channel):
        server.once |= {stage: RawReply((words,)) for stage, words in said.items()}
        await ends_well(channel, server, await send(channel, 1), kind)
        assert server.connections <= 2  # the two mails after it leave at the same time
        assert all(mail.content.startswith((b"Date:", b".\r\n")) for mail in server.mails if mail.content)


@pytest.mark.parametrize("fault", [RESET, GONE], ids=["reset", "gone"])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "middle", "end"])
async def test_a_server_that_goes_away_amid_commands_of_one_write(stage: str, fault: RawReply) -> None:
    """Its end may hide answers that it had given; the message was not yet written, and that counts."""
    async with opened("PIPELINING") as (server, channel):
        server.once[stage] = fault
        first = await send(channel, 1)
        await ends_well(channel, server, first, Unanswered if stage in ("middle", "end") else (Deferred, Unanswered))


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_a_goodbye_amid_commands_of_one_write(stage: str) -> None:
    async with opened("PIPELINING") as (server, channel):
        server.once[stage] = RawReply((CLOSING,), ends=True)
        await ends_well(channel, server, await send(channel, 1), Deferred)
        assert server.connections >= 2


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_an_answer_too_many_amid_others_takes_the_session_out_of_step_and_no_message_with_it(stage: str) -> None:
    async with opened("PIPELINING") as (server, channel):
        server.once[stage] = RawReply((b"250 2.0.0 ok\r\n250 2.0.0 queued\r\n",))
        server.once["rcpt" if stage == "mail" else "data"] = RawReply((b"550 5.1.1 no such user\r\n",))
        first = await send(channel, 1, timeout=LONG)
        assert isinstance(first, Deferred | Refused)
        await ends_well(channel, server, first, type(first))


async def test_the_commands_come_in_one_write_and_answers_may_come_late_and_together() -> None:
    async with opened("PIPELINING", "8BITMIME") as (server, channel):
        for number in range(1, 4):
            server.once |= {"mail": RawReply(()), "rcpt": RawReply(())}
            server.once["data"] = RawReply((b"250 a\r\n250-b\r\n250 c\r\n354 d\r\n",))
            assert isinstance(await send(channel, number), Accepted)
        assert server.connections == 1


async def test_a_pipelined_session_that_ends_at_rest_costs_no_attempt() -> None:
    async with opened("PIPELINING") as (server, channel):
        assert isinstance(await send(channel, 1), Accepted)
        for fault in (RESET, GONE, RawReply((CLOSING,), ends=True)):
            server.once["mail"] = fault
            assert isinstance(await send(channel, 2), Accepted)
        assert [mail.recipients for mail in server.mails if mail.is_taken] == [["c1@example.com"]] + [
            ["c2@example.com"]
        ] * 3


async def test_a_session_that_was_slow_before_is_waited_for_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers to commands of one write come when the last of them is answered."""
    monkeypatch.setattr("channels.email.smtp_session._REST_SECONDS", 0.001)
    async with opened("PIPELINING") as (server, channel):
        for number, seconds in ((1, 1.0), (2, 0.05)):
            server.once |= {"mail": RawReply(()), "rcpt": RawReply((), stays=seconds)}
            server.once["data"] = RawReply((b"250 a\r\n250 b\r\n354 c\r\n",))
            assert isinstance(await send(channel, number), Accepted)
        assert server.connections == 1


@pytest.mark.parametrize("said", [b"503 5.5.1 Need MAIL before RCPT\r\n", b"502 5.5.2 command not recognized\r\n"])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_a_server_that_offers_pipelining_and_loses_commands_gets_them_one_by_one(stage: str, said: bytes) -> None:
    async with opened("PIPELINING") as (server, channel):
        server.once[stage] = RawReply((said,))
        assert isinstance(await send(channel, 1), Accepted)
        (pool,) = channel._pools.values()
        assert not pool._pipelines
        server.once[stage] = RawReply((said,))  # to one command it is an answer like any other
        assert isinstance(await send(channel, 2), Blocked if stage == "mail" else (Postponed, Deferred, Refused))


async def test_a_server_that_does_not_answer_all_commands_of_one_write_gets_them_one_by_one_the_next_time() -> None:
    async with opened("PIPELINING") as (server, channel):
        server.once |= {"rcpt": RawReply(()), "data": RawReply(())}
        assert isinstance(await send(channel, 1, timeout=4.0), Deferred)
        (pool,) = channel._pools.values()
        assert not pool._pipelines
        assert isinstance(await send(channel, 1), Accepted)


async def test_a_session_whose_server_said_goodbye_at_rest_is_not_used_again() -> None:
    """Some then wait for us to hang up, and answer nothing more."""
    async with opened("PIPELINING") as (server, channel):
        assert isinstance(await send(channel, 1), Accepted)
        (pool,) = channel._pools.values()
        (session,) = pool._idle
        server.say_unasked(CLOSING)
        async with asyncio.timeout(LONG):
            while session.is_open:
                await asyncio.sleep(0.01)
        assert isinstance(await send(channel, 2), Accepted)
        assert server.connections == 2
