"""JSON from outside: its depth, to the level."""

from __future__ import annotations

import pytest

from schemas.errors import TooDeep
from schemas.wire.json_text import MAX_DEPTH, decode_json

AROUND = '{"a": 1}, {"b": []}, '
TEXTS = '"{[{[{[{[", '


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'], ids=["lists", "objects", "both"])
@pytest.mark.parametrize("around", ["", 50 * AROUND, 50 * TEXTS], ids=["alone", "among many", "among texts"])
def test_the_last_level_is_read_and_the_next_is_not(opening: str, around: str) -> None:
    count = opening.count("[") + opening.count("{")
    closing = "".join({"[": "]", "{": "}"}[one] for one in reversed(opening) if one in "[{")
    levels = MAX_DEPTH // count
    for depth, is_read in ((levels, True), (levels + 1, False)):
        text = f"[{around}{opening * depth}1{closing * depth}]"
        if is_read:
            assert decode_json(text) == decode_json(text.encode())
        else:
            with pytest.raises(TooDeep):
                decode_json(text)
