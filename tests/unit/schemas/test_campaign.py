"""The objects of a publication have the shape of the golden example, field for field."""

from __future__ import annotations

import json
import random
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.campaign import (
    Campaign,
    Code,
    CodeConfig,
    campaign_object,
    publication_customer,
    publication_object,
    voucher_object,
)
from schemas.patterns import all_codes, make_code, pattern_regex, pick
from tests.factory import NOW

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "manual_codes.json").read_text())
CONFIG = CodeConfig(
    pattern="###", length=3, prefix="SPRING-2024-", charset=GOLDEN["campaign"]["voucher"]["code_config"]["charset"]
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def spring(**changes: Any) -> Campaign:
    was = GOLDEN["campaign"]
    fields: dict[str, Any] = {
        "id": was["id"], "project_id": "shop", "version": 1, "name": was["name"], "kind": was["campaign_type"],
        "type": was["type"], "created_at": moment(was["created_at"]), "updated_at": moment(was["updated_at"]),
        "category_id": was["category_id"], "description": was["description"],
        "discount": was["voucher"]["discount"], "code_config": CONFIG,
    }  # fmt: skip
    return Campaign(**{**fields, **changes})


def test_a_campaign_is_sent_as_in_the_example() -> None:
    assert campaign_object(spring()) == GOLDEN["campaign"]
    assert list(campaign_object(spring())) == list(GOLDEN["campaign"])


def test_a_voucher_is_sent_as_in_the_example() -> None:
    was = GOLDEN["voucher"]
    code = Code(code=was["code"], created_at=moment(was["created_at"]))
    sent = voucher_object(spring(), code, was["holder_id"], moment(was["updated_at"]))
    assert {**sent, "id": was["id"]} == was
    assert list(sent) == list(was)


def test_a_publication_is_sent_as_in_the_example() -> None:
    was = GOLDEN["publication"]
    sent = publication_object(
        publication_id=was["id"], customer=publication_customer(GOLDEN["customer"]), customer_id=was["customer_id"],
        distribution_id=GOLDEN["distribution"]["id"], channel=was["channel"], voucher_id=was["vouchers_id"][0],
        now=moment(was["created_at"]),
    )  # fmt: skip
    assert sent == was
    assert list(sent) == list(was)


@pytest.mark.parametrize(
    ("kind", "worth", "own", "sent"),
    [
        ("GIFT_VOUCHERS", {"gift": 500}, None, {"gift": {"amount": 500, "balance": 500}}),
        ("GIFT_VOUCHERS", {"gift": 500}, 70, {"gift": {"amount": 70, "balance": 70}}),
        ("LOYALTY_PROGRAM", {"loyalty": 9}, None, {"loyalty_card": {"points": 9, "balance": 9}}),
    ],
)
def test_a_balance_starts_from_the_codes_own_value_or_the_campaigns(
    kind: Any, worth: dict[str, int], own: int | None, sent: dict[str, Any]
) -> None:
    code = Code(code="A", created_at=NOW, value=own)
    voucher = voucher_object(spring(kind=kind, discount=None, **worth), code, "c", NOW)
    assert sent.items() <= voucher.items()
    assert "discount" not in voucher


def test_the_earliest_end_counts() -> None:
    code = Code(code="A", created_at=NOW, expiration_date=NOW + timedelta(days=9))
    sent = voucher_object(spring(valid_for=7 * 86400), code, "c", NOW)
    assert moment(sent["expiration_date"]) == NOW + timedelta(days=7)


def test_a_validity_beyond_the_calendar_is_none() -> None:
    code = Code(code="A", created_at=NOW)
    beyond, none = (spring(valid_for=seconds, expiration_date=None) for seconds in (10**12, None))
    assert voucher_object(beyond, code, "c", NOW) == voucher_object(none, code, "c", NOW)


def test_a_pattern_gives_as_many_codes_as_its_capacity_says() -> None:
    config = CodeConfig(pattern="#-#", length=3, charset="abb", prefix="x")
    assert sorted(all_codes(config, random.choice)) == ["xa-a", "xa-b", "xb-a", "xb-b"]
    assert config.capacity == 4
    assert make_code(config, lambda charset: charset[0]) == "xa-a"


def test_codes_that_nobody_has_chosen_characters_for_are_not_mistaken_for_one_another() -> None:
    made = CodeConfig(pattern="####", length=4).charset
    assert made == made.upper() and len(set(made)) == len(made) > 20
    assert all(len(set(made) & set(alike)) < 2 for alike in ("O0", "1IL", "2Z", "5S", "8B", "UV"))
    assert not set(made) & set("01OIL")


@pytest.mark.parametrize(("pattern", "charset"), [("##", "abc"), ("###", "0123456789"), ("x", "ab"), ("#", "a")])
def test_every_code_of_a_pattern_comes_once_in_an_order_that_chance_decides(pattern: str, charset: str) -> None:
    config = CodeConfig(pattern=pattern, length=len(pattern), charset=charset)
    first, second = (list(all_codes(config, random.Random(seed).choice)) for seed in (1, 2))
    assert len(set(first)) == len(first) == config.capacity
    assert (first != second) == (config.capacity > 1)
    assert sorted(first) == sorted(second)
    assert list(all_codes(config, lambda text: text[0])), "a source that is no source ends as well"


def test_a_pick_takes_each_at_most_once() -> None:
    picked = pick("abcdef", 4, random.Random(3).choice)
    assert len(set(picked)) == 4
    assert sorted(pick("abc", 9, random.choice)) == ["a", "b", "c"]


def test_the_expression_of_a_pattern_finds_its_codes_alone() -> None:
    config = CodeConfig(pattern="#.#", length=3, charset="a-]^\\é", prefix="(x", postfix="$")
    found = re.compile(pattern_regex(config))
    assert all(found.search(code) for code in all_codes(config, random.choice))
    assert not any(map(found.search, ("(xa.a", "(xaba$", "(xb.a$", "A(xa.a$", "(xa.a$ ")))
