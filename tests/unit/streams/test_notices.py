"""The words in which an owner is told: what is wrong, and a command that shows more."""

from __future__ import annotations

import pytest

from schemas.destination import Destination
from schemas.notice import Concern
from streams.notices import codes_low, destination_paused, distribution_paused

CASES = [
    (
        destination_paused(Destination("shop", "webhook", "hooks.example.com"), "HTTP 401: bad key"),
        ("destination_paused", "webhook/hooks.example.com", "HTTP 401: bad key", "--resume webhook/hooks.example.com"),
    ),
    (distribution_paused("shop", "winback", "spring"), ("distribution_paused", "winback", "spring", "resume winback")),
    (codes_low("shop", "spring", 12, 1000), ("codes_low", "spring", "12 of 1000", "campaigns show spring")),
]


@pytest.mark.parametrize(("concern", "expected"), CASES)
def test_each_concern_says_what_and_what_to_look_at(concern: Concern, expected: tuple[str, str, str, str]) -> None:
    kind, about, said, command = expected
    assert (concern.project_id, concern.kind, concern.about) == ("shop", kind, about)
    assert said in concern.summary
    assert command in concern.look_at
