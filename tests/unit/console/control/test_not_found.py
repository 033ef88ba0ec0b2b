"""The sentence about a name that nothing has."""

from __future__ import annotations

import pytest

from console.control.not_found import not_found

MANY = [f"c{number:02}" for number in range(12)]


@pytest.mark.parametrize(
    ("name", "known", "see", "sentence", "meant"),
    [
        ("sprng", ["spring", "autumn"], "", 'no campaign "sprng". Did you mean "spring"?', "spring"),
        ("sprng", ["spring"], "tidings campaigns list", 'no campaign "sprng". Did you mean "spring"?', "spring"),
        ("save10", ["SAVE10"], "", 'no campaign "save10". Did you mean "SAVE10"?', "SAVE10"),
        ("x", ["spring", "autumn"], "", 'no campaign "x". There are: autumn, spring.', None),
        ("x", [], "", 'no campaign "x". There are: none.', None),
        ("x", MANY, "", f'no campaign "x". There are: {", ".join(MANY[:10])}, …', None),
        ("x", MANY, "tidings campaigns list", 'no campaign "x". See: tidings campaigns list', None),
    ],
)
def test_the_nearest_name_is_said_or_which_there_are(
    name: str, known: list[str], see: str, sentence: str, meant: str | None
) -> None:
    error = not_found("campaign", name, known, see=see)
    assert (str(error), error.kind, error.name, error.meant) == (sentence, "campaign", name, meant)
