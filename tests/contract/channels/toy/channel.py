"""The file that would be `channels/toy.py`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from channels.accounts import ChannelAccounts
from channels.context import ChannelContext
from channels.contract import AccountCheck, Policy, Repeats
from channels.http.api import HttpChannel, HttpRequest, receipt_by_status
from channels.http.ssrf import Reach
from channels.http.transport import Reply
from channels.status_calls import NotProven, StatusCall, StatusEvent
from schemas.closed import ChannelName
from schemas.errors import RenderRefused
from schemas.known_fields import KnownField, KnownFields
from schemas.receipt import Accepted, Receipt, Refused
from schemas.template import StoredTemplate
from tests.contract.channels.toy.records import TOY, ToyDelivery


@dataclass(frozen=True, slots=True)
class ToyAccount:
    """The address of a provider, and the secret by which it knows us."""

    url: str
    token: str = field(repr=False)


class Toy(HttpChannel[ToyDelivery]):
    """A provider whose every answer is a 200, with the outcome in its body."""

    name: ClassVar[ChannelName] = TOY
    repeats: ClassVar[Repeats] = "key"
    taken: ClassVar[str] = "on its shelf"
    policy: ClassVar[Policy] = Policy(
        timeout=timedelta(seconds=10), retries=(timedelta(seconds=30), timedelta(minutes=2)), rate=10, concurrency=5
    )

    def __init__(self, accounts: ChannelAccounts, *, reach: Reach) -> None:
        super().__init__(reach=reach)
        self._accounts = accounts

    @classmethod
    def build(cls, context: ChannelContext) -> Toy:
        """See `Channel`."""
        return cls(context.accounts.of(cls.name), reach=context.reach)

    def render(self, delivery: ToyDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`."""
        account = self._accounts.find(delivery.project_id, delivery.account)
        if account is None:
            raise RenderRefused("no_address", f"no toy account {delivery.account}")
        body = msgspec.json.encode(delivery.toy)
        key = {"idempotency-key": delivery.delivery_id}
        return HttpRequest(
            account.url, delivery.account, delivery.delivery_id, key, body, project_id=delivery.project_id
        )

    def attempt_headers(self, request: HttpRequest, now: datetime) -> Mapping[str, str]:
        """See `HttpChannel`."""
        return {"authorization": f"Bearer {self._token(request.project_id, request.account)}"}

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`."""
        said = msgspec.json.decode(reply.body, type=dict[str, str])
        if reply.status != 200:
            return receipt_by_status(reply, now)
        return Refused(f"HTTP 200: {said['error']}") if "error" in said else Accepted("HTTP 200", said["id"])

    @classmethod
    def statuses(cls, call: StatusCall, account: ToyAccount) -> list[StatusEvent]:
        """See `Channel`."""
        proof = hmac.new(account.token.encode(), call.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(proof.encode(), call.headers.get("x-proof", "").encode()):
            raise NotProven
        said = msgspec.json.decode(call.body, type=dict[str, str])
        return [StatusEvent("delivered", provider_id=said["id"], detail="the toy has arrived")]

    async def check(self, project_id: str, account: str) -> AccountCheck:
        """See `Channel`."""
        token = self._token(project_id, account)
        return AccountCheck(
            True, f"{account} has a token of {len(token)} characters", KnownFields((KnownField("toy_name"),))
        )

    def _token(self, project_id: str, account: str) -> str:
        found = self._accounts.find(project_id, account)
        return found.token if found else ""
