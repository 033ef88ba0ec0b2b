"""Cursors: what is given back is the key that was given out, and nothing else is one."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.formats.cursors import parse_cursor, write_cursor


@pytest.mark.parametrize("key", ["", "c1", "żółć/?&=", ["2026-03-02T10:00:00+00:00", "e1", "d1"], 7])
def test_a_key_comes_back_through_an_address(key: Any) -> None:
    written = write_cursor(key)
    assert written.replace("-", "").replace("_", "").isalnum()
    assert parse_cursor(written, type(key)) == key


@pytest.mark.parametrize("written", ["", "x", "żółć", "eyJ9", "a b", "+/+/", write_cursor(7)])
def test_what_no_page_gave_out_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="."):
        parse_cursor(written, str)
