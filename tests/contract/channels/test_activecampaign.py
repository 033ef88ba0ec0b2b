"""ActiveCampaign: the laws of all channels, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from channels.accounts import AccountBook
from channels.activecampaign import cache
from channels.activecampaign.channel import ActiveCampaign
from channels.contract import AnyChannel
from channels.fakes.activecampaign import ActiveCampaignFake, FakeField
from channels.fakes.http import Reply
from channels.fakes.limit import Limit
from channels.http.ssrf import OWN_NETWORKS
from schemas.account import read_account
from schemas.channels.activecampaign import (
    ActiveCampaignAccountForm,
    ActiveCampaignAddress,
    ActiveCampaignDelivery,
)
from schemas.delivery import Delivery
from schemas.errors import DefinitionInvalid, RenderRefused
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused, Throttled, Unanswered
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.contract.channels.case import Answer, Fake, HttpCase, says
from tests.factory import CONTEXT, NOW, context, customer, definition, delivery

TOKEN, EMAIL = "hush-token-of-a-user", "Jo@example.com"
BODY: dict[str, Any] = {"account": "main", "attributes": {"LAST_CODE": "order.id", "firstName": {"value": "Jo"}}}
SYNCED = b'{"contact": {"id": "7"}}'
UNWANTED = b'{"errors": [{"title": "Not wanted", "source": {"pointer": "/data/attributes/email"}}]}'


def form(**how: Any) -> ActiveCampaignAccountForm:
    written = {"url": "https://shop.api-us1.com", "api_token": TOKEN, **how}
    return cast(ActiveCampaignAccountForm, read_account("activecampaign", written))


def channel_for(url: str, **how: Any) -> ActiveCampaign:
    book = AccountBook({"activecampaign": {"main": form(url=url, **how)}})
    return ActiveCampaign(book.of("activecampaign"), reach=OWN_NETWORKS)


def matched(profile: dict[str, Any], body: dict[str, Any] = BODY) -> Any:
    author = replace(CONTEXT, accounts={"activecampaign": ("main",)})
    index = RuleIndex()
    index.insert(parse_definition(definition(channels=[{"activecampaign": body}]), author).distribution)
    return match_event(context(profile), index, NOW)


def message(*, email: str = EMAIL, **attributes: Any) -> ActiveCampaignDelivery:
    mapped = attributes or {"LAST_CODE": {"from": "order.id"}}
    shared = {one: getattr(delivery("webhook"), one) for one in Delivery.__struct_fields__} | {"account": "main"}
    return ActiveCampaignDelivery(activecampaign=ActiveCampaignAddress(email=email, attributes=mapped), **shared)


def lists(status: int, kind: type[Receipt], body: bytes = b"", **how: Any) -> Answer:
    """The next answer to the question for the fields."""
    return Answer(lambda fake: fake.list_replies.append(Reply(status, body=body, **how)), kind)


def unlimited(token: str = TOKEN) -> ActiveCampaignFake:
    fake = ActiveCampaignFake(token)
    fake.limit = Limit(100_000, 1.0)
    return fake


class ActiveCampaignCase(HttpCase):
    """ActiveCampaign before its fake."""

    name = "activecampaign"
    kept = ("contacts",)
    secrets = (TOKEN,)
    names = (EMAIL,)
    account = form()
    template = None
    is_untrusted = Deferred
    answers = {
        "made": says(201, Accepted, SYNCED),
        "changed": says(200, Accepted, SYNCED),
        "a page of somebody else's": says(200, Unanswered, b"<html>"),
        "a success that lacks what is documented": says(200, Unanswered, b'{"done": true}'),
        "not wanted": says(422, Refused, UNWANTED),
        "not wanted, with our secret in the words": says(422, Refused, b'{"message": "no hush-token-of-a-user"}'),
        "not wanted, without a word": says(400, Refused),
        "the plan has no API": says(402, Blocked, b'{"message": "Payment required"}'),
        "the token may not": says(403, Blocked, b'{"message": "You are not authorized"}'),
        "no such account": says(404, Blocked, b"<html>"),
        "too many": Answer(says(429, Throttled, headers=(("retry-after", "7"),)).prepare, Throttled, 7.0),
        "too many, without a time": says(429, Throttled),
        "too many, in other words": says(503, Throttled),
        "too many, in other words and with a time": Answer(
            says(503, Throttled, headers=(("retry-after", "2"),)).prepare, Throttled, 2.0
        ),
        "an error of its own": says(500, Deferred, b"<html>"),
        "gone": says(410, Blocked),
        "dropped, and again": Answer(lambda fake: fake.replies.extend([Reply(drop=True)] * 2), Unanswered),
        "its fields: not as they are documented": lists(200, Deferred, b'{"fields": [{}]}'),
        "its fields: a page of somebody else's": lists(200, Deferred, b"<html>"),
        "its fields: an error of its own": lists(500, Deferred),
        "its fields: too many": lists(429, Throttled),
        "its fields: too many, in other words": lists(503, Throttled),
        "its fields: the token may not": lists(403, Blocked),
        "its fields: no such account": lists(404, Blocked),
    }

    def fake(self) -> ActiveCampaignFake:
        return unlimited()

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_for(cast(ActiveCampaignFake, fake).url)

    def delivery(self, fake: Fake) -> Delivery:
        return message()

    def key(self, delivery: Delivery) -> str:
        return EMAIL

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_for(f"http{'s' if tls else ''}://{host}:{port}"), message()


CASE = ActiveCampaignCase()


@pytest.fixture
async def fake() -> AsyncIterator[ActiveCampaignFake]:
    made = unlimited()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def channel(fake: ActiveCampaignFake) -> AsyncIterator[ActiveCampaign]:
    made = channel_for(fake.url)
    yield made
    await made.close()


async def send(channel: ActiveCampaign, made: ActiveCampaignDelivery, timeout: float = 60) -> Receipt:
    return await channel.send(channel.render(made), timeout=timeout, now=datetime.now(UTC))


def naming(name: str, value: Any) -> ActiveCampaignDelivery:
    mapped: dict[str, Any] = {name: value}
    return message(**mapped)


async def test_a_request_is_as_its_reference_has_it(fake: ActiveCampaignFake, channel: ActiveCampaign) -> None:
    (made,) = matched(customer(email=EMAIL)).deliveries
    request = channel.render(made)
    assert (request.method, request.url) == ("POST", f"{fake.url}/api/3/contact/sync")
    assert await send(channel, made) == Accepted("HTTP 201: the fields of the contact are set")
    (sent,) = fake.received
    assert msgspec.json.decode(sent.body) == {
        "contact": {"email": EMAIL, "firstName": "Jo", "fieldValues": [{"field": "1", "value": "o1"}]}
    }
    assert await send(channel, made) == Accepted("HTTP 200: the fields of the contact are set")
    assert (fake.contacts, fake.put_back) == ({EMAIL: {"firstName": "Jo", "1": "o1"}}, 0)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LAST_CODE", "A-1", {"1": "A-1"}),
        ("last_code", "A-1", {"1": "A-1"}),
        ("Last code", "A-1", {"1": "A-1"}),
        ("LAST CODE", "A-1", {"1": "A-1"}),
        ("LAST_CODE", 12, {"1": "12"}),
        ("LAST_CODE", 1.5, {"1": "1.5"}),
        ("LAST_CODE", True, {"1": "true"}),
        ("LAST_CODE", ["a", 2], {"1": "a, 2"}),
        ("LAST_CODE", "", {"1": ""}),
        ("PUBLISHED", "2026-11-20", {"2": "2026-11-20"}),
        ("PUBLISHED", "2026-11-20T23:59:00Z", {"2": "2026-11-20"}),
        ("PUBLISHED", "", {"2": ""}),
        ("SEEN_AT", "2026-11-20T23:59:00.123+01:00", {"4": "2026-11-20T23:59:00+01:00"}),
        ("INTERESTS", ["hiking", "maps"], {"3": "||hiking||maps||"}),
        ("INTERESTS", "hiking", {"3": "||hiking||"}),
        ("INTERESTS", [], {"3": ""}),
        ("firstName", "Ada", {"firstName": "Ada"}),
        ("lastName", " ", {}),
        ("phone", "+48123456789", {"phone": "+48123456789"}),
    ],
)
async def test_a_value_is_written_as_its_field_is(
    fake: ActiveCampaignFake, channel: ActiveCampaign, name: str, value: Any, expected: dict[str, str]
) -> None:
    made = naming(name, value)
    assert isinstance(await send(channel, made), Accepted)
    assert fake.contacts == {EMAIL: expected}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LASTCODE", "x", 'there is no field "LASTCODE". Did you mean "LAST_CODE"? There are: firstName, lastName,'),
        ("Interest", "x", 'there is no field "Interest". Did you mean "Interests"?'),
        ("Twice", "x", '"Twice" is the name of several: write TWICE_A or TWICE_B'),
        ("PUBLISHED", "soon", "field PUBLISHED is a date; what is there is not one, as 2026-11-20 is"),
        ("SEEN_AT", 7, "field SEEN_AT is a datetime"),
        ("INTERESTS", ["a||b"], "field INTERESTS takes choices, and none that holds ||"),
        ("LAST_CODE", {"a": 1}, "field LAST_CODE holds a text, a number or a date, not a mapping"),
    ],
)
async def test_what_does_not_fit_is_refused_before_it_is_sent(
    fake: ActiveCampaignFake, channel: ActiveCampaign, name: str, value: Any, said: str
) -> None:
    fake.fields += [FakeField("5", "Twice", "TWICE_A"), FakeField("6", "Twice", "TWICE_B")]
    receipt = await send(channel, naming(name, value))
    assert isinstance(receipt, Refused)
    assert receipt.detail.startswith(f"activecampaign/main: {said}")
    assert (fake.ids, fake.tried[EMAIL]) == ([], 0)


async def test_all_pages_of_the_list_are_read_once_for_all(fake: ActiveCampaignFake, channel: ActiveCampaign) -> None:
    fake.fields += [FakeField(str(at), f"Field {at}", f"FIELD_{at}") for at in range(5, 251)]
    made = [message(email=f"jo{at}@example.com", FIELD_250=at) for at in range(20)]
    assert {type(one) for one in await asyncio.gather(*(send(channel, one) for one in made))} == {Accepted}
    assert (fake.listed, len(fake.contacts)) == (3, 20)


async def test_pages_that_are_smaller_than_asked_for_are_all_read(
    fake: ActiveCampaignFake, channel: ActiveCampaign
) -> None:
    fake.fields += [FakeField(str(at), f"Field {at}", f"FIELD_{at}") for at in range(5, 51)]
    fake.largest_page = 20
    assert isinstance(await send(channel, message(FIELD_50=1)), Accepted)
    assert fake.listed == 3


async def test_a_field_that_changes_its_page_meanwhile_is_not_missed(
    fake: ActiveCampaignFake, channel: ActiveCampaign
) -> None:
    for fields in ("[]", '[{"id": "2", "title": "Published"}, {"id": "3", "title": "Interests"}]'):
        fake.list_replies.append(Reply(200, body=f'{{"fields": {fields}, "meta": {{"total": "4"}}}}'.encode()))
    assert isinstance(await send(channel, message(SEEN_AT="2026-11-20T09:00:00Z")), Accepted)
    fake.list_replies.extend([Reply(200, body=b'{"fields": [], "meta": {"total": "4"}}')] * 2)
    check = await channel.check("shop", "main")
    assert check.fields == ("firstName", "lastName", "phone")


async def test_what_is_a_contacts_own_needs_no_list(fake: ActiveCampaignFake, channel: ActiveCampaign) -> None:
    assert isinstance(await send(channel, message(firstName="Jo")), Accepted)
    assert fake.listed == 0


async def test_a_list_is_read_again_where_a_name_is_new_and_no_more_than_once_a_minute(
    fake: ActiveCampaignFake, channel: ActiveCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(await send(channel, message()), Accepted)
    fake.fields.append(FakeField("9", "New", "NEW"))
    assert isinstance(await send(channel, message(NEW="x")), Refused)
    assert fake.listed == 1
    monkeypatch.setattr(cache, "_AGAIN_SECONDS", 0.0)
    assert isinstance(await send(channel, message(NEW="x")), Accepted)
    assert (fake.listed, fake.contacts[EMAIL]["9"]) == (2, "x")


async def test_a_list_is_read_again_where_what_is_sent_is_refused(
    fake: ActiveCampaignFake, channel: ActiveCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(await send(channel, message()), Accepted)
    monkeypatch.setattr(cache, "_AGAIN_SECONDS", 0.0)
    fake.fields[0] = FakeField("90", "Last code", "LAST_CODE")
    assert isinstance(await send(channel, message()), Accepted)
    assert (fake.listed, fake.contacts[EMAIL]["90"]) == (2, "o1")
    fake.replies.append(Reply(422, body=UNWANTED))
    receipt = await send(channel, message())
    assert receipt == Refused("HTTP 422: Not wanted (/data/attributes/email)")
    assert (fake.listed, fake.tried[EMAIL]) == (3, 4)


async def test_who_waits_for_the_list_is_one_of_many(fake: ActiveCampaignFake, channel: ActiveCampaign) -> None:
    impatient = asyncio.create_task(send(channel, message()))
    patient = asyncio.create_task(send(channel, message()))
    await asyncio.sleep(0)
    impatient.cancel()
    assert isinstance(await patient, Accepted)
    assert (fake.listed, fake.ids) == (1, [EMAIL])


async def test_a_list_that_does_not_come_in_time_holds_nothing_up(channel: ActiveCampaign) -> None:
    async def silent(*_: Any) -> None:
        await asyncio.Event().wait()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        elsewhere = channel_for(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        receipt = await send(elsewhere, message(), timeout=0.1)
        await elsewhere.close()
        server.close_clients() if hasattr(server, "close_clients") else None
    assert type(receipt) is Deferred


async def test_accounts_of_one_name_have_lists_of_their_own(fake: ActiveCampaignFake) -> None:
    other = unlimited("another-token")
    await other.start()
    other.fields = [FakeField("77", "Last code", "LAST_CODE")]
    book = AccountBook()
    book.replace(
        {
            ("activecampaign", "shop", "main"): form(url=fake.url),
            ("activecampaign", "outlet", "main"): form(url=other.url, api_token="another-token"),
        }
    )
    channel = ActiveCampaign(book.of("activecampaign"), reach=OWN_NETWORKS)
    for project in ("shop", "outlet", "shop"):
        made = msgspec.structs.replace(message(), project_id=project)
        assert isinstance(await send(channel, made), Accepted)
    await channel.close()
    await other.stop()
    assert (fake.contacts, other.contacts) == ({EMAIL: {"1": "o1"}}, {EMAIL: {"77": "o1"}})
    assert (fake.listed, other.listed) == (1, 1)


async def test_more_than_five_a_second_are_told_when_to_come_again() -> None:
    fake = ActiveCampaignFake(TOKEN)
    await fake.start()
    channel = channel_for(fake.url)
    receipts = [await send(channel, message()) for _ in range(6)]
    await channel.close()
    await fake.stop()
    throttled = [one for one in receipts if isinstance(one, Throttled)]
    assert throttled
    assert {one.retry_after for one in throttled} == {1.0}
    assert channel.policy.rate == 5


def test_where_nothing_is_left_to_say_nothing_is_sent() -> None:
    with pytest.raises(RenderRefused, match="nothing is left"):
        channel_for("http://127.0.0.1:1").render(message(CODE={"from": "voucher.code"}))


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ({"Email": "customer.email"}, "attributes.Email"),
        ({" ": "order.id"}, 'attributes." "'),
        ({"LAST_CODE": "voucher.code"}, "attributes.LAST_CODE"),
        (None, ""),
    ],
)
def test_its_author_is_told_what_is_wrong(attributes: Any, path: str) -> None:
    body = {"account": "main", **({} if attributes is None else {"attributes": attributes})}
    with pytest.raises(DefinitionInvalid) as caught:
        matched(customer(), body)
    assert [one.path for one in caught.value.problems] == [f"channels[0].activecampaign.{path}".rstrip(".")]


@pytest.mark.parametrize("email", [None, " ", "jo@example"])
def test_who_has_no_mailbox_is_skipped(email: str | None) -> None:
    (decision,) = matched(customer(email=email)).decisions
    assert (decision.outcome, decision.reason) == ("skipped", "no_address")


@pytest.mark.parametrize("url", ["https://shop.api-us1.com", "https://shop.api-us1.com/api/3/"])
def test_an_address_may_have_the_path_of_the_api(url: str) -> None:
    assert form(url=url).url == "https://shop.api-us1.com"


async def test_an_account_is_tried_by_reading_its_fields(fake: ActiveCampaignFake) -> None:
    known = ("firstName", "lastName", "phone", "INTERESTS", "LAST_CODE", "PUBLISHED", "SEEN_AT")
    for how, is_well in (({}, True), ({"api_token": "another"}, False), ({"url": f"{fake.url}/x"}, False)):
        channel = channel_for(**{"url": fake.url, **how})
        check = await channel.check("shop", "main")
        await channel.close()
        assert (check.is_well, check.fields) == (is_well, known if is_well else None)
    assert not (await channel.check("shop", "mian")).is_well


async def test_the_kinds_of_its_fields_are_known(channel: ActiveCampaign) -> None:
    known = (await channel.check("shop", "main")).known
    assert known is not None
    kinds = {one.name: one.kind for one in known.fields}
    assert kinds == {
        **dict.fromkeys(("firstName", "lastName", "phone", "LAST_CODE"), "text"),
        **dict.fromkeys(("PUBLISHED", "SEEN_AT"), "date"),
        "INTERESTS": "list",
    }
    assert known.find("last code").name == "LAST_CODE"
