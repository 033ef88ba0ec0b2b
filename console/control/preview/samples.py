"""Samples for settings that a preview lacks: nothing is sent, so they show what would be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from console.control.context import ProjectContext
from console.control.documents import Document
from deploy.settings.messages import Brand, EmailAccountSettings
from deploy.settings.settings import Settings
from schemas.channels.tables import ACCOUNT_TYPES
from schemas.closed import ChannelName

SAMPLE_BRAND = Brand(
    name="Your brand",
    address="Street 1, Town",
    contact="contact@example.com",
    privacy_url="https://example.com/privacy",
    terms_url="https://example.com/terms",
    logo_url="https://example.com/logo.png",
    permission_reminder="You get this because you are a customer of ours.",
)
"""Stands where the settings have no brand."""

_SENDER = "preview@example.com"


def with_samples(brand: Brand) -> Brand:
    """The brand of the settings, and a sample for each key that is missing there."""
    missing = {name: getattr(SAMPLE_BRAND, name) for name in brand.missing()}
    return replace(brand, **missing)


def sample_texts(project: ProjectContext) -> dict[str, str]:
    """The texts of a project's brand, and a sample for each that is missing there."""
    return replace(project, brand=with_samples(project.brand)).brand_texts


def with_stand_ins(settings: Settings, documents: Iterable[Document]) -> tuple[Settings, tuple[str, ...]]:
    """Settings with which the e-mails of some documents can be shown, and a sentence for each sample.

    Accounts are made up where the settings have none: where they have others, a name may be a slip.
    """
    named = sorted({name for document in documents for name in _accounts(document.plain, "email")})
    if not named:
        return settings, ()
    notes, missing = [], settings.brand.missing()
    if missing:
        keys = ", ".join(f"brand.{key}" for key in missing)
        notes.append(f"the settings lack {keys}: samples stand there, and without them no e-mail is sent")
    accounts = settings.email_accounts
    if not accounts:
        accounts = {name: EmailAccountSettings("localhost", _SENDER) for name in named}
        notes.append(f"the settings have no [email_accounts.{named[0]}]: the sender is {_SENDER}")
    return replace(settings, brand=with_samples(settings.brand), email_accounts=accounts), tuple(notes)


def named_accounts(documents: Iterable[Document]) -> list[tuple[ChannelName, str]]:
    """Accounts, as channel and name, that documents name and no settings keep: an example stands for each."""
    return [
        (channel, name)
        for document in documents
        for channel, kind in ACCOUNT_TYPES.items()
        if kind.example is not None
        for name in _accounts(document.plain, channel)
    ]


def _accounts(source: Any, channel: ChannelName) -> list[str]:
    channels = source.get("channels") if isinstance(source, dict) else None
    plans = [one.get(channel) for one in channels if isinstance(one, dict)] if isinstance(channels, list) else []
    return [plan["account"] for plan in plans if isinstance(plan, dict) and isinstance(plan.get("account"), str)]
