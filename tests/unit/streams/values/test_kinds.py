"""Whatever is wrong, and in whichever document: the complaint says what it is, what is allowed, and what was meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DefinitionInvalid
from streams.documents.campaign import CampaignContext, parse_campaign
from streams.documents.distribution import parse_definition
from streams.documents.segment import parse_segment
from streams.values.kinds import (
    Flag,
    Free,
    Group,
    Identifier,
    Key,
    ListOf,
    Moment,
    OneOf,
    Span,
    Text,
    Value,
    Varies,
    Whole,
)
from streams.values.wording import kind_of, shown
from tests.factory import CONTEXT, NOW, definition

NOT = "is not valid: must be"

Parse = Callable[[Any], object]

PAIR = Group({"amount": Key(Whole(0), required=True), "note": Key(Text()), "most": Key(Whole(1), null="itself")})
SHAPES = Varies(
    "is", {"disc": {"is": Key(Text()), "size": Key(Whole(1))}, "box": {"is": Key(Text()), "edge": Key(Flag())}}
)


def read(kind: Value[Any], value: object, at: str = "here") -> tuple[Any, dict[str, str]]:
    found: dict[str, str] = {}
    return kind.read(value, at, found.__setitem__), found


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        (Text(), " a ", " a "),
        (Identifier("x"), "a-1_B.c", "a-1_B.c"),
        (Flag(), False, False),
        (Whole(-1, 3), -1, -1),
        (Moment(), "2026-11-20T10:00:00+01:00", "2026-11-20T10:00:00+01:00"),
        (Moment(), date(2026, 11, 20), "2026-11-20"),
        (Span(), "2h", 7200),
        (OneOf(("A", "B")), "B", "B"),
        (Free(), {"since": date(2026, 11, 20), 1: []}, {"since": "2026-11-20", "1": []}),
        (ListOf(Flag(), "flags"), [True, False], [True, False]),
        (PAIR, {"amount": 0, "note": None, "most": None}, {"amount": 0, "most": None}),
        (SHAPES, {"is": "box", "edge": True}, {"is": "box", "edge": True}),
    ],
)
def test_a_value_is_kept(kind: Value[Any], value: object, kept: object) -> None:
    assert read(kind, value) == (kept, {})


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Text(": its name"), None, {"here": "is missing: must be a text: its name"}),
        (Text(most=3), "four", {"here": '"four" is not valid: must be a text of at most 3 characters'}),
        (Text(), "  ", {"here": "an empty text is not valid: must be a text"}),
        (Text(most=45), "x" * 46, {"here": f"a text of 46 characters {NOT} a text of at most 45 characters"}),
        (Flag(), 1, {"here": "1 is not valid: must be true or false"}),
        (Whole(0), True, {"here": "true is not valid: must be a whole number from 0"}),
        (Whole(1, 9, "; more"), 10, {"here": "10 is not valid: must be a whole number from 1 to 9; more"}),
        (Moment(), "soon", {"here": '"soon" is not valid: must be a date, as in 2026-11-20 or 2026-11-20T09:00:00Z'}),
        (OneOf(("ON", "OFF")), "on", {"here": '"on" is not valid: must be one of ON, OFF. Did you mean "ON"?'}),
        (OneOf(("LIVE", "DRAFT")), 3, {"here": "3 is not valid: must be one of LIVE, DRAFT"}),
        (Free(), [], {"here": "an empty list is not valid: must be a mapping"}),
        (ListOf(Flag(), "flags"), [], {"here": "an empty list is not valid: must be a list of at least one of flags"}),
        (ListOf(Flag(), "flags", most=1), [True] * 2, {"here": "has 2 entries; at most 1 are allowed"}),
        (ListOf(Flag(), "flags"), [True, {}], {"here[1]": "a mapping is not valid: must be true or false"}),
        (PAIR, 5, {"here": "5 is not valid: must be a mapping with amount, note, most"}),
        (
            PAIR,
            {"amout": 1},
            {
                "here.amout": '"amout" is not a key: must be one of amount, note, most. Did you mean "amount"?',
                "here.amount": "is missing: must be a whole number from 0",
            },
        ),
        (SHAPES, {}, {"here.is": "is missing: must be one of disc, box"}),
        (SHAPES, {"is": "box", "size": 1}, {"here.size": "is not a key of a box: must be one of is, edge"}),
        (SHAPES, {"is": "box", "a.b": 1}, {'here."a.b"': '"a.b" is not a key: must be one of is, edge'}),
    ],
)  # fmt: skip
def test_a_wrong_value_says_what_it_is_and_what_is_allowed(
    kind: Value[Any], value: object, said: dict[str, str]
) -> None:
    assert read(kind, value)[1] == said


DOCUMENTS: dict[str, tuple[Parse, dict[str, Any]]] = {
    "distribution": (lambda source: parse_definition(source, CONTEXT), definition()),
    "campaign": (
        lambda source: parse_campaign(source, CampaignContext("shop", NOW)),
        {"campaign": "a", "kind": "GIFT_VOUCHERS", "type": "STATIC", "gift": {"amount": 5}},
    ),
    "segment": (
        lambda source: parse_segment(source, project_id="shop", version=1, now=NOW, read_members=lambda _: []),
        {"segment": "a", "members": []},
    ),
}


def refused(document: str, source: object) -> dict[str, str]:
    with pytest.raises(DefinitionInvalid) as caught:
        DOCUMENTS[document][0](source)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_document_says_the_same_of_the_same_slip(document: str) -> None:
    source = DOCUMENTS[document][1]
    DOCUMENTS[document][0](source)
    said = refused(document, {**source, "nmae": 1, document: "a b", "name": 7})
    assert said["nmae"].startswith('"nmae" is not a key: must be one of ')
    assert said[document].startswith(
        '"a b" is not valid: must be an id of letters, digits, dash, dot and underscore, at most '
    )
    assert said["name"].startswith("7 is not valid: must be a text")
    assert refused(document, {**source, document: None})[document].startswith("is missing: must be an id of letters")
    assert refused(document, [])[""].startswith(
        f"an empty list is not valid: must be a {document}, a mapping with {document}, name"
    )


def test_what_may_be_a_secret_is_not_shown() -> None:
    secrets: list[dict[str, Any]] = [
        {"url": "ftp://user:hush@example.com", "type": "t"},
        {"url": "https://user:hush@example.com", "type": "t"},
        {"url": "https://x.example.com", "type": "t", "headers": "hush"},
        {"url": "https://x.example.com", "type": "t", "headers": {"authorization": "hush\n"}},
    ]
    for webhook in secrets:
        assert "hush" not in str(refused("distribution", definition(channels=[{"webhook": webhook}])))
    assert "hush" not in str(refused("distribution", definition(channels=["hush", {"webhook": "hush"}])))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_whatever_is_written_is_kept_or_refused(value: Any) -> None:
    kinds: list[Value[Any]] = [Text(), Identifier("x"), Flag(), Whole(0), Moment(), Span(), Free(), PAIR, SHAPES]
    for kind in kinds:
        kept, found = read(kind, value)
        assert (kept is None) <= bool(found)
    assert shown(value) and kind_of(value)


def test_a_number_of_thousands_of_digits_is_refused_by_its_kind() -> None:
    assert read(Whole(0), 10**5000)[1] == {"here": "a number is not valid: must be a whole number from 0"}
