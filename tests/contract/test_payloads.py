"""Payloads of every event type and purpose, recorded: one file a pair, `golden/payloads/<type>.<purpose>.json`.

`python -m tests.contract.test_payloads` writes the files again after a sample or a shape changed on purpose.
"""

from __future__ import annotations

import json
import string
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.http.ssrf import OWN_NETWORKS
from channels.webhook.channel import Webhook
from channels.webhook.signing import Signer
from schemas.campaign import (
    Campaign,
    Code,
    CodeConfig,
    Tier,
    campaign_object,
    publication_customer,
    publication_object,
    voucher_id,
    voucher_object,
)
from schemas.closed import Action
from schemas.delivery import Delivery
from schemas.events.triggers import TRIGGERS, began_in
from schemas.publication_request import PublicationRequest
from streams.documents.distribution import parse_definition
from streams.event_context import EventContext
from streams.events import read_event
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.publication import with_code
from tests.factory import CONTEXT, NOW, definition

FOLDER = Path(__file__).parent / "golden" / "payloads"

SPRING = Campaign(
    id="spring-codes", project_id="shop", version=1, name="Spring", kind="DISCOUNT_COUPONS", type="AUTO_UPDATE",
    created_at=NOW, discount={"type": "PERCENT", "percent_off": 10},
    code_config=CodeConfig(pattern="###", length=3, prefix="SPRING-", charset=string.digits + string.ascii_letters),
)  # fmt: skip
TIERS = Campaign(
    id="spring-tiers", project_id="shop", version=1, name="Spring tiers", kind="PROMOTION", type="STATIC",
    created_at=NOW, tiers=(Tier(id="gold", name="Gold", banner="10 % off for gold"),),
)  # fmt: skip
EXTRA: dict[Action, dict[str, Any]] = {
    "message": {},
    "publish": {"publish": {"campaign": "spring-codes"}},
    "promote": {"promote": {"campaign": "spring-tiers", "tier": "gold"}},
}
WEBHOOK = [{"webhook": {"url": "https://hooks.example.com/x", "type": "golden"}}]
EMAIL = [{"email": {"account": "main", "subject": "Hi", "template": "hello"}}]
PAIRS = [(kind, purpose) for kind, trigger in TRIGGERS.items() for purpose in trigger.purposes]


def sent(kind: str, purpose: Action) -> dict[str, Any]:
    """The `data` of the message that a sample event causes; over e-mail where a webhook is not offered."""
    (delivery,) = _deliveries(kind, purpose)
    if delivery.channel == "email":
        return delivery.data
    body = Webhook(Signer([], ""), reach=OWN_NETWORKS, max_bytes=100_000).render(delivery).body  # type: ignore[arg-type]
    data: dict[str, Any] = json.loads(body)["data"]
    return data


def _deliveries(kind: str, purpose: Action) -> list[Delivery]:
    trigger = TRIGGERS[kind]
    source = definition(
        distribution="golden",
        trigger={"event": kind},
        consent="transactional",
        channels=EMAIL if trigger.addressed and purpose == "message" else WEBHOOK,
        **EXTRA[purpose],
    )
    around = replace(CONTEXT, campaigns={SPRING.id: SPRING, TIERS.id: TIERS})
    event = trigger.sample(project_id="shop")
    if trigger.addressed:
        event["data"] = event["data"] | {"distribution": event["data"]["distribution"] | {"id": "golden"}}
    rules = RuleIndex()
    rules.insert(parse_definition(source, around).distribution)
    key = event["data"]["customer"]["id"].encode()
    head = read_event(event, trigger.topic, key, now=NOW, max_future=timedelta(days=36_500), default_project="shop")
    matched = match_event(EventContext(head, event, dict), rules, NOW)
    return matched.deliveries or [one for asked in matched.requests for one in _with_code(asked)]


def _with_code(request: PublicationRequest) -> list[Delivery]:
    code, customer = Code(code="SPRING-osO", created_at=NOW), publication_customer(request.data["customer"])
    publication = publication_object(
        publication_id=request.publication_id, customer=customer, customer_id=request.customer_id,
        distribution_id=request.distribution.id, channel=began_in(request.event.type),
        voucher_id=voucher_id("shop", code.code), now=NOW,
    )  # fmt: skip
    voucher = voucher_object(SPRING, code, request.customer_id, NOW)
    objects = {"campaign": campaign_object(SPRING), "voucher": voucher, "publication": publication}
    return with_code(request, objects, request.event.id, NOW).deliveries


def _file(kind: str, purpose: Action) -> Path:
    return FOLDER / f"{kind}.{purpose}.json"


@pytest.mark.parametrize(("kind", "purpose"), PAIRS)
def test_what_goes_out_is_what_was_recorded(kind: str, purpose: Action) -> None:
    assert sent(kind, purpose) == json.loads(_file(kind, purpose).read_text())


def test_nothing_is_recorded_of_what_is_not_offered() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {_file(*pair).name for pair in PAIRS}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for pair in PAIRS:
        _file(*pair).write_text(json.dumps(sent(*pair), indent=2, ensure_ascii=False) + "\n")
