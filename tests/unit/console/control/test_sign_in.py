"""Browsers, as the list of sessions names them."""

from __future__ import annotations

import pytest

from console.control.sign_in import agent_of

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME}", "Chrome 156 on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Edg/156.0.0.0", "Edge 156 on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", "Firefox 150 on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            " Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari 18 on iOS",
        ),
        (f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME.replace('Safari', 'Mobile Safari')}", "Chrome 156 on Android"),
        ("curl/8.14.1", "curl/8.14.1"),
        ("some\r\n\x1b[2Jthing", "some[2Jthing"),
        ("", ""),
        ("x" * 100_000, "x" * 119 + "…"),
    ],
)
def test_a_browser_is_named_in_short(written: str, shown: str) -> None:
    assert agent_of(written) == shown
