"""The facts of a project that its documents are judged by, so that no use case reads the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, tzinfo

from deploy.settings.messages import Brand
from deploy.settings.settings import Settings
from schemas.distribution import CONSENTS


@dataclass(frozen=True, slots=True)
class ProjectContext:
    """One project. `accounts` are names by channel; `has_links`: customers reach pictures of codes."""

    project_id: str
    zone: tzinfo = UTC
    brand: Brand = Brand()
    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    consents: tuple[str, ...] = CONSENTS
    has_links: bool = False

    @classmethod
    def of(cls, settings: Settings, project_id: str) -> ProjectContext:
        """A project as the settings describe all of theirs."""
        return cls(
            project_id,
            settings.zone,
            settings.brand,
            {"email": tuple(settings.email_accounts)},
            settings.consents,
            bool(settings.console.public_url),
        )

    def with_accounts(self, stored: Iterable[tuple[str, str]]) -> ProjectContext:
        """The same with accounts of the database beside those of the settings, each as channel and name."""
        names = {channel: set(known) for channel, known in self.accounts.items()}
        for channel, name in stored:
            names.setdefault(channel, set()).add(name)
        return replace(self, accounts={channel: tuple(sorted(known)) for channel, known in names.items()})

    @property
    def brand_texts(self) -> dict[str, str]:
        """The brand as templates see it, without what is empty."""
        return brand_texts(self.brand)


def brand_texts(brand: Brand) -> dict[str, str]:
    """A brand as templates see it, without what is empty."""
    return {name: text for name, text in asdict(brand).items() if text}
