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
