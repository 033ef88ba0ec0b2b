"""Tracked links of whole e-mails, as a sender makes them: the customer's own, and the headers, stay as they are."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from html import unescape
from typing import Any, cast

import msgspec
import pytest

from agents.channels import channels_of
from channels.tracked import TrackedLinks, clicked_of
from deploy.secret import Secret
from deploy.settings.messages import Console, EmailAccountSettings
from deploy.settings.settings import Settings
from schemas.channels.email import EmailDelivery
from schemas.template import StoredTemplate
from schemas.tracking import NO_TRACKING, Tracking
from tests.factory import customer, delivery

SECRET = "a secret of many characters"
OURS = "https://t.example"
TARGET = "https://a.example/Jo?q=a&r=[1]"
UTM = {"utm_source": "mail"}
TEXT = "Hi {{ customer.name }}: {{ target }} {{ view_url }} {{ unsubscribe_url }} {{ brand.privacy_url }}"
HTML = (
    '<body><a href="{{ target }}">a</a><a href="{{ view_url }}">b</a><a href="{{ unsubscribe_url }}">c</a>'
    '<a href="{{ preferences_url }}">d</a><a href="{{ brand.privacy_url }}">e</a></body>'
)


def made(tracking: Tracking, *, agreed: bool = True) -> Any:
    """The message, read."""
    console = Console(secrets=(Secret(SECRET),), public_url=OURS)
    settings = Settings(console=console, email_accounts={"main": EmailAccountSettings("127.0.0.1", "a@example.com")})
    tracked = TrackedLinks(OURS, (SECRET,), lambda project: tracking if project == "shop" else NO_TRACKING)
    channel: Any = channels_of(settings, tracked=tracked)["email"]
    brand = {"privacy_url": "https://a.example/privacy"}
    source = [one.replace("{{ target }}", TARGET.replace("Jo", "{{ customer.name }}")) for one in (TEXT, HTML)]
    template = StoredTemplate(name="t", subject="s", text=source[0], html=source[1], brand=brand)
    return message_from_bytes(channel.render(mail(agreed=agreed), template).message, policy=policy.default)


def mail(*, agreed: bool) -> EmailDelivery:
    one = cast(EmailDelivery, delivery("email"))
    data = {**one.data, "customer": {**customer(), "name": "Jo", "consents": {"tracking": agreed, "marketing": True}}}
    email = msgspec.structs.replace(one.email, link_parameters=UTM)
    return msgspec.structs.replace(one, data=data, email=email, category="marketing", delivery_id=f"dlv_{7:032x}")


def both(message: Any) -> tuple[str, str]:
    return message.get_body(("plain",)).get_content(), message.get_body(("html",)).get_content()


def test_the_authors_links_are_tracked_and_the_customers_own_and_the_headers_are_not() -> None:
    message, plain = made(Tracking(opens=True, clicks=True)), made(NO_TRACKING)
    for part, ours in zip(map(unescape, both(message)), map(unescape, both(plain)), strict=True):
        (token,) = re.findall(rf"{OURS}/c/shop/([\w-]+)", part)
        found = clicked_of("shop", token, [SECRET])
        assert found is not None
        assert (found.delivery_id, found.target) == (f"dlv_{7:032x}", f"{TARGET}&utm_source=mail")
        own = re.findall(rf"{OURS}/(?:view|unsubscribe|preferences)/[\w-]+", part)
        assert own == re.findall(rf"{OURS}/(?:view|unsubscribe|preferences)/[\w-]+", ours)
        assert len(own) >= 2
        assert "https://a.example/privacy?utm_source=mail" in part
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "Message-ID", "Subject"):
        assert message[name] == plain[name] is not None
    assert "/c/" not in message["List-Unsubscribe"]
    assert both(message)[1].count(f"{OURS}/o/shop/") == 1


@pytest.mark.parametrize(("tracking", "agreed"), [(NO_TRACKING, True), (Tracking(opens=True, clicks=True), False)])
def test_of_those_who_do_not_agree_the_message_is_as_it_was_written(tracking: Tracking, agreed: bool) -> None:
    found = "".join(both(made(tracking, agreed=agreed)))
    assert "/c/" not in found and "/o/" not in found


def test_lines_stay_within_what_mail_servers_take() -> None:
    settings = Settings(email_accounts={"main": EmailAccountSettings("127.0.0.1", "a@example.com")})
    tracked = TrackedLinks(OURS, (SECRET,), lambda _: Tracking(clicks=True))
    channel: Any = channels_of(settings, tracked=tracked)["email"]
    template = StoredTemplate(name="t", subject="s", text=f"https://a.example/{'x' * 900}", html=None)
    message = channel.render(mail(agreed=True), template).message
    assert f"{OURS}/c/shop/" in message_from_bytes(message, policy=policy.default).get_content()
    assert max(map(len, message.split(b"\r\n"))) <= 998
