"""The page about retries, written from the policy of each channel."""

from __future__ import annotations

from datetime import timedelta

from schemas.channels.retries import RETRY_POLICIES, RetryPolicy
from schemas.closed import ChannelName
from schemas.formats.durations import format_duration
from streams.sending.retry import JITTER

_HEAD = f"""\
# When a delivery is tried again

Written from `schemas/channels/retries.py` by `python -m console.reference`.

An attempt that came to nothing ([what answers mean](providers.md)) is made again after a wait. Each is up to
{JITTER:.0%} longer or shorter, so that failed deliveries do not come back all at once. A time that a provider names
lengthens a wait and never shortens it. What waits for a paused destination, or for one that says that it is too much,
uses up no attempt, and no delivery is sent after its `expires_after`. After the last attempt the delivery has failed,
which `tidings deliveries resend` mends. Or its destination is paused, where it says so below, and wherever no
connection could be made (no such name, refused, no route): the delivery then waits with all others for it, until it
expires, or somebody resumes the destination.

The settings `sender.webhook_timeout`, `webhook_retries`, `email_timeout` and `email_retries` say it otherwise, and
`timeout` and `retries` below `[sender.channels.<channel>]` for each other channel.
"""


_LAST = {
    True: "After the last one the destination is paused, if it took nothing else since the one before, as far as the\n"
    "sender that made it has seen.",
    False: "After the last one the delivery has failed.",
}


def retries_page() -> str:
    """A table a channel."""
    return _HEAD + "".join(_section(channel, policy) for channel, policy in RETRY_POLICIES.items())


def _section(channel: ChannelName, policy: RetryPolicy) -> str:
    head = (
        f"\n## {channel}\n\nAn attempt may take {_span(policy.timeout)}. {_LAST[policy.pauses]}\n\n"
        "| attempt | after a wait of | since the first |\n|---|---|---|\n| 1 | | |\n"
    )
    rows, passed = "", timedelta()
    for number, wait in enumerate(policy.waits, start=2):
        passed += wait
        rows += f"| {number} | {_span(wait)} | {_span(passed)} |\n"
    return head + rows


def _span(span: timedelta) -> str:
    hours, seconds = divmod(int(span.total_seconds()), 3600)
    rest = format_duration(seconds) if seconds else ""
    return f"{hours}h {rest}".strip() if hours else rest
