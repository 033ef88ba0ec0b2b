"""Profiles that are written, each read as a matcher would, and told of without a word of what they say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agents.wiring import Wiring
from console.control.customers import check_id, check_profiles
from console.control.events import Reading
from deploy.settings.settings import Settings
from schemas.errors import BadQuestion, DefinitionInvalid
from tests.factory import NOW, customer

WIRE = Wiring(Settings(project_id="shop"))
SHOP = Reading("shop", timedelta(hours=1), NOW, customers=True)
OUTLET = Reading("outlet", timedelta(hours=1), NOW, customers=True)
SECRET = "ann@shop.example"


@pytest.mark.parametrize(("reading", "key"), [(SHOP, b"c1"), (OUTLET, b"outlet\x1fc1")], ids=["shop", "outlet"])
def test_a_profile_is_written_under_the_key_of_its_project_with_all_that_it_says(reading: Reading, key: bytes) -> None:
    profile = customer(id="c1", email=SECRET, shoe_size=42, metadata={"plan": "gold"})
    (output,) = check_profiles(WIRE, [profile], reading).outputs
    assert (output.topic, output.key) == (WIRE.topic("customers"), key)
    assert WIRE.codec("customers").decode(output.value or b"") == {"consents": {}, **profile}


WRONG: tuple[tuple[Any, str, str], ...] = (
    (SECRET, "", "must be an object"),
    ({"name": SECRET}, "id", "is missing"),
    ({"id": 7}, "id", "a number is not valid"),
    ({"id": ""}, "id", "must be a text of 1 to 256"),
    ({"id": "x" * 257}, "id", "must be a text of 1 to 256"),
    ({"id": f"{SECRET}\x1f"}, "id", "U\\+001F"),
    ({"id": f"{SECRET}\0"}, "id", "U\\+0000"),
    ({"id": "c1", "project_id": "outlet"}, "project_id", 'must be "shop"'),
    ({"id": "c1", "project_id": 7}, "project_id", 'must be "shop"'),
    ({"id": "c1", "email": [SECRET]}, "email", "Expected `str | null`, got `array`"),
    ({"id": "c1", "consents": {SECRET: "yes"}}, "consents[...]", "Expected `bool`, got `str`"),
    ({"id": "c1", "extra": SECRET}, "extra", "into metadata"),
    ({"id": "c1", "name": SECRET * 100_000}, "", "at most 1,048,576 are read"),
)


@pytest.mark.parametrize(("profile", "path", "reason"), WRONG, ids=range(len(WRONG)))
def test_a_profile_that_is_wrong_is_named_by_its_place_and_not_shown(profile: Any, path: str, reason: str) -> None:
    with pytest.raises(DefinitionInvalid, match=reason) as raised:
        check_profiles(WIRE, [{"id": "c0"}, profile], SHOP)
    (problem,) = raised.value.problems
    assert problem.path == f"[1].{path}".removesuffix(".")
    assert SECRET not in str(problem)


def test_a_profile_that_matchers_could_not_keep_is_too_large_whatever_may_be_read() -> None:
    profile = {"id": "c1", "metadata": {"note": "x" * 2_100_000}}
    with pytest.raises(DefinitionInvalid, match="at most 2,031,616 are kept"):
        check_profiles(WIRE, [profile], replace(SHOP, max_bytes=9_000_000))


def test_of_two_profiles_of_one_customer_the_second_is_wrong() -> None:
    with pytest.raises(DefinitionInvalid, match=r"is the id of \[0\] already") as raised:
        check_profiles(WIRE, [{"id": "c1", "email": "a"}, {"id": "c2"}, {"id": "c1", "email": "b"}], SHOP)
    assert [one.path for one in raised.value.problems] == ["[2].id"]


@pytest.mark.parametrize("identity", ["", "x" * 257, "a\x1fb", "a\0b"], ids=["empty", "long", "separator", "zero"])
def test_an_id_that_no_key_can_carry_is_refused_where_it_stands(identity: str) -> None:
    check_id("c1")
    with pytest.raises(BadQuestion) as raised:
        check_id(identity)
    assert raised.value.option == "id"
