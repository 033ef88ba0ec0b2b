"""Phone numbers: what is one, as it is kept, and why another is not."""

from __future__ import annotations

import pytest

from schemas.formats.phone import phone_number, phone_region


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+48600100200", "", "+48600100200"),
        (" +48 600-100-200 ", "", "+48600100200"),
        ("+48600100200", "US", "+48600100200"),
        ("600 100 200", "PL", "+48600100200"),
        ("0048 600 100 200", "PL", "+48600100200"),
        ("07400 123456", "GB", "+447400123456"),
        ("(212) 736-5000", "US", "+12127365000"),
        ("+39 06 1234 5678", "", "+390612345678"),  # in Italy the nought stays
        ("＋48６００１００２００", "", "+48600100200"),  # noqa: RUF001
        ("+1 (484) 200-0000", "", "+14842000000"),
    ],
)
def test_a_number_is_kept_as_e164_has_it(written: str, region: str, number: str) -> None:
    assert phone_number(written, region) == number
    assert phone_number(number) == number


@pytest.mark.parametrize(
    ("written", "region", "said"),
    [
        (None, "", "it is not a text"),
        (48600100200, "", "it is not a text"),
        ("600100200", "", "it has no country: must begin with +"),
        ("call me", "", "it has letters"),
        ("+1 800 FLOWERS", "", "it has letters"),
        ("", "PL", "it is not a phone number"),
        ("--", "PL", "it is not a phone number"),
        ("+999600100200", "", "no country has its code"),
        ("+4860", "", "so many digits|too few digits"),
        ("+4860010020012345", "", "too many digits"),
        ("12", "PL", "too few digits|so many digits"),
        ("1" * 41, "PL", "it has 41 characters"),
        ("+48600100200 ext. 5", "", "it has letters"),
        ("+48 70 1234567", "", "premium-rate"),
        ("600100200\n600100201", "PL", "it is not a phone number"),
    ],
)
def test_what_is_not_one_is_refused_with_the_reason_and_not_shown(written: object, region: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        phone_number(written, region)
    assert str(written)[:9] not in str(caught.value) or not str(written)


def test_a_region_is_a_country() -> None:
    assert phone_region("pl ") == "PL"
    with pytest.raises(ValueError, match='"Poland" is not valid: must be the two letters of a country, such as PL'):
        phone_region("Poland")
