"""Shopify: the laws of all channels, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from channels.accounts import HeldAccount, fixed_accounts
from channels.contract import AnyChannel
from channels.fakes.http import Reply
from channels.fakes.shopify import APP, ShopifyFake
from channels.http.ssrf import OWN_NETWORKS
from channels.shopify.channel import Shopify
from schemas.account import read_account
from schemas.campaign import Campaign
from schemas.channels.shopify import ShopifyAccountForm, ShopifyAddress, ShopifyDelivery
from schemas.delivery import Delivery
from schemas.errors import DefinitionInvalid, RenderRefused
from schemas.events.samples import OBJECTS
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused, Throttled, Unanswered, Unreached
from schemas.suppression import delivery_keys
from streams.documents.distribution import parse_definition
from streams.event_context import EventContext
from streams.events import read_event
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.contract.channels.case import Fake, HttpCase, says
from tests.factory import CONTEXT, NOW, customer, definition, delivery, order_event

TOKEN, CODE = "shpat_hush-shopify", "SPRING-7KQ4XT"
PATH = "/admin/api/2026-10/graphql.json"
DISCOUNT = "gid://shopify/DiscountCodeNode/1"
TEN_PERCENT = {"percentage": 0.1}
VOUCHER: dict[str, Any] = {
    "code": CODE,
    "campaign": "Spring",
    "discount": {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"},
    "redemption": {"quantity": 1, "redeemed_quantity": 0},
    "start_date": "2026-11-01",
    "expiration_date": "2026-12-31",
}
CAMPAIGN = Campaign(
    id="spring-codes", project_id="shop", version=1, name="Spring", kind="DISCOUNT_COUPONS", type="AUTO_UPDATE",
    created_at=NOW, discount={"type": "PERCENT", "percent_off": 10},
)  # fmt: skip
SENT = delivery("webhook")
PUBLISHED = {"event": "customer.publication.succeeded"}


def form(url: str, **how: Any) -> ShopifyAccountForm:
    return cast(ShopifyAccountForm, read_account("shopify", {"url": url, "access_token": TOKEN, **how}))


def channel_for(url: str, **how: Any) -> Shopify:
    return Shopify(fixed_accounts("shopify", {"main": form(url, **how)}), reach=OWN_NETWORKS)


def app_channel(fake: ShopifyFake, secret: str = APP[1]) -> Shopify:
    """The channel of an account whose app is given its tokens."""
    account = read_account("shopify", {"url": fake.url, "client_id": APP[0], "client_secret": secret})
    return Shopify(fixed_accounts("shopify", {"main": account}), reach=OWN_NETWORKS)


def message(code: str = CODE, into: str = "", *, to: ShopifyAddress | None = None, **voucher: Any) -> ShopifyDelivery:
    shared = {one: getattr(SENT, one) for one in Delivery.__struct_fields__}
    shared |= {"delivery_id": f"dlv_{code}", "account": "main"}
    shared |= {"data": {"voucher": {**VOUCHER, "code": code, **voucher}, "campaign": {"id": "c", "name": "Spring"}}}
    return ShopifyDelivery(shopify=to or ShopifyAddress(discount=into), **shared)


def asked(made: ShopifyDelivery, **how: Any) -> Any:
    """The input of the discount that is made."""
    return msgspec.json.decode(channel_for("http://127.0.0.1:1", **how).render(made).body)["variables"]["discount"]


def amount(written: str) -> dict[str, Any]:
    return {"discountAmount": {"amount": written, "appliesOnEachItem": False}}


async def send(channel: Shopify, *messages: ShopifyDelivery, timeout: float = 60) -> list[Receipt]:
    now = datetime.now(UTC)
    try:
        return list(
            await asyncio.gather(*(channel.send(channel.render(one), timeout=timeout, now=now) for one in messages))
        )
    finally:
        await channel.close()


def error(code: str, words: str = "no") -> bytes:
    return msgspec.json.encode({"errors": [{"message": words, "extensions": {"code": code}}]})


def refused(code: str, **more: Any) -> bytes:
    found = {"codeDiscountNode": None, "userErrors": [{"field": ["x"], "code": code, "message": "no"}]}
    return msgspec.json.encode({"data": {"discountCodeBasicCreate": found, **more}})


class ShopifyCase(HttpCase):
    """Shopify before its fake."""

    name = "shopify"
    kept = ("discounts", "holders")
    secrets = (TOKEN,)
    names = ("gid://shopify/Customer/7", "jo@example.com")
    account = form("https://example.myshopify.com")
    template = None
    is_untrusted = Deferred
    answers = {
        "made": says(200, Accepted),
        "refused under a 200": says(200, Refused, refused("INVALID")),
        "in trouble under a 200": says(200, Deferred, error("INTERNAL_SERVER_ERROR")),
        "too fast under a 200": says(200, Throttled, error("THROTTLED")),
        "a scope that is missing": says(200, Blocked, error("ACCESS_DENIED")),
        "a variable of another type": says(200, Refused, error("INVALID_VARIABLE")),
        "an error without a code": says(200, Refused, b'{"errors":"Not what it was"}'),
        "a success in words for people": says(200, Unanswered, b"<html>"),
        "a success that says nothing": says(200, Unanswered, b'{"data":null}'),
        "an outcome that is not there": says(200, Unanswered, b'{"data":{}}'),
        "a token that is not one": says(401, Blocked, b'{"errors":"[API] Invalid API key or access token"}'),
        "no such shop": says(404, Blocked, b'{"errors":"Not Found"}'),
        "a shop that is frozen": says(402, Blocked),
        "taken for an attack": says(430, Blocked),
        "too fast": says(429, Throttled),
        "away": says(503, Deferred),
        "dropped": says(200, Unanswered, drop=True),
        "done, and the answer is lost": says(200, Unanswered, is_lost=True),
    }
    answers["too fast under a 200"] = replace(answers["too fast under a 200"], retry_after=1.0)

    def fake(self) -> ShopifyFake:
        return ShopifyFake(TOKEN)

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_for(cast(ShopifyFake, fake).url)

    def delivery(self, fake: Fake) -> Delivery:
        return _told()

    def key(self, delivery: Delivery) -> str:
        return CODE

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_for(f"http{'s' if tls else ''}://{host}:{port}"), _told()


def _told() -> ShopifyDelivery:
    """A message about a customer whom the shop knows."""
    made = message(to=ShopifyAddress(customer_id="gid://shopify/Customer/7"))
    return msgspec.structs.replace(made, data={**made.data, "customer": customer()})


CASE = ShopifyCase()


@pytest.fixture
async def fake() -> AsyncIterator[ShopifyFake]:
    made = ShopifyFake(TOKEN)
    await made.start()
    yield made
    await made.stop()


# -- a discount of the code's own ----------------------------------------------------------------------------------


async def test_a_request_is_as_its_reference_has_it(fake: ShopifyFake) -> None:
    made = message()
    request = channel_for(fake.url + "/").render(made)
    assert (request.method, request.url, request.headers) == ("POST", fake.url + PATH, {})
    said = msgspec.json.decode(request.body)
    assert "discountCodeBasicCreate(basicCodeDiscount: $discount)" in said["query"]
    assert said["variables"]["discount"] == {
        "title": "Spring",
        "code": CODE,
        "startsAt": "2026-11-01T00:00:00.000Z",
        "endsAt": "2026-12-31T23:59:59.999Z",
        "usageLimit": 1,
        "appliesOncePerCustomer": False,
        "context": {"all": "ALL"},
        "customerGets": {"value": TEN_PERCENT, "items": {"all": True}},
    }
    (receipt,) = await send(channel_for(fake.url), made)
    assert receipt == Accepted("HTTP 200: the shop has the code", DISCOUNT)
    assert fake.discounts[DISCOUNT].codes == {CODE}


@pytest.mark.parametrize(
    ("voucher", "account", "value"),
    [
        ({"type": "PERCENT", "percent_off": 12.5}, {}, {"percentage": 0.125}),
        ({"type": "PERCENT", "percent_off": 100}, {}, {"percentage": 1.0}),
        ({"type": "AMOUNT", "amount_off": 1050}, {}, amount("10.50")),
        ({"type": "AMOUNT", "amount_off": 1000}, {"currency": "JPY"}, amount("1000")),
        ({"type": "AMOUNT", "amount_off": 1000}, {"currency": "KWD"}, amount("1.000")),
    ],
)
def test_a_voucher_is_worth_the_same_there(voucher: Any, account: Any, value: Any) -> None:
    assert asked(message(discount=voucher), **account)["customerGets"]["value"] == value


@pytest.mark.parametrize(
    ("voucher", "said"),
    [
        ({"discount": None, "gift": {"amount": 1}}, "takes nothing off a price"),
        ({"discount": {"type": "UNIT", "unit_off": 1}}, "is of type UNIT"),
        ({"discount": {"type": "FIXED", "fixed_amount": 1}}, "is of type FIXED"),
        ({"discount": {"type": "PERCENT", "percent_off": 10, "amount_limit": 1}}, "has an amount_limit"),
        ({"discount": {"type": "PERCENT", "percent_off": 10, "percent_off_formula": "X"}}, "has a percent_off_formula"),
        (
            {"discount": {"type": "AMOUNT", "amount_off": 1, "effect": "APPLY_TO_ITEMS"}},
            "has the effect APPLY_TO_ITEMS",
        ),
        ({"discount": {"type": "PERCENT", "percent_off": 101}}, "a number above 0 of at most 100"),
        ({"discount": {"type": "PERCENT", "percent_off": True}}, "a number above 0 of at most 100"),
        ({"discount": {"type": "AMOUNT", "amount_off": 0}}, "a number above 0"),
        ({"discount": {"type": "AMOUNT"}}, "amount_off must be a number"),
        ({"expiration_date": "soon"}, "expiration_date is not a date"),
    ],
)
def test_a_voucher_that_no_discount_says_is_not_sent(voucher: Any, said: str) -> None:
    with pytest.raises(RenderRefused, match=said) as caught:
        asked(message(**voucher))
    assert caught.value.reason == "template_error"


@pytest.mark.parametrize("data", [{}, {"voucher": None}, {"voucher": {"code": " "}}])
def test_without_a_code_there_is_nothing_to_tell(data: Any) -> None:
    with pytest.raises(RenderRefused, match="there is no code") as caught:
        asked(msgspec.structs.replace(message(), data=data))
    assert caught.value.reason == "no_code"


def test_what_a_voucher_does_not_say_is_left_out() -> None:
    said = asked(message(start_date=None, expiration_date=None, redemption={"quantity": None}))
    assert "endsAt" not in said
    assert "usageLimit" not in said
    assert said["startsAt"] == "2026-11-20T12:00:00.000Z"


async def test_a_repeat_finds_its_own_discount_and_makes_no_second_one(fake: ShopifyFake) -> None:
    fake.replies.append(Reply(is_lost=True))
    assert [type(one) for one in await send(channel_for(fake.url), message())] == [Unanswered]
    (receipt,) = await send(channel_for(fake.url), message())
    assert receipt == Accepted("HTTP 200: the shop has the code, and had it before", DISCOUNT)
    assert (len(fake.discounts), fake.ids) == (1, [CODE, CODE])


async def test_two_senders_at_once_make_one_discount(fake: ShopifyFake) -> None:
    first, second = channel_for(fake.url), channel_for(fake.url)
    receipts = await asyncio.gather(*(send(one, message("a"), message("b")) for one in (first, second)))
    assert {type(one) for both in receipts for one in both} == {Accepted}
    assert len(fake.discounts) == 2


@pytest.mark.parametrize(
    ("title", "value", "said"),
    [
        ("Summer", TEN_PERCENT, 'in "Summer" with 10 % off'),
        ("Spring", {"percentage": 0.2}, 'in "Spring" with 20 % off'),
        ("Spring", amount("0.1"), 'in "Spring" with 0.1 off'),
        ("Spring", {}, "in a discount of another kind"),
    ],
)
async def test_a_code_that_is_worth_something_else_there_is_refused(
    fake: ShopifyFake, title: str, value: Any, said: str
) -> None:
    fake.put(title, value, CODE.lower())
    (receipt,) = await send(channel_for(fake.url), message())
    assert isinstance(receipt, Refused)
    assert f"the shop has the code already, {said}, and not as its voucher says" in receipt.detail
    assert CODE not in receipt.detail


async def test_an_amount_is_known_again_however_it_is_written(fake: ShopifyFake) -> None:
    made = message(discount={"type": "AMOUNT", "amount_off": 1050})
    for _ in range(2):
        assert [type(one) for one in await send(channel_for(fake.url), made)] == [Accepted]
    assert len(fake.discounts) == 1


async def test_what_it_did_not_like_is_said(fake: ShopifyFake) -> None:
    fake.invalid = {CODE}
    assert await send(channel_for(fake.url), message()) == [Refused("HTTP 200: Code is invalid. (INVALID)")]


async def test_costs_that_are_used_up_come_back_at_the_rate_that_is_said(fake: ShopifyFake) -> None:
    fake.available, fake.restore_rate = 15.0, 0.001
    (receipt,) = await send(channel_for(fake.url), message("a"))
    assert isinstance(receipt, Accepted)
    assert receipt.retry_after == pytest.approx(5000, abs=100)
    (receipt,) = await send(channel_for(fake.url), message("b"))
    assert isinstance(receipt, Throttled)
    assert receipt.retry_after == pytest.approx(5000, abs=100)
    assert fake.ids == ["a"]


async def test_a_version_that_is_over_is_said_with_each_code(fake: ShopifyFake) -> None:
    fake.served = "2027-01"
    (receipt,) = await send(channel_for(fake.url), message())
    assert isinstance(receipt, Accepted)
    assert receipt.detail.endswith("; Shopify answers as 2027-01 and not as 2026-10, which is over")


def test_a_code_is_stopped_by_the_addresses_of_its_customer() -> None:
    assert delivery_keys(_told()) == ("jo@example.com", "example.com")
    assert delivery_keys(message()) == ()


# -- a discount of the shop's own ----------------------------------------------------------------------------------


async def test_codes_are_added_to_a_discount_together(fake: ShopifyFake) -> None:
    into, fake.questions = fake.put("Ours", TEN_PERCENT), 2
    messages = [message(f"C{number}", into) for number in range(300)]
    assert {type(one) for one in await send(channel_for(fake.url), *messages)} == {Accepted}
    assert len(fake.discounts[into].codes) == 300
    assert fake.operations.count("discountRedeemCodeBulkAdd") == 2
    assert fake.operations.count("discountRedeemCodeBulkCreation") == 6
    await send(channel_for(fake.url, batch_size=10), *(message(f"D{number}", into) for number in range(30)))
    assert fake.operations.count("discountRedeemCodeBulkAdd") == 5


async def test_each_code_of_a_job_has_its_own_outcome(fake: ShopifyFake) -> None:
    other, into = fake.put("Other", TEN_PERCENT, "theirs"), fake.put("Ours", TEN_PERCENT, "before")
    fake.invalid, fake.questions = {"bad"}, 1
    messages = [message(code, into) for code in ("good", "bad", "before", "theirs", "good")]
    good, bad, before, theirs, again = await send(channel_for(fake.url), *messages)
    assert good == again == Accepted("HTTP 200: the shop has the code")
    assert bad == Refused("HTTP 200: Code is invalid. (INVALID)")
    assert before == Accepted("HTTP 200: the shop has the code, and had it before")
    assert theirs == Refused(f"the shop has the code already, in {other} and not in {into}")
    assert fake.discounts[into].codes == {"good", "before"}


async def test_codes_of_one_discount_never_get_into_another(fake: ShopifyFake) -> None:
    first, second = fake.put("First", TEN_PERCENT), fake.put("Second", TEN_PERCENT)
    messages = [message("a", first), message("b", second), message("c"), message("d", first)]
    assert {type(one) for one in await send(channel_for(fake.url), *messages)} == {Accepted}
    assert [one.codes for one in fake.discounts.values()] == [{"a", "d"}, {"b"}, {"c"}]


async def test_a_discount_that_is_not_there_refuses_all_at_once(fake: ShopifyFake) -> None:
    messages = [message(f"C{number}", DISCOUNT) for number in range(20)]
    assert set(await send(channel_for(fake.url), *messages)) == {Refused("HTTP 200: discountId is invalid. (INVALID)")}
    assert fake.operations == ["discountRedeemCodeBulkAdd"]


async def test_a_job_without_an_end_may_have_been_accepted_and_its_repeat_finds_its_codes(fake: ShopifyFake) -> None:
    into, fake.questions = fake.put("Ours", TEN_PERCENT), 1_000_000
    (receipt,) = await send(channel_for(fake.url), message("a", into), timeout=3.0)
    assert isinstance(receipt, Unanswered)
    fake.questions = 0
    (receipt,) = await send(channel_for(fake.url), message("a", into))
    assert receipt == Accepted("HTTP 200: the shop has the code, and had it before")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(drop=True), Unanswered),
        (Reply(200, body=error("THROTTLED")), Throttled),
        (Reply(200, body=b"<html>"), Unanswered),
        (Reply(200, body=b'{"data":{"discountRedeemCodeBulkCreation":null}}'), Unanswered),
        (Reply(502), Unanswered),
        (Reply(200, body=error("undefinedField")), Unanswered),
        (Reply(200, body=error("ACCESS_DENIED")), Blocked),
    ],
)
async def test_what_goes_wrong_while_a_job_is_waited_for_leaves_its_codes_to_a_repeat(
    fake: ShopifyFake, reply: Reply, kind: type[Receipt]
) -> None:
    into = fake.put("Ours", TEN_PERCENT)
    fake.replies.extend([Reply(), reply, reply])
    first, second = await send(channel_for(fake.url), message("a", into), message("b", into))
    fake.replies.clear()
    assert (type(first), type(second)) == (kind, kind)
    assert {type(one) for one in await send(channel_for(fake.url), message("a", into), message("b", into))} == {
        Accepted
    }
    assert fake.discounts[into].codes == {"a", "b"}


async def test_an_account_that_is_paused_while_a_job_is_waited_for_may_have_it(fake: ShopifyFake) -> None:
    into, fake.questions = fake.put("Ours", TEN_PERCENT), 1_000_000
    channel = channel_for(fake.url)
    sending = asyncio.create_task(send(channel, message("a", into)))
    while "discountRedeemCodeBulkCreation" not in fake.operations:
        await asyncio.sleep(0.01)
    cast(Any, channel)._accounts.book.replace({("shopify", "shop", "main"): HeldAccount("it is paused")})
    assert await sending == [Unanswered("it is paused")]


# -- what an author writes -----------------------------------------------------------------------------------------


def _published(campaign: str) -> dict[str, Any]:
    """A distribution that publishes a code of a campaign."""
    return {"trigger": {"event": "customer.order.paid"}, "publish": {"campaign": campaign}}


def author() -> Any:
    gift = replace_campaign(id="gifts", kind="GIFT_VOUCHERS", discount=None, gift=5000)
    limited = replace_campaign(id="limited", discount={"type": "PERCENT", "percent_off": 10, "amount_limit": 1})
    campaigns = {one.id: one for one in (CAMPAIGN, gift, limited)}
    return replace(CONTEXT, accounts={"shopify": ("main",)}, campaigns=campaigns)


def replace_campaign(**changes: Any) -> Campaign:
    return msgspec.structs.replace(CAMPAIGN, **changes)


def parsed(body: dict[str, Any], **changes: Any) -> Any:
    how: dict[str, Any] = {"trigger": PUBLISHED, "channels": [{"shopify": {"account": "main", **body}}], **changes}
    return parse_definition(definition(**how), author()).distribution


def told(body: dict[str, Any], profile: dict[str, Any]) -> ShopifyDelivery:
    index = RuleIndex()
    index.insert(parsed(body))
    data = {"customer": profile, **{name: OBJECTS[name] for name in ("publication", "voucher", "campaign")}}
    decoded = order_event(type=PUBLISHED["event"], data=data)
    head = read_event(
        decoded, "events.publications", b"c1", now=NOW, max_future=timedelta(days=1), default_project="shop"
    )
    (made,) = match_event(EventContext(head, decoded, dict), index, NOW).deliveries
    return cast(ShopifyDelivery, made)


@pytest.mark.parametrize(
    ("profile", "who"),
    [
        ({"metadata": {"shopify_id": 7}}, {"customers": {"add": ["gid://shopify/Customer/7"]}}),
        ({"metadata": {"shopify_id": "gid://shopify/Customer/7"}}, {"customers": {"add": ["gid://shopify/Customer/7"]}}),
        ({"metadata": {"shopify_id": "seven"}}, {"all": "ALL"}),
        ({"metadata": {"shopify_id": True}}, {"all": "ALL"}),
        ({"metadata": "x"}, {"all": "ALL"}),
        ({}, {"all": "ALL"}),
    ],
)  # fmt: skip
def test_a_code_is_for_the_customer_whom_the_shop_knows(profile: Any, who: Any) -> None:
    made = told({"customer_id": "metadata.shopify_id", "once_per_customer": True}, customer(**profile))
    voucher = {**VOUCHER, "code": "SPRING-2026-osO"}
    said = asked(msgspec.structs.replace(made, data={**made.data, "voucher": voucher}))
    assert (said["context"], said["appliesOncePerCustomer"], said["title"]) == (who, True, "Spring Discounts")


@pytest.mark.parametrize("written", [1057856618, "1057856618", "gid://shopify/DiscountCodeNode/1057856618"])
def test_a_discount_is_named_as_the_admin_shows_it_or_as_the_api_does(written: Any) -> None:
    made = told({"discount": written}, customer())
    body = msgspec.json.decode(channel_for("http://127.0.0.1:1").render(made).body)
    assert body["variables"] == {
        "discountId": "gid://shopify/DiscountCodeNode/1057856618",
        "codes": [{"code": "SPRING-2026-osO"}],
    }


@pytest.mark.parametrize(
    ("body", "changes", "path", "said"),
    [
        ({"account": "mian"}, {}, ".account", 'Did you mean "main"?'),
        ({"discount": "Spring"}, {}, ".discount", "the number at the end of its address"),
        ({"discount": 1, "customer_id": "metadata.x"}, {}, ".customer_id", "set it in the shop"),
        ({"discount": 1, "once_per_customer": True}, {}, ".once_per_customer", "set it in the shop"),
        ({"customer_id": "a..b"}, {}, ".customer_id", "such as metadata.shopify_id"),
        ({"attributes": {}}, {}, ".attributes", "must be one of account, discount, once_per_customer, customer_id"),
        ({}, {"trigger": {"event": "customer.order.paid"}}, "", "A code comes with publish: {campaign: …}, or"),
        ({}, {"trigger": {"event": "customer.redemption.succeeded"}}, "", "is told of published codes alone"),
        ({}, _published("gifts"), "", "of gifts, which takes nothing off a price"),
        ({}, _published("limited"), "", "Instead, name a discount of the shop as discount"),
    ],
)  # fmt: skip
def test_refused_on_save_with_what_is_offered(body: Any, changes: Any, path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parsed(body, **changes)
    found = [(one.path, one.message) for one in caught.value.problems]
    assert any(at == f"channels[0].shopify{path}" and said in words for at, words in found), found


@pytest.mark.parametrize(
    ("campaign", "body"), [("spring-codes", {}), ("limited", {"discount": 1}), ("gifts", {"discount": 1})]
)
def test_a_discount_of_the_shop_takes_codes_of_any_campaign(campaign: str, body: Any) -> None:
    assert parsed(body, **_published(campaign)).channels[0].account == "main"


# -- an account ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "prepare", "is_well", "said"),
    [
        ({}, {}, True, "the token may make discounts in The Shop, version 2026-10"),
        ({}, {"scopes": ["write_discounts"]}, True, "the token may make discounts"),
        ({}, {"scopes": ["read_discounts"]}, False, "the app lacks the access scope write_discounts in The Shop"),
        ({}, {"scopes": []}, False, "lacks the access scope read_discounts and write_discounts"),
        ({}, {"served": "2027-01"}, False, "answers as version 2027-01 and not as 2026-10"),
        ({}, {"currency": "JPY"}, False, "has other decimals than USD. Set currency=JPY"),
        ({"currency": "PLN"}, {"currency": "EUR"}, True, "the token may"),
        ({"access_token": "another"}, {}, False, "Check url, access_token and version"),
        ({}, {"answered": lambda *_: (Reply(body=b'{"data":{}}'), [])}, False, "is not shopify"),
    ],
)
async def test_an_account_is_tried_by_asking_whose_it_is(
    fake: ShopifyFake, account: Any, prepare: dict[str, Any], is_well: bool, said: str
) -> None:
    for name, value in prepare.items():
        setattr(fake, name, value)
    channel = channel_for(fake.url, **account)
    found = await channel.check("shop", "main")
    await channel.close()
    assert (found.is_well, fake.ids) == (is_well, [])
    assert said in found.said
    assert TOKEN not in found.said


async def test_an_app_is_given_a_token_and_another_one_where_it_ended_early(fake: ShopifyFake) -> None:
    channel = app_channel(fake)
    assert {type(one) for one in await send(channel, message("a"), message("b"))} == {Accepted}
    assert fake.logins.asked == [{"grant_type": "client_credentials", "client_id": APP[0], "client_secret": APP[1]}]
    fake.ended = set(fake.logins.given)
    assert {type(one) for one in await send(channel, message("c"), message("d"))} == {Accepted}
    assert len(fake.logins.given) == 2
    assert (await channel.check("shop", "main")).is_well
    await channel.close()


@pytest.mark.parametrize(
    ("secret", "prepare", "kind", "said"),
    [
        ("another", Reply(), Blocked, "no access token: the token endpoint refuses: check client_id and client_secret"),
        (APP[1], Reply(503), Unreached, "no access token: the token endpoint gives no token (HTTP 503)"),
        (APP[1], Reply(drop=True), Unreached, "no access token: the token endpoint does not answer"),
    ],
)
async def test_an_app_that_is_given_no_token_waits(
    fake: ShopifyFake, secret: str, prepare: Reply, kind: type[Receipt], said: str
) -> None:
    fake.replies.append(prepare)
    channel = app_channel(fake, secret)
    (receipt,) = await send(channel, message())
    assert type(receipt) is kind
    assert said in receipt.detail
    assert secret not in receipt.detail + repr(channel)
    assert fake.ids == []


async def test_a_token_that_is_never_taken_is_asked_for_twice_and_no_more(fake: ShopifyFake) -> None:
    fake.ended = {f"access-{number}-".ljust(20, "x") for number in range(10)}
    (receipt,) = await send(app_channel(fake), message())
    assert isinstance(receipt, Blocked)
    assert len(fake.logins.given) == 2


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "access_token: is missing, or client_id and client_secret"),
        ({"client_id": "x"}, "client_secret: is missing"),
        ({"access_token": "x", "client_id": "y"}, "client_id: must be left out"),
    ],
)
def test_an_account_has_one_login(written: Any, said: str) -> None:
    with pytest.raises(DefinitionInvalid, match=said):
        read_account("shopify", {"url": "https://example.myshopify.com", **written})


@pytest.mark.parametrize(
    ("written", "said"),
    [({"version": "latest"}, "such as 2026-10"), ({"currency": "usd"}, "such as USD"), ({"batch_size": 251}, "to 250")],
)
def test_an_account_is_read_with_what_is_allowed(written: Any, said: str) -> None:
    with pytest.raises(DefinitionInvalid, match=said):
        form("https://example.myshopify.com", **written)
