"""Keys of codes: equal for equal codes of a project, and of codes that were given alone."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.code_key import code_key, published_code_key

GIVEN = {"publication": {"id": "pub_1"}, "voucher": {"code": "SPRING-1"}}


def test_a_key_is_of_one_code_of_one_project() -> None:
    keys = [code_key(*one) for one in (("shop", "A"), ("shop", "a"), ("outlet", "A"), ("shopA", ""), ("s", "hopA"))]
    assert len({*keys}) == 5
    assert code_key("shop", "A") == keys[0]
    assert all(len(key) == 32 and "A" not in key for key in keys)


@pytest.mark.parametrize(
    ("data", "is_given"),
    [
        (GIVEN, True),
        ({"voucher": {"code": "SPRING-1"}}, False),
        ({"publication": {"id": "pub_1"}}, False),
        ({**GIVEN, "voucher": {"code": ""}}, False),
        ({**GIVEN, "voucher": {"code": 7}}, False),
        ({**GIVEN, "voucher": "SPRING-1"}, False),
        ({}, False),
    ],
)
def test_a_message_gave_the_code_that_was_published_with_it(data: dict[str, Any], is_given: bool) -> None:
    assert published_code_key("shop", data) == (code_key("shop", "SPRING-1") if is_given else None)
