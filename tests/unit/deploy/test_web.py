"""Settings of the pages for people who sign in."""

from __future__ import annotations

import pytest

from deploy.settings.settings import load_settings
from schemas.errors import CannotStart


@pytest.mark.parametrize(
    ("environ", "is_plain"),
    [
        ({}, True),
        ({"TIDINGS_WEB_HOST": "0.0.0.0"}, False),
        ({"TIDINGS_WEB_URL": "https://tidings.shop.example"}, False),
        ({"TIDINGS_WEB_URL": "http://localhost:8080"}, True),
        ({"TIDINGS_WEB_URL": "http://[::1]:8080/"}, True),
        ({"TIDINGS_WEB_IDLE": "30m", "TIDINGS_WEB_LONGEST": "8h"}, True),
    ],
)
def test_cookies_go_without_tls_on_this_machine_alone(environ: dict[str, str], is_plain: bool) -> None:
    assert load_settings(environ).web.is_plain is is_plain


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("URL", "http://tidings.shop.example", "web.url must begin with https://"),
        ("URL", "http://localhost.shop.example", "web.url must begin with https://"),
        ("URL", "ftp://tidings.shop.example", "web.url"),
        ("URL", "https://shop.example/tidings", "web.url must be a host alone"),
        ("IDLE", "13h", "web.idle"),
        ("IDLE", "1s", "web.idle"),
        ("PORT", "70000", "web.port"),
        ("PROXIES", "10.0.0.1/8", r"web.proxies\[0\] must be a network"),
    ],
)
def test_what_passwords_must_not_be_sent_to_stops_the_start(name: str, value: str, why: str) -> None:
    with pytest.raises(CannotStart, match=why):
        load_settings({f"TIDINGS_WEB_{name}": value})
