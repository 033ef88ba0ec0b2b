"""What stands in for settings that a preview lacks: nothing is sent, so a sample shows what would be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from console.control.files.documents import read_documents
from console.control.preview.template import with_samples
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.settings import Settings

_SENDER = "preview@example.com"


def with_stand_ins(settings: Settings, files: Iterable[Path]) -> tuple[Settings, tuple[str, ...]]:
    """Settings with which the e-mails of some files can be shown, and what was stood in for.

    Accounts are made up where the settings have none: where they have others, a name may be a slip. Raises
    DefinitionInvalid.
    """
    named = sorted({name for document in read_documents(list(files)) for name in _accounts(document.plain)})
    if not named:
        return settings, ()
    said, missing = [], settings.brand.missing()
    if missing:
        keys = ", ".join(f"brand.{key}" for key in missing)
        said.append(f"the settings lack {keys}: samples stand there, and without them no e-mail is sent")
    accounts = settings.email_accounts
    if not accounts:
        accounts = {name: EmailAccountSettings("localhost", _SENDER) for name in named}
        said.append(f"the settings have no [email_accounts.{named[0]}]: the sender is {_SENDER}")
    return replace(settings, brand=with_samples(settings.brand), email_accounts=accounts), tuple(said)


def _accounts(source: Any) -> list[str]:
    channels = source.get("channels") if isinstance(source, dict) else None
    plans = [one.get("email") for one in channels if isinstance(one, dict)] if isinstance(channels, list) else []
    return [plan["account"] for plan in plans if isinstance(plan, dict) and isinstance(plan.get("account"), str)]
