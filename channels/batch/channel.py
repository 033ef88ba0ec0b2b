"""Batch: attributes and events of profiles, by `/profiles/update`, many in one request.

Setting an attribute twice is setting it once. An event has no key: it carries the delivery's id among its attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

import msgspec

from channels.batch.replies import checked, outcomes
from channels.batch.update import update
from channels.contract import AccountCheck, Policy, Repeats
from channels.http.api import HttpRequest
from channels.http.batches import BatchingChannel
from channels.http.transport import Reply
from channels.payload import transfer_variables
from schemas.channels.batch import BatchAccountForm, BatchDelivery
from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import ChannelName
from schemas.receipt import Accepted, Receipt
from schemas.template import StoredTemplate

POLICY = replace(Policy.of(RETRY_POLICIES["batch"]), concurrency=400)
"""As many under way as fill two requests."""


class Batch(BatchingChannel[BatchDelivery]):
    """One profile for each message. Its limit counts profiles, as ours counts messages."""

    name: ClassVar[ChannelName] = "batch"
    policy: ClassVar[Policy] = POLICY
    repeats: ClassVar[Repeats] = "none"
    taken: ClassVar[str] = "queued by Batch"

    def render(self, delivery: BatchDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`."""
        account: BatchAccountForm = self.form(delivery.project_id, delivery.account)
        body = msgspec.json.encode([update(delivery, transfer_variables(delivery, self._links))])
        return self.request(delivery, _path(account), body, headers=_headers(account))

    def proof(self, form: BatchAccountForm) -> Mapping[str, str]:
        """See `ProviderChannel`."""
        return {"authorization": f"Bearer {form.rest_key}"}

    def joined(self, bodies: Sequence[bytes]) -> bytes:
        """See `BatchingChannel`: lists of one become one list."""
        return b"[" + b",".join(body[1:-1] for body in bodies) + b"]"

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`."""
        receipt = super().receipt(reply, now)
        return Accepted(f"HTTP {reply.status}: {self.taken}") if isinstance(receipt, Accepted) else receipt

    def outcomes(self, reply: Reply, bodies: Sequence[bytes], receipt: Receipt) -> Sequence[Receipt | None]:
        """See `BatchingChannel`: an error names its profile, by its place or its id, or none."""
        return outcomes(reply, bodies, receipt)

    async def tried(self, form: BatchAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: an empty list tells a key that is known from one that is not."""
        how = {"method": "POST", "body": b"[]"}
        return checked(form, await self.asked(form, project_id, account, _path(form), _headers(form), **how))


def _path(account: BatchAccountForm) -> str:
    return f"/{account.version}/profiles/update"


def _headers(account: BatchAccountForm) -> Mapping[str, str]:
    return {"x-batch-project": account.project_key}
