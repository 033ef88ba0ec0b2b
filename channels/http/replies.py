"""The meaning of each HTTP status for a delivery, and the reason: one table for every number that may come.

Sources: RFC 9110 (HTTP semantics; section 15 on numbers that nobody has defined), RFC 4918 (423, 507), RFC 5842 (508),
RFC 6585 (429, 511), RFC 8470 (425), and what operators of proxies document for numbers of their own (520 to 530).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Meaning = Literal["accepted", "later", "throttled", "blocked", "gone", "refused"]


@dataclass(frozen=True, slots=True)
class Status:
    """A meaning and the reason for it, in words that a log can show."""

    meaning: Meaning
    why: str


_NAMED: dict[int, Status] = {
    101: Status("refused", "the receiver speaks another protocol here"),
    401: Status("blocked", "the receiver does not accept us"),
    403: Status("blocked", "the receiver does not accept us"),
    408: Status("later", "the request did not arrive in time"),
    409: Status("later", "the receiver is busy with the same thing"),
    410: Status("gone", "the receiver is gone for good"),
    421: Status("later", "this connection led to the wrong server"),
    423: Status("later", "what the request is about is locked"),
    425: Status("later", "too early on this connection"),
    429: Status("throttled", "too many requests"),
    501: Status("later", "a server on the way cannot do this now; receivers are deployed and mended"),
    505: Status("refused", "the receiver does not speak this version of HTTP"),
    507: Status("later", "the receiver's disk is full"),
    508: Status("later", "servers on the way lead in a circle, until their settings are mended"),
    511: Status("later", "a network on the way wants a login first"),
}
"""Numbers that mean something else than others that begin with their digit."""

_UNDEFINED = Status("later", "no status of HTTP: to be read as a problem of the receiver")

_BY_DIGIT: dict[int, Status] = {
    1: Status("later", "an interim answer, and no final one"),
    2: Status("accepted", "taken over"),
    3: Status("refused", "redirects are not followed; use the final address"),
    4: Status("refused", "the receiver does not want this request"),
    5: Status("later", "the receiver, or a server before it, has a problem"),
    6: _UNDEFINED,
    7: _UNDEFINED,
    8: _UNDEFINED,
    9: _UNDEFINED,
}


def status_meaning(status: int) -> Status:
    """The meaning of any number that stands where a status should."""
    return _NAMED.get(status) or _BY_DIGIT.get(status // 100, _UNDEFINED)


def explained() -> Iterator[tuple[str, Status]]:
    """The table for people: first the numbers with a meaning of their own, then `4xx` and the like."""
    for number, status in _NAMED.items():
        yield str(number), status
    for digit, status in _BY_DIGIT.items():
        yield f"{digit}xx", status
