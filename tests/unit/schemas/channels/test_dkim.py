"""DKIM of mail accounts: what may be written, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.account import changed_account, read_account
from schemas.channels.dkim import dkim_advice
from schemas.channels.email import EmailAccountForm
from schemas.errors import DefinitionInvalid
from tests.unit.channels.email.dkim_keys import pem

PLAIN = {"host": "mail.example", "sender": "news@shop.example"}
_ENCODED = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
PUBLIC = f"-----BEGIN PUBLIC KEY-----\n{_ENCODED}\n-----END PUBLIC KEY-----"


def written(**changes: str) -> dict[str, Any]:
    dkim = {"dkim_domain": "shop.example", "dkim_selector": "s1", "dkim_private_key": pem("ed25519")}
    return {**PLAIN, **dkim, **changes}


def read(**changes: str) -> EmailAccountForm:
    form = read_account("email", written(**changes))
    assert isinstance(form, EmailAccountForm)
    return form


@pytest.mark.parametrize("kind", ["rsa", "rsa1", "ed25519"])
def test_a_key_is_read_however_its_line_ends_are_written(kind: str) -> None:
    key = pem(kind)
    for shown in (key, key.rstrip("\n"), key.replace("\n", "\\n"), key.replace("\n", "\r\n")):
        assert read(dkim_private_key=shown).dkim_private_key.replace("\r", "") == key.strip()


def test_names_are_as_dns_has_them() -> None:
    assert read(dkim_domain="Bücher.Example").dkim_domain == "xn--bcher-kva.example"
    assert read(dkim_domain="Shop.Example", dkim_selector="2026.s_1").dkim_selector == "2026.s_1"
    assert read_account("email", PLAIN) == read(dkim_domain="", dkim_selector="", dkim_private_key="")


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"dkim_domain": ""}, "dkim_domain", "is missing: dkim_selector is written"),
        ({"dkim_selector": ""}, "dkim_selector", "is missing: dkim_domain is written"),
        ({"dkim_private_key": ""}, "dkim_private_key", "is missing: dkim_domain is written"),
        ({"dkim_domain": "shop"}, "dkim_domain", "must be a domain such as shop.example"),
        ({"dkim_domain": "a@shop.example"}, "dkim_domain", "must be a domain such as shop.example"),
        ({"dkim_domain": "shop.example; p="}, "dkim_domain", "must be a domain such as shop.example"),
        ({"dkim_selector": "s 1"}, "dkim_selector", "must be the name of the key"),
        ({"dkim_selector": "s1;"}, "dkim_selector", "must be the name of the key"),
        ({"dkim_private_key": "s3cret"}, "dkim_private_key", "must be a private key as PEM"),
        ({"dkim_private_key": PUBLIC}, "dkim_private_key", "must be a private key as PEM"),
        ({"dkim_private_key": pem("ec")}, "dkim_private_key", "must be a key of RSA or Ed25519"),
        ({"dkim_private_key": pem("locked")}, "dkim_private_key", "must not be encrypted by a passphrase"),
    ],
)
def test_what_cannot_sign_is_refused(changes: dict[str, str], field: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read(**changes)
    (problem,) = caught.value.problems
    assert (problem.path, said in problem.message) == (field, True), problem
    assert "s3cret" not in problem.message


def test_another_host_is_not_shown_the_key() -> None:
    changed = changed_account("email", read(), {"host": "other.example"})
    assert changed == read(host="other.example")
    assert "PRIVATE" not in repr(changed)


@pytest.mark.parametrize(
    ("domain", "sender", "host", "said"),
    [
        ("", "a@shop.example", "mail.example", ""),
        ("shop.example", "a@shop.example", "mail.example", ""),
        ("shop.example", "a@mail.shop.example", "mail.example", ""),
        ("mail.shop.example", "a@Shop.example", "mail.example", ""),
        ("shop.example", "a@myshop.example", "mail.example", "DMARC"),
        ("relay.example", "a@shop.example", "mail.example", "DMARC"),
        ("shop.example", "a@shop.example", "email-smtp.eu-west-1.amazonaws.com", "Duplicate header"),
    ],
)
def test_a_signature_that_is_worth_little_is_said(domain: str, sender: str, host: str, said: str) -> None:
    advice = dkim_advice(domain, sender, host)
    assert (bool(advice), said in advice) == (bool(said), True)
