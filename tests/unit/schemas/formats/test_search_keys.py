"""The texts that customers are found by."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.formats.search_keys import folded, phone_key, search_keys


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("  Anna   Maria\tKowalska ", "anna maria kowalska"),
        ("Łukasz ŻÓŁĆ", "lukasz zolc"),
        ("Ørsted", "orsted"),
        ("Stra\u00dfe", "strasse"),
        ("Jose\u0301", "jose"),
        ("\uff21\uff2e\uff2e", "ann"),
        ("Ann@Shop.Example", "ann@shop.example"),
        ("\u738b\u5c0f\u660e", "\u738b\u5c0f\u660e"),
        ("a\0b", "ab"),
        ("half \ud800 pair", "half pair"),
        ("", None),
        (" \u00a0", None),
        (None, None),
        (7, None),
        (["ann"], None),
    ],
)
def test_case_accents_and_blanks_make_no_difference(written: Any, key: str | None) -> None:
    assert folded(written) == key


def test_no_key_is_longer_than_an_index_takes() -> None:
    keys = search_keys(dict.fromkeys(("source_id", "email", "phone", "name"), "İ😀" * 5000))
    assert all(key is None or len(key.encode()) <= 2600 for key in keys)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("+48 501-234-567", "76543210584"),
        ("0048501234567", "76543210584"),
        ("(501) 234.567", "765432105"),
        ("1234", None),
        ("+48 501 234 x567", None),
        ("\u0661\u0662\u0663\u0664\u0665", None),
        (48501234567, None),
    ],
)
def test_a_number_is_known_by_its_end(written: Any, key: str | None) -> None:
    assert phone_key(written) == key


def test_a_name_is_also_known_by_its_last_word() -> None:
    keys = search_keys({"id": "c1", "source_id": "A7", "name": "Jan van Do\u00eb", "email": "J@x.example"})
    assert keys == ("A7", "j@x.example", None, "jan van doe", "doe jan van")
    assert search_keys({"name": "Cher"}).turned_name is None
    assert search_keys({}) == (None,) * 5
