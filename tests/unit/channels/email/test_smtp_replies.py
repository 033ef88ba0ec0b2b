"""The meaning of a mail server's answer."""

from __future__ import annotations

import pytest

from channels.email.smtp_replies import RULES, Meaning, Stage, enhanced_code, rule_for, says_of_address, smtp_receipt
from schemas.receipt import Blocked, Deferred, DomainThrottled, Postponed, Refused, Throttled

BEFORE: tuple[Stage, ...] = ("greeting", "ehlo", "starttls", "auth", "mail")
STAGES: tuple[Stage, ...] = (*BEFORE, "rcpt", "data")

CASES: list[tuple[str, str, Meaning]] = [
    # About us, whatever the code: nothing is burnt.
    ("greeting", "554 No SMTP service here", "blocked"),
    ("greeting", "521 5.3.2 host does not accept mail", "blocked"),
    ("greeting", "550 5.7.1 your IP is listed", "blocked"),
    ("ehlo", "550 5.7.1 bad helo name", "blocked"),
    ("starttls", "501 5.5.2 syntax", "blocked"),
    ("auth", "535 5.7.8 Error: authentication failed", "blocked"),
    ("auth", "534 5.7.9 application-specific password required", "blocked"),
    ("auth", "530 5.7.0 must issue a STARTTLS command first", "blocked"),
    ("auth", "535 5.7.8 too many failed logins", "blocked"),
    ("auth", "432 4.7.12 a password transition is needed", "blocked"),
    ("mail", "530 5.7.1 authentication required", "blocked"),
    ("mail", "550 5.7.60 SMTP; client does not have permissions to send as this sender", "blocked"),
    ("mail", "553 5.7.1 sender address rejected: not owned by user", "blocked"),
    ("mail", "554 5.7.1 access denied", "blocked"),
    ("mail", "501 5.1.7 bad sender address syntax", "blocked"),
    ("rcpt", "530 5.7.57 client not authenticated", "blocked"),
    ("rcpt", "553 5.7.1 <a@x>: Sender address rejected: not owned by user u", "blocked"),
    ("rcpt", "554 5.7.1 <h[1.2.3.4]>: Client host rejected: Access denied", "blocked"),
    ("data", "550 5.1.8 sender's domain does not exist", "blocked"),
    ("rcpt", "554 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org", "blocked"),
    ("rcpt", "550 Sender verify failed", "blocked"),
    ("rcpt", "550 5.1.0 sender domain does not exist", "blocked"),
    ("rcpt", "550 5.7.1 Relaying denied", "blocked"),
    ("rcpt", "554 5.7.1 <a@x>: Relay access denied", "blocked"),
    ("rcpt", "550 relay not permitted", "blocked"),
    ("rcpt", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "blocked"),
    ("data", "554 Message rejected: Email address is not verified. The following identities failed", "blocked"),
    ("data", "554 Transaction failed: Duplicate header 'DKIM-Signature'.", "blocked"),
    # Too fast.
    ("auth", "432 4.3.2 Concurrent connections limit exceeded", "throttled"),
    ("data", "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending", "throttled"),
    ("greeting", "421 4.3.2 too many connections, please try again later", "throttled"),
    ("auth", "454 4.7.0 Too many login attempts", "throttled"),
    ("data", "454 Throttling failure: Maximum sending rate exceeded.", "throttled"),
    ("mail", "450 4.7.1 You've exceeded your sending rate", "throttled"),
    ("mail", "421 4.7.0 Too many messages", "throttled"),
    ("greeting", "421 Too many concurrent SMTP connections", "throttled"),
    ("greeting", "421 4.7.28 unusual rate of unsolicited mail", "throttled"),
    ("mail", "451 4.7.500 Server busy. Please try again later", "throttled"),
    ("data", "451 Message rate limit exceeded, try again in 30 seconds", "throttled"),
    ("rcpt", "452 4.5.3 Too many recipients", "throttled"),
    ("data", "550 5.4.5 Daily user sending quota exceeded.", "throttled"),
    ("rcpt", "550 Domain x.example has exceeded the max emails per hour (101/100) allowed", "throttled"),
    ("data", "554 5.7.1 too many messages from this account", "throttled"),
    ("greeting", "554 too many connections from your host", "throttled"),
    # A passing trouble.
    ("rcpt", "450 4.7.1 <x>: Recipient address rejected: Greylisted, see http://x", "later"),
    ("data", "451 4.7.1 Greylisting in action, please come back later", "later"),
    ("rcpt", "450 4.2.1 The user you are trying to contact is receiving mail at a rate that", "bounced"),
    ("rcpt", "452 4.2.2 The email account is over quota", "bounced"),
    ("rcpt", "452 mailbox quota exceeded", "bounced"),
    ("mail", "452 4.3.1 Insufficient system storage", "later"),
    ("greeting", "421 4.3.2 Service not available", "later"),
    ("data", "503 5.5.1 bad sequence", "later"),
    ("data", "250 what?", "later"),
    ("rcpt", "-1 Malformed SMTP response line", "later"),
    # The recipient's, or the message's.
    ("rcpt", "550 5.1.1 no such user", "suppressed"),
    ("rcpt", "550 #5.1.0 Address rejected.", "suppressed"),
    ("data", "550-5.1.1 The email account that you tried\n5.1.1 to reach does not exist", "suppressed"),
    ("rcpt", "556 5.1.10 recipient domain has null MX", "suppressed"),
    ("rcpt", "550 5.2.1 The email account is disabled", "suppressed"),
    ("rcpt", "550 No such user here", "suppressed"),
    ("rcpt", "550 User unknown in virtual mailbox table", "suppressed"),
    ("rcpt", "552 5.2.2 mailbox over quota", "refused"),
    ("rcpt", "550 5.1.1 The email account is over quota", "refused"),
    ("data", "550 5.2.1 mailbox is full", "refused"),
    ("rcpt", "550 5.7.133 Sender not authenticated for group", "refused"),
    ("data", "550-5.7.1 our system has detected that this message is\n5.7.1 likely unsolicited mail", "refused"),
    ("data", "550 5.7.26 SPF authentication failed", "refused"),
    ("data", "554 5.7.1 blocked by policy: user unknown to us as a sender", "refused"),
    ("data", "552 5.3.4 message size exceeds limit", "refused"),
    ("mail", "552 5.3.4 message size exceeds fixed maximum", "refused"),
    ("mail", "552 message too large", "refused"),
    ("data", "554 message size limit exceeded", "refused"),
    ("data", "554 5.6.0 no", "refused"),
    ("rcpt", "550 5.7.1 5.1.1 is not what this is about", "refused"),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "answer", "meaning"), CASES)
def test_an_answer_means_what_its_stage_code_and_words_say(stage: Stage, answer: str, meaning: Meaning) -> None:
    code, text = answer.replace("550-", "550 ").split(" ", 1)
    assert rule_for(stage, int(code), text).meaning == meaning


@pytest.mark.parametrize("stage", STAGES)
def test_every_code_has_a_meaning_at_every_stage(stage: Stage) -> None:
    about_us = {rule_for(stage, code, "no").meaning for code in range(500, 600)}
    passing = {rule_for(stage, code, "not now").meaning for code in range(400, 500)}
    assert passing <= {"later", "bounced", "throttled", "blocked"}
    assert rule_for(stage, -1, "").meaning == rule_for(stage, 250, "").meaning == "later"
    if stage in BEFORE:
        assert about_us <= {"blocked", "refused"}
        assert {rule_for(stage, code, "5.7.1 no").meaning for code in range(500, 600)} <= {"blocked", "refused"}


def test_only_a_message_too_big_is_refused_before_a_recipient_is_named() -> None:
    refused = {
        rule.why for rule in RULES if rule.meaning in ("refused", "suppressed") and set(rule.stages) & set(BEFORE)
    }
    assert refused == {"the message is too big"}


def test_what_becomes_of_each() -> None:
    assert smtp_receipt("rcpt", 550, "5.1.1 x") == Refused("550 5.1.1 x", "suppressed")
    assert smtp_receipt("data", 550, "5.7.1 x") == Refused("550 5.7.1 x")
    assert smtp_receipt("mail", 450, "4.7.1 slow, try again in 5 minutes") == Throttled(
        "450 4.7.1 slow, try again in 5 minutes", 300.0
    )
    assert smtp_receipt("rcpt", 451, "Greylisted for 300 seconds") == Postponed("451 Greylisted for 300 seconds", 300.0)
    assert smtp_receipt("data", 421, "closing") == Deferred("421 closing")
    assert smtp_receipt("mail", 451, "busy") == Deferred("451 busy")
    assert smtp_receipt("auth", 535, "5.7.8 x") == Blocked("auth: 535 5.7.8 x (the server does not accept us)")


@pytest.mark.parametrize(
    ("stage", "code", "text", "of_domain", "names_it"),
    [
        ("rcpt", 451, "4.7.0 slow down", True, False),
        ("data", 421, "4.7.28 an unusual rate of mail", True, False),
        ("rcpt", 451, "4.7.1 <ann@gmail.com>: Recipient address rejected: throttled", False, False),
        ("rcpt", 450, "4.7.1 too many messages to gmail.com, try again in 60 seconds", True, True),
        ("data", 452, "4.5.3 rate limit of the destination domain exceeded", True, True),
        ("rcpt", 450, "4.7.1 rate limit per domain", True, True),
        ("rcpt", 450, "4.7.1 deferred by notgmail.com and mx.gmail.com", True, False),
        ("rcpt", 450, "4.7.1 deferred by gmail.community", True, False),
        (
            "data",
            421,
            "4.7.28 Gmail has detected an unusual rate of mail originating from your SPF domain [a.test]. "
            "To protect our users from spam, mail sent from your domain has been temporarily rate limited.",
            True,
            False,
        ),
        (
            "rcpt",
            451,
            "4.7.651 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.",
            True,
            False,
        ),
        ("rcpt", 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints", True, False),
        ("data", 451, '4.7.1 Ratelimit "user" exceeded', False, False),
        ("rcpt", 450, "4.7.1 Client host rejected: cannot find your reverse hostname", False, False),
        ("rcpt", 452, "4.5.3 too many recipients", False, False),
        ("data", 454, "4.7.0 Throttling failure: Maximum sending rate exceeded", False, False),
        ("rcpt", 421, "4.7.0 too many messages on this connection", False, False),
        ("data", 451, "4.7.0 your account sends too fast", False, False),
        ("mail", 451, "4.7.0 slow down at gmail.com", False, False),
        ("data", 550, "5.4.5 daily sending quota exceeded", False, False),
    ],
)
def test_whose_limit_an_answer_speaks_of(stage: Stage, code: int, text: str, of_domain: bool, names_it: bool) -> None:
    receipt = smtp_receipt(stage, code, text, "gmail.com")
    wait = 60.0 if "60 seconds" in text else None
    said = f"{code} {text}"
    assert receipt == (DomainThrottled(said, wait, names_it) if of_domain else Throttled(said, wait))


@pytest.mark.parametrize("text", ["a\0b\x1b\x85c", "caf\udce9", "é" * 1000])
def test_whatever_a_server_says_can_be_kept(text: str) -> None:
    receipt = smtp_receipt("data", 451, text)
    receipt.detail.encode()
    assert receipt.detail.isprintable()
    assert len(receipt.detail) <= 300


@pytest.mark.parametrize(
    ("code", "text", "enhanced"),
    [
        (550, "5.1.1 x", "5.1.1"), (451, "4.7.500 busy", "4.7.500"), (550, "from 5.9.12.4", ""), (450, "5.1.1 x", ""),
        (550, "v15.1.1", ""), (550, "4.2.2 then 5.2.2", "5.2.2"), (-1, "5.1.1", ""), (554, "[5.7.1]", "5.7.1"),
    ],
)  # fmt: skip
def test_an_enhanced_code_is_found_and_nothing_is_taken_for_one(code: int, text: str, enhanced: str) -> None:
    assert enhanced_code(code, text) == enhanced


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        (550, "5.1.1 no such user", "dead"),
        (552, "5.2.2 the inbox is out of storage space", "resting"),
        (550, "mailbox full", "resting"),
        (452, "4.2.2 over quota", "resting"),
        (550, "4.4.7 message expired", "resting"),
        (450, "4.4.7 message expired", "resting"),
        (550, "5.4.4 host not found", "resting"),
        (550, "5.4.5 quota of our account", ""),
        (550, "5.4.6 routing loop", ""),
        (550, "5.7.1 rejected by policy", ""),
        (552, "5.3.4 message too big", ""),
        (451, "greylisted", ""),
        (554, "5.7.1 Client host rejected", ""),
    ],
)
def test_an_answer_says_of_an_address(code: int, text: str, said: str) -> None:
    assert says_of_address(code, text) == said
