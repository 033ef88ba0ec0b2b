"""The field that a name means."""

from __future__ import annotations

import re

import pytest

from schemas.known_fields import KnownField, KnownFields

FIELDS = (
    KnownField("LAST_CODE", others=("Last code",)),
    KnownField("A", others=("Twice", "b")),
    KnownField("B", others=("Twice",)),
)


@pytest.mark.parametrize(
    ("name", "any_case", "expected"),
    [
        ("LAST_CODE", False, "LAST_CODE"),
        ("Last code", False, "LAST_CODE"),
        ("last_code", True, "LAST_CODE"),
        ("LAST CODE", True, "LAST_CODE"),
        ("b", True, "A"),
        ("B", True, "B"),
    ],
)
def test_a_field_is_found_by_its_own_name_first(name: str, any_case: bool, expected: str) -> None:
    assert KnownFields(FIELDS, any_case=any_case).find(name).name == expected


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        (FIELDS, "last_cod", 'there is no tag "last_cod". Did you mean "LAST_CODE"? There are: LAST_CODE, A, B'),
        (FIELDS, "Last kode", 'there is no tag "Last kode". Did you mean "Last code"? There are: LAST_CODE, A, B'),
        (FIELDS, "LAST CODE", 'there is no tag "LAST CODE". Did you mean "LAST_CODE"?'),
        (FIELDS, "Twice", '"Twice" is the name of several: write A or B'),
        ((), "A", 'there is no tag "A". There are: none'),
        (tuple(KnownField(f"F{at}") for at in range(15)), "x", "F11 and 3 more"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(fields: tuple[KnownField, ...], name: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        KnownFields(fields, "tag").find(name)
