"""Requests that wait for codes, as they are read again."""

from __future__ import annotations

import pytest

from store.codes.held import _read


@pytest.mark.parametrize("request_", [b"", b"{}", b'{"publication_id": 1}'])
def test_a_request_that_cannot_be_read_is_passed_over(request_: bytes) -> None:
    """It would end each publisher that takes it up, and it is always the first."""
    assert _read({"publication_id": "pub_1", "request": request_, "partition": 0}) is None
