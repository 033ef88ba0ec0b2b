"""The record of a key in DNS: the same key, another one, none, and DNS that says nothing."""

from __future__ import annotations

from types import SimpleNamespace

import dns.asyncresolver
import dns.resolver
import pytest

from channels.email.dkim_record import check_record, is_record_of, published
from tests.unit.channels.email.dkim_keys import record, signer

PLACE = "s1._domainkey.example.com"


@pytest.mark.parametrize(
    ("change", "is_ours"),
    [
        (("", ""), True),
        (("v=DKIM1; ", ""), True),
        (("p=", "p= "), True),
        (("k=ed25519", "h=sha1:sha256; k=ed25519"), True),
        (("k=ed25519", "h=sha1; k=ed25519"), False),
        (("k=ed25519; ", ""), False),
        (("v=DKIM1", "v=DKIM2"), False),
        (("p=", "p=x"), False),
    ],
)
def test_a_record_is_of_the_key_that_it_has(change: tuple[str, str], is_ours: bool) -> None:
    one = signer("ed25519")
    assert is_record_of(one, record(one).replace(*change, 1)) == is_ours
    assert not is_record_of(one, "v=DKIM1; p=")
    assert not is_record_of(one, "v=spf1 -all")


@pytest.mark.parametrize(
    ("answer", "is_well", "said"),
    [
        ("ours", True, "is the one that signs"),
        ("another", False, "has another key"),
        (dns.resolver.NXDOMAIN, False, "does not exist"),
        (dns.resolver.NoAnswer, False, "does not exist"),
        (dns.resolver.NoNameservers, True, "could not be asked"),
        (OSError(), True, "could not be asked"),
    ],
)
async def test_dns_is_asked(answer: object, is_well: bool, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = signer("rsa")
    asked = []

    async def resolve(name: str, kind: str, **_: object) -> list[SimpleNamespace]:
        asked.append((name, kind))
        if not isinstance(answer, str):
            raise answer  # type: ignore[misc]
        text = record(one if answer == "ours" else signer("rsa1")).encode()
        return [SimpleNamespace(strings=(text[:255], text[255:]))]

    monkeypatch.setattr(dns.asyncresolver, "resolve", resolve)
    found = await check_record(one)
    assert (found.is_well, said in found.said, PLACE in found.said) == (is_well, True, True), found.said
    assert (record(one) in found.said) != is_well
    assert asked == [(PLACE, "TXT")]
    assert (await published(PLACE) is None) == ("could not" in said)


async def test_a_second_record_beside_the_right_one_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    one = signer("rsa")

    async def resolve(*_: object, **__: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(strings=(text.encode(),)) for text in ("v=DKIM1; p=left", record(one))]

    monkeypatch.setattr(dns.asyncresolver, "resolve", resolve)
    found = await check_record(one)
    assert (found.is_well, "has 2 TXT records" in found.said) == (False, True)
