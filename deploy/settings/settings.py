"""Every setting of a process, read once at start and checked to the last key.

Each key can be overridden by the environment as TIDINGS_<GROUP>_<KEY>; TIDINGS_KAFKA and TIDINGS_POSTGRES are short
for the two addresses. A secret may be written as `file:/path`, which is read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from deploy.settings.accounts import AccountKeys
from deploy.settings.environment import check_names, with_environment
from deploy.settings.mailboxes import MailboxSettings
from deploy.settings.messages import Api, Brand, Console, EmailAccountSettings, NoticeSettings, Webhook, check_failover
from deploy.settings.oidc import Oidc
from deploy.settings.servers import Http, Kafka, Postgres, Topics, WireFormat
from deploy.settings.values import read_group
from deploy.settings.web import Web
from deploy.settings.workers import Matcher, ProjectLimits, Retention, Sender, Sends, Watch
from schemas.closed import CHANNELS
from schemas.distribution import CONSENTS, TRANSACTIONAL
from schemas.errors import CannotStart
from schemas.formats.blank import is_blank
from schemas.formats.days import zone_of
from schemas.plan import PLANS, MessageLimits, Plan
from schemas.tracking import Tracking
from schemas.window import QuietHours

_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
FIRST_FILE = Path("tidings.toml")
"""Read when it exists and no other file is named by TIDINGS_SETTINGS."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything. `country`, `cap`, `control_group` and `staff` are as written: readers of projects read them."""

    project_id: str = "default"
    timezone: str = "UTC"
    consents: tuple[str, ...] = CONSENTS
    quiet_hours: str = ""
    quiet_channels: tuple[str, ...] = ()
    quiet_holidays: Literal["open", "closed"] = "open"
    country: str = ""
    tracking: tuple[str, ...] = ()
    cap: object = field(default_factory=list)
    control_group: object = ""
    staff: object = field(default_factory=dict)
    git_lock: bool = True
    plan: Plan = "paid"
    data: str = "var/data"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    kafka: Kafka = Kafka()
    postgres: Postgres = Postgres()
    topics: Topics = Topics()
    wire: WireFormat = WireFormat()
    http: Http = Http()
    matcher: Matcher = Matcher()
    sender: Sender = Sender()
    sends: Sends = Sends()
    retention: Retention = Retention()
    webhook: Webhook = Webhook()
    console: Console = Console()
    api: Api = Api()
    web: Web = Web()
    oidc: Oidc = Oidc()
    brand: Brand = Brand()
    notices: NoticeSettings = NoticeSettings()
    limits: ProjectLimits = ProjectLimits()
    watch: Watch = Watch()
    accounts: AccountKeys = AccountKeys()
    email_accounts: dict[str, EmailAccountSettings] = field(default_factory=dict)
    mailboxes: dict[str, MailboxSettings] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the project's days begin and end."""
        return zone_of(self.timezone)

    @property
    def quiet(self) -> QuietHours | None:
        """The project's quiet hours."""
        begins, _, ends = self.quiet_hours.partition("-")
        if not begins:
            return None
        closed = self.quiet_holidays == "closed"
        return QuietHours(begins=begins, ends=ends, channels=list(self.quiet_channels), closed_on_holidays=closed)

    @property
    def tracked(self) -> Tracking:
        """Tracking that the default project wants of its e-mails."""
        return Tracking(opens="opens" in self.tracking, clicks="clicks" in self.tracking)

    @property
    def message_limits(self) -> MessageLimits:
        """The numbers of messages that the default project may send."""
        return self.limits.written.over(PLANS[self.plan])

    def _check_quiet(self) -> None:
        begins, _, ends = self.quiet_hours.partition("-")
        if self.quiet_hours and (not re.fullmatch(f"{_TIME}-{_TIME}", self.quiet_hours) or begins == ends):
            raise CannotStart(f"quiet_hours must be hours such as 21:00-09:00, not {self.quiet_hours!r}")
        if self.quiet_holidays == "closed" and not self.quiet_hours:
            raise CannotStart("quiet_holidays is closed, and there are no quiet_hours that it belongs to")
        if self.quiet_channels and not self.quiet_hours:
            raise CannotStart("quiet_channels are named, and there are no quiet_hours that they belong to")
        for name in self.quiet_channels:
            if name not in CHANNELS:
                raise CannotStart(f"quiet_channels must be some of {', '.join(CHANNELS)}, not {name!r}")

    def check(self) -> None:
        """Raises CannotStart for what no key can be checked for alone, here or in a group."""
        try:
            zone_of(self.timezone)
        except ValueError as error:
            raise CannotStart(f"timezone: {error}") from error
        self._check_quiet()
        for name in self.tracking:
            if name not in Tracking.__struct_fields__:
                raise CannotStart(f"tracking must be some of {', '.join(Tracking.__struct_fields__)}, not {name!r}")
        for index, name in enumerate(self.consents):
            if name == TRANSACTIONAL:
                raise CannotStart(f"consents[{index}]: {TRANSACTIONAL} is not a consent: it is sent without one")
            if is_blank(name):
                raise CannotStart(f"consents[{index}] is empty")
        for group in (
            self.topics, self.kafka, self.webhook, self.console, self.api, self.web, self.brand, self.retention,
            self.sender, self.sends, self.accounts, self.watch,
        ):  # fmt: skip
            group.check()
        self.oidc.check(self.web.url)
        for name, account in self.email_accounts.items():
            account.check(name)
        for name, mailbox in self.mailboxes.items():
            mailbox.check(name)
        check_failover(self.email_accounts)
        self.notices.check(self.email_accounts)


def load_settings(environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """Read and check. Raises CannotStart naming the key, what it is and what is allowed."""
    check_names(Settings, environ)
    source = file or Path(environ.get("TIDINGS_SETTINGS") or FIRST_FILE)
    written = _read_file(source, required=bool(file or environ.get("TIDINGS_SETTINGS")))
    settings: Settings = read_group(Settings, with_environment(Settings, written, environ), "")
    settings.check()
    return settings


def _read_file(source: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(source.read_text())
    except FileNotFoundError as error:
        if required:
            raise CannotStart(f"no settings file {source}") from error
        return {}
    except (OSError, ValueError) as error:
        raise CannotStart(f"cannot read {source}: {error}") from error
