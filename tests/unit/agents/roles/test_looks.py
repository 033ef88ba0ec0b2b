"""Missing is known only after a look to the end that began later."""

from __future__ import annotations

from agents.roles.matcher.looks import Looks

ONE, OTHER = ("shop", "send_1"), ("shop", "send_2")


def test_only_a_look_that_began_later_tells() -> None:
    looks = Looks()
    assert not looks.are_wanted
    assert not looks.is_over(ONE)
    assert looks.are_wanted
    looks.begin()
    assert not looks.is_over(OTHER), "the end was asked for before"
    looks.goes_to(10)
    looks.read_to(9)
    assert not looks.is_over(ONE)
    looks.read_to(10)
    assert looks.is_over(ONE)
    assert not looks.is_over(OTHER)
    assert looks.are_wanted
    looks.begin()
    looks.goes_to(10)
    looks.read_to(10)
    assert looks.is_over(OTHER)
    assert not looks.are_wanted


def test_where_the_end_could_not_be_asked_it_is_asked_again() -> None:
    looks = Looks()
    assert not looks.is_over(ONE)
    looks.begin()
    looks.read_to(10)
    assert not looks.is_over(ONE)
    assert looks.are_wanted
