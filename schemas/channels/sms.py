"""Text messages: what is planned, where they go, their deliveries, and the accounts that they leave through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from schemas.account_fields import (
    COMMON_FIELDS,
    AccountField,
    AccountForm,
    AccountType,
    base_url,
    choice,
    line,
    secret,
    whole,
)
from schemas.channels.plan import Plan
from schemas.channels.sms_gateway import body_template, header_texts, path_text, url_template
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.record import Record, doc
from schemas.template import TemplateRef

SmsProvider = Literal["twilio", "http"]
GatewayMethod = Literal["POST", "PUT", "GET"]
GatewayContent = Literal["json", "form"]
_PROVIDERS: Mapping[str, str] = {"twilio": "Twilio", "http": "a gateway of your own"}
_METHODS: Mapping[GatewayMethod, str] = {
    "POST": "POST: a message is the body",
    "PUT": "PUT: a message is the body",
    "GET": "GET: all stands in the address",
}
_CONTENTS: Mapping[GatewayContent, str] = {"json": "JSON: the body is an object", "form": "a form: name=value&…"}
"""Twilio's API, which others speak as well, or a gateway of one's own."""
MOST_PARTS = 10
"""Of any text: providers take 1,600 letters at most."""
_LONGEST_VALIDITY = 36_000


class SmsPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="sms"):
    """Send as a text message from one of the accounts."""

    channel: ClassVar[ChannelName] = "sms"
    account: str
    template: TemplateRef
    region: Annotated[str, doc("Country of numbers that are written without its code; empty where they have it.")] = ""
    max_parts: Annotated[int | None, doc("Parts that a text may take; a longer one is not sent.")] = None


class SmsAddress(Record, frozen=True, kw_only=True):
    """The number, as E.164 has it, and the content of a text message."""

    to: str
    template: TemplateRef
    max_parts: int | None = None


class SmsDelivery(Delivery, frozen=True, kw_only=True):
    """A record of `deliveries.sms`."""

    channel: ClassVar[ChannelName] = "sms"
    sms: SmsAddress

    @property
    def template(self) -> TemplateRef:
        """The stored template that it is made of."""
        return self.sms.template

    @property
    def reaches(self) -> str:
        """The number."""
        return self.sms.to

    def redacted_address(self) -> SmsAddress:
        """Only which template it was."""
        return SmsAddress(to="", template=self.sms.template)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsAccountForm(AccountForm):
    """Twilio by `account_sid`, or a gateway by `url`; `provider` says which.

    Twilio signs what it reports with `auth_token`; `callback_secrets` prove what a gateway, or a program, reports.
    `api_key` with `api_secret` sends instead, where it is there. Of a gateway, `headers` is a JSON object of headers
    that prove us, `body` a JSON object or a form with `{to}`, `{text}`, `{sender}` and `{delivery_id}`.
    """

    provider: SmsProvider = "twilio"
    account_sid: str = ""
    auth_token: str = field(default="", repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    sender: str = ""
    messaging_service_sid: str = ""
    base_url: str = "https://api.twilio.com"
    validity: int = 0
    url: str = ""
    method: GatewayMethod = "POST"
    content: GatewayContent = "json"
    body: str = ""
    headers: str = field(default="", repr=False)
    accepted_status: int = 0
    accepted_path: str = ""
    accepted_value: str = ""
    id_path: str = ""
    max_parts: int = 0

    @property
    def place(self) -> str:
        """The place that its secrets are for: of a gateway the whole address, as its owner wrote it."""
        return self.url if self.provider == "http" else f"{self.base_url}/2010-04-01/Accounts/{self.account_sid}"


def _problems(account: SmsAccountForm) -> Mapping[str, str]:
    return _of_gateway(account) if account.provider == "http" else _of_twilio(account)


def _of_twilio(account: SmsAccountForm) -> Mapping[str, str]:
    if not account.account_sid:
        return {"account_sid": "is missing: it begins with AC; for a gateway of your own write provider=http and url"}
    if not account.auth_token and not account.api_secret:
        return {"auth_token": "is missing: it signs in, and proves what is reported"}
    if bool(account.api_key) != bool(account.api_secret):
        return {"api_key" if account.api_secret else "api_secret": "is missing: a key and its secret go together"}
    if bool(account.sender) == bool(account.messaging_service_sid):
        return {"sender": "or messaging_service_sid must be there, and not both: whom it comes from"}
    return {}


def _of_gateway(account: SmsAccountForm) -> Mapping[str, str]:
    if not account.url:
        return {"url": "is missing: where the gateway takes messages"}
    places = account.url + account.body
    missing = [name for name in ("{to}", "{text}") if name not in places]
    if missing:
        return {"body": f"must hold {' and '.join(missing)}, or url must"}
    if account.body and account.method == "GET":
        return {"body": "goes with POST or PUT; with GET all stands in url"}
    if account.accepted_value and not account.accepted_path:
        return {"accepted_path": "is missing: where accepted_value stands in the reply"}
    return body_template(account.body, account.content)


SMS_ACCOUNT = AccountType(
    SmsAccountForm,
    (
        choice("provider", _PROVIDERS),
        AccountField("account_sid", line, provider="twilio"),
        AccountField("auth_token", secret, "secret", provider="twilio"),
        AccountField("api_key", line, provider="twilio"),
        AccountField("api_secret", secret, "secret", provider="twilio"),
        AccountField("sender", line),
        AccountField("messaging_service_sid", line, provider="twilio"),
        AccountField("base_url", base_url, is_place=True, provider="twilio"),
        AccountField("validity", whole(0, _LONGEST_VALIDITY), "number", provider="twilio"),
        AccountField("url", url_template, is_place=True, provider="http"),
        choice("method", _METHODS, "http"),
        choice("content", _CONTENTS, "http"),
        AccountField("body", line, provider="http"),
        AccountField("headers", header_texts, "secret", provider="http"),
        AccountField("accepted_status", whole(0, 299), "number", provider="http"),
        AccountField("accepted_path", path_text, provider="http"),
        AccountField("accepted_value", line, provider="http"),
        AccountField("id_path", path_text, provider="http"),
        AccountField("max_parts", whole(0, MOST_PARTS), "number"),
        *COMMON_FIELDS,
    ),
    _problems,
    providers=_PROVIDERS,
    example=SmsAccountForm(account_sid="AC_example", sender="+48501234567"),
)
