"""The account that a message leaves through, by how each account stands."""

from __future__ import annotations

from typing import get_args

import pytest

from schemas.closed import HoldKind
from schemas.failover import NO_FAILOVER, Failover
from streams.sending.failover import Standing, leaves_through, standing_of

ORDER = Failover(("second", "third"))


@pytest.mark.parametrize(
    ("main", "second", "third", "through"),
    [
        ("well", "well", "well", "main"),
        ("failing", "well", "well", "second"),
        ("refused", "well", "well", "second"),
        ("held", "well", "well", "main"),
        ("failing", "failing", "well", "third"),
        ("failing", "refused", "well", "third"),
        ("refused", "held", "well", "third"),
        ("failing", "failing", "failing", "main"),
        ("failing", "held", "refused", "main"),
    ],
)
def test_the_first_of_the_order_that_is_well_takes_it(
    main: Standing, second: Standing, third: Standing, through: str
) -> None:
    standing: dict[str, Standing] = {"main": main, "second": second, "third": third}

    assert leaves_through("main", ORDER, standing.__getitem__) == through
    assert leaves_through("main", NO_FAILOVER, standing.__getitem__) == "main"


def test_another_takes_the_place_of_what_is_paused_for_its_answers_alone() -> None:
    kinds: tuple[HoldKind, ...] = get_args(HoldKind)
    standings: dict[HoldKind, Standing] = {
        "refused": "refused", "gone": "refused", "exhausted": "refused", "account": "held", "reputation": "held",
    }  # fmt: skip
    assert {kind: standing_of(kind) for kind in kinds} == standings


@pytest.mark.parametrize(("takes_ambiguous", "through"), [(False, "main"), (True, "second")])
def test_what_was_possibly_accepted_stays_unless_told_otherwise(takes_ambiguous: bool, through: str) -> None:
    standing: dict[str, Standing] = {"main": "failing", "second": "well"}
    order = Failover(("second",), takes_ambiguous)

    assert leaves_through("main", order, standing.__getitem__, possibly_accepted=True) == through
