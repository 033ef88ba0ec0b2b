"""Limits of domains: of whom an answer speaks, and when what is put back comes again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.destination import Destination
from streams.sending.domains import (
    LEAST_WAIT,
    LONGEST_WAIT,
    Owner,
    Said,
    account_of,
    comes_back,
    domain_of,
    gate_of,
    is_gate,
    whose,
)
from tests.factory import delivery

MAIN = Destination("shop", "email", "main")
NOW = 1000.0


@pytest.mark.parametrize(
    ("said", "names_it", "owner"),
    [
        ((), False, "domain"),
        ((("a.example", NOW - 1),), False, "domain"),
        ((("a.example", NOW - 1), ("b.example", NOW)), False, "account"),
        ((("a.example", NOW - 1), ("b.example", NOW)), True, "domain"),
        ((("a.example", NOW - 61), ("b.example", NOW)), False, "domain"),
        ((("gmail.com", NOW - 2), ("gmail.com", NOW - 1)), False, "domain"),
        ((("a.example", NOW - 1), ("gmail.com", NOW - 1)), False, "domain"),
    ],
)
def test_it_is_the_accounts_where_several_domains_say_so_together(said: Said, names_it: bool, owner: Owner) -> None:
    assert whose("gmail.com", said, NOW, names_it=names_it)[0] == owner


def test_little_is_remembered_however_many_domains_say_so() -> None:
    said: Said = ()
    for number in range(1000):
        _, said = whose(f"{number}.example", said, NOW + number / 100, names_it=False)
    assert len(said) <= 4


@pytest.mark.parametrize(
    ("booked", "opens_at", "gap", "wait"),
    [
        (0.0, NOW, 3.0, LEAST_WAIT + 0.05),
        (0.0, NOW + 60, 0.03, 60.02),
        (NOW + 90, NOW + 60, 0.03, 90.02),
        (NOW + LONGEST_WAIT, NOW, 3.0, LONGEST_WAIT),
        (0.0, NOW + 9e9, 3.0, LONGEST_WAIT),
    ],
)
def test_one_that_cannot_go_now_comes_back(booked: float, opens_at: float, gap: float, wait: float) -> None:
    assert comes_back(booked, opens_at, gap, NOW)[0] == pytest.approx(wait)


def test_a_million_come_back_no_faster_than_their_domain_takes_them_and_a_little_more() -> None:
    booked, waits = 0.0, []
    for _ in range(1_000):
        wait, booked = comes_back(booked, NOW, 0.02, NOW)
        waits.append(wait)
    assert waits == sorted(waits)
    assert 1_000 / (waits[-1] - waits[0]) == pytest.approx(75, rel=0.01)
    for _ in range(999_000):
        wait, booked = comes_back(booked, NOW, 0.02, NOW)
    assert (wait, booked <= NOW + LONGEST_WAIT) == (LONGEST_WAIT, True)


@pytest.mark.parametrize(
    ("address", "domain"),
    [("ann@gmail.com", "gmail.com"), ("ann@GMail.com", "gmail.com"), ("a@b@c.example", "c.example"),
     ("ann@" + "a" * 254, ""), ("ann@b\u00fccher.example", "xn--bcher-kva.example"), ("ann@a\0b.example", "")],
)  # fmt: skip
def test_the_domain_of_a_recipient(address: str, domain: str) -> None:
    made = delivery("email")
    assert domain_of(replace(made, email=replace(made.email, to=address))) == domain


def test_what_is_no_mail_has_none_and_no_account_is_taken_for_a_domain() -> None:
    gate = gate_of(MAIN, "gmail.com")
    assert domain_of(delivery("webhook")) == ""
    assert (is_gate(gate), account_of(gate)) == (True, MAIN)
    assert not is_gate(MAIN)
    assert not is_gate(MAIN._replace(channel="webhook", name="user@hooks.example.com"))
