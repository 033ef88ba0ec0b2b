"""Limits and times of workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from typing import Literal

from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import CHANNELS
from schemas.errors import CannotStart
from schemas.plan import MessageLimits
from schemas.watching import WatchBounds

_LONGEST_WEBHOOK_TIMEOUT = timedelta(seconds=30)
_HIGHEST_PORT = 65_535
_LONGEST_KEPT = timedelta(days=36_500)
_WHOLE = 100.0
_LONGEST_HOLD = timedelta(days=30)
_SHORTEST_JUDGED, _LONGEST_JUDGED = timedelta(hours=1), timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Limits of what a matcher takes."""

    max_future: timedelta = timedelta(minutes=5)
    max_event_bytes: int = 1_048_576
    fetch_wait_ms: int = 20
    store: Literal["rocksdb", "memory"] = "rocksdb"
    table_memory_mb: int = 96
    row_cache_mb: int = 0
    standby_replicas: int = 0
    no_match_one_in: int = 0


@dataclass(frozen=True, slots=True)
class ChannelRetries:
    """The time-out of an attempt and the waits between attempts; what is left out is the channel's own."""

    timeout: timedelta | None = None
    retries: tuple[timedelta, ...] | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Attempts of deliveries."""

    lease: timedelta = timedelta(seconds=60)
    concurrency: int = 50
    poll: timedelta = timedelta(seconds=1)
    webhook_timeout: timedelta = RETRY_POLICIES["webhook"].timeout
    webhook_allow_private: bool = False
    webhook_private_networks: tuple[str, ...] = ()
    webhook_allow_http: bool = False
    webhook_ports: tuple[int, ...] = (80, 443, 8080, 8443)
    webhook_max_bytes: int = 1_048_576
    webhook_retries: tuple[timedelta, ...] = RETRY_POLICIES["webhook"].waits
    email_timeout: timedelta = RETRY_POLICIES["email"].timeout
    email_retries: tuple[timedelta, ...] = RETRY_POLICIES["email"].waits
    channels: dict[str, ChannelRetries] = field(default_factory=dict)
    attachment_max_bytes: int = 5_242_880
    attachments_max_bytes: int = 10_485_760
    email_max_bounced: float = 5.0
    email_max_complained: float = 0.1
    email_judged_from: int = 1000
    email_judged_over: timedelta = timedelta(days=7)

    def check(self) -> None:
        """Raises CannotStart for a slow receiver's time-out, and for networks, ports and shares that are not."""
        if self.webhook_timeout > _LONGEST_WEBHOOK_TIMEOUT:
            raise CannotStart(
                "sender.webhook_timeout must be at most 30s, so that one slow receiver cannot hold a place for long"
            )
        for index, network in enumerate(self.webhook_private_networks):
            _check_network(network, f"sender.webhook_private_networks[{index}]")
        for index, port in enumerate(self.webhook_ports):
            if not 0 < port <= _HIGHEST_PORT:
                raise CannotStart(f"sender.webhook_ports[{index}] must be a port from 1 to {_HIGHEST_PORT}, not {port}")
        for channel in self.channels:
            if channel not in CHANNELS or channel in ("webhook", "email"):
                known = ", ".join(one for one in CHANNELS if one not in ("webhook", "email"))
                raise CannotStart(f"sender.channels.{channel} must be one of {known}; others have keys of their own")
        for name, share in (("bounced", self.email_max_bounced), ("complained", self.email_max_complained)):
            if share > _WHOLE:
                raise CannotStart(f"sender.email_max_{name} must be a share in percent, from 0 to 100, not {share:g}")
        if not _SHORTEST_JUDGED <= self.email_judged_over <= _LONGEST_JUDGED:
            raise CannotStart("sender.email_judged_over must be from 1h to 30d")


def _check_network(text: str, path: str) -> None:
    try:
        ip_network(text.strip())
    except ValueError as error:
        raise CannotStart(f"{path} must be a network such as 10.0.0.0/8 or fd00::/8: {error}") from error


@dataclass(frozen=True, slots=True)
class Sends:
    """Manual sends: how long they can still be edited, and how far their events are ahead of what leaves.

    One to more customers than `approve_above` needs the approval of another than who wrote it; 0: none does.
    """

    hold: timedelta = timedelta(minutes=10)
    approve_above: int = 0
    ahead: timedelta = timedelta(minutes=1)
    least_ahead: int = 1000

    def check(self) -> None:
        """Raises CannotStart where nothing could ever begin, or a hold is no time in which anybody acts."""
        if self.least_ahead < 1:
            raise CannotStart("sends.least_ahead must be at least 1: with none ahead nothing begins")
        if self.approve_above < 0:
            raise CannotStart("sends.approve_above must be at least 0, which has none approved")
        if self.hold > _LONGEST_HOLD:
            raise CannotStart(f"sends.hold must be at most {_LONGEST_HOLD.days}d")


@dataclass(frozen=True, slots=True)
class ProjectLimits:
    """Numbers of messages that the default project may send, in place of its plan's; 0 is the plan's."""

    in_all: int = 0
    a_day: int = 0
    a_month: int = 0

    @property
    def written(self) -> MessageLimits:
        """Those that are written."""
        return MessageLimits(in_all=self.in_all or None, a_day=self.a_day or None, a_month=self.a_month or None)


@dataclass(frozen=True, slots=True)
class Watch:
    """The judgement of distributions that fall silent or are skipped far more than usual, and of fields that change."""

    enabled: bool = True
    every: timedelta = timedelta(minutes=5)
    silence_factor: float = 2.0
    silence_least: timedelta = timedelta(hours=6)
    jump_factor: float = 3.0
    jump_least: int = 50
    fields_a_second: float = 20.0

    def check(self) -> None:
        """Raises CannotStart for factors by which all would be a surprise."""
        for name, factor in (("silence", self.silence_factor), ("jump", self.jump_factor)):
            if not factor >= 1:
                raise CannotStart(f"watch.{name}_factor must be at least 1, not {factor:g}")
        if self.jump_least < 1:
            raise CannotStart("watch.jump_least must be at least 1")
        if not 0.001 <= self.fields_a_second <= 100_000:
            raise CannotStart(f"watch.fields_a_second must be 0.001 to 100000, not {self.fields_a_second:g}")
        if self.every < timedelta(seconds=1):
            raise CannotStart("watch.every must be at least 1s")

    @property
    def bounds(self) -> WatchBounds:
        """The bounds of a surprise."""
        return WatchBounds(self.silence_factor, self.silence_least, self.jump_factor, self.jump_least)


@dataclass(frozen=True, slots=True)
class Retention:
    """Times for which what is over is kept. Events older than `deliveries` are not sent, so that no replay sends them.

    `recorded`: decisions, ends of deliveries and purchases as recorders keep them, from the day of their event on.
    `imports`: files that were handed in, by what became of them.
    """

    deliveries: timedelta = timedelta(days=90)
    recorded: timedelta = timedelta(days=90)
    imports: timedelta = timedelta(days=90)

    def check(self) -> None:
        """Raises CannotStart for less than a day, since what has just ended may not have been looked at yet.

        And for more than a hundred years, which is for ever: Postgres has no time that is millions of days ago.
        """
        all_kept = {"deliveries": self.deliveries, "recorded": self.recorded, "imports": self.imports}
        for name, kept in all_kept.items():
            if kept < timedelta(days=1):
                raise CannotStart(f"retention.{name} must be at least 1d")
            if kept > _LONGEST_KEPT:
                raise CannotStart(f"retention.{name} must be at most {_LONGEST_KEPT.days}d")
