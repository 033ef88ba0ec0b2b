"""Addresses and headers of webhooks as people write them: refused before anything is saved, and shown nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from channels.http.ssrf import OWN_NETWORKS, Reach
from streams.channels.webhook import Headers, WebhookUrl

HOST = "https://h.example"
NO_ADDRESS = (
    "", " ", "h.example", "//h.example", "ftp://h.example/", "javascript:alert(1)", "https://", "https:///x",
    "https:/h.example/", "https:h.example", "https://:443/", "https://::1/", "https://[::1", "https://[1.2.3.4]/",
    f"{HOST}:0/", f"{HOST}:99999/", f"{HOST}:-1/", f"{HOST}:+443/", f"{HOST}:4\uff143/", f"{HOST}:443x/",
    f"{HOST}:443:443/", f"{HOST}/a b", f"{HOST}/\n", f"\n{HOST}/", f"{HOST}/\tx", f"{HOST}/\r\nhost: x", f"{HOST}/\0",
    f"{HOST}/\x7f", f"{HOST}/\u2028", f"{HOST}/\u202e", f"{HOST}/\ud800", "https://h\ud800.example/",
    f"{HOST}\\@evil.example/", 7, None, True, [HOST], HOST.encode(),
)  # fmt: skip
WITH_USER = ("https://u:p@h.example/", "https://u@h.example/", "https://@h.example/", f"{HOST}@evil.example/")
NO_HOST = (
    "https://./", "https://../", "https://.h.example/", "https://a..example/", f"https://{'a' * 64}.example/",
    f"https://{'a.' * 130}example/", "https://-h.example/", "https://h-.example/", "https://xn--/", "https://[v1.x]/",
    "https://h%2eexample/", "https://h;x/", "https://h!.example/", "https://h,example/", "https://(h).example/",
)  # fmt: skip
ADDRESSES = (
    f"{HOST}/", f"{HOST}:8443/x?y=z", "https://h_x.example/", "https://h.example./", "https://xn--fa-hia.example/",
    "https://fa\u00df.example/", f"{HOST}/%zz", f"{HOST}/\u017c", f"{HOST}?x#y", "HTTPS://H.EXAMPLE/",
)  # fmt: skip
NO_TEXTS: tuple[Any, ...] = ("a\r\nb: c", "\0", "\u017c", "\x7f", 1, None, True, [])


def read(value: Any, of: WebhookUrl | Headers) -> tuple[Any, list[str]]:
    """The value, and what is said of it."""
    said: list[str] = []

    def report(at: str, message: str, *_: Any) -> None:
        said.append(f"{at}: {message}")

    return of.read(value, "here", report), said


@pytest.mark.parametrize("value", NO_ADDRESS, ids=ascii)
def test_what_is_not_an_address_is_refused_with_what_would_be_right_and_not_shown(value: Any) -> None:
    read_as, (said,) = read(value, WebhookUrl())
    assert read_as is None
    assert "https://hooks.example.com/tidings" in said
    assert "evil" not in said


@pytest.mark.parametrize("value", WITH_USER)
def test_an_address_that_holds_a_user_is_refused(value: str) -> None:
    _, (said,) = read(value, WebhookUrl())
    assert "user name or password" in said


@pytest.mark.parametrize("value", NO_HOST)
def test_a_host_that_there_cannot_be_is_refused_before_anything_is_saved(value: str) -> None:
    address, said = read(value, WebhookUrl())
    assert said or "not valid: must be one such as" in (OWN_NETWORKS.problem(address) or "")


@pytest.mark.parametrize("value", ADDRESSES)
def test_an_address_that_is_odd_and_right_is_taken(value: str) -> None:
    address, said = read(value, WebhookUrl())
    assert (said, Reach().problem(address)) == ([], None)
    assert address.isascii()


def test_an_address_that_no_server_takes_is_refused() -> None:
    assert read(f"{HOST}/{'x' * 8000}", WebhookUrl())[1] == [
        "here: has 8018 characters: must be at most 8000, which is what servers take"
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1], "a list is not valid: must be a mapping"),
        ("x", "a text of 1 character is not valid: must be a mapping"),
        *(
            ({name: "1"}, "a header name is of lower-case letters")
            for name in ("X-A", "x_a", "", "x a", "x\n", None, "\u017c")
        ),
        *(
            ({name: "1"}, "is reserved")
            for name in ("host", "webhook-id", "content-encoding", "accept-encoding", "expect", "te", "upgrade")
        ),
        *(({"x": text}, "printable ASCII") for text in NO_TEXTS),
        ({f"x-{number}": "x" * 100 for number in range(100)}, "have 10390 characters: must be at most 8000"),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_header_that_cannot_be_is_refused(value: Any, said: str) -> None:
    assert said in read(value, Headers())[1][0]


@pytest.mark.parametrize("value", [{}, None, {"x": ""}, {"authorization": "Bearer x"}, {"cookie": "a=b"}])
def test_a_header_that_can_be_is_taken(value: Any) -> None:
    assert read(value, Headers()) == (value or {}, [])
