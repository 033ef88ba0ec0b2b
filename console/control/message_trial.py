"""A message of a distribution as a test: rendered, held back and handed over as a sender would, once, to one address.

It is marked, and counted nowhere: neither the ledger nor a topic hears of it, so that no cap, limit or statistic does.
Only the audit log knows who sent it. It leaves through the very account of the distribution; whoever is suppressed, or
out of a sandbox's reach, gets no test either. Codes in it are examples, and its links change nobody's choices.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Literal, assert_never
from uuid import uuid4

import asyncpg
import msgspec

from agents.channels import channels_of, policies_of, shared_accounts
from channels.accounts import AccountBook
from channels.kept_files import KeptFile
from console.control.accounts_now import AccountsNow
from console.control.preview.messages import Candidate, sample_event, unguarded
from deploy.settings.settings import Settings
from schemas.audit import AuditEntry
from schemas.closed import ChannelName
from schemas.decision import Decision
from schemas.delivery import TEST_ID, Delivery
from schemas.errors import BadQuestion, TidingsError
from schemas.formats.mail_address import any_mail_address
from schemas.formats.phone import phone_number
from schemas.receipt import Accepted, Blocked, Deferred, Gone, Receipt, Refused, Throttled, Unanswered
from schemas.record import JsonObject
from schemas.suppression import REASON_TEXTS, delivery_keys, suppression_key
from schemas.template import LocalText, StoredTemplate
from store import audit
from store.accounts import Accounts
from store.distributions import Control
from store.postgres import changing
from store.projects import Projects
from store.sending.suppressions import Suppressions
from streams.values.wording import invalid_kind, unknown

MARK = "[Test] "
"""The beginning of a test's subject, or text."""
_MAILBOX = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")
_MOST_SECONDS = 20.0
"""For an answer: somebody waits for it."""

TrialOutcome = Literal["accepted", "deferred", "throttled", "unanswered", "refused", "blocked", "gone"]
"""The answer of a provider, as senders take it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The message that is asked for. `to` stands in place of the profile's own address or number.

    Without an event it is the sample of the trigger's; `profile` is the one that counts.
    """

    event: JsonObject | None = field(default=None, repr=False)
    profile: JsonObject | None = field(default=None, repr=False)
    channel: ChannelName | None = None
    to: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """A message that is ready to leave."""

    delivery: Delivery = field(repr=False)
    template: StoredTemplate | None = field(repr=False)
    version: int
    attached: Mapping[str, bytes] = field(repr=False)
    """Files of a document that is not applied, by digest."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer of the provider, in its own words without addresses. Of a dry run nobody was asked: both are empty."""

    outcome: TrialOutcome | None
    detail: str
    provider_id: str | None


_ADDRESSED: dict[ChannelName, tuple[str, Callable[[str], object], str]] = {
    "email": ("email", any_mail_address, "an e-mail address, as in ann@shop.example"),
    "sms": ("phone", phone_number, "a number with its country's code, as in +48501234567"),
}
"""By channel that reaches a customer's address: the field of the profile, its reader, and the form that is right."""


def trial_of(candidate: Candidate, wanted: Wanted, project_id: str, zone: tzinfo, now: datetime) -> Trial:
    """The one message that is asked for, marked as a test. Raises BadQuestion, InvalidEvent, TidingsError."""
    rule = candidate.distribution
    channel = _channel(list(dict.fromkeys(plan.channel for _, plan in rule.plans())), wanted)
    event = wanted.event or sample_event(rule, project_id, wanted.profile)
    each = replace(candidate, distribution=msgspec.structs.replace(rule, order="all", fallback_after=None))
    one = unguarded(each, event, _profile(event, channel, wanted), zone, now)
    delivery = next((made for made in one.deliveries if made.channel == channel), None)
    if delivery is None:
        raise TidingsError(_why(one.decisions, channel))
    template = candidate.templates.get(delivery.template.digest) if delivery.template else None
    marked = None if template is None else _marked(template, channel)
    test = msgspec.structs.replace(delivery, delivery_id=f"{TEST_ID}{uuid4().hex}", category=rule.consent)
    return Trial(test, marked, rule.version, candidate.attached)


async def send(
    pool: asyncpg.Pool, settings: Settings, trial: Trial, *, actor: str, now: datetime, dry_run: bool = False
) -> Answered:
    """Send it once, after a row of the audit log says so; or with `dry_run` see to it that it could be sent.

    Raises TidingsError for one that cannot be written, may not leave, or whose account is held; TryLater.
    """
    delivery, accounts = trial.delivery, Accounts(pool)
    await _must_reach(pool, delivery)
    now_used = await AccountsNow.of(accounts, settings, delivery.channel)
    book = AccountBook(shared_accounts(settings))
    book.replace(now_used.usable())
    channels = channels_of(settings, book, kept_file=_files(pool, trial.attached))
    channel = channels[delivery.channel]
    try:
        request = await asyncio.to_thread(channel.render, delivery, trial.template)
        if dry_run:
            return Answered(None, "", None)
        await _note(pool, trial, actor)
        timeout = min(policies_of(settings.sender)[delivery.channel].timeout.total_seconds(), _MOST_SECONDS)
        receipt = await channel.send(request, timeout=timeout, now=now)
        await now_used.keep_renewed(accounts, book)
    finally:
        for one in channels.values():
            await one.close()
    provider_id = receipt.provider_id if isinstance(receipt, Accepted) else None
    return Answered(_outcome(receipt), _without_address(receipt.detail, delivery), provider_id)


def _channel(offered: Sequence[ChannelName], wanted: Wanted) -> ChannelName:
    """The channel that is named, else the one that there is, or that `to` is an address of. Raises BadQuestion."""
    fit = [one for one in offered if wanted.channel in (None, one)]
    if not fit:
        raise BadQuestion(unknown(wanted.channel, offered, "a channel of it"), "channel")
    if len(fit) > 1 and wanted.to is not None:
        fit = [one for one in fit if one == ("sms" if wanted.to.strip().startswith("+") else "email")] or fit
    if len(fit) > 1:
        raise BadQuestion(unknown(None, offered), "channel")
    channel = fit[0]
    if wanted.to is not None:
        _read_address(channel, wanted.to)
    elif wanted.event is None and wanted.profile is None and channel != "webhook":
        given = "an address" if channel in _ADDRESSED else "the profile of whom it is about"
        raise BadQuestion(f"is missing: must be {given}", "to" if channel in _ADDRESSED else "customer")
    return channel


def _read_address(channel: ChannelName, to: str) -> None:
    if channel not in _ADDRESSED:
        raise BadQuestion(f"goes with {' and '.join(_ADDRESSED)}; {channel} reaches what its profile says", "to")
    _, read, allowed = _ADDRESSED[channel]
    try:
        read(to)
    except ValueError:
        raise BadQuestion(invalid_kind(to, allowed), "to") from None


def _profile(event: JsonObject, channel: ChannelName, wanted: Wanted) -> JsonObject | None:
    """The profile that counts, with the address that is given in place of its own."""
    if wanted.to is None:
        return wanted.profile
    data = event.get("data")
    own = wanted.profile or (data.get("customer") if isinstance(data, dict) else None)
    return {**own, _ADDRESSED[channel][0]: wanted.to} if isinstance(own, dict) else None


def _why(decisions: Iterable[Decision], channel: ChannelName) -> str:
    said = [one.detail or str(one.reason) for one in decisions if one.channel == channel and one.outcome == "skipped"]
    return f"{channel}: {said[0] if said else 'this customer does not get it over it'}"


def _marked(template: StoredTemplate, channel: ChannelName) -> StoredTemplate:
    """The template with the mark where its reader looks first, in every locale."""
    if channel == "sms":
        texts = {tag: LocalText(text=_with_mark(one.text)) for tag, one in template.locales.items()}
        return msgspec.structs.replace(template, text=_with_mark(template.text), locales=texts)
    locales = {
        tag: msgspec.structs.replace(one, subject=_with_mark(one.subject)) for tag, one in template.locales.items()
    }
    return msgspec.structs.replace(template, subject=MARK + template.subject, locales=locales)


def _with_mark(text: str | None) -> str | None:
    return MARK + text if text else text


async def _must_reach(pool: asyncpg.Pool, delivery: Delivery) -> None:
    """Raises TidingsError where no delivery could leave for the address."""
    keys = delivery_keys(delivery)
    for one in await Suppressions(pool).find(delivery.project_id, keys):
        if one.channel in (None, delivery.channel):
            since = f"since {one.added_at:%Y-%m-%d}"
            raise TidingsError(f"where it would go is suppressed: {REASON_TEXTS[one.reason]}, {since}")
    stored = await Projects(pool).get(delivery.project_id)
    sandbox = stored.project.sandbox if stored else None
    if sandbox is not None and not {suppression_key(one) for one in sandbox.allow}.intersection(keys):
        raise TidingsError("the project is a sandbox, and where it would go is not on the list of those it reaches")


async def _note(pool: asyncpg.Pool, trial: Trial, actor: str) -> None:
    """Write down that somebody sends it: before it leaves, so that none leaves without."""
    one = trial.delivery
    said = {"channel": one.channel, "account": one.account, "delivery": one.delivery_id}
    entry = AuditEntry(one.project_id, actor, "distribution.tested", one.distribution.id, trial.version, said)
    async with changing(pool) as connection:
        await audit.write(connection, entry)


def _files(pool: asyncpg.Pool, attached: Mapping[str, bytes]) -> KeptFile:
    control = Control(pool)

    async def kept(digest: str) -> bytes | None:
        return attached[digest] if digest in attached else await control.file(digest)

    return kept


def _without_address(detail: str, delivery: Delivery) -> str:
    """A provider's words, without whom they are about: they are kept with the reply."""
    number = delivery.reaches.removeprefix("+") if delivery.channel == "sms" else ""
    bare = _MAILBOX.sub("…", detail)
    return bare.replace(f"+{number}", "…").replace(number, "…") if number else bare


def _outcome(receipt: Receipt) -> TrialOutcome:
    match receipt:
        case Accepted():
            return "accepted"
        case Throttled():
            return "throttled"
        case Deferred():
            return "deferred"
        case Unanswered():
            return "unanswered"
        case Refused():
            return "refused"
        case Blocked():
            return "blocked"
        case Gone():
            return "gone"
        case _:
            assert_never(receipt)
