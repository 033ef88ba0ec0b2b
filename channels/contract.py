"""The contract of a channel: `render` turns a delivery into a request, `send` hands it over and says what came back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

from channels.context import ChannelContext
from channels.status_calls import OWN_CALLS, CallForm, StatusCall, StatusEvent, signed_events
from schemas.account_fields import AccountForm
from schemas.channels.retries import RetryPolicy
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.failover import NO_FAILOVER, Failover
from schemas.known_fields import KnownFields
from schemas.limit import NO_LIMIT, Limit, rate_of
from schemas.receipt import Accepted, Receipt
from schemas.template import StoredTemplate

DETAIL = 300
"""Longest text of a provider that is kept."""

Repeats = Literal["key", "natural", "none"]
"""A repeat of the same request at its provider: known by a key and without effect, the same again, or one more."""

D_contra = TypeVar("D_contra", contravariant=True, bound=Delivery)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Policy:
    """The way in which a channel is tried, where the settings do not say otherwise.

    `timeout` is for one attempt, `retries` are the waits between them. `rate` bounds the messages a second to one
    destination, `concurrency` what is under way to it, both over all senders and where its account does not say
    otherwise; None leaves them to what it takes, and to the settings. `pauses`: retries that are used up pause a
    destination that took nothing else.
    """

    timeout: timedelta
    retries: tuple[timedelta, ...]
    rate: float | None = None
    concurrency: int | None = None
    pauses: bool = False

    @property
    def limit(self) -> Limit:
        """The provider's preset."""
        if self.rate is None and self.concurrency is None:
            return NO_LIMIT
        return Limit(None if self.rate is None else rate_of(self.rate), self.concurrency)

    @classmethod
    def of(cls, policy: RetryPolicy) -> Policy:
        """A channel's own, without bounds that its provider sets."""
        return cls(policy.timeout, policy.waits, pauses=policy.pauses)

    def overridden(self, timeout: timedelta, retries: tuple[timedelta, ...]) -> Policy:
        """The same with what the settings say."""
        return replace(self, timeout=timeout, retries=retries)


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """The state of an account, in words; where it is not well, with what would mend it.

    `known` is what the provider lets a message fill in (fields, merge tags, attributes), read from it now; None where
    there is no such list, or it cannot be read.
    """

    is_well: bool
    said: str
    known: KnownFields | None = None

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The names of these."""
        return None if self.known is None else self.known.names


class NotOffered(Exception):
    """A channel does not have what was asked of it; the message says why."""


class Channel(Protocol[D_contra, R]):
    """One way out. Plugins own no loop, no retry and no logging."""

    name: ClassVar[ChannelName]
    policy: ClassVar[Policy]
    repeats: ClassVar[Repeats]
    """The worst that its provider makes of a repeat: one that takes events without a key has "none"."""
    taken: ClassVar[str]
    """The meaning of `Accepted`, in words, after "accepted: "."""
    lists_fields: ClassVar[bool] = False
    """True where `check` reads the list of what a message may fill in at an account, and nothing else is taken."""
    calls: ClassVar[CallForm] = OWN_CALLS

    @classmethod
    def build(cls, context: ChannelContext) -> Self:
        """The channel of a process. Opens nothing."""
        ...

    @classmethod
    def account(cls, name: str, form: AccountForm) -> Any:
        """An account in the form that this channel uses. Raises OSError, ValueError for what cannot be used here."""
        del name
        return form

    def at_once(self, project_id: str, account: str) -> int | None:
        """Messages that one of its accounts takes at once; None where nothing but the policy bounds it."""
        return None

    def limit(self, project_id: str, account: str) -> Limit:
        """The bounds of one of its destinations as its account says them, over all senders."""
        return NO_LIMIT

    def domain_limit(self, project_id: str, account: str, domain: str) -> Limit:
        """The bounds of mail to one domain through one of its accounts, as that says them, over all senders."""
        return NO_LIMIT

    def failover(self, project_id: str, account: str) -> Failover:
        """The accounts that messages of one go through while it takes nothing; of these only what can be used now."""
        return NO_FAILOVER

    def render_through(self, delivery: D_contra, template: StoredTemplate | None, account: str) -> R:
        """The request through another account of `failover`, with the same id of the message. Raises like `render`."""
        raise NotOffered(f"{self.name}: no other account takes its place")

    def render(self, delivery: D_contra, template: StoredTemplate | None) -> R:
        """The request; the same delivery gives the same. Raises TemplateFailed, RenderRefused, AccountHeld."""
        ...

    async def send(self, request: R, *, timeout: float, now: datetime) -> Receipt:
        """One attempt within `timeout` seconds. Every failure is a receipt.

        Raises AccountHeld or TryLater alone, where nothing was accepted and its account is held, or is another one,
        since the request was rendered.
        """
        ...

    async def look_up(
        self, request: R, *, since: datetime, timeout: float, now: datetime
    ) -> list[Accepted] | Receipt | None:
        """Messages like this one that its provider took since then, before one that it may have had is repeated.

        None where it is repeated without: the provider knows it again, or cannot be asked. Another receipt where
        nobody knows now; then it is not sent.
        """
        return None

    @classmethod
    def statuses(cls, call: StatusCall, account: Any) -> list[StatusEvent]:
        """The events of a provider's call; `account` is the one it is about, as somebody wrote it (`AccountForm`).

        Raises NotProven for what nothing shows to be the provider's, DefinitionInvalid with every problem.
        """
        return signed_events(call, account.callback_secrets)

    async def check(self, project_id: str, account: str) -> AccountCheck:
        """Try an account without sending anything, and say in words how it stands. Raises NotOffered, AccountHeld."""
        raise NotOffered(f"{self.name}: accounts can only be tried with a message")

    async def close(self) -> None:
        """Give back connections. Whatever is sent afterwards opens others."""
        ...


AnyChannel = Channel[Any, Any]


def shortened(text: str) -> str:
    """One line of at most `DETAIL` characters that any store, topic and terminal can show, whatever a provider wrote.

    What does not print goes: line ends, and marks that would turn the direction of what stands around them.
    """
    shown = text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
    line = " ".join(shown.split())
    return line if len(line) <= DETAIL else line[: DETAIL - 1] + "…"
