"""The providers of the demo, a row for each channel: its fake, an account at it, what it was told, what it should be.

What should be told is made here of the file that an author wrote and of the event, by nothing that the product uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from channels.fakes.activecampaign import ActiveCampaignFake
from channels.fakes.batch import BatchFake
from channels.fakes.braze import BrazeFake
from channels.fakes.email import SmtpSink
from channels.fakes.http import HttpFake
from channels.fakes.intercom import IntercomFake
from channels.fakes.klaviyo import KlaviyoFake
from channels.fakes.mailchimp import MailchimpFake
from channels.fakes.shopify import ShopifyFake
from channels.fakes.sms import SmsFake
from channels.fakes.webhook import WebhookReceiver
from schemas.closed import ChannelName
from schemas.events.event import Event

EXAMPLES = Path(__file__).parent / "examples"
"""Those of the repository, by a link; in an installation, files."""
WEBHOOK_SECRET = "whsec_ZGVtbyBzZWNyZXQgb2YgdGhlIGRlbW8gcnVu"  # noqa: S105 - of receivers that live a minute
LEGACY_SECRET = "demo"  # noqa: S105 - as above
_KEY = "the-key-of-the-demo"
_LOGIN = "AC" + "0" * 32
_UNBOUNDED = "1000"
"""Messages a second: a provider's own limit would make the demo as slow as the provider."""
_DELIVERY = "delivery_id"
_OWN_SUBJECT = re.compile(r'^subject: "(.*)"$', re.MULTILINE)
_PLACE = re.compile(r"\{\{ ([a-z_.]+)(?: \| default\('([^']*)'\))? \}\}")


class Fake(Protocol):
    """A provider on loopback. `ids` has an entry for each message that it took."""

    @property
    def port(self) -> int: ...

    @property
    def ids(self) -> list[str]: ...

    async def start(self, port: int = 0) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Told:
    """A message as a provider got it: by what it is known there, what it says, and when it came (Unix seconds)."""

    key: str
    said: str
    at: float


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is due: the delivery, its event, the customer, and what an author wrote below the channel."""

    identity: str
    event: Event
    customer: Mapping[str, Any]
    written: Mapping[str, Any]

    def at(self, path: str) -> Any:
        """The value at a path of the event or its customer; None where there is nothing."""
        found: Any = {**self.event.data, "customer": self.customer}
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        return found

    def mapped(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes with their values: of paths, and of static values."""
        values = {
            name: one["value"] if isinstance(one, Mapping) else self.at(one) if isinstance(one, str) else one
            for name, one in written.items()
        }
        return {name: value for name, value in values.items() if value is not None}

    def filled(self, template: str) -> str:
        """A template that holds nothing but names."""
        return _PLACE.sub(lambda found: str(self.at(found[1]) or found[2] or ""), template)

    @property
    def transfer(self) -> tuple[Any, ...]:
        """Attributes, name and properties of a data transfer."""
        event = self.written.get("event", {})
        return self.mapped(self.written["attributes"]), event.get("name"), self.mapped(event.get("properties", {}))


@dataclass(frozen=True, slots=True)
class Stand:
    """One channel. `account`: the fields of the account `main` at a place; none where the settings have it.

    `calls` are those that a message takes.
    """

    fake: Callable[[], Any]
    account: Callable[[str], Mapping[str, str]]
    told: Callable[[Any], Iterable[Told]]
    due: Callable[[Due], tuple[str, Any]]
    calls: int = 1


def said(what: Any) -> str:
    """Anything as a text that is the same for the same."""
    return msgspec.json.encode(what, order="sorted").decode()


def _bodies(fake: HttpFake) -> Iterator[tuple[Any, float]]:
    """Each request that was taken, once, however many messages it had."""
    for one in {id(one.body): one for one in fake.received}.values():
        yield msgspec.json.decode(one.body), one.at


def _webhook_told(fake: WebhookReceiver) -> Iterator[Told]:
    for one in fake.received:
        body = msgspec.json.decode(one.body)
        yield Told(one.id, said((body["type"], body["event"]["id"])), one.at)


def _email_told(fake: SmtpSink) -> Iterator[Told]:
    for mail in fake.mails:
        yield Told(mail.message_id, said((mail.recipients, str(mail.parsed()["subject"]))), mail.at)


def _sms_told(fake: SmsFake) -> Iterator[Told]:
    """A number and its text: without callbacks nothing of a message names its delivery."""
    return (Told(one.to, said(one.body), one.at) for one in fake.texts)


def _braze_told(fake: BrazeFake) -> Iterator[Told]:
    for body, at in _bodies(fake):
        for attributes, event in zip(body["attributes"], body["events"], strict=True):
            who, properties = event["external_id"], dict(event["properties"])
            same_profile = who == attributes.pop("external_id")
            key = properties.pop(_DELIVERY)
            yield Told(key, said((who if same_profile else "", attributes, event["name"], properties)), at)


def _klaviyo_told(fake: KlaviyoFake) -> Iterator[Told]:
    for body, at in _bodies(fake):
        event = body["data"]["attributes"]
        profile, properties = event["profile"]["data"]["attributes"], dict(event["properties"])
        key, name = properties.pop(_DELIVERY), event["metric"]["data"]["attributes"]["name"]
        yield Told(key, said((profile["external_id"], profile["properties"], name, properties)), at)


def _mailchimp_told(fake: MailchimpFake) -> Iterator[Told]:
    return (Told(body["email_address"], said(body["merge_fields"]), at) for body, at in _bodies(fake))


def _unhurried_activecampaign() -> ActiveCampaignFake:
    fake = ActiveCampaignFake(_KEY)
    fake.limit = None
    return fake


def _activecampaign_told(fake: ActiveCampaignFake) -> Iterator[Told]:
    tags = {one.id: one.perstag for one in fake.fields}
    for body, at in _bodies(fake):
        contact = body["contact"]
        email, values = contact.pop("email"), contact.pop("fieldValues")
        yield Told(email, said(contact | {tags[one["field"]]: one["value"] for one in values}), at)


def _peopled_intercom() -> IntercomFake:
    fake = IntercomFake(_KEY)
    fake.knows_everybody = True
    return fake


def _intercom_told(fake: IntercomFake) -> Iterator[Told]:
    """Events, each with the attributes that its contact has by then: of those no call names a delivery."""
    for body, at in _bodies(fake):
        if "event_name" in body:
            properties = dict(body["metadata"])
            key, who = properties.pop(_DELIVERY), fake.contacts[body["id"]]
            yield Told(
                key, said((who["external_id"], sorted(who["custom_attributes"]), body["event_name"], properties)), at
            )


def _intercom_due(due: Due) -> tuple[str, Any]:
    attributes, name, properties = due.transfer
    return due.identity, (due.customer["source_id"], sorted(attributes), name, properties)


def _batch_told(fake: BatchFake) -> Iterator[Told]:
    for body, at in _bodies(fake):
        for one in body:
            (event,) = one["events"]
            key = event["attributes"].pop(_DELIVERY)
            who = one["identifiers"]["custom_id"]
            yield Told(key, said((who, one["attributes"], event["name"], event["attributes"])), at)


def _shopify_told(fake: ShopifyFake) -> Iterator[Told]:
    """A code, and the discount that has it; also where it was found there."""
    for one in fake.received:
        discount = fake.discounts[fake.holders[one.id.casefold()]].said
        yield Told(one.id, said((discount["title"], discount["customerGets"]["value"])), one.at)


def _shopify_due(due: Due) -> tuple[str, Any]:
    percentage = due.at("voucher.discount.percent_off") / 100
    return due.at("voucher.code"), (due.at("campaign.name"), {"percentage": percentage})


def _transfer_due(due: Due) -> tuple[str, Any]:
    return due.identity, (due.customer["source_id"], *due.transfer)


def _email_due(due: Due) -> tuple[str, Any]:
    return due.identity, ([due.customer["email"]], due.filled(_subject(due)))


def _subject(due: Due) -> str:
    """The subject that the template has for the customer's language, else that of the distribution."""
    language = str(due.at("customer.locale")).partition("-")[0]
    files = (EXAMPLES / "templates").glob(f"{due.written.get('template')}.{language}.*")
    own = [found[1] for file in files if (found := _OWN_SUBJECT.search(file.read_text()))]
    return own[0] if own else str(due.written["subject"])


def _from_settings(_: str) -> Mapping[str, str]:
    return {}


def _at(name: str = "url", **fields: str) -> Callable[[str], Mapping[str, str]]:
    """An account that takes as much as the demo has."""
    return lambda place: {name: place, "rate": _UNBOUNDED, **fields}


STANDS: Mapping[ChannelName, Stand] = {
    "webhook": Stand(
        lambda: WebhookReceiver(WEBHOOK_SECRET, LEGACY_SECRET),
        _from_settings,
        _webhook_told,
        lambda due: (due.identity, (due.written["type"], due.event.id)),
    ),
    "email": Stand(SmtpSink, _from_settings, _email_told, _email_due),
    "sms": Stand(
        lambda: SmsFake(_LOGIN, _KEY),
        _at("base_url", account_sid=_LOGIN, auth_token=_KEY, sender="+48500100200"),
        _sms_told,
        lambda due: (due.customer["phone"].replace(" ", ""), due.filled(due.written["text"])),
    ),
    "braze": Stand(lambda: BrazeFake(_KEY), _at(api_key=_KEY), _braze_told, _transfer_due),
    "klaviyo": Stand(lambda: KlaviyoFake(_KEY), _at(api_key=_KEY), _klaviyo_told, _transfer_due),
    "mailchimp": Stand(
        lambda: MailchimpFake(_KEY, "a1b2c3d4e5"),
        _at(api_key=_KEY, list_id="a1b2c3d4e5", data_center="us1"),
        _mailchimp_told,
        lambda due: (due.customer["email"], due.mapped(due.written["attributes"])),
    ),
    "activecampaign": Stand(
        _unhurried_activecampaign,
        _at(api_token=_KEY),
        _activecampaign_told,
        lambda due: (due.customer["email"], due.mapped(due.written["attributes"])),
    ),
    "intercom": Stand(_peopled_intercom, _at(token=_KEY), _intercom_told, _intercom_due, calls=2),
    "batch": Stand(lambda: BatchFake(_KEY, _KEY), _at(rest_key=_KEY, project_key=_KEY), _batch_told, _transfer_due),
    "shopify": Stand(lambda: ShopifyFake(_KEY), _at(access_token=_KEY), _shopify_told, _shopify_due),
}
"""A channel joins the demo, and the faults that are tried at each provider, by its row here."""
