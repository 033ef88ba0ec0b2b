"""The page about providers' answers, written from the tables of `channels/`."""

from __future__ import annotations

from collections.abc import Mapping

from channels.contract import AnyChannel, Channel, Repeats
from channels.email.smtp_replies import RULES, Rule
from channels.http.batches import BatchingChannel
from channels.http.replies import explained
from channels.registry import CHANNEL_TYPES
from schemas.channels.tables import ACCOUNT_TYPES

_HEAD = """\
# What providers' answers mean

Written from the classes of `channels/registry.py`, `channels/http/replies.py` and `channels/email/smtp_replies.py` by
`python -m console.reference`.

| meaning | what becomes of the message | its destination |
|---|---|---|
| accepted | sent | |
| later | an attempt; again by the schedule, or later where the provider names a time | |
| bounced | as later, and counted against the address (`suppressions.md`) | |
| throttled | waits, without an attempt | let alone until the time that it names, then slowed ([limits](limits.md)) |
| blocked | waits, without an attempt | pauses until `tidings destinations --resume` |
| refused | failed | |
| suppressed | failed, reason `suppressed`: the address is dead, and goes on the suppression list | |
| gone | failed | pauses until `tidings destinations --resume` |

A time that a provider names (`Retry-After` in seconds, as a date of any form, as Unix time; words such as `try again
in 5 minutes`; else the end of a window that nothing is left of, in `RateLimit`, `RateLimit-Reset`, `X-RateLimit-Reset`
and the like, as seconds or as a moment) holds for all senders; the end of such a window also
where the message was taken. It is at most the schedule's longest wait, an hour where that is shorter, and never more
than a day.
"""

_PROVIDERS = """
## Providers

`accepted` says what is known when a provider takes a message; what becomes of it afterwards is only known where the
provider reports it ([callbacks](callbacks.md)). A repeat is what a sender sends again after it was killed, or got no
answer: where it is one message more, that holds for messages and events, while attributes are set to the same again.
Attributes are set in the order in which messages leave: one that is tried again may set older values over newer ones.
The limit is a preset: an account's own `rate` and `concurrency` win. 404 and 410 from an address that is the same for
every message are about the account: blocked.

| channel | accepted | a repeat at the provider | limit | in one request |
|---|---|---|---|---|
"""
_REPEATS: Mapping[Repeats, str] = {
    "key": "is known by the delivery's id",
    "natural": "sets the same again",
    "none": "is one message more",
}

_HTTP = """
## Webhooks

The status alone decides; 100 to 999 each have a meaning. No answer, or no connection: later.

| status | meaning | why |
|---|---|---|
"""

_SMTP = """
## E-mail

The first row that fits counts. A server's certificate that is not trusted, a missing STARTTLS or login: blocked. No
connection, no name, a time-out: later.

| where | code | enhanced code | words | meaning | why |
|---|---|---|---|---|---|
"""


def providers_page() -> str:
    """The tables."""
    providers = "".join(map(_provider, CHANNEL_TYPES.values()))
    statuses = "".join(f"| {name} | {status.meaning} | {status.why} |\n" for name, status in explained())
    return _HEAD + _PROVIDERS + providers + _HTTP + statuses + _SMTP + "".join(map(_row, RULES))


def _provider(channel: type[AnyChannel]) -> str:
    is_asked = channel.look_up is not Channel.look_up
    repeat = _REPEATS[channel.repeats] + (": looked up first, where it can be" if is_asked else "")
    cells = (f"`{channel.name}`", channel.taken, repeat, _limit(channel), _together(channel))
    return f"| {' | '.join(cells)} |\n"


def _limit(channel: type[AnyChannel]) -> str:
    policy = channel.policy
    rate = f"{policy.rate:g} a second" if policy.rate else ""
    return ", ".join(filter(None, (rate, f"{policy.concurrency} at once" if policy.concurrency else "")))


def _together(channel: type[AnyChannel]) -> str:
    if not issubclass(channel, BatchingChannel):
        return "1"
    size = getattr(ACCOUNT_TYPES[channel.name].example, "batch_size", None)
    return f"up to {size} objects" if size else "1; a job of many with `bulk` of its account"


def _row(rule: Rule) -> str:
    cells = (_stages(rule), _code(rule.codes), _code(rule.enhanced), _code(rule.words), rule.meaning, rule.why)
    return f"| {' | '.join(cells)} |\n"


def _stages(rule: Rule) -> str:
    everywhere = {stage for one in RULES for stage in one.stages}
    return "anywhere" if set(rule.stages) == everywhere else ", ".join(rule.stages)


def _code(pattern: str) -> str:
    return f"`{pattern}`".replace("|", "\\|") if pattern else ""
