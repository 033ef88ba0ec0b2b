"""Braze: attributes and events of profiles, by `/users/track`, many in one request.

Setting an attribute twice is setting it once. An event has no key: it carries the time of what it tells of and, among
its properties, the delivery's id, by which one that was told twice can be known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from channels.contract import AccountCheck, Policy, Repeats, shortened
from channels.http.api import HttpRequest
from channels.http.batches import BatchingChannel
from channels.http.transport import Reply
from channels.payload import nothing_left, render_attributes, transfer_variables
from schemas.channels.braze import BrazeAccountForm, BrazeAddress, BrazeDelivery
from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import ChannelName
from schemas.receipt import Accepted, Receipt, Refused
from schemas.record import JsonObject
from schemas.template import StoredTemplate

PATH = "/users/track"
POLICY = replace(Policy.of(RETRY_POLICIES["braze"]), concurrency=200)
"""As many under way as fill four requests."""
_NOTHING_TO_SAY = b'{"attributes":[]}'
"""A request that a key with the permission is told of as empty, and nothing comes of."""


class _Body(msgspec.Struct, omit_defaults=True):
    """The objects of a request, unread."""

    attributes: list[msgspec.Raw] = []
    events: list[msgspec.Raw] = []


class Braze(BatchingChannel[BrazeDelivery]):
    """The address of an account's cluster is a field of the account."""

    name: ClassVar[ChannelName] = "braze"
    policy: ClassVar[Policy] = POLICY
    repeats: ClassVar[Repeats] = "none"
    taken: ClassVar[str] = "queued by Braze"

    def render(self, delivery: BrazeDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`."""
        account: BrazeAccountForm = self.form(delivery.project_id, delivery.account)
        return self.request(delivery, PATH, _body(delivery, transfer_variables(delivery, self._links), account))

    def proof(self, form: BrazeAccountForm) -> Mapping[str, str]:
        """See `ProviderChannel`."""
        return {"authorization": f"Bearer {form.api_key}"}

    def objects(self, request: HttpRequest) -> int:
        """See `BatchingChannel`: attributes and events count together."""
        body = msgspec.json.decode(request.body, type=_Body)
        return len(body.attributes) + len(body.events)

    def joined(self, bodies: Sequence[bytes]) -> bytes:
        """See `BatchingChannel`."""
        parts = [msgspec.json.decode(body, type=_Body) for body in bodies]
        attributes = [one for part in parts for one in part.attributes]
        return msgspec.json.encode(_Body(attributes, [one for part in parts for one in part.events]))

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`."""
        receipt = super().receipt(reply, now)
        return Accepted(f"HTTP {reply.status}: {self.taken}") if isinstance(receipt, Accepted) else receipt

    def outcomes(self, reply: Reply, bodies: Sequence[bytes], receipt: Receipt) -> Sequence[Receipt | None]:
        """See `BatchingChannel`: an error names the index of its object, or none."""
        said = msgspec.json.decode(reply.body, type=dict[str, Any])
        errors = said.get("errors") or []
        if not errors and said.get("message") not in ("success", "queued"):
            errors = [said]
        found: dict[int, Receipt] = {}
        owners = _owners(bodies) if errors else {}
        for error in errors:
            owner = owners.get((error.get("input_array"), error.get("index"))) if isinstance(error, dict) else None
            if owner is None and len(bodies) > 1:
                return [found.get(index) for index in range(len(bodies))]
            found[owner or 0] = Refused(shortened(f"HTTP {reply.status}: {_words(error)}"))
        other = receipt if isinstance(receipt, Accepted) else None
        return [found.get(index, other) for index in range(len(bodies))]

    async def tried(self, form: BrazeAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: an empty request tells a key that may track users from one that may not."""
        asked = await self.asked(form, project_id, account, PATH, method="POST", body=_NOTHING_TO_SAY)
        return _checked(form, asked)


def _body(delivery: BrazeDelivery, variables: JsonObject, account: BrazeAccountForm) -> bytes:
    to = delivery.braze
    who: JsonObject = _identity(to)
    if account.update_existing_only:
        who["_update_existing_only"] = True
    attributes, body = render_attributes(to.attributes, variables), {}
    if attributes:
        body["attributes"] = [{**attributes, **who}]
    if to.event is not None:
        properties = {**render_attributes(to.event.properties, variables), "delivery_id": delivery.delivery_id}
        time = delivery.event.created_at.isoformat()
        body["events"] = [{**who, "name": to.event.name, "time": time, "properties": properties}]
    if not body:
        raise nothing_left()
    return msgspec.json.encode(body)


def _identity(to: BrazeAddress) -> JsonObject:
    if to.external_id:
        return {"external_id": to.external_id}
    if to.alias_name:
        return {"user_alias": {"alias_name": to.alias_name, "alias_label": to.alias_label}}
    return {"email": to.email} if to.email else {"phone": to.phone}


def _owners(bodies: Sequence[bytes]) -> dict[tuple[Any, Any], int]:
    """The message of each object, by its array and its place in it."""
    owners: dict[tuple[Any, Any], int] = {}
    attributes = events = 0
    for index, body in enumerate(bodies):
        part = msgspec.json.decode(body, type=_Body)
        owners |= {("attributes", attributes + one): index for one in range(len(part.attributes))}
        owners |= {("events", events + one): index for one in range(len(part.events))}
        attributes, events = attributes + len(part.attributes), events + len(part.events)
    return owners


def _words(error: Any) -> str:
    said = error.get("type") or error.get("message") if isinstance(error, dict) else error
    return said if isinstance(said, str) and said.strip() else "the object is not valid"


def _checked(form: BrazeAccountForm, answer: Reply | Receipt) -> AccountCheck:
    if not isinstance(answer, Reply):
        return AccountCheck(False, shortened(f"{form.url}: {answer.detail}. Check url"))
    if answer.status in (200, 201, 400):
        return AccountCheck(True, f"{form.url} lets the key track users, {form.batch_size} objects in one request")
    if answer.status in (401, 403):
        said = "refuses the key. Check api_key, that it has the permission users.track, and that it is of this cluster"
        return AccountCheck(False, f"{form.url} {said} (HTTP {answer.status})")
    return AccountCheck(False, f"{form.url} answers HTTP {answer.status}. Check url: it is the cluster's REST endpoint")
