"""Calls as they are shown and kept: nothing of them is secret, and nothing of them is long."""

from __future__ import annotations

import pytest

from channels.http.api import HttpRequest
from channels.http.transport import Reply
from channels.webhook.calls import Call
from channels.webhook.shown import MOST_OF_REPLY, MOST_OF_REQUEST, call_of, shown_address
from schemas.receipt import Accepted, Receipt, Refused

TOKEN, SIGNATURE = "bearer-pl4nted", "v1,c2lnbmVkIGJ5IHVz"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.com/tidings", "https://hooks.example.com/tidings"),
        ("https://hooks.example.com:8443/v1/orders/", "https://hooks.example.com:8443/v1/orders/"),
        ("https://h.example/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", "https://h.example/services/…/…/…"),
        ("https://h.example/in/7f3c2d1e-4a5b-6c7d-8e9f-001122334455", "https://h.example/in/…"),
        ("https://h.example/x?token=s3cret&shop=&s3cret", "https://h.example/x?token=…&shop=…&…"),
        ("https://me:s3cret@h.example/x#s3cret", "https://h.example/x"),
        ("https://c.example/unsubscribe/hU7-qk2_9sXb0vJt1LZ4wA", "https://c.example/unsubscribe/…"),
        ("https://c.example/codes/qr/SPRING-2024-osO.x8Kq2.png?until=1", "https://c.example/codes/qr/…?until=…"),
        ("https://[::1", "…"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_address(url) == shown


def call(body: bytes = b"{}", reply: Reply | None = None, receipt: Receipt | None = None) -> Call:
    request = HttpRequest(
        "https://h.example/in/t0ken-0f-path?k=s3cret-query", "h.example", "dlv_1", {"x-auth": TOKEN, "x-n": "1"}, body
    )
    return call_of(request, {"x-auth", "webhook-id"}, [SIGNATURE], reply, receipt or Accepted("HTTP 200"), 0.0124)


def test_bodies_and_headers_hold_no_secret_however_a_receiver_repeats_it() -> None:
    echo = f"{TOKEN} {SIGNATURE} s3cret-query t0ken-0f-path https://h.example/x?k=s3cret".encode()
    escaped = b'{"to": "https:\\/\\/h.example\\/x?k=s3cret", "n": 1}'
    headers = {
        "Location": f"https://h.example/y?t={TOKEN}",
        "X-Request-Id": TOKEN,
        "Set-Cookie": "a=b",
        "RateLimit": "5",
    }
    made = call(
        b'{"source":{"target_url":"https://h.example/x?k=s3cret"},"n":1}',
        Reply(400, headers, echo + b" " + escaped),
        Refused(f"HTTP 400: {TOKEN} https://h.example/x?k=s3cret"),
    )
    everything = repr((made, made.body, made.detail, made.reply_body, made.reply_headers))
    assert [text in everything for text in (TOKEN, SIGNATURE, "s3cret", "t0ken", "Cookie")] == [False] * 5
    assert made.body == '{"source":{"target_url":"https://h.example/x?k=…"},"n":1}'
    assert made.reply_body == (
        '[secret] [secret] [secret] [secret] https://h.example/x?k=… {"to": "https://h.example/x?k=…", "n": 1}'
    )
    assert made.reply_headers == {"location": "https://h.example/y?t=…", "x-request-id": "[secret]", "ratelimit": "5"}
    assert (made.headers, made.outcome, made.status, made.milliseconds) == (
        ("webhook-id", "x-auth"), "refused", 400, 12,
    )  # fmt: skip


@pytest.mark.parametrize(
    "url", ["ftp://u:s3cret-word@x/", "HTTPS://u:s3cret-word@x/y", "http://u:s3cret-word@127.0.0.1/x"]
)
def test_an_address_of_whatever_scheme_is_shown_without_its_user_and_password(url: str) -> None:
    request = HttpRequest(url, "x", "dlv_1", {}, f'{{"target_url":"{url}"}}'.encode())
    made = call_of(request, (), (), Reply(400, {}, b"not s3cret-word"), Refused(f"no {url}"), 0.1)
    assert "s3cret" not in repr((made, made.body, made.detail, made.reply_body))
    assert made.body == f'{{"target_url":"{shown_address(url)}"}}'


def test_what_is_kept_of_a_body_is_bounded_and_can_be_shown_by_any_terminal() -> None:
    made = call(b"\x00\x1b[2J\xff" + "\u202eé☃".encode() + b"x" * 1_000_000, Reply(200, {}, b"y" * 4096))
    assert (len(made.body), made.body_bytes, len(made.reply_body)) == (MOST_OF_REQUEST, 1_000_014, MOST_OF_REPLY)
    assert made.body.startswith("\ufffd\ufffd[2J\ufffd\ufffdé☃x")
    assert call(b'{"name":"Zo\xc3\xab"}').body == '{"name":"Zoë"}'
    assert call().status is None


def test_signed_addresses_that_a_body_carries_are_shown_without_what_proves_them() -> None:
    body = b'{"voucher":{"qr_url":"https://c.example/codes/qr/SPRING-2024-osO.x8Kq2.png"},"n":"http://h.example/a"}'
    shown = '{"voucher":{"qr_url":"https://c.example/codes/qr/…"},"n":"http://h.example/a"}'
    assert call(body).body == shown
