"""The addresses of host names, asked of the system, without holding the loop or running out of threads.

The system's own resolver is asked, since it alone knows the machine's settings (`hosts`, search lists, mDNS). It
blocks, for half a minute where DNS is dead, so it is asked in threads of our own, of which there are only so many and
which nobody waits for at the end; once for all who ask at a time; and its answer is known for a while. Names that came
to nothing slowly have a lane of few threads, so that a flood of dead ones does not hold up one that lives.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cachetools import LRUCache

_FRESH_SECONDS, _FAILED_SECONDS, _STALE_SECONDS = 30.0, 5.0, 600.0
_MOST_KNOWN = 4096
_LIVING_THREADS, _DEAD_THREADS, _SLOW_THREADS = 16, 4, 48
_SLOW_AFTER, _LEAVES_EVERY = 1.0, 0.1
"""Seconds after which a lookup leaves its place to others, and an answer that is known is used though it is old."""

_NO_THREAD = socket.gaierror(socket.EAI_AGAIN, "no thread is free to ask for the name")

Lookup = Callable[[str], list[str]]


def system_lookup(host: str) -> list[str]:
    """The addresses, in the system's order; of a link-local one with its zone. Blocks. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except ValueError as error:  # of its codec: a label that is longer than DNS allows
        raise socket.gaierror(socket.EAI_NONAME, "no host can have this name") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class _Answer:
    """The outcome of a lookup, with times of the monotonic clock."""

    addresses: list[str]
    error: OSError | None
    learned_at: float
    fresh_until: float
    was_slow: bool

    def is_usable(self, now: float) -> bool:
        """RFC 8767: better an old answer than none, while DNS cannot be asked."""
        return not self.error and now - self.learned_at < _STALE_SECONDS

    def read(self) -> list[str]:
        if self.error:
            raise socket.gaierror(*self.error.args) from self.error
        return self.addresses


@dataclass(slots=True)
class _Lane:
    """Free threads, and questions that wait for one: the newest goes first, since it has the most time left."""

    free: int
    waiting: list[_Question] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Question:
    """One lookup. `lane` is where its thread comes from; None once that is one of the slow ones."""

    host: str
    answer: asyncio.Future[_Answer]
    lane: _Lane | None
    askers: int = 0
    leaving: asyncio.TimerHandle | None = None


class Names:
    """Answers that are known, and questions that are asked, for one event loop. `lookup` blocks."""

    def __init__(self, lookup: Lookup = system_lookup, clock: Callable[[], float] = time.monotonic) -> None:
        self._lookup, self._clock = lookup, clock
        self._known: LRUCache[str, _Answer] = LRUCache(_MOST_KNOWN)
        self._asked: dict[str, _Question] = {}
        self._living, self._dead = _Lane(_LIVING_THREADS), _Lane(_DEAD_THREADS)
        self._slow_threads, self._leave_from = _SLOW_THREADS, 0.0

    async def addresses(self, host: str) -> list[str]:
        """The addresses of a name. Raises OSError. Whoever stops waiting does not stop others who ask the same."""
        known = self._known.get(host)
        if known is None or self._clock() > known.fresh_until:
            known = await self._ask(host, known)
        return known.read()

    async def _ask(self, host: str, known: _Answer | None) -> _Answer:
        old = known if known and known.is_usable(self._clock()) else None
        question = self._asked.get(host) or self._question(host, known)
        question.askers += 1
        try:
            self._begin(question.lane)
            await asyncio.wait([question.answer], timeout=_SLOW_AFTER if old else None)
        finally:
            question.askers -= 1
            self._forget_if_left(question)
        return old if old and not question.answer.done() else question.answer.result()

    def _question(self, host: str, known: _Answer | None) -> _Question:
        lane = self._dead if known and known.error and known.was_slow else self._living
        question = _Question(host, asyncio.get_running_loop().create_future(), lane)
        self._asked[host] = question
        lane.waiting.append(question)
        return question

    def _forget_if_left(self, question: _Question) -> None:
        lane = question.lane
        if not question.askers and lane and question in lane.waiting:
            lane.waiting.remove(question)
            del self._asked[question.host]

    def _begin(self, lane: _Lane | None) -> None:
        while lane and lane.free and lane.waiting:
            question = lane.waiting.pop()
            lane.free -= 1
            loop = asyncio.get_running_loop()
            question.leaving = loop.call_later(_SLOW_AFTER, self._leave, question)
            try:
                threading.Thread(target=self._run, args=(question, loop), name="name lookup", daemon=True).start()
            except RuntimeError:  # the system has no thread left
                loop.call_soon(self._finish, question, self._answer([], _NO_THREAD, self._clock()))

    def _leave(self, question: _Question) -> None:
        """Give the place of a slow lookup to another: one at a time, so that not all threads are slow at once."""
        lane, loop = question.lane, asyncio.get_running_loop()
        if lane is not self._living:
            return
        if loop.time() < self._leave_from or not self._slow_threads:
            question.leaving = loop.call_later(_LEAVES_EVERY, self._leave, question)
            return
        self._slow_threads -= 1
        self._leave_from = loop.time() + _LEAVES_EVERY
        question.lane = None
        lane.free += 1
        self._begin(lane)

    def _run(self, question: _Question, loop: asyncio.AbstractEventLoop) -> None:
        began, addresses, error = self._clock(), list[str](), None
        try:
            addresses = self._lookup(question.host)
        except OSError as failed:
            error = failed
        answer = self._answer(addresses, error, began)
        try:
            loop.call_soon_threadsafe(self._finish, question, answer)
        except RuntimeError:  # the loop has ended meanwhile
            return

    def _answer(self, addresses: list[str], error: OSError | None, began: float) -> _Answer:
        now = self._clock()
        fresh_until = now + (_FAILED_SECONDS if error else _FRESH_SECONDS)
        return _Answer(addresses, error, now, fresh_until, was_slow=now - began > _SLOW_AFTER)

    def _finish(self, question: _Question, answer: _Answer) -> None:
        if question.leaving:
            question.leaving.cancel()
        if question.lane is None:
            self._slow_threads += 1
        else:
            question.lane.free += 1
        del self._asked[question.host]
        question.answer.set_result(self._keep(question.host, answer))
        self._begin(question.lane)

    def _keep(self, host: str, answer: _Answer) -> _Answer:
        before = self._known.get(host)
        if answer.error and answer.error.errno == socket.EAI_AGAIN and before and before.is_usable(answer.learned_at):
            answer = replace(before, fresh_until=answer.fresh_until)
        self._known[host] = answer
        return answer
