"""Requests as bytes."""

from __future__ import annotations

import pytest

from channels.http.transport import request_bytes


@pytest.mark.parametrize(
    ("url", "line", "host"),
    [
        ("https://x.example", "POST / HTTP/1.1", "x.example"),
        ("https://x.example:443/a?b=c#d", "POST /a?b=c HTTP/1.1", "x.example"),
        ("http://x.example:8080/a%2Fb", "POST /a%2Fb HTTP/1.1", "x.example:8080"),
        ("https://X.Example./a", "POST /a HTTP/1.1", "x.example"),
        ("https://[2606:4700::1111]:8443/", "POST / HTTP/1.1", "[2606:4700::1111]:8443"),
        ("https://x.example/~a?k=A%2F1%7E2%2b&s=%3d", "POST /~a?k=A%2F1%7E2%2b&s=%3d HTTP/1.1", "x.example"),
        ("https://x.example?a=%2F#b", "POST /?a=%2F HTTP/1.1", "x.example"),
        ("https://x.example/a/../%zz?a=%2F", "POST /%25zz?a=/ HTTP/1.1", "x.example"),
        ("https://x.example/a/%2e%2e/b", "POST /b HTTP/1.1", "x.example"),
        ("https://x.example/?q=a|b'c\"", "POST /?q=a%7Cb'c%22 HTTP/1.1", "x.example"),
    ],
)
def test_a_request_names_path_and_host(url: str, line: str, host: str) -> None:
    head, _, body = request_bytes("POST", url, {"x-team": "a"}, b"body").partition(b"\r\n\r\n")
    lines = [line, f"host: {host}", "accept: */*", "x-team: a", "content-length: 4"]
    assert (head.decode().split("\r\n"), body) == (lines, b"body")


@pytest.mark.parametrize("text", ["a\r\nx-admin: yes", "a\n", "\ra", "a\x00"])
@pytest.mark.parametrize("is_name", [True, False])
def test_a_header_cannot_be_more_than_one_line(text: str, is_name: bool) -> None:
    with pytest.raises(ValueError, match="line end"):
        request_bytes("POST", "https://x.example", {text: "a"} if is_name else {"x-team": text}, b"")
