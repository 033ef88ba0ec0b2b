"""Requests decoded: everything that is wrong at once, and nothing that two readers take for different things."""

from __future__ import annotations

import base64
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta
from multidict import MultiDict

from console.api.pages import next_cursor, page_of, read_cursor
from console.api.problems import Refused
from console.api.reading import read_body, read_json, read_parameters
from console.api.route import PRIVATE, Paged, Writing


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body."""

    name: Annotated[str, Meta(max_length=3)]
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    names: list[str] = []
    address: Annotated[str, Meta(max_length=9, extra=PRIVATE)] = ""
    addresses: Annotated[list[str], Meta(max_length=2, extra=PRIVATE)] = []


def details(error: pytest.ExceptionInfo[Refused]) -> dict[str | None, str]:
    return {one.parameter or one.pointer: one.detail for one in error.value.refusal.errors}


def test_parameters_are_read_by_their_types() -> None:
    assert read_parameters(Paged, {"limit": "7"}) == Paged(limit=7)
    assert read_parameters(Writing, {"dry_run": "true"}).dry_run is True


def test_every_parameter_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(Refused) as caught:
        read_parameters(Paged, MultiDict([("limit", "0"), ("cursr", "x"), ("limit", "5")]))
    assert [(one.parameter, one.detail) for one in caught.value.refusal.errors] == [
        ("cursr", '"cursr" is not a key: must be one of limit, cursor. Did you mean "cursor"?'),
        ("limit", "is given twice: once is enough"),
        ("limit", '"0" is not valid: must be a whole number from 1 to 200'),
    ]


@pytest.mark.parametrize("text", ["\udcff", "a\ud800"])
def test_what_is_not_utf_8_is_not_read(text: str) -> None:
    with pytest.raises(Refused) as caught:
        read_parameters(Paged, {"cursor": text})
    assert caught.value.refusal.kind == "unreadable"


def test_every_field_of_a_body_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(Refused) as caught:
        read_body(Written, {"count": "7", "names": ["a", 7], "nam": "x"})
    assert details(caught) == {
        "/nam": '"nam" is not a key: must be one of name, count, names, address, addresses. Did you mean "name"?',
        "/name": "is missing: must be a text of at most 3 characters",
        "/count": '"7" is not valid: must be a whole number from 1 to 9',
        "/names/1": "Expected `str`, got `int`",
    }
    assert read_body(Written, {"name": "abc"}) == Written(name="abc")


def test_an_address_is_not_told_to_those_who_read_problems() -> None:
    with pytest.raises(Refused) as caught:
        read_body(Written, {"name": "abc", "address": "ann@shop.example", "addresses": "ann@shop.example"})
    assert details(caught) == {
        "/address": "a text of 16 characters is not valid: must be a text of at most 9 characters",
        "/addresses": "a text of 16 characters is not valid: must be a list of at most 2",
    }
    with pytest.raises(Refused) as caught:
        read_body(Written, {"name": "abc", "address": 48600100200})
    assert details(caught) == {"/address": "a number is not valid: must be a text of at most 9 characters"}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "empty"),
        (b"{", "cannot be read"),
        (b"\xff\xfe{}", "cannot be read"),
        (b'{"a": NaN}', "cannot be read"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', '"c" is given twice'),
        (b"[" * 100 + b"]" * 100, "nested deeper"),
        (b"[" * 200_000, "cannot be read|nested"),
        (b'{"a": 9223372036854775808}', "64 bits"),
        (b'{"a": -' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"a": "\\ud800"}', "surrogate"),
    ],
    ids=["empty", "cut", "utf-16", "nan", "twice", "deep", "deeper", "large", "huge", "half"],
)
def test_json_that_readers_take_for_different_things_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        read_json(raw)
    assert caught.value.refusal.kind == "unreadable"


def test_json_is_read_as_it_stands() -> None:
    assert read_json(b'{"a": [1, 9223372036854775807, -9223372036854775808, 1.5, "x"], "b": {"a": null}}') == {
        "a": [1, 2**63 - 1, -(2**63), 1.5, "x"],
        "b": {"a": None},
    }


def test_a_page_ends_with_the_cursor_of_the_next_one() -> None:
    page, cursor = next_cursor(["a", "b/ü", "c"], 2, lambda one: one)
    assert (page, read_cursor(cursor, str)) == (["a", "b/ü"], "b/ü")
    assert next_cursor(["a", "b"], 2, lambda one: one) == (["a", "b"], None)


@pytest.mark.parametrize("cursor", ["", "!", "abc", "é", base64.urlsafe_b64encode(b"7").decode()])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Refused) as caught:
        read_cursor(cursor, str)
    assert caught.value.refusal.errors[0].parameter == "cursor"


def test_pages_lose_nothing_whichever_order_a_database_gives() -> None:
    """As en_US does: a before B, and ü before z."""
    rows, cursor = ["a", "B", "c", "ü", "z"], None
    seen: list[str] = []
    for _ in rows:
        page, cursor = page_of(rows, cursor, 1, lambda one: one, str)
        seen += page
    assert (sorted(seen), cursor) == (sorted(rows), None)
