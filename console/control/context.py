"""The facts of a project that its documents are judged by, so that no use case reads the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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

    @property
    def brand_texts(self) -> dict[str, str]:
        """The brand as templates see it, without what is empty."""
        return brand_texts(self.brand)


def brand_texts(brand: Brand) -> dict[str, str]:
    """A brand as templates see it, without what is empty."""
    return {name: text for name, text in asdict(brand).items() if text}
