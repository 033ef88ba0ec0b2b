"""The base of channels whose deliveries leave over HTTP through an account of the user's own.

An account is the form that it was written in, with the address of the provider's API in `url`. Its secret is
added at each attempt, and only to an address that is still its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeVar

from channels.accounts import ChannelAccounts
from channels.codes.links import Links, no_links
from channels.context import ChannelContext
from channels.contract import AccountCheck, shortened
from channels.http.api import HttpChannel, HttpRequest, receipt_by_status
from channels.http.names import Names
from channels.http.ssrf import Reach
from channels.http.transport import BodyLimits, Reply
from schemas.delivery import Delivery
from schemas.errors import RenderRefused, TryLater
from schemas.limit import NO_LIMIT, Limit, written_limit
from schemas.receipt import Accepted, Blocked, Receipt

_NOTHING_THERE = (404, 410)

D = TypeVar("D", bound=Delivery)


class ProviderChannel(HttpChannel[D]):
    """A provider's own file says what proves an account (`proof`), and how it is tried (`tried`)."""

    body_limits: ClassVar[BodyLimits] = BodyLimits(kept=1_048_576, read=1_048_576, seconds=5.0)

    def __init__(
        self, accounts: ChannelAccounts, *, reach: Reach, links: Links = no_links, names: Names | None = None
    ) -> None:
        super().__init__(reach=reach, names=names)
        self._accounts, self._links = accounts, links

    @classmethod
    def build(cls, context: ChannelContext) -> Self:
        """See `Channel`."""
        return cls(context.accounts.of(cls.name), reach=context.reach, links=context.links)

    def limit(self, project_id: str, account: str) -> Limit:
        """See `Channel`."""
        form = self._accounts.usable(project_id, account)
        return written_limit(form.rate, form.concurrency) if form else NO_LIMIT

    def form(self, project_id: str, account: str) -> Any:
        """The account. Raises AccountHeld, and RenderRefused where it is not there."""
        form = self._accounts.find(project_id, account)
        if form is None:
            raise RenderRefused("no_address", self._not_there(project_id, account))
        return form

    def request(
        self, delivery: Delivery, path: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> HttpRequest:
        """A request to a path of the account's API. Raises like `form`."""
        project_id, account = delivery.project_id, delivery.account
        url = self.form(project_id, account).url + path
        return HttpRequest(url, account, delivery.delivery_id, headers or {}, body, method, project_id)

    def attempt_headers(self, request: HttpRequest, now: datetime) -> Mapping[str, str]:
        """See `HttpChannel`. Raises like `still`."""
        return self.proof(self.still(request))

    def still(self, request: HttpRequest) -> Any:
        """The account of a request. Raises AccountHeld, and TryLater where it is another one by now."""
        form = self._accounts.find(request.project_id, request.account)
        if form is None or not self.is_own(form, request):
            raise TryLater(f"account {self.name}/{request.account} was changed while the message was on its way")
        return form

    def is_own(self, form: Any, request: HttpRequest) -> bool:
        """True where a request goes where the account is now, so that no other place is told its secret."""
        return request.url.startswith(form.url + "/")

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`. An address that is the same for every message is wrong for all of them."""
        if reply.status not in _NOTHING_THERE:
            return super().receipt(reply, now)
        words = reply.body.decode(errors="replace")
        return Blocked(
            shortened(f"HTTP {reply.status}: check url, and the version of the API, of the account. {words}")
        )

    def proof(self, form: Any) -> Mapping[str, str]:
        """The headers by which the provider knows the account: all that is secret of a request."""
        raise NotImplementedError

    async def check(self, project_id: str, account: str) -> AccountCheck:
        """See `Channel`."""
        form = self._accounts.find(project_id, account)
        if form is None:
            return AccountCheck(False, self._not_there(project_id, account))
        try:
            return await self.tried(form, project_id, account)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            said = f"what answers there is not {self.name}: {type(error).__name__} where its words are read. Check url"
            return AccountCheck(False, said)

    async def tried(self, form: Any, project_id: str, account: str) -> AccountCheck:
        """A harmless call, and what came of it in words."""
        raise NotImplementedError

    async def called(
        self, form: Any, project_id: str, account: str, path: str, headers: Mapping[str, str] | None = None, **how: Any
    ) -> Reply | Receipt:
        """The reply to a call beside deliveries; of a status that is no success its receipt. `how` is as in `asked`."""
        answer = await self.asked(form, project_id, account, path, headers, **how)
        if not isinstance(answer, Reply):
            return answer
        receipt = receipt_by_status(answer, datetime.now(UTC))
        return answer if isinstance(receipt, Accepted) else receipt

    async def asked(
        self, form: Any, project_id: str, account: str, path: str, headers: Mapping[str, str] | None = None, **how: Any
    ) -> Reply | Receipt:
        """The reply to a call beside deliveries, whatever its status. `how`: method and body."""
        said = {"method": "GET", "body": b"", **how}
        request = HttpRequest(form.url + path, account, "check", headers or {}, project_id=project_id, **said)
        return await self.ask(request, timeout=self.policy.timeout.total_seconds(), now=datetime.now(UTC))

    def _not_there(self, project_id: str, account: str) -> str:
        there = ", ".join(self._accounts.names(project_id)) or "none"
        return f'there is no {self.name} account "{account}"; there are: {there}'
