"""Ids stay what they are: claims in ledgers and what receivers have seen are known by them."""

from __future__ import annotations

import pytest

from streams.identity import delivery_id, segment_event_id


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


@pytest.mark.parametrize(
    ("parts", "identity"),
    [
        (
            ("shop", "vip", 3, "c1", 1700000000000, "customer.segment.entered", 1),
            "seg_1826d77dd4f6a636b070ba6fa3edf3e6",
        ),
        (("sklep ż", "złoci", 12, "klient 😀", 0, "customer.segment.left", 20), "seg_90af63ac8468506760eaa94d24b72c52"),
        (("", "", 0, "", 0, "", 0), "seg_b39d9d918f8a64f4e47df6c2d9cb3d29"),
    ],
)
def test_the_id_of_an_entry_is_the_same_in_every_release(
    parts: tuple[str, str, int, str, int, str, int], identity: str
) -> None:
    assert segment_event_id(*parts) == identity
    assert segment_event_id(*parts[:6], parts[6] + 1) != identity
