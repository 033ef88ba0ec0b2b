"""The destination that a message leaves for, and how much each takes then."""

from __future__ import annotations

from agents.roles.sender.breakers import Breakers
from agents.roles.sender.capacity import Capacity
from agents.roles.sender.pacing import Paces
from agents.roles.sender.routes import Routes
from agents.roles.sender.share import Share
from schemas.destination import Destination
from schemas.failover import NO_FAILOVER, Failover

MAIN, SECOND = Destination("shop", "email", "main"), Destination("shop", "email", "second")


class Failing(Breakers):
    """Breakers of which some are open."""

    def __init__(self, *failing: Destination) -> None:
        super().__init__()
        self._open = dict.fromkeys(failing, "503")


def order_of(destination: Destination) -> Failover:
    return Failover(("second",)) if destination == MAIN else NO_FAILOVER


def test_a_route_leads_to_the_second_while_the_first_fails_or_is_paused_but_not_by_a_person() -> None:
    assert Routes(Failing(), order_of).of(MAIN) == MAIN
    assert Routes(Failing(MAIN), order_of).of(MAIN) == SECOND
    assert Routes(Failing(MAIN), order_of).of(MAIN, possibly_accepted=True) == MAIN
    assert Routes(Failing(MAIN, SECOND), order_of).of(MAIN) == MAIN
    assert Routes(Failing(SECOND), order_of).of(SECOND) == SECOND
    routes = Routes(Failing(), order_of)
    routes.paused = {MAIN, SECOND._replace(project_id="other")}
    assert (routes.of(MAIN), routes.passing()) == (SECOND, {MAIN})
    routes.held = {MAIN}
    assert (routes.of(MAIN), routes.passing()) == (MAIN, set())


def test_as_much_is_taken_for_the_first_as_the_second_takes() -> None:
    capacity = Capacity(Paces(), share=Share(1), breakers=Failing(MAIN), failover=order_of)
    assert capacity.free() == {MAIN: 4}
    for _ in range(4):
        capacity.take(SECOND)
    assert (capacity.free(), capacity.has(MAIN)) == ({MAIN: 0, SECOND: 0}, False)
    capacity.paused = {MAIN}
    capacity.release(SECOND)
    assert capacity.free() == {MAIN: 1, SECOND: 1}
    assert capacity.saturated() == set()


def test_what_is_paused_stays_so_whatever_a_look_finds_that_began_before_it_was_noted() -> None:
    routes = Routes(Failing())

    steps = {"pause": routes.pause, "noted": routes.is_noted}

    def look(*, before: str = "", meanwhile: str = "") -> set[Destination]:
        for step in before.split():
            steps[step](MAIN)
        routes.begin_look()
        for step in meanwhile.split():
            steps[step](MAIN)
        routes.found(set(), set())
        return routes.paused

    assert look(meanwhile="pause") == {MAIN}
    assert look() == {MAIN}  # the ledger is away
    assert look(meanwhile="noted") == {MAIN}
    assert look() == set()  # somebody has resumed it since
    assert look(meanwhile="pause noted") == {MAIN}
    assert look() == set()
    assert look(before="pause", meanwhile="noted pause noted") == {MAIN}
    assert look(before="pause noted") == set()
