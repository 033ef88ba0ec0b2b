"""Requests that another site has a browser send, and the cookie of a session."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from console.web.guard import TokenCookie, is_forged

HERE = "tidings.shop.example"


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ([("sec-fetch-site", "same-origin")], False),
        ([("sec-fetch-site", "none")], False),
        ([("sec-fetch-site", "same-origin"), ("origin", "null")], False),
        ([("sec-fetch-site", "same-site")], True),
        ([("sec-fetch-site", "cross-site"), ("origin", f"https://{HERE}")], True),
        ([("sec-fetch-site", "")], True),
        ([("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], True),
        ([("origin", f"https://{HERE}")], False),
        ([("origin", f"https://{HERE.upper()}")], False),
        ([("origin", f"https://{HERE}:8443")], True),
        ([("origin", "https://shop.example")], True),
        ([("origin", f"https://{HERE}.evil.example")], True),
        ([("origin", f"file://{HERE}")], True),
        ([("origin", "null")], True),
        ([("origin", "https://[")], True),
        ([("referer", f"https://{HERE}/sign-in")], True),
        ([], True),
    ],
)
def test_a_change_is_taken_from_pages_of_ours_alone(headers: list[tuple[str, str]], is_refused: bool) -> None:
    request = make_mocked_request("POST", "/sign-in", headers=CIMultiDict([("host", HERE), *headers]))
    assert is_forged(request) is is_refused
    assert not is_forged(make_mocked_request("GET", "/", headers=CIMultiDict([("host", HERE), *headers])))


@pytest.mark.parametrize(
    ("is_plain", "attributes"),
    [
        (False, {"__Host-tidings=token", "HttpOnly", "Path=/", "SameSite=Lax", "Secure"}),
        (True, {"tidings=token", "HttpOnly", "Path=/", "SameSite=Lax"}),
    ],
)
def test_a_cookie_is_for_this_host_and_no_script(is_plain: bool, attributes: set[str]) -> None:
    response = web.Response()
    TokenCookie(is_plain=is_plain).keep(response, "token")
    (morsel,) = response.cookies.values()
    assert set(morsel.OutputString().split("; ")) == attributes
