"""Links by which customers leave: opaque, the same each time, and made by nobody else."""

from __future__ import annotations

import base64

import pytest
from msgspec.structs import replace

from channels.link_tokens import LONGEST_TOKEN
from channels.unsubscribe import Subscriber, UnsubscribeLinks, subscriber_of, token_of
from tests.factory import delivery

SECRET, OLD = "a secret of many characters", "the one before it, as long"
ANN = Subscriber("shop", "ann@shop.example", "marketing", "dlv_1")


def test_a_token_is_the_same_each_time_and_shows_nobody() -> None:
    token = token_of(ANN, SECRET)
    assert token == token_of(ANN, SECRET)
    assert subscriber_of(token, [SECRET]) == ANN
    packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert not [part for part in (b"ann", b"shop", b"marketing", b"dlv_1") if part in packed]
    assert "ann" not in repr(ANN)


@pytest.mark.parametrize("secrets", [[], [""], ["another secret of ours"], ["", "another"]])
def test_what_no_secret_proves_is_nobody(secrets: list[str]) -> None:
    assert subscriber_of(token_of(ANN, SECRET), secrets) is None


def test_any_of_the_secrets_proves() -> None:
    assert subscriber_of(token_of(ANN, OLD), [SECRET, OLD]) == ANN


def test_no_part_of_a_token_can_be_another() -> None:
    token = token_of(ANN, SECRET)
    for place in range(len(token) - 1):  # the last character has bits that say nothing
        other = "A" if token[place] != "A" else "B"
        assert subscriber_of(token[:place] + other + token[place + 1 :], [SECRET]) is None


@pytest.mark.parametrize(
    "token", ["", ".", "A", "ä", "%00", "A" * LONGEST_TOKEN, "A" * (LONGEST_TOKEN + 1), "==", "a b"]
)
def test_what_is_no_token_is_nobody(token: str) -> None:
    assert subscriber_of(token, [SECRET]) is None


def test_a_mail_to_a_mailbox_that_is_read_holds_the_token() -> None:
    links = UnsubscribeLinks("", (SECRET,), frozenset({"leave@shop.example"}))
    made = delivery("email")
    address, _, subject = links.mailto(made, "Leave@shop.example").partition("?subject=unsubscribe.")
    assert address == "mailto:Leave@shop.example"
    found = subscriber_of(subject, [SECRET])
    assert found is not None
    assert (found.customer_id, found.category, found.delivery_id) == ("c1", "marketing", made.delivery_id)


@pytest.mark.parametrize(
    ("address", "category", "secrets"),
    [
        ("other@shop.example", "marketing", (SECRET,)),
        ("leave@shop.example?subject=own", "marketing", (SECRET,)),
        ("leave@shop.example", "transactional", (SECRET,)),
        ("leave@shop.example", "marketing", ()),
        ("", "marketing", (SECRET,)),
    ],
)
def test_another_mail_stays_as_it_is(address: str, category: str, secrets: tuple[str, ...]) -> None:
    links = UnsubscribeLinks("", secrets, frozenset({"leave@shop.example"}))
    made = replace(delivery("email"), category=category)
    assert links.mailto(made, address) == (f"mailto:{address}" if address else "")


def test_nothing_is_made_without_a_secret() -> None:
    with pytest.raises(ValueError, match="secret"):
        token_of(ANN, "")


@pytest.mark.parametrize(("url", "secrets"), [("", (SECRET,)), ("https://t.example", ())])
def test_without_an_address_or_a_secret_there_are_no_links(url: str, secrets: tuple[str, ...]) -> None:
    assert UnsubscribeLinks(url, secrets).of(delivery("email")) == {}


def test_what_is_transactional_is_not_left_and_its_page_of_choices_is_there() -> None:
    links = UnsubscribeLinks("https://t.example/path/", (SECRET, OLD))
    made = delivery("email")
    both = links.of(made)
    assert set(both) == {"unsubscribe_url", "preferences_url"}
    assert both["unsubscribe_url"].startswith("https://t.example/path/unsubscribe/")
    found = subscriber_of(both["preferences_url"].rpartition("/")[2], [SECRET])
    assert found == Subscriber(made.project_id, made.customer.id, made.category, made.delivery_id)
    assert set(links.of(replace(made, category="transactional"))) == {"preferences_url"}
    assert SECRET not in repr(links)
