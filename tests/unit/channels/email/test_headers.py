"""E-mail headers: every line within the limits of RFC 2047 and 5322, and every reader shows what was written."""

from __future__ import annotations

import re
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest

from channels.email.headers import list_header, mailbox_header, text_header

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
TEXTS = [
    "Αλέξανδρος-Χριστόφορος Παπαδόπουλος",
    "Zażółć gęślą jaźń",
    "春の新作コレクションをいち早くお届けします。今すぐご覧ください、お待ちしております",
    "अंतर्राष्ट्रीयकरण के लिए धन्यवाद, फिर मिलेंगे हम लोग",
    FAMILY * 12,
    "\U0001f1f5\U0001f1f1\U0001f1ef\U0001f1f5" * 20,
    "e" + "\u0301" * 90,
    "caf\u0065\u0301 " * 30,
    "\u1112\u1161\u11ab" * 40,
    "=?utf-8?q?not_a_word?=",
    "50% =?off",
    "Re: [SOS-1495488] Commande et livraison - Abo actualités digitales 20 semaines d\u2019abonnement à 24 heures",
    "Zusammenfassung Ihrer Bestellung — " * 40,
    "Plain, short",
    'He said "hi" \\ and (left)',
    "word " * 60 + "end",
    "x" * 1200,
    "two  spaces   and " * 12 + "end",
    "line\r\nBcc: x@example.com\u2028 and\x85more",
]
WORD = re.compile(r"=\?utf-8\?b\?([^?]*)\?=")


def shown(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()


def check_lines(header: str) -> list[str]:
    lines = header.split("\r\n")
    for line in lines:
        assert len(line) <= 998
        assert line.isascii()
        assert line.strip()
        for word in re.findall(r"=\?\S+?\?=", line):
            assert len(word) <= 75
            assert len(line) <= 76
    assert all(line.startswith(" ") for line in lines[1:])
    return WORD.findall(header)


@pytest.mark.parametrize("name", ["Subject", "Feedback-ID"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_as_it_was_written_on_lines_that_every_server_takes(name: str, text: str) -> None:
    value = text_header(name, text)
    check_lines(f"{name}: {value}")
    assert str(make_header(decode_header(value.replace("\r\n", "")))) == shown(text)


@pytest.mark.parametrize("text", [*TEXTS, "", "Shop, Inc.", "a@b", "A. Name", " \t"])
def test_a_name_is_read_as_it_was_written_or_shortened(text: str) -> None:
    header = f"To: {mailbox_header('To', text, 'someone@faß.example')}"
    check_lines(header)
    display, address = parseaddr(header.removeprefix("To: ").replace("\r\n", ""))
    assert address == "someone@xn--fa-hia.example"
    read = str(make_header(decode_header(display)))
    assert shown(text).startswith(read)
    assert bool(read) == bool(shown(text))


@pytest.mark.parametrize("text", [text for text in TEXTS if "\u0301" * 9 not in text])
def test_what_people_see_as_one_is_not_split_between_two_words(text: str) -> None:
    words = [
        str(make_header(decode_header(f"=?utf-8?b?{word}?="))) for word in WORD.findall(text_header("Subject", text))
    ]
    pieces = [re.match(r"[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u200d\u1160-\u11ff]", word) for word in words]
    assert not any(pieces)
    assert not any(word.endswith("\u200d") for word in words)
    assert all(len(re.findall("[\U0001f1e6-\U0001f1ff]", word)) % 2 == 0 for word in words)


def test_many_list_addresses_stand_on_lines_of_their_own() -> None:
    long = [f"https://shop.example.com/{'x' * 60}", "mailto:u@example.com"]
    assert list_header("List-Unsubscribe", long) == ",\r\n ".join(f"<{one}>" for one in long)
    assert list_header("List-Unsubscribe", long[1:]) == "<mailto:u@example.com>"
    signed = f"https://shop.example.com/u?hash_token={'cf90d03a' * 30}"
    assert list_header("List-Unsubscribe", [signed]) == f"<{signed}>"


@pytest.mark.parametrize(
    "written", ["https://x/\r\nBcc: y@z.example", "https://x/>,<mailto:y@z.example", "https://x/a b\0é"]
)
def test_no_list_address_ends_its_line_or_begins_another(written: str) -> None:
    value = list_header("List-Unsubscribe", [written])
    assert value.isascii()
    assert value[1:-1].isprintable()
    assert not set(value[1:-1]) & set(" <>")
