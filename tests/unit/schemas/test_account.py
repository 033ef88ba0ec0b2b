"""Accounts as people write them: what is wrong is said early, and a secret is never repeated."""

from __future__ import annotations

import base64
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from schemas.account import account_name, changed_account, read_account
from schemas.channels.email import EmailAccountForm
from schemas.channels.tables import ACCOUNT_TYPES
from schemas.channels.webhook import WebhookAccountForm
from schemas.closed import CHANNELS, ChannelName
from schemas.errors import DefinitionInvalid

PLANTED = "pl4nted-pa55word"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()
MAIL = {"host": "smtp.shop.example", "sender": "news@shop.example", "username": "news", "password": PLANTED}


def test_every_channel_has_its_form_and_the_fields_of_it() -> None:
    assert tuple(ACCOUNT_TYPES) and set(ACCOUNT_TYPES) == set(CHANNELS)
    for kind in ACCOUNT_TYPES.values():
        assert sorted(kind.form.__dataclass_fields__) == sorted({*kind.kept, *(one.name for one in kind.fields)})


def test_an_account_is_read_from_texts_and_from_values_alike() -> None:
    written = read_account("email", {**MAIL, "port": "465", "security": "tls", "sender": "News@SHOP.example"})
    assert written == read_account("email", {**MAIL, "port": 465, "security": "tls", "sender": "News@shop.example"})
    assert isinstance(written, EmailAccountForm)
    assert (written.port, written.connections, written.password) == (465, 4, PLANTED)
    assert PLANTED not in repr(written)
    signing = read_account("webhook", {"secrets": f"{SECRET}\n{SECRET}"})
    assert signing == WebhookAccountForm(secrets=(SECRET, SECRET))
    assert SECRET not in repr(signing)


def test_a_change_keeps_what_it_does_not_name() -> None:
    before = read_account("email", MAIL)
    after = changed_account("email", before, {"password": "another-one"})
    assert isinstance(after, EmailAccountForm)
    assert (after.password, after.host) == ("another-one", "smtp.shop.example")


def test_a_secret_goes_to_another_host_only_where_it_is_written_anew() -> None:
    before = read_account("email", MAIL)
    with pytest.raises(DefinitionInvalid) as found:
        changed_account("email", before, {"host": "smtp.mallory.example", "sender_name": "Shop"})
    (problem,) = found.value.problems
    assert (problem.path, "must be written anew where host changes" in problem.message) == ("password", True)
    assert PLANTED not in str(found.value)
    after = changed_account("email", before, {"host": "smtp.other.example", "password": PLANTED})
    assert isinstance(after, EmailAccountForm)
    assert (after.host, after.password) == ("smtp.other.example", PLANTED)
    for kept in ({"host": MAIL["host"]}, {"port": "2525"}, {"host": "x", "username": "", "password": ""}):
        assert changed_account("email", before, kept)
    open_relay = read_account("email", {"host": "relay.example", "sender": "news@shop.example"})
    assert changed_account("email", open_relay, {"host": "other.example"})


@pytest.mark.parametrize(
    ("channel", "written", "field", "said"),
    [
        ("email", {**MAIL, "hots": "x"}, "hots", 'Did you mean "host"?'),
        ("email", {"sender": "a@b.example"}, "host", "is missing"),
        ("email", {"host": "x"}, "sender", "is missing"),
        ("email", {**MAIL, "host": "smtp.shop.example:587"}, "host", "without port, which"),
        ("email", {**MAIL, "host": "https://smtp.shop.example"}, "host", "without port, which"),
        ("email", {**MAIL, "host": "mail.☃.example"}, "host", "IDNA 2008"),
        ("email", {**MAIL, "port": "70000"}, "port", "whole number from 1 to 65535"),
        ("email", {**MAIL, "port": "-1"}, "port", "whole number"),
        ("email", {**MAIL, "port": True}, "port", "must be a number, not"),
        ("email", {**MAIL, "security": "ssl"}, "security", "must be one of none, starttls, tls"),
        ("email", {**MAIL, "security": "none"}, "security", "in the clear"),
        ("email", {**MAIL, "sender": "News <news@shop.example>"}, "sender", "must be an address such as"),
        ("email", {**MAIL, "username": ""}, "username", "whose password"),
        ("email", {**MAIL, "password": ""}, "password", "is missing"),
        ("email", {**MAIL, "password": PLANTED + "\n"}, "password", "line end"),
        ("email", {**MAIL, "sender_name": "a\r\nBcc: x@y.example"}, "sender_name", "one line"),
        ("email", {**MAIL, "connections": 0}, "connections", "from 1 to 100"),
        ("email", {**MAIL, "unsubscribe_url": "ftp://x"}, "unsubscribe_url", "an address of the web"),
        ("email", {**MAIL, "unsubscribe_url": "https://x/" + "y" * 900}, "unsubscribe_url", "at most 900"),
        ("email", {**MAIL, "unsubscribe_mailto": "x"}, "unsubscribe_mailto", "must be an address"),
        ("webhook", {}, "secrets", "receivers cannot know us"),
        ("webhook", {"secrets": [PLANTED]}, "secrets", "must begin with whsec_"),
        ("webhook", {"secrets": ["whsec_" + PLANTED]}, "secrets", "a secret is whsec_ and base64"),
        ("webhook", {"secrets": ["whsec_YWJj"]}, "secrets", "16 to 64 bytes, this one 3"),
        ("webhook", {"secrets": [SECRET] * 6}, "secrets", "at most 5"),
        ("webhook", {"secrets": 7}, "secrets", "must be a list of texts"),
        ("webhook", {"legacy_secret": PLANTED + "ö"}, "legacy_secret", "must be ASCII"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(
    channel: ChannelName, written: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read_account(channel, written)
    (problem,) = caught.value.problems
    assert problem.path == field
    assert said in problem.message
    assert PLANTED not in str(caught.value)


_HOSTS = (
    "", " ", "smtp://smtp.shop.example", "https://smtp.shop.example/", "smtp.shop.example:587", " smtp.shop.example",
    "smtp.shop.example ", "smtp.shop.example\n", "smtp.shop.example\r\nEHLO x", f"user:{PLANTED}@smtp.shop.example",
    "smtp..example", ".example", f"{'a' * 64}.example", f"{'a.' * 130}example", "[::1]:25", "[::1", "[x]", "999.1.1.1",
    "127.1", "1.2.3", "0x7f000001", "2130706433", "-smtp.example", "smtp-.example", "*.example", "smtp.shop.example?x",
    "smtp.shop.example#x", "\\\\host\\x", "a,b.example", "%00.example", "smtp.example;x", "(smtp)", "'smtp'", '"smtp"',
    "smtp.shop.example,587", "smtp\u200b.example", "smtp\u202eelpmaxe", "\x00", "file:/etc/passwd",
)  # fmt: skip
_URLS = (
    "https://x/>,<mailto:y@z.example", "https://x/\r\nBcc: y@z.example", "https://x/{delivery_id}{other}",
    "https://x y/",    f"https://u:{PLANTED}@x.example/", "https://x/a b", "https://x:99999/", "https://[::1", "https://",
    "javascript:x()",    "https://☃.example/",
)  # fmt: skip
HOSTILE: tuple[tuple[str, Any], ...] = (
    *(("host", one) for one in _HOSTS),
    *(("unsubscribe_url", one) for one in _URLS),
    ("unsubscribe_mailto", "leave@shop.example?subject=" + "x" * 900),
    ("unsubscribe_mailto", "leave@shop.example>,<x"),
    ("sender", "news@shop.example\r\nBcc: x@y.example"),
    ("sender", "a@shop.example,b@shop.example"),
    ("username", "a\r\nQUIT"),
    ("username", "a" * 1001),
    ("sender_name", "a" * 1001),
    ("sender_name", "\ud800"),
    ("password", PLANTED * 100),
    ("password", PLANTED + "\0"),
    ("ssl_cafile", "a\0b"),
    ("port", "9" * 5000),
    ("port", "²"),
    ("port", "000000001999999"),
    ("concurrency", "000000000999999"),
    ("connections", 101),
    ("security", "ssl" * 500),
    ("unsubscribe_url", "https://shop..example/"),
    ("unsubscribe_url", f"https://{'a' * 64}.example/"),
)


@pytest.mark.parametrize(("field", "value"), HOSTILE)
def test_what_no_server_or_header_could_take_is_refused_on_one_line_that_shows_no_secret(
    field: str, value: Any
) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read_account("email", {**MAIL, field: value})
    (problem,) = caught.value.problems
    assert problem.path == field
    assert "must " in problem.message
    assert problem.message.isprintable()
    assert len(problem.message) < 400
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("::1", "::1"), ("[::1]", "::1"), ("[2001:DB8::25]", "2001:db8::25"), ("fe80::1%eth0", "fe80::1%eth0"),
        ("203.0.113.5", "203.0.113.5"), ("localhost", "localhost"), ("smtp_1", "smtp_1"),
        ("mail.example.", "mail.example."), ("3com.example", "3com.example"), ("smtp。example", "smtp.example"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)  # fmt: skip
def test_a_host_is_a_name_or_an_address_however_it_is_written(written: str, read: str) -> None:
    account = read_account("email", {**MAIL, "host": written})
    assert isinstance(account, EmailAccountForm)
    assert account.host == read


@pytest.mark.parametrize(
    ("channel", "name"),
    [("email", ""), ("email", " main"), ("email", "a/b"), ("email", "x" * 101),
     ("webhook", "https://hooks.example"), ("webhook", "hooks.example/x"), ("webhook", "hooks example"),
     ("webhook", "me@hooks.example"), ("webhook", "hooks.example:0"), ("webhook", "hooks.example:x"),
     ("webhook", "[::1")],
)  # fmt: skip
def test_a_name_that_nothing_could_refer_to_is_refused(channel: ChannelName, name: str) -> None:
    with pytest.raises(DefinitionInvalid, match="is not valid"):
        account_name(channel, name)


def test_names_are_as_distributions_write_them() -> None:
    assert [account_name("email", "main"), account_name("webhook", "main")] == ["main", "main"]
    endpoints = ("hooks.example", "Hooks.Example:8443", "receiver", "10.0.0.7:80", "[::1]:8080")
    assert [account_name("webhook", one) for one in endpoints] == [one.lower() for one in endpoints]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rate", "fast", "messages a second, as in 14 or 0.5, or a number in a time, as in 100/m or 3000/3s"),
        ("rate", "1/2w", "must be from 1 message a day to 100000 a second"),
        ("concurrency", "-1", "must be a whole number from 0 to 10000"),
    ],
)
def test_a_limit_that_cannot_be_read_says_what_would_be_right(name: str, value: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as error:
        read_account("email", {"host": "smtp.example.com", "sender": "a@example.com", name: value})
    (problem,) = error.value.problems
    assert problem.path == name
    assert said in str(problem)


def test_a_limit_is_kept_as_it_was_written_and_can_be_taken_away() -> None:
    account = read_account(
        "email", {"host": "smtp.example.com", "sender": "a@example.com", "rate": "100/m", "concurrency": "10"}
    )
    assert (account.rate, account.concurrency) == ("100/m", 10)
    account = changed_account("email", account, {"rate": "", "concurrency": "0"})
    assert (account.rate, account.concurrency) == ("", 0)


def test_an_emptied_field_is_as_if_nobody_had_ever_written_it() -> None:
    before = read_account("email", {**MAIL, "sender_name": "Shop", "port": "2525"})
    after = changed_account("email", before, {"sender_name": None, "port": None})
    assert after == read_account("email", MAIL)
    with pytest.raises(DefinitionInvalid, match="is missing"):
        changed_account("email", before, {"sender": None})
    with pytest.raises(DefinitionInvalid, match="must be one of"):
        changed_account("email", before, {"nothing": None})


def test_an_emptied_place_keeps_no_secret_for_the_one_that_counts_then() -> None:
    written = {"account_sid": "AC1", "auth_token": PLANTED, "sender": "+48501234567", "base_url": "https://a.example"}
    before = read_account("sms", written)
    with pytest.raises(DefinitionInvalid, match="written anew"):
        changed_account("sms", before, {"base_url": None})


def test_every_field_of_a_provider_is_of_one_that_the_channel_has() -> None:
    for kind in ACCOUNT_TYPES.values():
        named = {one.provider for one in kind.fields if one.provider}
        assert named <= set(kind.providers)
        assert set(kind.providers) == set() or "provider" in {one.name for one in kind.fields}
        for provider in kind.providers:
            assert next(one for one in kind.fields if one.name == "provider").read(provider) == provider


def test_a_closed_list_is_a_choice_of_exactly_what_its_type_allows() -> None:
    for kind in ACCOUNT_TYPES.values():
        types = get_type_hints(kind.form)
        for one in kind.fields:
            of_type = types[one.name]
            closed = get_args(of_type) if get_origin(of_type) is Literal else ("true", "false") * (of_type is bool)
            assert set(one.choices) == set(closed), one.name
            assert all(one.choices.values()), one.name
            for value in one.choices:
                one.read(value)
