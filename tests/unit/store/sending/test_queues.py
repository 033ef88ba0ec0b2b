"""Queues that a process knows: which are asked, from where on, and when the next is due."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from schemas.destination import Destination
from store.sending.queues import Queue, Queues

NOW, NONE = datetime(2026, 1, 1, tzinfo=UTC), timedelta()
SECOND = timedelta(seconds=1)


def queue(destination: str, distribution: str = "d", project: str = "shop") -> Queue:
    return Queue(project, "webhook", destination, "live", distribution)


def host(name: str) -> Destination:
    return Destination("shop", "webhook", name)


class Ticks:
    """A clock that is put forward by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def asked(queues: Queues, most: int = 100, full: frozenset[Destination] = frozenset()) -> list[str]:
    return [one.destination for one, _ in queues.due(full, most)]


def test_what_is_due_is_asked_in_turn_and_nothing_of_what_is_full() -> None:
    queues = Queues(Ticks())
    for name in "abc":
        queues.found(queue(name), NOW, NONE)
    queues.found(queue("later"), NOW, SECOND)
    assert [asked(queues, 2) for _ in range(3)] == [["a", "b"], ["c", "a"], ["b", "c"]]
    assert asked(queues, full=frozenset({host("a")})) == ["b", "c"]


def test_the_soonest_is_known_without_asking() -> None:
    ticks = Ticks()
    queues = Queues(ticks)
    assert queues.soonest(()) == math.inf
    queues.found(queue("a"), NOW, 5 * SECOND)
    queues.found(queue("b"), NOW, 9 * SECOND)
    assert (queues.soonest(()), queues.soonest({host("a")})) == (5.0, 9.0)
    ticks.now += 6
    assert (queues.soonest(()), asked(queues)) == (0.0, ["a"])


def test_a_queue_is_read_from_its_oldest_on_and_from_its_beginning_where_that_is_not_known() -> None:
    queues, one = Queues(Ticks()), queue("a")
    queues.expect(one, None, NONE)
    ((_, since),) = queues.due((), 1)
    assert since < NOW - timedelta(days=365_000)
    queues.heard(one, NOW, NONE, in_vain=False)
    assert queues.due((), 1) == [(one, NOW)]


def test_what_is_put_back_older_than_all_is_read_next() -> None:
    queues, one = Queues(Ticks()), queue("a")
    queues.found(one, NOW, NONE)
    queues.expect(one, NOW - SECOND, NONE)
    assert queues.due((), 1) == [(one, NOW - SECOND)]
    queues.expect(one, NOW + SECOND, SECOND)
    assert queues.due((), 1) == [(one, NOW - SECOND)]


def test_an_empty_queue_is_not_asked_until_something_is_put_there() -> None:
    queues, one = Queues(Ticks()), queue("a")
    queues.found(one, NOW, NONE)
    queues.heard(one, None, None, in_vain=True)
    assert (asked(queues), queues.soonest(())) == ([], math.inf)
    queues.expect(one, None, NONE)
    assert queues.due((), 1) == [(one, NOW)]


def test_a_queue_that_was_asked_in_vain_is_let_alone_for_a_moment() -> None:
    ticks = Ticks()
    queues, one = Queues(ticks), queue("a")
    queues.found(one, NOW, NONE)
    queues.heard(one, NOW, NONE, in_vain=True)
    assert (asked(queues), queues.soonest(())) == ([], 1.0)
    ticks.now += 1
    assert asked(queues) == ["a"]


def test_a_destination_of_many_distributions_leaves_the_others_their_turn() -> None:
    queues = Queues(Ticks())
    for number in range(50):
        queues.found(queue("a", f"d{number}"), NOW, NONE)
    queues.found(queue("b"), NOW, NONE)
    seen = [one for _ in range(4) for one, _ in queues.due((), 100)]
    assert len({one for one in seen if one.destination == "a"}) == 50
    assert sum(one.destination == "b" for one in seen) == 4


def test_projects_take_turns_however_many_queues_one_has() -> None:
    queues = Queues(Ticks())
    for number in range(50):
        queues.found(queue(f"h{number}", project="flood"), NOW, NONE)
    queues.found(queue("a"), NOW, NONE)
    queues.found(queue("b"), NOW, NONE)
    assert asked(queues, 4) == ["h0", "a", "h1", "b"]


def test_the_queues_that_are_known_are_bounded_and_the_soonest_stay() -> None:
    queues = Queues(Ticks(), most=10)
    for number in range(30):
        queues.found(queue(f"h{number}"), NOW, number * SECOND)
    assert queues.soonest(()) == 0.0
    assert queues._count <= 10


def test_a_queue_that_was_forgotten_meanwhile_is_not_kept_by_what_a_claim_says() -> None:
    queues = Queues(Ticks())
    queues.heard(queue("a"), NOW, NONE, in_vain=False)
    assert asked(queues) == []
