"""Klaviyo: properties of profiles, and events that start its flows, by its JSON:API.

A profile is set by what is said of it, so that a repeat changes nothing. An event has the delivery's id as its
`unique_id`: the same again is ignored, and without it only one a second would be kept.
An account may have many of them leave in one job (`bulk.py`).
Source: the API's reference, revision 2026-10-15.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import msgspec

from channels.contract import AccountCheck, Policy, Repeats, shortened
from channels.http.api import HttpRequest
from channels.http.batches import LEAST_SECONDS, BatchingChannel, BatchLimits
from channels.http.provider import ProviderChannel
from channels.http.transport import Reply
from channels.klaviyo.bodies import body_of
from channels.klaviyo.bulk import EVENTS, JOBS, LIMITS, PROFILES, job_body, looked_at, refused, wrongs
from channels.payload import transfer_variables
from schemas.channels.klaviyo import KlaviyoAccountForm, KlaviyoDelivery
from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import ChannelName
from schemas.limit import Limit, rate_of
from schemas.receipt import Accepted, Deferred, Receipt, Refused
from schemas.template import StoredTemplate

_JSON_API = "application/vnd.api+json"
_ACCOUNTS = "/api/accounts"
_OK, _CONFLICT = 200, 409
POLICY = replace(Policy.of(RETRY_POLICIES["klaviyo"]), rate=12, concurrency=40)
"""750 profiles a minute; events may go faster, which an account's own `rate` says."""
BULK = Limit(rate_of(500), 2000)
"""Of an account whose messages leave in jobs: two a second, of 150 that are taken in a minute."""


class Klaviyo(BatchingChannel[KlaviyoDelivery]):
    """A message is one request: the profile, or the event with its profile. In bulk, one that is alone is that, too."""

    name: ClassVar[ChannelName] = "klaviyo"
    policy: ClassVar[Policy] = POLICY
    repeats: ClassVar[Repeats] = "key"
    taken: ClassVar[str] = "queued by Klaviyo"
    batch_wait: ClassVar[float] = 0.5
    own_headers: ClassVar[Mapping[str, str]] = {
        **ProviderChannel.own_headers, "content-type": _JSON_API, "accept": _JSON_API,
    }  # fmt: skip

    def render(self, delivery: KlaviyoDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`."""
        path, body = body_of(delivery, transfer_variables(delivery, self._links))
        revision = self.form(delivery.project_id, delivery.account).revision
        return self.request(delivery, path, body, _revision(revision))

    def proof(self, form: KlaviyoAccountForm) -> Mapping[str, str]:
        """See `ProviderChannel`."""
        return {"authorization": f"Klaviyo-API-Key {form.api_key}"}

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`."""
        receipt = super().receipt(reply, now)
        if isinstance(receipt, Accepted) and reply.status == 202:
            return replace(receipt, detail=f"HTTP 202: {self.taken}")
        if reply.status == _CONFLICT and reply.body and isinstance(receipt, Deferred):
            return replace(receipt, detail=shortened(f"HTTP 409: {_words(reply)}"))
        return Refused(shortened(f"HTTP {reply.status}: {_words(reply)}")) if isinstance(receipt, Refused) else receipt

    def limit(self, project_id: str, account: str) -> Limit:
        """See `Channel`."""
        own, form = super().limit(project_id, account), self._accounts.usable(project_id, account)
        if form is None or not form.bulk:
            return own
        return Limit(own.rate or BULK.rate, own.concurrency or BULK.concurrency)

    async def send(self, request: HttpRequest, *, timeout: float, now: datetime) -> Receipt:
        """See `Channel`."""
        form = self._accounts.find(request.project_id, request.account)
        if form is not None and form.bulk:
            return await super().send(request, timeout=timeout, now=now)
        return await super(BatchingChannel, self).send(request, timeout=timeout, now=now)

    def batch_limits(self, request: HttpRequest) -> BatchLimits:
        """See `BatchingChannel`."""
        return LIMITS[_path(request)]

    def together(self, request: HttpRequest, bodies: Sequence[bytes]) -> HttpRequest:
        """See `BatchingChannel`: a job has a path of its own."""
        path = _path(request)
        return replace(request, url=request.url.removesuffix(path) + JOBS[path], body=job_body(path, bodies))

    async def settled(
        self, request: HttpRequest, reply: Reply, bodies: Sequence[bytes], receipt: Receipt, ends: float
    ) -> Sequence[Receipt | None]:
        """See `BatchingChannel`."""
        if len(bodies) == 1:
            return [receipt]
        if not isinstance(receipt, Accepted):
            return refused(reply, len(bodies))
        if not request.url.endswith(JOBS[PROFILES]):
            return [receipt] * len(bodies)

        async def look(path: str) -> Reply | None:
            asked = replace(request, url=request.url.removesuffix(JOBS[PROFILES]) + path, method="GET", body=b"")
            answer = await self.ask(asked, timeout=max(ends - time.monotonic(), LEAST_SECONDS), now=datetime.now(UTC))
            return answer if isinstance(answer, Reply) and answer.status == _OK else None

        return await looked_at(reply, len(bodies), receipt, look, ends)

    async def tried(self, form: KlaviyoAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: whose key it is."""
        answer = await self.called(form, project_id, account, _ACCOUNTS, headers=_revision(form.revision))
        if not isinstance(answer, Reply):
            return AccountCheck(False, f"{answer.detail}. Check url and api_key, and its scope accounts:read")
        (found, *_) = msgspec.json.decode(answer.body)["data"]
        contact = found["attributes"].get("contact_information", {})
        named = contact.get("organization_name") or found["id"]
        return AccountCheck(True, f"the key is that of {named}, revision {form.revision}")


def _path(request: HttpRequest) -> str:
    return PROFILES if request.url.endswith(PROFILES) else EVENTS


def _revision(revision: str) -> Mapping[str, str]:
    """A revision that is retired is refused, and not replaced by a newer one without a word."""
    return {"revision": revision, "x-klaviyo-revision-fall-forward-opt-out": "1"}


def _words(reply: Reply) -> str:
    """The words of its errors, each with its place: JSON:API."""
    try:
        return "; ".join(one.said for one in wrongs(reply))
    except ValueError:
        return reply.body.decode(errors="replace")
