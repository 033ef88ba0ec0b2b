"""Forms of sends by hand: to whom, when, and after which hold, as a page asks for them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from console.control import distributions, segments, sends
from console.control.files.documents import members_in
from console.control.recipients import Recipients, ToCustomers, ToSegment
from console.web.pages import FieldProblem
from console.web.project_sends import send_form
from console.web.projects import ProjectVisit
from console.web.visit import Posted
from console.web.words import inert
from schemas.errors import DefinitionInvalid, Problem
from schemas.events.triggers import MANUAL
from schemas.formats.durations import format_duration
from schemas.send import When
from streams.values.wording import unknown

T = TypeVar("T")
MOST_BYTES = 4 * 1024 * 1024
"""Of a list of customers; more are a segment."""
LABELS: Mapping[str, str] = {
    "distribution": "Distribution", "customers": "Customers", "file": "File", "segment": "Segment", "when": "When",
    "at": "Date and time", "hold": "Hold",
}  # fmt: skip
STAYS = "stays"
_LOOKED_THROUGH, _OFFERED = 2_000, 200


class FormWrong(Exception):
    """A form with all that is wrong in it."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(one.message for one in problems))
        self.problems = problems


class Asked:
    """The fields of a form, read one by one: what is wrong is gathered, and told at the end."""

    def __init__(self, mine: ProjectVisit, posted: Posted) -> None:
        self.given = {name: posted.fields.get(name, "").strip() for name in send_form()}
        self._mine, self._file = mine, posted.files.get("file", b"")
        self.problems: list[FieldProblem] = []

    def once(self) -> str | None:
        """The form with its random key, as one text: the same form sent twice asks for one thing."""
        if not self.given["key"]:
            return None
        whole = hashlib.sha256(self._file)
        for name, text in sorted(self.given.items()):
            whole.update(f"\0{name}\0{len(text)}\0{text}".encode())
        return whole.hexdigest()

    def recipients(self) -> Recipients | None:
        """Those who are named in one of three ways; None where nobody is."""
        given = [name for name in ("customers", "segment") if self.given[name]] + (["file"] if self._file else [])
        if len(given) > 1:
            self.wrong(given[1], f"stands beside {LABELS[given[0]]}: say to whom in one of the three ways")
        elif given == ["segment"]:
            return ToSegment(self.given["segment"])
        elif given:
            return self._listed(given[0])
        return None

    def _listed(self, name: str) -> Recipients | None:
        try:
            text = self.given["customers"] if name == "customers" else self._file.decode("utf-8-sig")
            customers = members_in(text)
        except (UnicodeDecodeError, csv.Error):
            self.wrong(name, "cannot be read: give the ids as UTF-8 text, one a line, or in the first column of a CSV")
            return None
        if not customers:
            self.wrong(name, "names no customer")
        return ToCustomers(customers, name)

    def when(self) -> When | None:
        """The moment; None where it stays as it is."""
        match self.given["when"]:
            case "stays":
                return None
            case "hold" | "now":
                return When()
            case "at" | "local" as clock:
                text, zone = self.given["at"] or None, self._mine.context
                if text is None:
                    self.wrong("at", "is missing: a date and time, as in 2026-12-01T09:00")
                    return None
                return self.read("at", lambda: sends.read_time(text, zone, is_local=clock == "local"))
            case other:
                self.wrong("when", unknown(other, [name for name, _ in times(self._mine)]))
                return None

    def hold(self) -> timedelta | None:
        """The hold; None where nothing is said of it."""
        if self.given["when"] == "now":
            return timedelta()
        text = self.given["hold"]
        return self.read("hold", lambda: sends.read_hold(text)) if text else None

    def read(self, name: str, read: Callable[[], T]) -> T | None:
        """A field as it is read, or what is wrong with it."""
        try:
            return read()
        except DefinitionInvalid as error:
            for one in error.problems:
                self.wrong(name, one.message)
            return None

    def wrong(self, name: str, why: str) -> None:
        """Say what is wrong with a field."""
        self.problems.append(FieldProblem(name, f"{LABELS[name]}: {inert(why)}"))

    def check(self) -> None:
        """Raises FormWrong where something is."""
        if self.problems:
            raise FormWrong(self.problems)


def told(error: DefinitionInvalid) -> list[FieldProblem]:
    """Problems of the use case, each at the field of the form that it is about."""
    return [_told(one) for one in error.problems]


def _told(problem: Problem) -> FieldProblem:
    name, _, place = problem.path.partition(": ")
    field = name if name in LABELS else "main"
    said = f"{place}: {problem.message}" if place else problem.message
    return FieldProblem(field, f"{LABELS[field]}: {inert(said)}" if field in LABELS else inert(said))


def times(mine: ProjectVisit) -> list[tuple[str, str]]:
    """The ways to say when, in words."""
    hold = format_duration(int(mine.context.send_hold.total_seconds()))
    zone = getattr(mine.context.zone, "key", str(mine.context.zone))
    return [
        ("hold", f"after its hold ({hold}, or the one below)"),
        ("now", "at once, without a hold"),
        ("at", f"at the time below, by the clock of {zone}"),
        ("local", "at the time below, by each customer's own clock"),
    ]


async def offered_distributions(mine: ProjectVisit) -> list[tuple[str, str]]:
    """Some distributions that may be sent by hand, with their names. Raises TryLater."""
    found = await distributions.page(mine.pool, mine.project_id, "", _LOOKED_THROUGH, status="LIVE")
    return [(one.id, one.name) for one in found if one.trigger.event == MANUAL][:_OFFERED]


async def offered_segments(mine: ProjectVisit) -> list[tuple[str, str]]:
    """Some segments, with their names. Raises TryLater."""
    found = await segments.page(mine.pool, mine.project_id, "", _OFFERED)
    return [(one.definition.id, one.definition.name) for one in found]
