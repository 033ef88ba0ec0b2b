"""Accounts of text messages as people write them: Twilio's, and gateways that describe themselves."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.account import changed_account, read_account
from schemas.channels.sms import SmsAccountForm
from schemas.errors import DefinitionInvalid

TOKEN = "pl4nted-token"
TWILIO = {"account_sid": "AC1", "auth_token": TOKEN, "sender": "+48501234567"}
BODY = '{"to": "{to}", "text": "{text}"}'
GATEWAY = {"provider": "http", "url": "https://sms.shop.example/send", "body": BODY}


def test_an_account_shows_nothing_that_is_secret() -> None:
    made = read_account("sms", {**TWILIO, "api_key": "SK1", "api_secret": TOKEN, "validity": "60"})
    assert isinstance(made, SmsAccountForm)
    assert (made.base_url, made.validity, made.provider) == ("https://api.twilio.com", 60, "twilio")
    own = read_account("sms", {**GATEWAY, "headers": f'{{"authorization": "Bearer {TOKEN}"}}'})
    assert TOKEN not in repr(made) + repr(own)


@pytest.mark.parametrize(
    ("written", "field", "said"),
    [
        ({}, "account_sid", "for a gateway of your own write provider=http"),
        ({**TWILIO, "auth_token": ""}, "auth_token", "is missing"),
        ({**TWILIO, "api_key": "SK1"}, "api_secret", "go together"),
        ({**TWILIO, "api_secret": TOKEN}, "api_key", "go together"),
        ({**TWILIO, "sender": ""}, "sender", "or messaging_service_sid must be there"),
        ({**TWILIO, "messaging_service_sid": "MG1"}, "sender", "and not both"),
        ({**TWILIO, "base_url": "api.twilio.com"}, "base_url", "must be an address of the web"),
        ({**TWILIO, "validity": 36_001}, "validity", "from 0 to 36000"),
        ({**TWILIO, "max_parts": 12}, "max_parts", "from 0 to 10"),
        ({**TWILIO, "provider": "twillio"}, "provider", "must be one of twilio, http"),
        ({"provider": "http"}, "url", "is missing"),
        ({**GATEWAY, "url": "https://{to}.example/"}, "url", "must be an address|placeholders in its host"),
        ({**GATEWAY, "url": "https://u:p@sms.example/"}, "url", "without user, password"),
        ({**GATEWAY, "url": "ftp://sms.example/"}, "url", "must be an address such as"),
        ({**GATEWAY, "url": "https://sms.example/{too}"}, "url", "{too} is not known: must be one of {to}"),
        ({**GATEWAY, "body": '{"to": "{to}"}'}, "body", "must hold {text}"),
        ({**GATEWAY, "body": "to={to}&text={text}"}, "body", "is not JSON"),
        ({**GATEWAY, "body": '["{to}", "{text}"]'}, "body", "must be a JSON object"),
        ({**GATEWAY, "method": "GET"}, "body", "with GET all stands in url"),
        ({**GATEWAY, "method": "DELETE"}, "method", "must be one of POST, PUT, GET"),
        ({**GATEWAY, "headers": f"Bearer {TOKEN}"}, "headers", "must be a JSON object of texts"),
        ({**GATEWAY, "headers": f'{{"host": "{TOKEN}"}}'}, "headers", "none that every request has"),
        ({**GATEWAY, "headers": f'{{"x-key": "{TOKEN}\\n"}}'}, "headers", "printable ASCII"),
        ({**GATEWAY, "accepted_value": "OK"}, "accepted_path", "is missing"),
        ({**GATEWAY, "id_path": "a..b"}, "id_path", "must be a path such as messages.0.id"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(written: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read_account("sms", written)
    found = {one.path: one.message for one in caught.value.problems}
    assert any(one in found[field] for one in said.split("|"))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(("field", "place"), [("base_url", "https://evil.example"), ("url", "https://evil.example/x")])
def test_a_secret_is_not_shown_to_another_place(field: str, place: str) -> None:
    before = read_account("sms", TWILIO if field == "base_url" else {**GATEWAY, "headers": '{"x-key": "hush"}'})
    with pytest.raises(DefinitionInvalid, match="must be written anew"):
        changed_account("sms", before, {field: place})
