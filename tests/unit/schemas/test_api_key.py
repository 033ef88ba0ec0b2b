"""Keys of the API: their form, and what is told of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.api_key import RANDOM_BYTES, KeyKind, hash_of_key, key_id, kind_of_key, make_key

RANDOM = bytes(range(RANDOM_BYTES))


@pytest.mark.parametrize("kind", ["live", "test"])
def test_a_key_says_what_it_is_for(kind: KeyKind) -> None:
    key = make_key(kind, RANDOM)
    assert re.fullmatch(rf"tdg_{kind}_[0-9A-Za-z]{{49}}", key)
    assert kind_of_key(key) == kind


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES), st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_other_random_bytes_are_another_key(one: bytes, other: bytes) -> None:
    assert (make_key("live", one) == make_key("live", other)) is (one == other)


@given(st.integers(9, 57), st.sampled_from("0aZz_-"))
def test_a_mistyped_key_is_seen_to_be_none(place: int, letter: str) -> None:
    key = make_key("live", RANDOM)
    mistyped = key[:place] + letter + key[place + 1 :]
    assert kind_of_key(mistyped) == ("live" if mistyped == key else None)


@pytest.mark.parametrize(
    "text",
    ["", "tdg_live_", "Bearer", make_key("live", RANDOM)[:-1], make_key("live", RANDOM) + "\n", "x" * 10_000, "tdg_é"],
    ids=["empty", "prefix", "word", "shorter", "longer", "huge", "letters"],
)
def test_what_is_not_in_the_form_of_a_key_is_none(text: str) -> None:
    assert kind_of_key(text) is None


def test_a_live_key_is_not_made_a_test_key_by_its_prefix() -> None:
    assert kind_of_key(make_key("test", RANDOM).replace("test", "live")) is None


def test_fewer_random_bytes_make_no_key() -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        make_key("live", b"short")


def test_the_id_tells_nothing_of_the_key() -> None:
    key = make_key("live", RANDOM)
    digest = hash_of_key(key)
    assert len(digest) == 32
    assert key_id(digest) == f"key_{digest.hex()[:16]}"
    assert key_id(digest).removeprefix("key_") not in key
