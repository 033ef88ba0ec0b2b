"""Shopify: a published code becomes a discount code of the shop, by its Admin API in GraphQL.

By itself a code has a discount of its own: one request, with the value, the dates and the number of uses that its
voucher says. Those are each voucher's, so one discount for a whole campaign could not have them. Shopify knows a code
again (TAKEN): the discount that has it is then looked up, and where it is called and worth the same, it is that of
this message, or of another one about the same code, and all is done. So neither a sender that was killed nor two at
once make a second one. Anything else that has the code is not what the customer was promised, and is refused.

Where an author names a discount of the shop, the code is added to that one, with others that are for it: a job at
Shopify, whose end the attempt waits for, since refusals are told there, code by code. A repeat finds its codes taken,
and by whom.

Source: the Admin API's reference, version 2026-10.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

from channels.accounts import ChannelAccounts
from channels.codes.links import Links, no_links
from channels.contract import AccountCheck, Policy, Repeats
from channels.http.api import HttpRequest
from channels.http.batches import BatchingChannel, BatchLimits
from channels.http.names import Names
from channels.http.ssrf import Reach
from channels.http.transport import Reply
from channels.shopify import queries
from channels.shopify.discount import basic_discount, code_of
from channels.shopify.logins import Logins
from channels.shopify.replies import Answer, checked, next_question, of_each, whole
from schemas.channels.retries import RETRY_POLICIES
from schemas.channels.shopify import ShopifyAccountForm, ShopifyDelivery
from schemas.closed import ChannelName
from schemas.errors import AccountHeld, TryLater
from schemas.receipt import Accepted, Receipt, Refused, Throttled, Unanswered
from schemas.template import StoredTemplate

POLICY = replace(Policy.of(RETRY_POLICIES["shopify"]), concurrency=50)
"""A quarter of what the smallest shop's bucket of costs holds; how fast it fills again each reply says."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
"""Seconds between two questions for a job that is not at its end."""


class Shopify(BatchingChannel[ShopifyDelivery]):
    """The shop is a field of the account."""

    name: ClassVar[ChannelName] = "shopify"
    repeats: ClassVar[Repeats] = "natural"
    taken: ClassVar[str] = "the shop has the code"
    policy: ClassVar[Policy] = POLICY

    def __init__(
        self, accounts: ChannelAccounts, *, reach: Reach, links: Links = no_links, names: Names | None = None
    ) -> None:
        super().__init__(accounts, reach=reach, links=links, names=names)
        self._logins = Logins(reach, names)

    def render(self, delivery: ShopifyDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`."""
        form: ShopifyAccountForm = self.form(delivery.project_id, delivery.account)
        if delivery.shopify.discount:
            body = queries.addition(delivery.shopify.discount, [code_of(delivery)])
        else:
            body = queries.creation(basic_discount(delivery, form.currency))
        return self.request(delivery, form.path, body)

    def proof(self, form: ShopifyAccountForm) -> Mapping[str, str]:
        """See `ProviderChannel`."""
        return {"x-shopify-access-token": self._logins.token(form)}

    def kind(self, request: HttpRequest) -> str:
        """See `BatchingChannel`: the discount that gets the code."""
        return str(queries.variables(request.body).get("discountId", ""))

    def batch_limits(self, request: HttpRequest) -> BatchLimits:
        """See `BatchingChannel`: a code with a discount of its own leaves alone."""
        return super().batch_limits(request) if self.kind(request) else BatchLimits(1, self.max_bytes)

    def joined(self, bodies: Sequence[bytes]) -> bytes:
        """See `BatchingChannel`: of a code that is there twice one is sent."""
        asked = [queries.variables(body) for body in bodies]
        codes = dict.fromkeys(one["code"] for each in asked for one in each["codes"])
        return queries.addition(asked[0]["discountId"], list(codes))

    async def ask(self, request: HttpRequest, *, timeout: float, now: datetime) -> Reply | Receipt:
        """The last reply, once it says what became of each code; all within `timeout`."""
        until, pause, asked = time.monotonic() + timeout, _FIRST_PAUSE, request.body
        answer = await self._logged_in(request, timeout, now)
        while isinstance(answer, Reply) and (question := next_question(request.body, answer)):
            if question == request.body:
                await asyncio.sleep(min(pause, max(until - time.monotonic(), 0)))
                pause = min(pause * 2, _LONGEST_PAUSE)
            request = replace(request, body=question)
            answer = await self._ask_on(request, until - time.monotonic(), now)
        if not isinstance(answer, Reply):
            return answer
        version = request.url.rpartition("/admin/api/")[2].partition("/")[0]
        is_begun = request.body != asked
        return Answer(answer.status, answer.headers, answer.body, answer.is_whole, version, is_begun)

    async def _logged_in(self, request: HttpRequest, timeout: float, now: datetime) -> Reply | Receipt:
        form = self._accounts.find(request.project_id, request.account)
        ask = partial(super().ask, request, now=now)
        return await (ask(timeout=timeout) if form is None else self._logins.within(form, ask, timeout))

    async def _ask_on(self, request: HttpRequest, timeout: float, now: datetime) -> Reply | Receipt:
        """The same for what was begun: whatever comes between, it may have been accepted."""
        if timeout <= 0:
            return Unanswered("the shop took the codes, and did not come to an end with them in time")
        try:
            answer = await self._logged_in(request, timeout, now)
        except (AccountHeld, TryLater) as error:
            return Unanswered(str(error))
        return answer if isinstance(answer, Reply | Throttled) else Unanswered(answer.detail)

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`."""
        return whole(reply, super().receipt(reply, now), self.taken)

    def outcomes(self, reply: Reply, bodies: Sequence[bytes], receipt: Receipt) -> Sequence[Receipt | None]:
        """See `BatchingChannel`: of what is refused as a whole nothing says whose fault it is."""
        if isinstance(receipt, Accepted):
            return of_each(reply, bodies, receipt)
        return [receipt if isinstance(receipt, Refused) and len(bodies) == 1 else None] * len(bodies)

    async def close(self) -> None:
        """See `Channel`."""
        await super().close()
        self._logins.close()

    async def tried(self, form: ShopifyAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: whose shop it is, and what the token may do there."""
        answer = await self.asked(form, project_id, account, form.path, method="POST", body=queries.shop())
        receipt = self.receipt(answer, datetime.now(UTC)) if isinstance(answer, Reply) else answer
        return checked(form, answer, receipt)
