"""Addresses of names: asked once, known for a while, and dead ones beside one that lives."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from channels.http.names import Names, system_lookup

LONG = 60.0
NOWHERE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
AWAY = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class Dns:
    """Names as a test has them: those that begin with `dead` are not answered before `give_up`."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answer: list[str] | OSError = ["192.0.2.1"]
        self.give_up = threading.Event()
        self.now, self.at_once, self.most_at_once = 0.0, 0, 0
        self._lock = threading.Lock()

    def __call__(self, host: str) -> list[str]:
        with self._lock:
            self.asked[host] += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if host.startswith("dead"):
                self.give_up.wait(LONG)
                raise AWAY
            if isinstance(self.answer, OSError):
                raise self.answer
            return self.answer
        finally:
            with self._lock:
                self.at_once -= 1

    def clock(self) -> float:
        return self.now


@pytest.fixture
def dns() -> Iterator[Dns]:
    made = Dns()
    yield made
    made.give_up.set()


async def asked(names: Names, host: str) -> list[str] | str:
    """The addresses, or the reason why there are none."""
    try:
        return await asyncio.wait_for(names.addresses(host), LONG)
    except OSError as error:
        return str(error.strerror)


async def gone(tasks: list[asyncio.Task[list[str] | str]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_name_is_asked_for_once_for_all_who_ask(dns: Dns) -> None:
    names = Names(dns, dns.clock)
    assert await asyncio.gather(*(asked(names, "x.example") for _ in range(50))) == [["192.0.2.1"]] * 50
    assert dns.asked["x.example"] == 1


@pytest.mark.parametrize(
    ("first", "then", "after", "said"),
    [
        (["192.0.2.1"], ["192.0.2.2"], 29, ["192.0.2.1"]),
        (["192.0.2.1"], ["192.0.2.2"], 31, ["192.0.2.2"]),
        (["192.0.2.1"], NOWHERE, 31, NOWHERE.strerror),
        (["192.0.2.1"], AWAY, 31, ["192.0.2.1"]),
        (["192.0.2.1"], AWAY, 601, AWAY.strerror),
        (NOWHERE, ["192.0.2.2"], 4, NOWHERE.strerror),
        (NOWHERE, ["192.0.2.2"], 6, ["192.0.2.2"]),
        (AWAY, ["192.0.2.2"], 6, ["192.0.2.2"]),
    ],
)
async def test_an_answer_is_known_for_a_while(
    dns: Dns, first: list[str] | OSError, then: list[str] | OSError, after: float, said: list[str] | str
) -> None:
    names = Names(dns, dns.clock)
    dns.answer = first
    await asked(names, "x.example")
    dns.answer, dns.now = then, after
    assert await asked(names, "x.example") == said


async def test_an_old_answer_is_used_while_dns_keeps_silent_about_it(dns: Dns) -> None:
    dns.give_up.set()
    names = Names(lambda host: dns("dead") if dns.now else ["192.0.2.1"], dns.clock)
    await asked(names, "x.example")
    dns.give_up.clear()
    dns.now = 100.0
    assert await asked(names, "x.example") == ["192.0.2.1"]


async def test_dead_names_leave_their_place_to_one_that_lives(dns: Dns) -> None:
    names = Names(dns)
    dead = [asyncio.create_task(asked(names, f"dead{one}.example")) for one in range(300)]
    await asyncio.sleep(0)
    assert await asked(names, "x.example") == ["192.0.2.1"]
    assert not any(one.done() for one in dead)
    await gone(dead)


async def test_a_flood_of_dead_names_takes_few_threads_and_none_from_one_that_lives(dns: Dns) -> None:
    names = Names(dns, dns.clock)
    first = [asyncio.create_task(asked(names, f"dead{one}.example")) for one in range(500)]
    async with asyncio.timeout(LONG):
        while dns.at_once < 16:
            await asyncio.sleep(0.01)
    dns.now = 10.0
    dns.give_up.set()
    assert set(await asyncio.gather(*first)) == {AWAY.strerror}
    dns.give_up.clear()
    dns.now = 100.0
    again = [asyncio.create_task(asked(names, f"dead{one}.example")) for one in range(16)]
    await asyncio.sleep(0)
    living = [asked(names, f"x{one}.example") for one in range(100)]
    assert await asyncio.gather(*living) == [["192.0.2.1"]] * 100
    assert not any(one.done() for one in again)
    assert dns.most_at_once <= 68
    await gone(again)


async def test_what_nobody_waits_for_any_more_is_not_asked(dns: Dns) -> None:
    names = Names(dns, dns.clock)
    dead = [asyncio.create_task(asked(names, f"dead{one}.example")) for one in range(100)]
    await asyncio.sleep(0)
    await gone(dead)
    dns.give_up.set()
    assert await asked(names, "x.example") == ["192.0.2.1"]
    assert sum(dns.asked.values()) < 100


async def test_who_stops_waiting_does_not_stop_others(dns: Dns) -> None:
    names = Names(dns)
    first, second = (asyncio.create_task(asked(names, "dead.example")) for _ in range(2))
    await asyncio.sleep(0)
    await gone([first])
    dns.give_up.set()
    assert await second == AWAY.strerror


async def test_where_the_system_has_no_thread_left_the_name_is_asked_for_later(
    dns: Dns, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(dns, dns.clock)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert await asked(names, "x.example") == "no thread is free to ask for the name"
    dns.now = 10.0
    assert await asked(names, "x.example") == ["192.0.2.1"]


def test_the_system_knows_this_machine_and_no_name_that_dns_cannot_have() -> None:
    assert {"127.0.0.1", "::1"} & set(system_lookup("localhost"))
    with pytest.raises(socket.gaierror, match="no host can have this name"):
        system_lookup(f"{'x' * 64}.example")
