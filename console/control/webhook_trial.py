"""A test event at an endpoint: signed and sent as a sender would, and noted nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import uuid4

import msgspec

from agents.channels import channels_of, policies_of, shared_accounts
from channels.accounts import AccountBook
from channels.contract import AnyChannel
from channels.webhook.calls import Call
from console.control.accounts_now import AccountsNow
from console.control.documents import Document, parse_documents
from console.control.preview.messages import Candidate, sample_event, unguarded
from deploy.settings.settings import Settings
from schemas.channels.webhook import SIGNING, WebhookDelivery, endpoint_account
from schemas.delivery import TEST_ID, Delivery
from schemas.errors import AccountHeld, RenderRefused, TidingsError
from schemas.receipt import Accepted, Receipt
from store.accounts import Accounts

TEST_TYPE = "tidings.test"


@dataclass(frozen=True, slots=True)
class Tried:
    """A test: the call, and what would mend it where it was not accepted. `signed_by` is the account that signed."""

    call: Call
    signed_by: str
    is_accepted: bool
    mend: str = ""


class _Seen:
    """Keeps every call."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def wants(self, project_id: str, endpoint: str, receipt: Receipt) -> bool:
        del project_id, endpoint, receipt
        return True

    def add(self, call: Call) -> None:
        self.calls.append(call)


def document_of(url: str) -> list[Document]:
    """A distribution that sends to an address alone. Raises DefinitionInvalid."""
    channel = json.dumps({"webhook": {"url": url, "type": TEST_TYPE}})
    source = f"""
distribution: webhook-test
trigger: {{event: customer.order.paid}}
consent: transactional
channels: [{channel}]
"""
    return list(parse_documents(source, "the test"))


def example_deliveries(
    candidates: Iterable[Candidate], project_id: str, zone: tzinfo, now: datetime
) -> list[WebhookDelivery]:
    """The webhooks of some distributions for the sample of their event, as tests. Raises TidingsError without any."""
    made = [delivery for one in candidates for delivery in _of(one, project_id, zone, now)]
    tests = [
        msgspec.structs.replace(one, delivery_id=f"{TEST_ID}{uuid4().hex}")
        for one in made
        if isinstance(one, WebhookDelivery)
    ]
    if not tests:
        raise TidingsError("there is no webhook among its channels: give the address to be tested")
    return tests


def _of(one: Candidate, project_id: str, zone: tzinfo, now: datetime) -> Sequence[Delivery]:
    return unguarded(one, sample_event(one.distribution, project_id), None, zone, now).deliveries


async def tried(
    accounts: Accounts, settings: Settings, deliveries: Iterable[WebhookDelivery], now: datetime
) -> list[Tried]:
    """Send each once, within the time that a sender gives it.

    Raises TidingsError for one that cannot be written, or whose account is held.
    """
    book, seen = AccountBook(shared_accounts(settings)), _Seen()
    book.replace((await AccountsNow.of(accounts, settings, "webhook")).usable())
    timeout = policies_of(settings.sender)["webhook"].timeout.total_seconds()
    channels = channels_of(settings, book, seen)
    try:
        return [await _sent(channels["webhook"], book, seen, one, timeout, now) for one in deliveries]
    finally:
        for channel in channels.values():
            await channel.close()


async def _sent(
    channel: AnyChannel, book: AccountBook, seen: _Seen, delivery: WebhookDelivery, timeout: float, now: datetime
) -> Tried:
    try:
        receipt = await channel.send(channel.render(delivery, None), timeout=timeout, now=now)
    except (RenderRefused, AccountHeld) as error:
        raise TidingsError(str(error)) from None
    call, signer = seen.calls[-1], _signer(book, delivery)
    accepted = isinstance(receipt, Accepted)
    return Tried(call, signer, accepted, "" if accepted else mend_of(call, signer))


def _signer(book: AccountBook, delivery: WebhookDelivery) -> str:
    names = (endpoint_account(delivery.account), SIGNING)
    there = [name for name in names if book.find("webhook", delivery.project_id, name) is not None]
    return f"webhook/{there[0]}" if there else ""


def mend_of(call: Call, signed_by: str) -> str:
    """Words on what would make an endpoint accept."""
    status = call.status
    if status is None:
        return _UNANSWERED.get(call.outcome, _UNREACHED)
    if 300 <= status < 400:
        return (
            f"redirects are not followed: write the address that it leads to, {call.reply_headers.get('location', '')}"
        )
    if status in (401, 403):
        by = f"give it the secret of {signed_by}" if signed_by else "add a secret: tidings accounts add webhook/main"
        return f"{by}, and have it verify the bytes as they came (deploy/reference/webhooks.md); messages would wait"
    refused = "the receiver refuses what it was sent, its words say why; messages would fail at once"
    failed = "the receiver failed, its own log says why; messages would be tried again"
    return _BY_STATUS.get(status, refused if 400 <= status < 500 else failed)


_UNREACHED = "see that the name leads to it, that it listens at this port, and that its certificate is trusted"
_UNANSWERED = {
    "refused": "the settings of senders say which addresses are called: deploy/reference/webhook-addresses.md",
    "unanswered": "it took the request and did not answer: answer first, work then; messages would be tried again",
}
_BY_STATUS = {
    404: "there is nothing at this path: compare it with the receiver's; messages would fail at once",
    405: "it takes no POST at this path: compare it with the receiver's; messages would fail at once",
    410: "it says that it is no more: messages would pause it until tidings destinations --resume",
    413: "the body is too large for it: choose what is sent (attributes, payload: deploy/reference/payload.md)",
    415: "it does not take JSON at this path: compare it with the receiver's",
    429: "it is asked too often: bound it by rate in its account (deploy/reference/limits.md); messages would wait",
}
