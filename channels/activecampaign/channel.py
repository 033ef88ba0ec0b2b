"""ActiveCampaign: fields of contacts, one request a contact, by `/contact/sync`.

A contact is known by the mailbox alone, so a repeat sets the same fields again. A rendered request holds the names of
fields; their ids are put in as it is sent, from the account's list, which is kept. `/contactLists`, which may put back
somebody who left, is never called.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from channels.accounts import ChannelAccounts
from channels.activecampaign.cache import Account, FieldLists, may_be_old
from channels.activecampaign.fields import Field, Fields, contact_body, has_fields, written
from channels.activecampaign.replies import Page, page_of, receipt_of
from channels.codes.links import Links, no_links
from channels.contract import AccountCheck, Policy, Repeats, shortened
from channels.http.api import HttpRequest
from channels.http.names import Names
from channels.http.provider import ProviderChannel
from channels.http.ssrf import Reach
from channels.http.transport import Reply
from channels.payload import nothing_left, render_attributes, transfer_variables
from schemas.channels.activecampaign import API, ActiveCampaignAccountForm, ActiveCampaignDelivery
from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import ChannelName
from schemas.receipt import Accepted, Deferred, Receipt, Refused, Unanswered
from schemas.template import StoredTemplate

POLICY = replace(Policy.of(RETRY_POLICIES["activecampaign"]), rate=5, concurrency=10)
"""Five requests a second are allowed to an account, over all its keys."""
_PAGE, _MOST_PAGES = 100, 20
_LEAST_SECONDS = 0.05
_NO_FIELDS = Fields.of(())


class ActiveCampaign(ProviderChannel[ActiveCampaignDelivery]):
    """The address of an account is a field of the account."""

    name: ClassVar[ChannelName] = "activecampaign"
    policy: ClassVar[Policy] = POLICY
    repeats: ClassVar[Repeats] = "natural"
    taken: ClassVar[str] = "the contact has the fields"
    lists_fields: ClassVar[bool] = True

    def __init__(
        self, accounts: ChannelAccounts, *, reach: Reach, links: Links = no_links, names: Names | None = None
    ) -> None:
        super().__init__(accounts, reach=reach, links=links, names=names)
        self._lists = FieldLists(self._read)

    def render(self, delivery: ActiveCampaignDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`: fields by the names that their author wrote."""
        to = delivery.activecampaign
        attributes = render_attributes(to.attributes, transfer_variables(delivery, self._links))
        if not attributes:
            raise nothing_left()
        return self.request(delivery, f"{API}/contact/sync", contact_body(to.email, attributes))

    async def send(self, request: HttpRequest, *, timeout: float, now: datetime) -> Receipt:
        """See `Channel`. What is refused is tried once more where the list of fields was old, and is another one."""
        ends = time.monotonic() + timeout
        fields = await self._fields(request, ends)
        if not isinstance(fields, Fields):
            return fields
        receipt = await self._sent(request, fields, ends, now)
        if not isinstance(receipt, Refused) or fields is _NO_FIELDS or not may_be_old(fields):
            return receipt
        newer = await self._fields(request, ends, after=fields)
        if not isinstance(newer, Fields):
            return newer
        return receipt if newer == fields else await self._sent(request, newer, ends, now)

    def proof(self, form: ActiveCampaignAccountForm) -> Mapping[str, str]:
        """See `ProviderChannel`."""
        return {"api-token": form.api_token}

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`."""
        return receipt_of(reply, super().receipt(reply, now))

    async def tried(self, form: ActiveCampaignAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: reads the list of fields."""
        found = await self._read((project_id, account, form))
        if not isinstance(found, Fields):
            return AccountCheck(False, shortened(f"{form.url}: {found.detail}. Check url and api_token"))
        known = found.known
        return AccountCheck(True, f"{form.url} knows the fields {', '.join(known.names)}", known)

    async def close(self) -> None:
        """See `Channel`."""
        self._lists.close()
        await super().close()

    async def _fields(self, request: HttpRequest, ends: float, after: Fields | None = None) -> Fields | Receipt:
        if not has_fields(request.body):
            return _NO_FIELDS
        account = request.project_id, request.account, self.still(request)
        return await self._lists.of(account, _left(ends), after=after)

    async def _sent(self, request: HttpRequest, fields: Fields, ends: float, now: datetime) -> Receipt:
        try:
            body = written(request.body, fields)
        except ValueError as error:
            return Refused(shortened(f"activecampaign/{request.account}: {error}"))
        return await super().send(replace(request, body=body), timeout=_left(ends), now=now)

    async def _read(self, account: Account) -> Fields | Receipt:
        """All pages of an account's list; as nothing was sent, nothing of it is in doubt.

        Their order may change between two pages, so that one is missing: they are then gone through once more.
        """
        found: dict[str, Field] = {}
        project_id, name, form = account
        offset, rounds = 0, 2
        for _ in range(_MOST_PAGES):
            page = self._page(await self.asked(form, project_id, name, f"{API}/fields?limit={_PAGE}&offset={offset}"))
            if not isinstance(page, Page):
                return page
            found |= {str(one.id): one for one in page.fields}
            offset += len(page.fields)
            if not page.fields or offset >= page.meta.total:
                offset, rounds = 0, rounds - 1
            if not rounds or len(found) >= page.meta.total:
                break
        return Fields.of(found.values())

    def _page(self, answer: Reply | Receipt) -> Page | Receipt:
        if isinstance(answer, Reply):
            by_status = super().receipt(answer, datetime.now(UTC))
            if not isinstance(by_status, Accepted):
                return receipt_of(answer, by_status)
            try:
                return page_of(answer.body)
            except ValueError:
                return Deferred("the list of fields is not as ActiveCampaign writes it. Check url")
        return Deferred(answer.detail) if isinstance(answer, Unanswered) else answer


def _left(ends: float) -> float:
    return max(ends - time.monotonic(), _LEAST_SECONDS)
