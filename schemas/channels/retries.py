"""The retry policy of each channel, as a list: the time-out of an attempt, and the waits between attempts.

Channels and the settings' defaults are made of it; `deploy/reference/retries.md` shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from schemas.closed import ChannelName
from schemas.formats.durations import parse_duration


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """One more attempt is made than there are waits.

    `pauses`: a delivery that has used them up, while its destination took nothing else, pauses the destination.
    """

    timeout: timedelta
    waits: tuple[timedelta, ...]
    pauses: bool = False


def _policy(timeout: str, *waits: str, pauses: bool = False) -> RetryPolicy:
    return RetryPolicy(parse_duration(timeout), tuple(map(parse_duration, waits)), pauses)


RETRY_POLICIES: Mapping[ChannelName, RetryPolicy] = {
    "webhook": _policy(
        "10s", "1m", "2m", "4m", "8m", "16m", "32m", "64m", "128m", "256m", "8h", "8h", "8h", pauses=True
    ),
    "email": _policy("30s", "1m", "5m", "15m", "1h", "4h", "12h"),
    "sms": _policy("10s", "30s", "2m", "10m", "1h"),
    "braze": _policy("30s", "10s", "1m", "5m", "15m", "1h", "4h", "12h"),
    "klaviyo": _policy("30s", "10s", "1m", "5m", "15m", "1h", "4h", "12h"),
    "mailchimp": _policy("30s", "10s", "1m", "5m", "15m", "1h", "4h", "12h"),
    "activecampaign": _policy("30s", "10s", "1m", "5m", "15m", "1h", "4h", "12h"),
    "intercom": _policy("30s", "10s", "1m", "5m", "15m", "1h", "4h", "12h"),
    "batch": _policy("30s", "10s", "1m", "5m", "15m", "1h", "4h", "12h"),
    "shopify": _policy("30s", "10s", "1m", "5m", "15m", "1h", "4h", "12h"),
}
