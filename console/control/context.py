"""The facts of a project that its documents are judged by, so that no use case reads the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, timedelta, tzinfo

import asyncpg

from agents.reach import reach_of
from agents.tracked_projects import tracking_of
from channels.email.mime import FileLimits
from channels.http.ssrf import Reach
from console.control.default_project import default_values
from deploy.settings.messages import Brand
from deploy.settings.settings import Settings
from schemas.distribution import CONSENTS, Cap, ControlGroup
from schemas.formats.colors import letters_on
from schemas.formats.days import zone_of
from schemas.project import Project
from schemas.record import JsonObject
from schemas.tracking import NO_TRACKING, Tracking
from schemas.window import QuietHours
from store.accounts import Accounts
from store.projects import Projects
from streams.documents.project import ProjectValues


@dataclass(frozen=True, slots=True)
class ProjectContext:
    """One project. `accounts` are names by channel; `has_links`: customers reach pictures of codes, and pages of
    their own.

    `consents_from` says where these are declared, `timezone` names its zone where it is its own, not the settings';
    a send to more than `approve_above` customers needs an approval, None: none does;
    `reach`: the places that webhooks may go to; `file_limits` bound what e-mails bring along; `tracking` is what it
    wants to know of them; `git_lock`: what is managed from Git is changed here only by those who insist.
    """

    project_id: str
    zone: tzinfo = UTC
    timezone: str | None = None
    brand: Brand = Brand()
    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    consents: tuple[str, ...] = CONSENTS
    consents_from: str = "the settings"
    has_links: bool = False
    reach: Reach = Reach()
    control_group: ControlGroup | None = None
    staff: JsonObject | None = None
    quiet_hours: QuietHours | None = None
    country: str | None = None
    caps: tuple[Cap, ...] = ()
    send_hold: timedelta = timedelta(minutes=10)
    approve_above: int | None = None
    file_limits: FileLimits = FileLimits()
    tracking: Tracking = NO_TRACKING
    git_lock: bool = True

    @classmethod
    def of(cls, settings: Settings, project_id: str, document: Project | None = None) -> ProjectContext:
        """A project as its document describes it, and the settings where that says nothing or is not there.

        The default one's document says its brand alone.
        """
        brand = _brand(settings.brand, document)
        if project_id == settings.project_id:
            brand, document = replace(brand, locale=settings.brand.locale), None
        timezone, own = (document.timezone, document.consents) if document else (None, None)
        values = _values(settings, project_id, document)
        return cls(
            project_id,
            zone_of(timezone) if timezone else settings.zone,
            timezone,
            brand,
            {"email": tuple(settings.email_accounts)},
            settings.consents if own is None else tuple(own),
            "the settings" if own is None else "the project's document",
            bool(settings.console.public_url),
            reach_of(settings.sender),
            values.control_group,
            values.staff,
            (document.quiet_hours if document else None) or settings.quiet,
            values.country,
            values.caps,
            _hold(settings, document),
            (document.approve_above if document else None) or settings.sends.approve_above or None,
            FileLimits(settings.sender.attachment_max_bytes, settings.sender.attachments_max_bytes),
            tracking_of(settings, project_id, document),
            settings.git_lock if document is None or document.git_lock is None else document.git_lock,
        )

    def with_accounts(self, stored: Iterable[tuple[str, str]]) -> ProjectContext:
        """The same with accounts of the database beside those of the settings, each as channel and name."""
        names = {channel: set(known) for channel, known in self.accounts.items()}
        for channel, name in stored:
            names.setdefault(channel, set()).add(name)
        return replace(self, accounts={channel: tuple(sorted(known)) for channel, known in names.items()})

    @property
    def brand_texts(self) -> dict[str, str]:
        """The brand as templates see it, without what is empty, and with a timezone of the project's own."""
        return brand_texts(self.brand) | ({"timezone": self.timezone} if self.timezone else {})


async def stored_project(pool: asyncpg.Pool, settings: Settings, project_id: str) -> ProjectContext:
    """A project with the document that is kept of it. Raises TryLater."""
    stored = await Projects(pool).get(project_id)
    return ProjectContext.of(settings, project_id, stored.project if stored else None)


async def whole_project(pool: asyncpg.Pool, settings: Settings, project_id: str) -> ProjectContext:
    """The same with the accounts that are its own. Raises TryLater."""
    own = await Accounts(pool).of_project(project_id)
    project = await stored_project(pool, settings, project_id)
    return project.with_accounts((one.channel, one.name) for one in own)


def brand_texts(brand: Brand) -> dict[str, str]:
    """A brand as templates see it, without what is empty, and with the color of letters on its own (`on_color`)."""
    texts = {name: text for name, text in asdict(brand).items() if text}
    return texts | ({"on_color": brand.letters_color or letters_on(brand.color)} if brand.color else {})


def _values(settings: Settings, project_id: str, document: Project | None) -> ProjectValues:
    """Those of the settings are the default project's alone, but for the country: a cap may be for a category that
    others do not have.
    """
    of_settings = default_values(settings)
    if document is not None:
        own = tuple(document.caps), document.control_group, document.staff, document.country or of_settings.country
        return ProjectValues(*own)
    return of_settings if project_id == settings.project_id else ProjectValues(country=of_settings.country)


def _hold(settings: Settings, document: Project | None) -> timedelta:
    own = document.send_hold if document else None
    return settings.sends.hold if own is None else timedelta(seconds=own)


def _brand(settings: Brand, document: Project | None) -> Brand:
    """The document's brand is whole: no key of another's stands in it."""
    if document is None:
        return settings
    brand = settings if document.brand is None else Brand(**document.brand)
    return replace(brand, locale=document.locale) if document.locale else brand
