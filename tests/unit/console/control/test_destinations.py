"""An account or endpoint as it is written on the command line."""

from __future__ import annotations

import pytest

from console.control.destinations import written_destination
from schemas.destination import Destination
from schemas.errors import TidingsError


@pytest.mark.parametrize(
    ("written", "name"),
    [("webhook/hooks.shop.example:8443", "hooks.shop.example:8443"), ("webhook/[::1]:80", "[::1]:80")],
)
def test_a_destination_is_its_channel_and_its_name(written: str, name: str) -> None:
    assert written_destination("shop", written) == Destination("shop", "webhook", name)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("email", ' Did you mean "email/main"?'),
        ("email/", ' Did you mean "email/main"?'),
        ("emial/second", ' Did you mean "email/second"?'),
        ("x/y", ""),
        ("", ""),
    ],
)
def test_what_is_none_is_refused_with_what_was_meant(written: str, meant: str) -> None:
    with pytest.raises(TidingsError) as refused:
        written_destination("shop", written)
    said = f'"{written}" is not valid: must be CHANNEL/NAME, as in email/main'
    assert str(refused.value) == (f"{said}.{meant}" if meant else said)
