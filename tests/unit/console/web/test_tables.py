"""Addresses of pages with their parameters."""

from __future__ import annotations

import pytest

from console.web.projects import distribution_path
from console.web.tables import address


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/p/shop/messages", {}, "/p/shop/messages"),
        ("/p/shop/messages", {"q": "a b&c", "cursor": None, "status": ""}, "/p/shop/messages?q=a+b%26c"),
        (distribution_path("shop", "thanks"), {"saved": "2"}, "/p/shop/distributions/thanks?saved=2"),
        (distribution_path("shop", "new"), {"saved": "2"}, "/p/shop/distribution?id=new&saved=2"),
        (distribution_path("shop", ".."), {"version": "1"}, "/p/shop/distribution?id=..&version=1"),
    ],
)
def test_parameters_stand_beside_those_that_name_the_thing(
    path: str, query: dict[str, str | None], expected: str
) -> None:
    assert address(path, query) == expected
