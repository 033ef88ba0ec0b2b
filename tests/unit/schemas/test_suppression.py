"""Addresses are compared in one way: what a list says and what a message goes to have the same keys."""

from __future__ import annotations

import pytest

from schemas.channels.braze import BrazeAddress, BrazeDelivery
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.suppression import address_keys, delivery_keys, key_hash, suppression_key
from tests.factory import delivery


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (" Ann@Shop.Example ", "ann@shop.example"),
        ("ann+news@shop.example", "ann+news@shop.example"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ANN@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
        ("Shop.Example.", "shop.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("*.Shop.Example", "*.shop.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("10.1.2.3", "10.1.2.3"),
        ("+48 600-100-200", "+48600100200"),
    ],
)
def test_a_key_is_written_in_one_way(written: str, expected: str) -> None:
    assert suppression_key(written) == expected
    assert suppression_key(expected) == expected


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "is empty: must be an address, a phone number, a domain or a wildcard"),
        ("example", "a single label would stop far too much"),
        ("*.com", "a single label would stop far too much"),
        ("*", "a single label would stop far too much"),
        ("*@shop.example", 'write the domain alone, "shop.example"'),
        ("ann@", "is not a mail address"),
        ("@shop.example", 'write the domain alone, "shop.example"'),
        ("a*.shop.example", "is not valid: must be an address"),
        ("*.*.shop.example", "is not valid: must be an address"),
        ("https://shop.example/in", "is not valid: must be an address"),
        ("shop..example", "is not valid: must be an address"),
        ("☃.example", "IDNA 2008"),
        ("+48 600", "is not a phone number: it has too few digits"),
        ("48600100200", "is not valid: a single label would stop far too much"),
        ("48.600.100.200!", "is not valid: must be an address"),
        ("+48 six", "is not a phone number: it has letters; must be an address, a phone number"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_what_would_be(written: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:
        suppression_key(written)
    assert why in str(refused.value)
    assert "600" not in str(refused.value), "nobody's number is told to those who read errors"


@pytest.mark.parametrize(
    ("channel", "address", "keys"),
    [
        ("email", "Ann@Shop.Example", ("ann@shop.example", "shop.example")),
        (
            "email",
            "ann@a.b.shop.example",
            ("ann@a.b.shop.example", "a.b.shop.example", "*.b.shop.example", "*.shop.example"),
        ),
        ("webhook", "api.shop.example", ("api.shop.example", "*.shop.example")),
        ("webhook", "API.Shop.Example:8443", ("api.shop.example", "*.shop.example")),
        ("webhook", "localhost:8080", ()),
        ("webhook", "[::1]:8080", ()),
        ("email", "", ()),
        ("email", "nobody", ()),
        ("email", "+48600100200", ("+48600100200",)),
        ("email", "+ann@shop.example", ("+ann@shop.example", "shop.example")),
        ("webhook", "+48600100200", ()),
    ],
)
def test_an_address_has_the_keys_that_would_suppress_it(
    channel: ChannelName, address: str, keys: tuple[str, ...]
) -> None:
    assert address_keys(channel, address) == keys
    assert all(suppression_key(key) == key for key in keys)


PROFILE = {"email": "Jo@Shop.example", "phone": "+48 600 100 200"}


@pytest.mark.parametrize(
    ("made", "profile", "keys"),
    [
        (BrazeAddress(external_id="crm-7"), PROFILE, ("jo@shop.example", "shop.example", "+48600100200")),
        (BrazeAddress(external_id="crm-7"), {"email": "call me", "phone": 7}, ()),
        (BrazeAddress(external_id="crm-7"), "nobody", ()),
        (BrazeAddress(email="ann@shop.example"), PROFILE, ("ann@shop.example", "shop.example")),
        (BrazeAddress(), None, ()),
    ],
)
def test_what_a_provider_knows_by_our_id_has_the_keys_of_its_customer(
    made: BrazeAddress, profile: object, keys: tuple[str, ...]
) -> None:
    shared = {one: getattr(delivery("webhook"), one) for one in Delivery.__struct_fields__}
    assert delivery_keys(BrazeDelivery(braze=made, **shared | {"data": {"customer": profile}})) == keys


def test_a_hash_is_of_sixteen_bytes() -> None:
    assert key_hash("ann@shop.example") == "6a0bf011a1fc1e9a8add1728704b8ddb"
