"""The parts that channels are built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from channels.accounts import AccountBook
from channels.codes.links import Links, no_links
from channels.email.mime import FileLimits
from channels.http.ssrf import Reach
from channels.kept_files import KeptFile, no_kept_file
from channels.tracked import NO_TRACKED_LINKS, TrackedLinks
from channels.unsubscribe import NO_UNSUBSCRIBE_LINKS, UnsubscribeLinks
from channels.webhook.calls import Calls
from channels.webhook.signing import Signer


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """The settings as channels need them. `accounts` are in their channel's own form, and change while it is used.

    `reach`: the places that may be called over HTTP. `max_bytes` bounds the body of a webhook, `zone` is the project's.
    `calls` sees those of endpoints, `file_limits` bound the files of e-mails, `kept_file` reads those applied.
    """

    accounts: AccountBook = field(default_factory=AccountBook)
    signer: Signer = field(default_factory=lambda: Signer(()))
    reach: Reach = Reach()
    max_bytes: int = 1_048_576
    links: Links = no_links
    unsubscribe: UnsubscribeLinks = NO_UNSUBSCRIBE_LINKS
    tracked: TrackedLinks = NO_TRACKED_LINKS
    zone: tzinfo = UTC
    calls: Calls | None = None
    file_limits: FileLimits = FileLimits()
    kept_file: KeptFile = no_kept_file
