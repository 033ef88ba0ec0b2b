"""The ways out: accounts that are there, healthy and fast enough, and senders whose domains say that they are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from agents.accounts import account_keys, usable, usable_account
from agents.channels import policies_of, shared_accounts
from channels.accounts import AccountBook, HeldAccount, Place
from channels.contract import AnyChannel, NotOffered
from channels.email.dkim_record import published
from channels.email.sender_records import LookUp, sender_faults
from channels.email.smtp_session import EmailAccount
from channels.http.ssrf import Reach
from console.control import accounts, destinations
from console.control.destinations import HeldDestination
from console.control.distribution_check import address_problems
from console.control.preflight.finding import Finding, FindingKind, found
from console.control.preflight.written import Written
from deploy.settings.settings import Settings
from schemas.channels.dkim import dkim_advice
from schemas.closed import ChannelName
from schemas.distribution import Distribution
from schemas.errors import TidingsError, TryLater
from schemas.formats.durations import format_duration
from schemas.limit import Rate
from store.accounts import AccountKey, Accounts, StoredAccount
from store.encryption import CannotDecrypt
from store.sending.ledger import Ledger

_SECONDS = 10.0
_SLOW = timedelta(days=1)
"""For so long an audience may take where nothing expires."""
_STATES: Mapping[str, FindingKind] = {
    "paused": "account_paused",
    "failing": "account_failing",
    "throttled": "account_failing",
}
_STAND_IN = EmailAccount("preflight", "localhost", 25, "none", "preflight@example.com")
"""In place of a mailbox that is not there, so that everything else of its mails can be looked at."""


@dataclass(frozen=True, slots=True)
class UsedAccount:
    """An account that a distribution names, and the place of the plan that does first."""

    at: str
    key: AccountKey


def used_accounts(rule: Distribution) -> list[UsedAccount]:
    """Those of all its plans; webhooks name none."""
    places: dict[AccountKey, str] = {}
    for at, plan in rule.plans():
        name = getattr(plan, "account", None)
        if name is not None:
            places.setdefault(AccountKey(rule.project_id, plan.channel, name), f"{at}.account")
    return [UsedAccount(at, key) for key, at in places.items()]


class Ways:
    """The accounts of a distribution as they are now."""

    def __init__(self, rule: Distribution, settings: Settings, stored: Sequence[StoredAccount]) -> None:
        self._rule, self._settings = rule, settings
        self._used = used_accounts(rule)
        self._stored = {one.key: one for one in stored if one.state != "removed"}
        self._shared = shared_accounts(settings)
        self._unreadable: dict[AccountKey, str] = {}
        self.own = dict(self._readable())

    @classmethod
    async def of(cls, pool: asyncpg.Pool, rule: Distribution, settings: Settings) -> Ways:
        """Read them. Raises TryLater, CannotStart."""
        return cls(rule, settings, await Accounts(pool).all())

    def _readable(self) -> Iterator[tuple[Place, Any]]:
        """Accounts to render through, also those that are paused; and a stand-in for a mailbox that is missing."""
        keys = account_keys(self._settings)
        for used in self._used:
            key, stored = used.key, self._stored.get(used.key)
            place: Place = (key.channel, key.project_id, key.name)
            if stored is not None:
                try:
                    account = usable_account(key, stored.read(keys))
                except CannotDecrypt as error:
                    account = HeldAccount(str(error))
                if not isinstance(account, HeldAccount):
                    yield place, account
                    continue
                self._unreadable[key] = account.why
            if key.channel == "email" and (stored is not None or not self._is_shared(key)):
                yield place, _STAND_IN

    def _is_shared(self, key: AccountKey) -> bool:
        return key.name in self._shared.get(key.channel, {})

    def missing(self) -> Iterator[Finding]:
        """Accounts that are not there, or cannot be read."""
        for used in self._used:
            if used.key not in self._stored and not self._is_shared(used.key):
                yield found("account_missing", used.at, f"there is no account {used.key}")
            elif used.key in self._unreadable:
                yield found("account_unfit", used.at, f"{used.key}: {self._unreadable[used.key]}")

    def refused_addresses(self, reach: Reach) -> Iterator[Finding]:
        """Webhooks and files whose addresses are never called."""
        for problem in address_problems(self._rule, reach):
            yield found("address_refused", problem.path, problem.message)

    async def held(self, pool: asyncpg.Pool, written: Sequence[Written]) -> list[Finding]:
        """Accounts and endpoints that are paused, fail or are asked to slow down. Raises TryLater."""
        places: dict[tuple[ChannelName, str], str] = {}
        for used in self._used:
            places.setdefault((used.key.channel, used.key.name), used.at)
        for one in written:
            places.setdefault((one.delivery.channel, one.delivery.account), one.at)
        now = await destinations.held(Ledger(pool), self._rule.project_id)
        told = {(one.channel, one.destination) for one in now if one.state == "paused"}
        paused = [
            found("account_paused", used.at, f"account {used.key} is paused", right="tidings accounts resume")
            for used in self._used
            if (stored := self._stored.get(used.key)) is not None
            and stored.state == "paused"
            and (used.key.channel, used.key.name) not in told
        ]
        return paused + [
            _held(one, at) for one in now for (channel, name), at in places.items() if (channel, name) == _named(one)
        ]

    def slow(self, expected: int, channels: Mapping[ChannelName, AnyChannel]) -> Iterator[Finding]:
        """Accounts that take longer over so many messages than these may wait."""
        most = _SLOW if self._rule.expires_after is None else timedelta(seconds=self._rule.expires_after)
        policies = policies_of(self._settings.sender)
        for used in self._used:
            channel = used.key.channel
            own = channels[channel].limit(used.key.project_id, used.key.name)
            rate = own.rate or policies[channel].limit.rate
            if rate is None or not expected:
                continue
            takes = timedelta(seconds=expected / rate.per_second)
            if takes > most:
                pace, span = _pace(rate), format_duration(int(takes.total_seconds()))
                allowed = format_duration(int(most.total_seconds()))
                text = f"{expected:,} messages at {pace} take {span} by {used.key}, and may wait {allowed}"
                yield found("pace_slow", used.at, text)

    async def ask(self, pool: asyncpg.Pool, look_up: LookUp = published) -> list[Finding]:
        """Ask providers about the accounts, and DNS about their senders."""
        fit = [one for one in self._used if self._is_fit(one.key)]
        asked = [self._tried(pool, one) for one in fit]
        asked += [self._sender(one, look_up) for one in fit if one.key.channel == "email"]
        return [one for made in await asyncio.gather(*asked) for one in made]

    def _is_fit(self, key: AccountKey) -> bool:
        stored = self._stored.get(key)
        if stored is None:
            return self._is_shared(key)
        return not isinstance(usable(stored, account_keys(self._settings)), HeldAccount)

    async def _tried(self, pool: asyncpg.Pool, used: UsedAccount) -> list[Finding]:
        try:
            async with asyncio.timeout(_SECONDS):
                checked = await accounts.check(Accounts(pool), self._settings, used.key)
        except NotOffered:
            return []
        except TimeoutError:
            return [found("account_unfit", used.at, f"{used.key} did not answer within {_SECONDS:g} s")]
        except TryLater:
            raise
        except TidingsError as error:
            return [found("account_unfit", used.at, str(error))]
        return [] if checked.is_well else [found("account_unfit", used.at, f"{used.key}: {checked.said}")]

    async def _sender(self, used: UsedAccount, look_up: LookUp) -> list[Finding]:
        """The sender's domain in DNS, and whether the signature speaks for it."""
        book = AccountBook(self._shared)
        book.replace(self.own)
        account = book.find("email", used.key.project_id, used.key.name)
        if not isinstance(account, EmailAccount):
            return []
        domain = account.sender.rpartition("@")[2].lower()
        made = [found(one.kind, used.at, one.said) for one in await sender_faults(domain, look_up)]
        if account.signer is None:
            made.append(found("mail_unsigned", used.at, f"{used.key} has no dkim_domain, so we do not sign"))
        elif advice := dkim_advice(account.signer.domain, account.sender, account.host):
            made.append(found("signature_unaligned", used.at, advice))
        return made


def _pace(rate: Rate) -> str:
    """As in 14 a second, or 100 in 1m where that is less than one a second."""
    slow = rate.per_second < 1 and float(rate.seconds).is_integer()
    return f"{rate.count} in {format_duration(int(rate.seconds))}" if slow else f"{rate.per_second:g} a second"


def _held(one: HeldDestination, at: str) -> Finding:
    text = f"{one.channel}/{one.destination} is {one.state}: {one.reason}; {one.waiting:,} wait"
    right = f"tidings destinations resume {one.channel}/{one.destination}" if one.state == "paused" else ""
    return found(_STATES.get(one.state, "account_failing"), at, text, right=right)


def _named(one: HeldDestination) -> tuple[str, str]:
    return one.channel, one.destination
