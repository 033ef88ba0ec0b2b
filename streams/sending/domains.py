"""Recipients' domains that are slowed down at an account: of whom an answer speaks, and when what is put back returns.

A domain at an account is a destination of its own here, `main@gmail.com`: what all senders share of it, its rate and
until when it is closed, is kept as that of any other. Times are of a steady clock, in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from schemas.channels.email import EmailDelivery
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.formats.hosts import HostRefused, ascii_host, is_name

Owner = Literal["domain", "account"]
Said = Sequence[tuple[str, float]]
"""Domains at which something was too much without being named, and when."""

_TOGETHER, _MANY = 60.0, 3
"""So many domains within so many seconds: then it is the account that is too fast."""
LEAST_WAIT, LONGEST_WAIT = 0.5, 1800.0
"""Of what is put back: it costs a claim and a row each time; a domain may take more before it is its turn."""
_MORE, _LEAST_BACK = 1.5, 20.0
"""So many times as many come back as may leave by now, and so many a second in any case: a rate that grows is used."""


def domain_of(delivery: Delivery) -> str:
    """The domain of the recipient of an e-mail; empty for all else."""
    if not isinstance(delivery, EmailDelivery):
        return ""
    try:
        domain = ascii_host(delivery.email.to.rpartition("@")[2]).lower()
    except HostRefused:  # it is refused when it is written
        return ""
    return domain if is_name(domain) else ""


def gate_of(account: Destination, domain: str) -> Destination:
    """The destination that a domain is at an account."""
    return Destination(account.project_id, account.channel, f"{account.name}@{domain}")


def is_gate(destination: Destination) -> bool:
    """True for a domain at an account, which no account is named like."""
    return destination.channel == "email" and "@" in destination.name


def account_of(gate: Destination) -> Destination:
    """The account that a domain is slowed down at."""
    return gate._replace(name=gate.name.rpartition("@")[0])


def whose(domain: str, said: Said, now: float, *, names_it: bool) -> tuple[Owner, Said]:
    """The owner of the limit that an answer to a recipient speaks of, and what is to be remembered for the next one."""
    if names_it:
        return "domain", said
    lately = [(one, at) for one, at in said if one != domain and now - at < _TOGETHER]
    heard = (*lately[-_MANY:], (domain, now))
    return ("account" if len(heard) >= _MANY else "domain"), heard


def comes_back(booked: float, opens_at: float, gap: float, now: float) -> tuple[float, float]:
    """The seconds after which one comes back that cannot go now, and until when the domain is booked then.

    `gap` is between two that leave. Each is put behind the one before it: they come about as the domain takes them.
    """
    at = max(booked, opens_at, now + LEAST_WAIT) + min(gap / _MORE, 1 / _LEAST_BACK)
    return (LONGEST_WAIT, booked) if at > now + LONGEST_WAIT else (at - now, at)
