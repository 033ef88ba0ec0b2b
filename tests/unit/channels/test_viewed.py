"""Links by which an e-mail is seen in a browser: each shows one message, and is made where it is named alone."""

from __future__ import annotations

from dataclasses import replace as with_fields

import msgspec
import pytest

from channels.email.content import Contents
from channels.templates.engine import Templates
from channels.unsubscribe import Subscriber, UnsubscribeLinks, subscriber_of, token_of
from channels.viewed import Viewed, view_token, viewed_of
from schemas.channels.email import AttachedUrl, EmailAccountForm
from schemas.template import StoredTemplate
from tests.factory import delivery

SECRET, OLD = "a secret of many characters", "the one before it, as long"
ONE = Viewed("shop", "dlv_1")
ACCOUNT = EmailAccountForm(host="localhost", sender="shop@example.com")


class Counted(UnsubscribeLinks):
    """Counts the pages that were asked for."""

    made = 0

    def view(self, delivery: object) -> str:
        Counted.made += 1
        return "https://shop.example/view/token"


def test_a_token_shows_what_it_was_made_for_by_any_of_the_secrets() -> None:
    assert viewed_of(view_token(ONE, OLD), [SECRET, OLD]) == ONE
    assert view_token(ONE, SECRET) == view_token(ONE, SECRET)


def test_no_part_of_a_token_can_be_another() -> None:
    token = view_token(ONE, SECRET)
    for place in range(len(token) - 1):  # the last character has bits that say nothing
        other = "A" if token[place] != "A" else "B"
        assert viewed_of(token[:place] + other + token[place + 1 :], [SECRET]) is None


@pytest.mark.parametrize("secrets", [[], [""], ["another secret of ours"]])
def test_a_token_that_no_secret_proves_shows_nothing(secrets: list[str]) -> None:
    assert viewed_of(view_token(ONE, SECRET), secrets) is None


def test_a_link_opens_no_page_of_another_kind() -> None:
    assert viewed_of(token_of(Subscriber("shop", "c1", "marketing", "dlv_1"), SECRET), [SECRET]) is None
    assert subscriber_of(view_token(ONE, SECRET), [SECRET]) is None


@pytest.mark.parametrize(
    ("template", "attached", "made"),
    [
        (StoredTemplate(name="t", subject="s", html="<p>t</p>"), None, 0),
        (StoredTemplate(name="t", subject="s", html="<p>{{ view_url }}</p>"), None, 1),
        (StoredTemplate(name="t", subject="s", text="{{ view_url }}", html="<p>t</p>"), None, 1),
        (StoredTemplate(name="t", subject="s", html="<p>t</p>"), "{{ view_url }}", 1),
    ],
)
def test_a_link_is_made_where_it_is_named_alone(template: StoredTemplate, attached: str | None, made: int) -> None:
    one = delivery("email")
    files = [AttachedUrl(url=attached)] if attached else []
    one = msgspec.structs.replace(one, email=msgspec.structs.replace(one.email, attachments=files))
    Counted.made = 0
    Contents(Templates(), own=Counted("https://shop.example", (SECRET,))).filled(one, template, ACCOUNT)
    assert Counted.made == made


def test_nothing_is_linked_where_nothing_is_served() -> None:
    template = StoredTemplate(name="t", subject="s", html="<p>{% if view_url is defined %}seen{% endif %}</p>")
    for links in (UnsubscribeLinks("https://shop.example"), UnsubscribeLinks("", (SECRET,))):
        assert "seen" not in Contents(Templates(), own=links).page(delivery("email"), template, ACCOUNT)


def test_a_page_is_the_message_with_its_pictures_in_it() -> None:
    one = delivery("email")
    one = msgspec.structs.replace(one, data={**one.data, "voucher": {"code": "A-1"}})
    template = StoredTemplate(name="t", subject="s", html='<p>{{ customer.name }}</p><img src="cid:qr" alt="">')
    page = Contents(Templates()).page(one, template, with_fields(ACCOUNT))
    assert "<p>Jo</p>" in page
    assert '<img src="data:image/png;base64,iVBOR' in page


def test_a_message_without_html_is_shown_as_its_text() -> None:
    template = StoredTemplate(name="t", subject="<s>", text="a < b\n{{ customer.name }}")
    page = Contents(Templates()).page(delivery("email"), template, ACCOUNT)
    assert "<title>&lt;s&gt;</title>" in page
    assert "a &lt; b\nJo</pre>" in page
