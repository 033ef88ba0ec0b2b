"""Notices to a project's owner: a record of `notices`, and of each message that goes out about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from schemas.closed import NoticeKind, NoticeState, Unknown
from schemas.record import Record, doc


@dataclass(frozen=True, slots=True)
class Concern:
    """A matter that waits for a person, in words. One of a project, kind and `about` is open at a time."""

    project_id: str
    kind: NoticeKind
    about: str
    summary: str
    look_at: str


class NoticeAddresses(Record, frozen=True, kw_only=True):
    """Whoever hears what waits for a person: `emails`, by the e-mail account named `account`, and a `webhook`."""

    emails: list[str] = []
    account: str = ""
    webhook: str = ""

    def ways(self, state: NoticeState | Unknown) -> tuple[str, ...]:
        """As `email/ACCOUNT:ADDRESS` and `webhook:URL`: people hear what begins, programs the end as well."""
        how = f"email/{self.account}" if self.account else "email"
        mails = [f"{how}:{address}" for address in self.emails] if state == "opened" else []
        return (*mails, *([f"webhook:{self.webhook}"] if self.webhook else ()))


class Notice(Record, frozen=True, kw_only=True):
    """Something that waits for a person: told once when it begins, and once when it is over."""

    notice_id: Annotated[str, doc("The same for the beginning and the end; another one when it comes back.")]
    project_id: str
    kind: NoticeKind | Unknown
    about: Annotated[str, doc("What it is about: email/main, a campaign's id, a distribution's id.")]
    state: NoticeState | Unknown
    summary: Annotated[str, doc("What is wrong, in a sentence.")]
    look_at: Annotated[str, doc("The command that shows more, and what would mend it.")]
    opened_at: datetime
    closed_at: datetime | None = None
