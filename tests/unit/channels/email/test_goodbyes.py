"""Mails by which customers leave, as programs write them."""

from __future__ import annotations

import email.policy
from email.header import Header
from email.message import EmailMessage
from random import Random

import pytest

from channels.email.goodbyes import goodbye_subject, goodbye_token
from channels.unsubscribe import Subscriber, subscriber_of, token_of

SECRET = "a secret of many characters"
ANN = Subscriber("shop", "ann@shop.example", "marketing", "dlv_01JDZ8Q5W3N1V6X2Y4T7R9K0AB")
TOKEN = token_of(ANN, SECRET)


def by_library(subject: str) -> bytes:
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = "ann@shop.example", "leave@shop.example", subject
    mail.set_content("")
    return mail.as_bytes()


@pytest.mark.parametrize(
    "message",
    [
        by_library(goodbye_subject(TOKEN)),
        by_library(f"Re: Unsubscribe.{TOKEN}"),
        f"Subject: unsubscribe.{TOKEN}".encode(),
        f"SUBJECT:unsubscribe.{TOKEN}\n\nbody".encode(),
        f"Subject: unsubscribe.{TOKEN[:50]}\r\n {TOKEN[50:]}\r\n\r\n".encode(),
        f"Subject: {Header(goodbye_subject(TOKEN), 'utf-8').encode()}\r\n\r\n".encode(),
        f"Subject: =?utf-8?q?unsubscribe=2E{TOKEN[:20].replace('_', '=5F')}?=\r\n {TOKEN[20:]}\r\n\r\n".encode(),
        f"Subject: unsubscribe.{TOKEN}\r\n\r\n".encode() + b"x" * 200_000,
    ],
)
def test_the_token_is_found_however_its_subject_was_folded(message: bytes) -> None:
    token = goodbye_token(message)
    assert token is not None
    assert subscriber_of(token, [SECRET]) == ANN


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"Subject: unsubscribe\r\n\r\n",
        b"Subject: unsubscribe.\r\n\r\n",
        f"Subject: hello\r\n\r\nSubject: unsubscribe.{TOKEN}".encode(),
        f"From: unsubscribe.{TOKEN}@x.example\r\n\r\n".encode(),
        b"Subject: =?no-such-charset?b?dW5zdWJzY3JpYmUu?=\r\n\r\n",
        b"Subject: =?utf-8?b?!!!?=\r\n\r\n",
        b"\xff\xfe\x00Subject: \xff\r\n\r\n",
    ],
)
def test_another_mail_holds_none(message: bytes) -> None:
    assert goodbye_token(message) is None


@pytest.mark.parametrize("forged", ["A" * 100, TOKEN[:-4], TOKEN[::-1], "../../etc"])
def test_a_token_that_nobody_made_proves_nothing(forged: str) -> None:
    token = goodbye_token(by_library(goodbye_subject(forged)))
    assert token is None or subscriber_of(token, [SECRET]) is None


def test_no_bytes_break_it() -> None:
    chance = Random(7)
    for _ in range(300):
        head = bytes(chance.choices(b"Subject: =?utf-8?bq_.\r\n\t\xff\x00unsubscribe", k=chance.randrange(200)))
        goodbye_token(b"Subject: " + head)
