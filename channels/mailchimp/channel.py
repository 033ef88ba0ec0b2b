"""Mailchimp: merge fields of an audience's members, one request a member.

A member is known by the MD5 of their address in lower case, so a repeat sets the same fields again. `status`, by which
somebody who left would be put back, is never sent: `status_if_new` counts for those whom the audience did not know.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from channels.contract import AccountCheck, Policy, Repeats
from channels.http.api import HttpRequest
from channels.http.provider import ProviderChannel
from channels.http.transport import Reply
from channels.mailchimp.calls import CALLS, events_of
from channels.mailchimp.replies import checked, receipt_of
from channels.payload import nothing_left, render_attributes, transfer_variables
from channels.status_calls import CallForm, StatusCall, StatusEvent
from schemas.account_fields import AccountForm
from schemas.channels.mailchimp import MailchimpAccountForm, MailchimpDelivery
from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import ChannelName
from schemas.receipt import Receipt
from schemas.template import StoredTemplate

POLICY = replace(Policy.of(RETRY_POLICIES["mailchimp"]), concurrency=4)
"""Ten connections are allowed to a user, over all applications."""
_MOST_FIELDS = 1000


class Mailchimp(ProviderChannel[MailchimpDelivery]):
    """The data centre and the audience are fields of the account."""

    name: ClassVar[ChannelName] = "mailchimp"
    policy: ClassVar[Policy] = POLICY
    repeats: ClassVar[Repeats] = "natural"
    taken: ClassVar[str] = "the member has the merge fields"
    lists_fields: ClassVar[bool] = True
    calls: ClassVar[CallForm] = CALLS

    @classmethod
    def account(cls, name: str, form: AccountForm) -> MailchimpAccountForm:
        """See `Channel`: with the address of its data centre."""
        del name
        if not isinstance(form, MailchimpAccountForm):
            raise TypeError(f"a mailchimp account, not {type(form).__name__}")
        return replace(form, url=form.address)

    @classmethod
    def statuses(cls, call: StatusCall, account: MailchimpAccountForm) -> list[StatusEvent]:
        """See `Channel`: the audience's own webhooks."""
        return events_of(call, account)

    def render(self, delivery: MailchimpDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`."""
        form: MailchimpAccountForm = self.form(delivery.project_id, delivery.account)
        email = delivery.mailchimp.email
        fields = render_attributes(delivery.mailchimp.attributes, transfer_variables(delivery, self._links))
        if not fields:
            raise nothing_left()
        said = {
            "email_address": email,
            "status_if_new": form.status_if_new,
            "merge_fields": {tag: _merge_value(value) for tag, value in fields.items()},
        }
        member = hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()
        path = f"{form.audience}/members/{member}?skip_merge_validation=true"
        return self.request(delivery, path, msgspec.json.encode(said), method="PUT")

    def proof(self, form: MailchimpAccountForm) -> Mapping[str, str]:
        """See `ProviderChannel`. The name of the user may be any."""
        user = f"tidings:{form.api_key}"
        return {"authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`."""
        return receipt_of(reply, super().receipt(reply, now))

    async def tried(self, form: MailchimpAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: reads the audience's merge fields."""
        path = f"{form.audience}/merge-fields?count={_MOST_FIELDS}&fields=merge_fields.tag,merge_fields.type"
        return checked(form, await self.called(form, project_id, account, path))


def _merge_value(value: Any) -> Any:
    """A merge field holds a text or a number, and an address is an object."""
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(str(_merge_value(one)) for one in value)
        case _:
            return value
