"""Batch: attributes and events of profiles, by `/profiles/update`, many in one request.

Setting an attribute twice is setting it once. An event has no key: it carries the delivery's id among its attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from channels.contract import AccountCheck, Policy, Repeats, shortened
from channels.http.api import HttpRequest
from channels.http.batches import BatchingChannel
from channels.http.transport import Reply
from channels.payload import nothing_left, render_attributes, transfer_variables
from schemas.channels.batch import BatchAccountForm, BatchDelivery
from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import ChannelName
from schemas.errors import RenderRefused
from schemas.receipt import Accepted, Receipt, Refused
from schemas.record import JsonObject
from schemas.template import StoredTemplate

POLICY = replace(Policy.of(RETRY_POLICIES["batch"]), concurrency=400)
"""As many under way as fill two requests."""
_EDITS = ("$add", "$remove")
_SUCCESS = "SUCCESS"


class Batch(BatchingChannel[BatchDelivery]):
    """One profile for each message. Its limit counts profiles, as ours counts messages."""

    name: ClassVar[ChannelName] = "batch"
    policy: ClassVar[Policy] = POLICY
    repeats: ClassVar[Repeats] = "none"
    taken: ClassVar[str] = "queued by Batch"

    def render(self, delivery: BatchDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`."""
        account: BatchAccountForm = self.form(delivery.project_id, delivery.account)
        body = msgspec.json.encode([_update(delivery, transfer_variables(delivery, self._links))])
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
        said = msgspec.json.decode(reply.body, type=dict[str, Any])
        errors = said.get("errors") or ([] if said.get("code") == _SUCCESS else [said])
        ids = [_custom_id(body) for body in bodies] if errors else []
        found: dict[int, Receipt] = {}
        for error in errors:
            owners = range(1) if len(bodies) == 1 else _owners(error, ids)
            if not owners:
                return [found.get(index) for index in range(len(bodies))]
            found |= dict.fromkeys(owners, Refused(shortened(f"HTTP {reply.status}: {_words(error)}")))
        other = receipt if isinstance(receipt, Accepted) else None
        return [found.get(index, other) for index in range(len(bodies))]

    async def tried(self, form: BatchAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: an empty list tells a key that is known from one that is not."""
        how = {"method": "POST", "body": b"[]"}
        return _checked(form, await self.asked(form, project_id, account, _path(form), _headers(form), **how))


def _path(account: BatchAccountForm) -> str:
    return f"/{account.version}/profiles/update"


def _headers(account: BatchAccountForm) -> Mapping[str, str]:
    return {"x-batch-project": account.project_key}


def _update(delivery: BatchDelivery, variables: JsonObject) -> JsonObject:
    to = delivery.batch
    made: JsonObject = {"identifiers": {"custom_id": to.custom_id}}
    if attributes := _fitting(render_attributes(to.attributes, variables)):
        made["attributes"] = attributes
    if to.event is not None:
        properties = _fitting(render_attributes(to.event.properties, variables))
        told = {**properties, "delivery_id": delivery.delivery_id}
        made["events"] = [{"name": to.event.name, "attributes": told}]
    if len(made) == 1:
        raise nothing_left()
    return made


def _fitting(attributes: JsonObject) -> JsonObject:
    """Attributes with their dates as Batch reads them, and without what would be done to a list with nothing."""
    made: JsonObject = {}
    for name, value in attributes.items():
        if isinstance(value, dict) and value and value.keys() <= set(_EDITS):
            if edits := {edit: items for edit, items in value.items() if items}:
                made[name] = edits
        else:
            made[name] = _moment(name, value) if name.startswith("date(") else value
    return made


def _moment(name: str, value: Any) -> str:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise RenderRefused("template_error", f"{name} is not a date such as 2026-11-20T09:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _custom_id(body: bytes) -> str:
    (one,) = msgspec.json.decode(body)
    return str(one["identifiers"]["custom_id"])


def _owners(error: Any, ids: Sequence[str]) -> Sequence[int]:
    """The messages that an error is about."""
    if not isinstance(error, dict):
        return ()
    place = error.get("index")
    if isinstance(place, int) and not isinstance(place, bool):
        return (place,) if 0 <= place < len(ids) else ()
    named = error.get("custom_id") or (error.get("identifiers") or {}).get("custom_id")
    return [index for index, one in enumerate(ids) if one == named]


def _words(error: Any) -> str:
    said = error if isinstance(error, dict) else {"message": error}
    words = [str(said[name]) for name in ("code", "reason", "message", "attribute") if isinstance(said.get(name), str)]
    return ": ".join(words) or "the profile's update is not valid"


def _checked(form: BatchAccountForm, answer: Reply | Receipt) -> AccountCheck:
    if not isinstance(answer, Reply):
        return AccountCheck(False, shortened(f"{form.url}: {answer.detail}. Check url"))
    if answer.status in (200, 202, 400):
        return AccountCheck(True, f"{form.url} lets the key update profiles of {form.project_key}")
    if answer.status in (401, 403):
        said = "refuses the key. Check rest_key, project_key, and that the key may use the Profile API of the project"
        return AccountCheck(False, f"{form.url} {said} (HTTP {answer.status})")
    return AccountCheck(False, f"{form.url} answers HTTP {answer.status}. Check url, version and project_key")
