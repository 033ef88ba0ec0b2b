"""Reports of mail systems: the messages beside this file, each as a kind of system writes it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from channels.email.reports import MOST_BYTES, MailReport, NotReport, read_reports

MESSAGES = Path(__file__).parent / "reports"
DELIVERY = "dlv_0123456789abcdef0123456789abcdef"
ANN = "ann@mail.example"
HARD, SOFT = True, False

ONE_THING = [
    ("postfix_unknown_user", "bounced", ANN, HARD),
    ("postfix_delayed", "delayed", ANN, SOFT),
    ("postfix_expired_in_queue", "bounced", ANN, SOFT),
    ("postfix_delivered", "delivered", ANN, SOFT),
    ("relayed", "relayed", ANN, SOFT),
    ("expanded", "delivered", ANN, SOFT),
    ("gmail_mailbox_full", "bounced", ANN, SOFT),
    ("exchange_not_found", "bounced", ANN, HARD),
    ("exchange_policy", "bounced", ANN, SOFT),
    ("base64_status", "bounced", ANN, HARD),
    ("global_utf8", "bounced", None, HARD),
    ("no_recipient_no_action", "bounced", "", SOFT),
    ("no_blank_line_between_groups", "bounced", ANN, HARD),
    ("only_envelope_id", "bounced", ANN, HARD),
    ("forwarded_by_a_person", "bounced", ANN, HARD),
    ("truncated", "bounced", ANN, HARD),
    ("exim", "bounced", ANN, HARD),
    ("exim_warning", "delayed", "", SOFT),
    ("qmail", "bounced", ANN, HARD),
    ("carrier_of_japan", "bounced", "", HARD),
    ("carrier_of_japan_transcript", "bounced", "ann@carrier.example", HARD),
    ("complaint", "complained", ANN, SOFT),
    ("complaint_without_recipient", "complained", "", SOFT),
    ("outlook_complaint", "complained", ANN, SOFT),
]


def message(name: str) -> bytes:
    return (MESSAGES / f"{name}.eml").read_bytes()


@pytest.mark.parametrize(("name", "kind", "recipient", "is_hard"), ONE_THING, ids=[case[0] for case in ONE_THING])
def test_a_report_says_what_became_of_which_message(name: str, kind: str, recipient: str | None, is_hard: bool) -> None:
    for written in (message(name), message(name).replace(b"\n", b"\r\n")):
        (report,) = read_reports(written)
        assert (report.kind, report.delivery_id, report.is_hard) == (kind, DELIVERY, is_hard)
        if recipient is not None:
            assert report.recipient == recipient


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("not_spam", 'is feedback of type "not-spam", which is not a complaint'),
        ("dmarc_failure", 'is feedback of type "auth-failure", which is not a complaint'),
        ("vacation", "is not a report of a mail system"),
        ("read_receipt", "is not a report of a mail system"),
        ("of_others", "is a report, and names no message of ours"),
    ],
)
def test_what_reports_nothing_of_ours_says_why(name: str, why: str) -> None:
    with pytest.raises(NotReport) as refused:
        read_reports(message(name))
    assert str(refused.value) == why


def test_a_report_on_several_recipients_tells_of_each() -> None:
    assert [(one.kind, one.recipient) for one in read_reports(message("two_recipients"))] == [
        ("delivered", "a@list.example"),
        ("bounced", "b@list.example"),
    ]


def test_every_message_beside_this_file_is_tried() -> None:
    tried = {case[0] for case in ONE_THING} | {"two_recipients", "not_spam", "dmarc_failure", "vacation"}
    assert {path.stem for path in MESSAGES.iterdir()} == tried | {"read_receipt", "of_others"}


def test_the_words_of_an_answer_stand_in_one_line() -> None:
    (report,) = read_reports(message("postfix_unknown_user"))
    assert report.detail == (
        "550 5.1.1 <ann@mail.example>: Recipient address rejected: User unknown in virtual mailbox table"
    )


@pytest.mark.parametrize("name", [case[0] for case in ONE_THING])
def test_broken_messages_are_a_report_or_refused(name: str) -> None:
    whole, chance = message(name), random.Random(name)
    for _ in range(15):
        broken = bytearray(whole[: chance.randrange(len(whole))])
        for _ in range(chance.randrange(5)):
            broken[chance.randrange(len(broken) or 1) : 0] = bytes([chance.randrange(256)])
        assert all(isinstance(one, MailReport) for one in _read(bytes(broken)))


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"\x00" * 1000,
        b"Content-Type: multipart/report; boundary=\n\n--\n",
        b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n====\n",
        b"Content-Type: message/feedback-report\n\n",
        b"From: mailer-daemon\nContent-Type: text/plain; charset=nonsense\n\n550 5.1.1 unknown user",
        b"From: =?nonsense?b?////?= <mailer-daemon@mx.example>\nTo: \xff\xfe\n\n550 5.1.1 \xff",
        b"Content-Type: message/rfc822\n\n" * 5000,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000)),
    ],
)
def test_odd_messages_are_refused(odd: bytes) -> None:
    assert _read(odd) == []


@pytest.mark.parametrize(
    ("fields", "is_hard"),
    [
        ('X-Supplementary-Info: <192.0.2.1 #5.0.0 smtp; 550 "Unknown User">', HARD),
        ("X-Supplementary-Info: <mx.example #5.0.0 smtp;\n 550 5.4.1 [a@b]: Recipient rejected: Access denied>", SOFT),
        ("X-Supplementary-Info: <mx.example #5.0.0 smtp; 554 delivery error: This mailbox is disabled (554.30)>", HARD),
        ("Diagnostic-Code: smtp; 554 delivery error: dd This user doesn't have a yahoo.example account [0]", HARD),
        ("Diagnostic-Code: smtp; 554 Client host [192.0.2.1] blocked using zen.spamhaus.org", SOFT),
        ("Diagnostic-Code: smtp; 550 SPF check failed", SOFT),
        ("", SOFT),
    ],
)  # fmt: skip
def test_a_status_that_says_little_is_judged_by_the_answer_beside_it(fields: str, is_hard: bool) -> None:
    written = (
        'Content-Type: message/delivery-status\nCc: ops@mail.example,\nTo: "\n\n'
        f"Original-Envelope-Id: {DELIVERY}\n\nAction: failed\nStatus: 5.0.0\n{fields}\n"
    )
    (report,) = read_reports(written.encode())
    assert (report.kind, report.is_hard) == ("bounced", is_hard)


def test_a_huge_message_is_read_as_far_as_it_tells() -> None:
    (report,) = read_reports(message("postfix_unknown_user") + b"x" * 10 * MOST_BYTES)
    assert report.kind == "bounced"


def _read(written: bytes) -> list[MailReport]:
    try:
        return read_reports(written)
    except NotReport:
        return []
