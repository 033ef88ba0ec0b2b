"""The page about providers' answers, written from the tables of `channels/`."""

from __future__ import annotations

from channels.email.smtp_replies import RULES, Rule
from channels.http.replies import explained

_HEAD = """\
# What providers' answers mean

Written from `channels/http/replies.py` and `channels/email/smtp_replies.py` by `python -m console.reference.pages`.

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
    """Both tables."""
    statuses = "".join(f"| {name} | {status.meaning} | {status.why} |\n" for name, status in explained())
    return _HEAD + _HTTP + statuses + _SMTP + "".join(map(_row, RULES))


def _row(rule: Rule) -> str:
    cells = (_stages(rule), _code(rule.codes), _code(rule.enhanced), _code(rule.words), rule.meaning, rule.why)
    return f"| {' | '.join(cells)} |\n"


def _stages(rule: Rule) -> str:
    everywhere = {stage for one in RULES for stage in one.stages}
    return "anywhere" if set(rule.stages) == everywhere else ", ".join(rule.stages)


def _code(pattern: str) -> str:
    return f"`{pattern}`".replace("|", "\\|") if pattern else ""
