"""Previews and simulations over the API, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.messages import Brand, EmailAccountSettings, Webhook
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from store.distributions import Change, Control
from store.segment_transaction import MembershipRow
from store.segments import Segments
from streams.documents.distribution import parse_definition
from tests.factory import CONTEXT, definition, order_event
from tests.integration.api_client import Api, running_api

SECRET = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cw=="
URL = "https://shop.example.com"
BRAND = Brand("Shop", "x", "x", privacy_url=URL, terms_url=URL, logo_url=URL, permission_reminder="x")
MAIL: Any = {"email": {"account": "main", "subject": "For {{ customer.name }}", "text": "Order {{ order.id }}"}}
HOOK: Any = {"webhook": {"url": "https://hooks.example.com/x", "type": "thanks"}}
ANN: dict[str, Any] = {"id": "c1", "name": "Ann", "email": "ann@shop.example"}


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    own = replace(
        settings,
        postgres=Postgres(dsn=Secret(dsn)),
        email_accounts={"main": EmailAccountSettings("127.0.0.1", "a@shop.example")},
        webhook=Webhook(secrets=(Secret(SECRET),)),
        brand=BRAND,
    )
    async with running_api(Wiring(own)) as running:
        yield running


async def applied(api: Api, **changes: Any) -> None:
    written = definition(**{"when": None, "consent": "transactional", "channels": [MAIL], **changes})
    made = parse_definition(written, CONTEXT)
    change = Change(made.distribution, "", tuple(template for _, template in made.templates))
    await Control(api.pool).save([change], applied_by="ann", now=datetime.now(UTC))


async def previewed(api: Api, distribution: str, **asked: Any) -> Any:
    answer = await api.ask("POST", f"/distributions/{distribution}/preview", asked, role="viewer")
    assert answer.status == 200, answer.json
    return answer.json


async def test_messages_are_shown_as_they_would_leave(api: Api) -> None:
    await applied(api, distribution="thanks", channels=[MAIL, HOOK])
    shown = await previewed(api, "thanks", customer=ANN)
    mail, hook = shown["messages"]
    assert (mail["channel"], mail["to"], mail["facts"]["subject"]) == ("email", "ann@shop.example", "For Ann")
    assert (hook["to"], hook["facts"]["method"], hook["facts"]["body"]["type"]) == (
        HOOK["webhook"]["url"],
        "POST",
        "thanks",
    )
    assert "webhook-signature" in hook["facts"]["signed"]
    event = order_event(data={"customer": ANN, "order": {"id": "o7", "amount": 1}})
    event.pop("project_id")
    one = await previewed(api, "thanks", event=event, customer={**ANN, "name": "Łucja"}, channel="email")
    assert [(made["facts"]["subject"], made["facts"]["text"].split("\n")[0]) for made in one["messages"]] == [
        ("For Łucja", "Order o7")
    ]
    assert (one["event"], one["withheld"]) == ("ev1", None)
    unnamed = await previewed(api, "thanks", customer={"id": "c1"}, channel="email")
    assert [made["failure"] is None for made in unnamed["messages"]] == [False]


async def test_no_secret_of_an_account_is_shown(api: Api) -> None:
    await applied(api, distribution="thanks", channels=[HOOK])
    answer = await api.ask("POST", "/distributions/thanks/preview", {})
    assert answer.status == 200 and SECRET.encode() not in answer.raw and SECRET[6:].encode() not in answer.raw


async def test_a_preview_says_why_nothing_would_be_sent(api: Api) -> None:
    await applied(api, distribution="big", when={"order.amount": {"more_than": 10_000}})
    event = order_event(data={"customer": ANN, "order": {"id": "o7", "amount": 1}})
    shown = await previewed(api, "big", event=event)
    assert "order.amount" in shown["withheld"] and len(shown["messages"]) == 1


async def test_what_an_event_would_cause_is_told_with_every_test(api: Api) -> None:
    await applied(api, distribution="big", when={"order.amount": {"more_than": 10_000}})
    await applied(api, distribution="vip", when={"customer.segments": {"contains": "vip"}})
    event = order_event(data={"customer": {"id": "c1"}, "order": {"id": "o7", "amount": 1}})

    async def answers(**asked: Any) -> dict[str, Any]:
        answer = await api.ask("POST", "/simulate", {"event": event, **asked}, role="viewer")
        assert answer.status == 200, answer.json
        return {one["distribution"]: one["answer"] for one in answer.json["distributions"]}

    assert await answers() == {"big": False, "vip": False}
    await api.ask("PUT", "/segments/vip", {"members": ["c1"]})
    async with Segments(api.pool).transaction() as work:
        await work.put_memberships("shop", [MembershipRow("c1", "vip", True, 1, datetime.now(UTC))])
    assert await answers(customer=ANN) == {"big": False, "vip": True}
    assert await answers(customer={**ANN, "segments": []}) == {"big": False, "vip": False}
    whole = (await api.ask("POST", "/simulate", {"event": event, "customer": ANN})).json
    big, vip = whole["distributions"]
    assert (big["checks"][0]["passed"], big["checks"][0]["seen"]) == (False, "1")
    assert [one["channel"] for one in vip["decisions"]] == ["email"]
    assert (whole["event"], whole["customer"]) == ("ev1", "c1")


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"event": {}}, "/event"),
    ({"event": order_event(project_id="outlet")}, "/event/project_id"),
    ({"event": order_event(created_at="soon")}, "/event/created_at"),
    ({"event": order_event(), "customer": {"id": 7.5}}, "/customer/id"),
    ({"event": order_event(), "at": "0001-01-01T00:00:00+14:00"}, "/at"),
    ({"event": order_event(), "at": "2026-01-01T00:00:00"}, "/at"),
    ({"event": order_event(), "custmer": ANN}, "/custmer"),
)


@pytest.mark.parametrize("path", ["/simulate", "/distributions/thanks/preview"])
async def test_what_is_wrong_with_a_trial_is_said_at_its_place(api: Api, path: str) -> None:
    await applied(api, distribution="thanks")
    for body, pointer in WRONG:
        answer = await api.ask("POST", path, body)
        found = [one.get("pointer", "") for one in answer.json.get("errors", ())]
        assert answer.status == 422 and any(one.startswith(pointer) for one in found), (body, answer.json)


async def test_a_preview_of_another_event_customer_arm_or_distribution_is_refused(api: Api) -> None:
    await applied(api, distribution="thanks")
    for asked, status, said in (
        ({"event": order_event(), "customer": {"id": "c2"}}, 422, "whom the event is about"),
        ({"event": order_event(type="customer.order.canceled")}, 409, "reacts to customer.order.paid"),
        ({"arm": "b"}, 409, "arm"),
        ({"channel": "fax"}, 422, "fax"),
    ):
        answer = await api.ask("POST", "/distributions/thanks/preview", asked)
        assert (answer.status, said in answer.raw.decode()) == (status, True), answer.json
    assert (await api.ask("POST", "/distributions/thnks/preview", {})).json["errors"][0]["nearest"] == "thanks"
