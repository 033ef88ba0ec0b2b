"""Routes: the destination that a message leaves for, its own or that of an account in its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from agents.roles.sender.breakers import Breakers
from schemas.destination import Destination
from schemas.failover import NO_FAILOVER, Failover
from streams.sending.failover import Standing, leaves_through

FailoverOf = Callable[[Destination], Failover]


def no_failover(_: Destination) -> Failover:
    """No account has another one in its place."""
    return NO_FAILOVER


class Routes:
    """`paused` are destinations that nothing is sent to; `held` are those of them that no other may take the place of,
    since they are not paused for what they answered: a person paused the account, say, or its mail bounced too often.
    """

    def __init__(self, breakers: Breakers, failover: FailoverOf = no_failover) -> None:
        self._breakers, self._failover = breakers, failover
        self.paused: set[Destination] = set()
        self.held: Collection[Destination] = frozenset()
        self._looks = 0
        self._noted_in: dict[Destination, float] = {}

    def pause(self, destination: Destination) -> None:
        """Send nothing to it from now on, whatever a look at the ledger finds that has begun before it is noted."""
        self.paused.add(destination)
        self._noted_in[destination] = math.inf

    def is_noted(self, destination: Destination) -> None:
        """The ledger has it: looks that begin from now on find it there."""
        self._noted_in[destination] = self._looks

    def begin_look(self) -> None:
        """The ledger is asked for what is paused."""
        self._looks += 1

    def found(self, paused: Collection[Destination], held: Collection[Destination]) -> None:
        """The answer to the look that was begun last."""
        self._noted_in = {one: look for one, look in self._noted_in.items() if look >= self._looks}
        self.paused, self.held = {*paused, *self._noted_in}, held

    def of(self, destination: Destination, *, possibly_accepted: bool = False) -> Destination:
        """The destination that a message of one leaves for now."""
        if destination not in self.paused and destination not in self._breakers.open:
            return destination
        failover = self._failover(destination)
        if not failover.accounts:
            return destination
        through = leaves_through(
            destination.name,
            failover,
            lambda name: self._standing(destination._replace(name=name)),
            possibly_accepted=possibly_accepted,
        )
        return destination._replace(name=through)

    def passing(self) -> set[Destination]:
        """Paused destinations whose messages leave for another."""
        return {one for one in self.paused if self.of(one) != one}

    def _standing(self, destination: Destination) -> Standing:
        if destination in self.paused:
            return "held" if destination in self.held else "refused"
        return "failing" if destination in self._breakers.open else "well"
