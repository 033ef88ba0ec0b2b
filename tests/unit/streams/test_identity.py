"""Ids stay what they are: claims in ledgers and what receivers have seen are known by them."""

from __future__ import annotations

import pytest

from streams.identity import delivery_id


@pytest.mark.parametrize(
    ("parts", "identity"),
    [
        (("shop", "thanks", "event ev1", "c1", "webhook", 0), "dlv_7a826ae96dc2d95486169699f60c3c2d"),
        (("sklep ż", "dzięki", "event ev1", "klient 😀", "email", 1), "dlv_54bf7cf217d452f4ddc79ef7b69daa63"),
        (("", "", "", "", "", 0), "dlv_5f161918f775e0eef188e801d8628d3e"),
    ],
)
def test_an_id_is_the_same_in_every_release(parts: tuple[str, str, str, str, str, int], identity: str) -> None:
    assert delivery_id(*parts) == identity
