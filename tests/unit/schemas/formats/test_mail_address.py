"""One definition of an address: the same for the decision, for the message, and for the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from channels.email.headers import valid_address
from deploy.settings.settings import load_settings
from schemas.errors import CannotStart, RenderRefused
from schemas.formats.blank import is_blank, trimmed
from schemas.formats.mail_address import _checked, mail_address, mailto
from schemas.suppression import address_keys, suppression_key
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.outcome import Matched
from tests.factory import NOW, context, customer, rule

EMAIL = {"email": {"account": "main", "subject": "Hi", "template": "hello"}}

SENDABLE = {
    "a@example.com": "a@example.com",
    " a@example.com ": "a@example.com",
    "a@example.com\r\n": "a@example.com",
    "\ufeff\u00a0a@example.com\u200b\u202c": "a@example.com",
    "Jo.O'Brien+news@Example.COM": "Jo.O'Brien+news@example.com",
    "a@faß.example": "a@xn--fa-hia.example",
    "a@FAẞ.example": "a@xn--fa-hia.example",
    "a@βόλος.example": "a@xn--nxasmm1c.example",
    "a@münchen.de": "a@xn--mnchen-3ya.de",
    "a@mu\u0308nchen.de": "a@xn--mnchen-3ya.de",
    "a@пример.рф": "a@xn--e1afmkfd.xn--p1ai",
    "a@例え。テスト": "a@xn--r8jz45g.xn--zckzah",
    "a@xn--mnchen-3ya.de": "a@xn--mnchen-3ya.de",
    "a@post.internal": "a@post.internal",
    "a@Mail.Local": "a@mail.local",
    "a@mail.test": "a@mail.test",
    "a" * 64 + "@example.com": "a" * 64 + "@example.com",
    "zoë@Example.com": "zoë@example.com",
    "zoe\u0308@example.com": "zoë@example.com",
    "пётр@пример.рф": "пётр@xn--e1afmkfd.xn--p1ai",
}
UNSENDABLE = {
    "ë" * 33 + "@example.com": "64 bytes before the @",
    "a\u202eb@shop.example": "RIGHT-TO-LEFT OVERRIDE",
    "zoë\r\nDATA@shop.example": "U+000D",
    "zoë<a@shop.test": "display name",
    '"a b"@example.com': "Quoting",
    "a@[127.0.0.1]": "bracketed IP address",
    "a@127.0.0.1": "top-level domain",
    "a@localhost": "period",
    "a@mail.invalid": "special-use",
    "a@Mail.Invalid": "special-use",
    "a@mail.localhost": "special-use",
    "a..b@example.com": "two periods",
    "a.@example.com": "period immediately before",
    "a" * 65 + "@example.com": "too long before",
    "a@" + "b" * 64 + ".com": "so many characters",
    "a@" + "b." * 130 + "com": "takes 254",
    "a@xn--zz.example": "IDNA",
    "a@☃.example": "not allowed",
    "a@-b.com": "hyphen",
    "a b@example.com": "SPACE",
    "Jo <jo@example.com>": "display name",
    "jo@example.com, zoe@example.com": "','",
    "jo@example.com\r\nRCPT TO:<evil@example.com>": "U+000D",
    "mailto:jo@example.com": "':'",
    "jo": "must have an @",
    "jo@exam\u200bple.com": "ZERO WIDTH SPACE",
    "jo@example.com\ufffd": "(Codepoint U+FFFD not allowed)",
    "jo@example.com;": "';'",
}


def decided(email: object) -> Matched:
    index = RuleIndex()
    index.insert(rule(channels=[EMAIL]))
    return match_event(context(customer(email=email)), index, NOW)


@pytest.mark.parametrize(("written", "sent"), SENDABLE.items())
def test_decision_and_message_have_the_same_address(written: str, sent: str) -> None:
    assert [one.email.to for one in decided(written).deliveries] == [sent]  # type: ignore[attr-defined]
    assert valid_address(written) == valid_address(sent) == sent


@pytest.mark.parametrize(("written", "reason"), UNSENDABLE.items())
def test_what_cannot_be_sent_to_is_skipped_with_the_reason(written: str, reason: str) -> None:
    (decision,) = decided(written).decisions
    assert (decision.outcome, decision.reason) == ("skipped", "no_address")
    assert reason in (decision.detail or "")
    assert written not in (decision.detail or "")
    assert "example" not in (decision.detail or "")
    with pytest.raises(RenderRefused, match="mail cannot be sent"):
        valid_address(written)


@pytest.mark.parametrize("written", ["zoë@example.com", "пётр@пример.рф"])
def test_senders_and_other_channels_take_ascii_alone_before_the_at(written: str) -> None:
    with pytest.raises(ValueError, match="before the @|'ë'"):
        mail_address(written)


def test_whoever_left_has_left_however_the_letters_are_written() -> None:
    key = suppression_key("ZOË@Example.com")
    assert key == suppression_key("zoe\u0308@example.com") == "zoë@example.com"
    assert address_keys("email", "Zoë@example.com") == (key, "example.com")


@pytest.mark.parametrize("blank", [None, "", "  ", "\u00a0", "\u200b\u3164"])
def test_a_blank_address_is_none(blank: object) -> None:
    (decision,) = decided(blank).decisions
    assert (decision.reason, decision.detail) == ("no_address", "the customer has no email")


_LETTERS = "abzAZ09.@-_+'é\u00df x"


@given(some.text(_LETTERS, max_size=20).map(lambda text: f"{text}@example.com") | some.text(_LETTERS, max_size=30))
def test_the_short_way_says_what_the_library_says(text: str) -> None:
    def answer(read: object) -> object:
        try:
            return read(text)  # type: ignore[operator]
        except ValueError:
            return "refused"

    assert answer(mail_address) == answer(lambda one: _checked(trimmed(one)))


def test_blanks_are_what_is_not_seen() -> None:
    assert all(map(is_blank, ("", " ", "\t\r\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2060\u200e")))
    assert not any(map(is_blank, ("0", "-", " x ", "\u0301", "\U0001f600")))


@pytest.mark.parametrize("key", ["sender", "unsubscribe_mailto"])
def test_an_account_has_addresses_that_mail_takes(tmp_path: Path, key: str) -> None:
    keys = {"host": "mail.example", "sender": "news@example.com", key: "nöws@example.com"}
    file = tmp_path / "tidings.toml"
    file.write_text("[email_accounts.main]\n" + "".join(f'{name} = "{value}"\n' for name, value in keys.items()))
    with pytest.raises(CannotStart, match=rf"email_accounts\.main\.{key} .*'ö'"):
        load_settings({}, file)


def test_a_subject_may_follow_an_address() -> None:
    assert mailto("out@münchen.de?subject=take me off") == "out@xn--mnchen-3ya.de?subject=take%20me%20off"
    assert mailto("") == ""
