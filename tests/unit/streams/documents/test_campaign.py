"""Every way to write a campaign wrongly is named, with what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.control.files.documents import read_documents
from schemas.campaign import Campaign, CodeConfig
from schemas.errors import DefinitionInvalid
from streams.documents.campaign import CampaignContext, parse_campaign
from tests import ROOT
from tests.factory import NOW

CONTEXT = CampaignContext("shop", NOW)
EXAMPLES = sorted((ROOT / "examples" / "campaigns").glob("*.yaml"))


def source(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "campaign": "spring",
        "kind": "DISCOUNT_COUPONS",
        "type": "AUTO_UPDATE",
        "discount": {"type": "PERCENT", "percent_off": 10},
        "code_config": {"pattern": "S-####"},
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


def promotion(**changes: Any) -> dict[str, Any]:
    return source(
        kind="PROMOTION", type=..., discount=..., code_config=..., **{"tiers": [{"id": "a", "name": "A"}], **changes}
    )


def problems(written: object, context: CampaignContext = CONTEXT) -> dict[str, str]:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_campaign(written, context)
    return {problem.path: problem.message for problem in refused.value.problems}


def test_a_campaign_is_completed() -> None:
    parsed = parse_campaign(source(valid_for="14d", start_date="2026-11-20"), CONTEXT)
    assert parsed == Campaign(
        id="spring", project_id="shop", version=1, name="spring", kind="DISCOUNT_COUPONS", type="AUTO_UPDATE",
        created_at=NOW, discount={"type": "PERCENT", "percent_off": 10}, valid_for=14 * 86_400,
        code_config=CodeConfig(pattern="S-####", length=4), start_date=NOW.replace(hour=0),
    )  # fmt: skip


def test_the_next_version_remembers_when_it_was_created() -> None:
    before = msgspec.structs.replace(parse_campaign(source(), CONTEXT), created_at=NOW.replace(year=2020))
    after = parse_campaign(source(name="Other"), CampaignContext("shop", NOW, before))
    assert (after.version, after.created_at, after.updated_at) == (2, before.created_at, NOW)
    assert problems(promotion(), CampaignContext("shop", NOW, before)).keys() == {"kind"}


def test_a_length_stands_for_a_pattern() -> None:
    config = parse_campaign(source(code_config={"length": 5, "prefix": "X-"}), CONTEXT).code_config
    assert config == CodeConfig(pattern="#####", length=5, prefix="X-")


@pytest.mark.parametrize(
    ("written", "at", "said"),
    [
        ([], "", "must be a campaign, a mapping with campaign"),
        (source(campaign=...), "campaign", "is missing"),
        (source(campaign="a b"), "campaign", "must be an id of letters"),
        (source(campaign=7), "campaign", "must be an id of letters"),
        (source(name=" "), "name", "must be a text of at most 512"),
        (source(kind="DISCOUNT_COUPON"), "kind", "Did you mean \"DISCOUNT_COUPONS\"?"),
        (source(kind=...), "kind", "is missing: must be one of DISCOUNT_COUPONS"),
        (source(type="AUTO"), "type", "must be one of STATIC, AUTO_UPDATE"),
        (source(type="static"), "type", "Did you mean \"STATIC\"?"),
        (source(type=...), "type", "is missing"),
        (source(code_config=...), "code_config", "AUTO_UPDATE makes codes"),
        (source(code_config="##"), "code_config", "must be a mapping with pattern"),
        (source(code_config={"patern": "##"}), "code_config.patern", "Did you mean \"pattern\"?"),
        (source(code_config={}), "code_config.pattern", "is missing: each #"),
        (source(code_config={"pattern": "ABC"}), "code_config.pattern", "has no #"),
        (source(code_config={"pattern": None}), "code_config.pattern", "a bare # begins a comment"),
        (source(code_config={"pattern": "# #"}), "code_config.pattern", '"# #" is not valid: must be a text of'),
        (source(code_config={"pattern": "##", "length": 3}), "code_config.length", "is 3, but the pattern has 2 #"),
        (source(code_config={"length": 0}), "code_config.length", "a whole number from 1 to 256"),
        (source(code_config={"length": 2, "charset": "aa"}), "code_config.charset", "two different"),
        (source(code_config={"length": 2, "charset": 12}), "code_config.charset", "12 is not valid: must be a text"),
        (source(code_config={"length": 200, "prefix": "x" * 57}), "code_config", "makes codes of 257 characters"),
        (source(discount=...), "discount", "is missing: must be a mapping, as in {type: PERCENT"),
        (source(discount=10), "discount", "must be a mapping, as in {type: PERCENT"),
        (source(discount={"percent_off": 10}), "discount.type", "is missing: must be one of PERCENT"),
        (source(discount={"type": "PERCENT"}), "discount.percent_off", "is missing: must be a number above 0"),
        (source(discount={"type": "PERCENT", "percent_off": 101}), "discount.percent_off", "at most 100"),
        (source(discount={"type": "PERCENT", "percent_off": True}), "discount.percent_off", "true is not valid"),
        (source(discount={"type": "PERCENT", "amount_off": 5}), "discount.amount_off", "is not a key of a PERCENT"),
        (source(discount={"type": "AMOUNT", "amount_off": 0}), "discount.amount_off", "a whole number from 1"),
        (source(discount={"type": "UNIT", "unit_off": 1}), "discount.unit_type", "the id of the product"),
        (source(gift={"amount": 5}), "gift", "is not a key of a DISCOUNT_COUPONS: must be one of "),
        (source(kind="GIFT_VOUCHERS", discount=...), "gift", "is missing"),
        (source(kind="GIFT_VOUCHERS", discount=..., gift={"amount": 1.5}), "gift.amount", "1.5 is not valid"),
        (source(kind="LOYALTY_PROGRAM", discount=..., loyalty_card=5), "loyalty_card", "as in {points: 100}"),
        (source(join_once="yes"), "join_once", "must be true or false"),
        (source(low_water=-1), "low_water", "a whole number from 0"),
        (source(valid_for="2 weeks"), "valid_for", "as in 30m or 3d"),
        (source(start_date="soon"), "start_date", "must be a date, as in"),
        (source(start_date="2026-02-02", expiration_date="2026-02-01"), "expiration_date", "not after start_date"),
        (source(metadata=[]), "metadata", "an empty list is not valid: must be a mapping"),
        (source(descripton="x"), "descripton", "Did you mean \"description\"?"),
        (promotion(low_water=3), "low_water", "is not a key of a PROMOTION: must be one of "),
        (promotion(tiers=...), "tiers", "is missing"),
        (promotion(tiers=[]), "tiers", "at least one of"),
        (promotion(tiers=["gold"]), "tiers[0]", "must be a mapping with id"),
        (promotion(tiers=[{"name": "A"}]), "tiers[0].id", "is missing"),
        (promotion(tiers=[{"id": "a"}, {"id": "a"}]), "tiers[1].id", "a stands in tiers[0] already"),
        (promotion(tiers=[{"id": "a", "banr": ""}]), "tiers[0].banr", "Did you mean \"banner\"?"),
        (promotion(tiers=[{"id": "a", "action": 1}]), "tiers[0].action", "1 is not valid: must be a mapping"),
    ],
)  # fmt: skip
def test_a_problem_is_named_with_its_place_and_what_would_be_right(written: object, at: str, said: str) -> None:
    found = problems(written)
    assert said in found.get(at, ""), found


def test_one_problem_does_not_hide_the_next() -> None:
    wrong = source(low_water="x", discount={"type": "AMOUNT", "amount_off": 0}, join_once=3, nmae="")
    assert problems(wrong).keys() == {"low_water", "discount.amount_off", "join_once", "nmae"}
    assert problems(source(kind="X", active=1, metadata=[])).keys() == {"kind", "active", "metadata"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_are_valid(file: Path) -> None:
    (document,) = read_documents([file])
    assert parse_campaign(document.plain, CONTEXT).id == file.stem
