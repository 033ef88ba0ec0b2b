"""Parts of a text message, and the letter that makes it dear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.formats.sms_text import parts_of


@pytest.mark.parametrize(
    ("text", "count", "alphabet", "units"),
    [
        ("", 1, "GSM 03.38", 0),
        ("a" * 160, 1, "GSM 03.38", 160),
        ("a" * 161, 2, "GSM 03.38", 161),
        ("a" * 306, 2, "GSM 03.38", 306),
        ("a" * 307, 3, "GSM 03.38", 307),
        ("€" * 80, 1, "GSM 03.38", 160),
        ("€" * 80 + "a", 2, "GSM 03.38", 161),
        ("€" * 152, 2, "GSM 03.38", 304),
        ("€" * 153, 3, "GSM 03.38", 306),  # 76 in a part: the pair is never parted
        ("äöüßÄÖÜñÑàèéìòùÇ£¥§¿¡ΔΦΓΛΩΠΨΣΘΞ", 1, "GSM 03.38", 31),
        ("[]{}\\~^|", 1, "GSM 03.38", 16),
        ("ą" + "a" * 69, 1, "UCS-2", 70),
        ("ą" + "a" * 70, 2, "UCS-2", 71),
        ("ą" * 134, 2, "UCS-2", 134),
        ("ą" * 135, 3, "UCS-2", 135),
        ("😀" * 35, 1, "UCS-2", 70),
        ("😀" * 36, 2, "UCS-2", 72),
        ("😀" * 66, 2, "UCS-2", 132),
        ("😀" * 67, 3, "UCS-2", 134),  # 33 in a part
        ("€ą", 1, "UCS-2", 2),
        ("this is a " + "]" * 74 + "😘", 2, "UCS-2", 86),
        ("|" * 65 + "∞" + "^|||", 1, "UCS-2", 70),
    ],
)  # fmt: skip
def test_parts_are_those_of_the_standard(text: str, count: int, alphabet: str, units: int) -> None:
    found = parts_of(text)
    assert (found.count, found.alphabet, found.units) == (count, alphabet, units)


@pytest.mark.parametrize(
    ("text", "dear", "at", "said"),
    [
        ("Your code: A1", "", 0, "1 part of SMS, 13 units of at most 160 each, in GSM 03.38"),
        ("It’s here", "’", 3, 'because of "’" (U+2019), for which "\'" costs less, at character 3'),  # noqa: RUF001
        ("Zażółć", "ż", 3, 'because of "ż" (U+017C), for which "z" costs less, at character 3'),
        ("złoty", "ł", 2, 'for which "l" costs less'),
        ("win 🎁", "🎁", 5, 'because of "🎁" (U+1F381) at character 5'),
        ("a\u00a0b", "\u00a0", 2, 'because of (U+00A0), for which " " costs less, at character 2'),
        ("a\u200bb", "\u200b", 2, "because of (U+200B) at character 2"),
        ("ç", "ç", 1, 'for which "c" costs less'),  # the table has the capital alone
    ],
)
def test_the_letter_that_makes_it_dear_is_named(text: str, dear: str, at: int, said: str) -> None:
    found = parts_of(text)
    assert (found.dear, found.at) == (dear, at)
    assert said in found.said


@given(st.text(max_size=700))
def test_a_text_fills_its_parts(text: str) -> None:
    found = parts_of(text)
    one, each = (160, 153) if found.alphabet == "GSM 03.38" else (70, 67)
    assert (found.count == 1) == (found.units <= one)
    assert found.count == 1 or found.units / each <= found.count <= found.units / (each - 1) + 1
    assert parts_of(text + "a").count >= found.count
    assert bool(found.dear) == (found.alphabet == "UCS-2")
