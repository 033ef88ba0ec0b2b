"""Leases that a sender may use, and those that it may take over, by a clock that only goes on."""

from __future__ import annotations

from datetime import timedelta

from agents.roles.sender.leases import Leases


class Ticks:
    """A steady clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def leases() -> tuple[Leases, Ticks]:
    ticks = Ticks()
    return Leases(timedelta(seconds=60), ticks=ticks), ticks


def test_what_was_claimed_is_ours_for_no_longer_than_the_lease_from_before_it_was_asked_for() -> None:
    ours, ticks = leases()
    ours.taken(["a"], asked=995.0)
    assert ours.is_ours("a")
    assert not ours.is_ours("b")
    ticks.now = 1055.0
    assert not ours.is_ours("a")


def test_what_was_renewed_stays_and_what_another_has_taken_is_not_sent() -> None:
    ours, ticks = leases()
    ours.taken(["a", "b"], asked=1000.0)
    ticks.now = 1020.0
    ours.taken(["later"], asked=1015.0)
    ours.renewed({"a", "b"}, {"a"}, asked=1020.0)
    ticks.now = 1070.0
    assert [ours.is_ours(one) for one in ("a", "b", "later")] == [True, False, True]


def test_what_was_claimed_again_while_a_renewal_was_under_way_stays() -> None:
    ours, ticks = leases()
    ours.taken(["a"], asked=1000.0)
    ours.taken(["a"], asked=1021.0)
    ticks.now = 1022.0
    ours.renewed({"a"}, set(), asked=1020.0)
    assert ours.is_ours("a")


def test_a_lease_that_ended_while_the_database_was_away_is_renewed() -> None:
    ours, ticks = leases()
    ours.taken(["a"], asked=1000.0)
    ticks.now = 1300.0
    assert not ours.is_ours("a")
    ours.renewed({"a"}, {"a"}, asked=1300.0)
    assert ours.is_ours("a")


def test_leases_of_others_are_left_alone_until_everybody_could_renew_theirs() -> None:
    ours, ticks = leases()
    assert not ours.may_take_over()
    ours.in_touch()
    ticks.now += 41
    ours.in_touch()
    assert ours.may_take_over()
    ours.out_of_touch()
    assert not ours.may_take_over()
    ours.in_touch()
    ticks.now += 39
    assert not ours.may_take_over()


def test_at_the_end_nothing_more_is_begun_whenever_it_was_taken() -> None:
    ours, _ = leases()
    ours.taken(["a"], asked=1000.0)
    ours.end()
    ours.taken(["b"], asked=1000.0)
    assert not ours.is_ours("a")
    assert not ours.is_ours("b")
