"""Whatever is refused, as RFC 9457 has it: a kind from a closed list, and the problems that a command prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from console.control.approvals import ApprovalNeeded
from console.control.not_found import NotFound
from schemas.errors import BadQuestion, BadRecord, DefinitionInvalid, TidingsError, TryLater
from schemas.errors import Problem as FoundProblem
from schemas.formats.pointers import pointer_of
from store.distributions import VersionConflict
from streams.values.wording import parts_of

PROBLEM_JSON = "application/problem+json"
PROBLEMS_PATH = "/api/v1/problems/"
RETRY_SECONDS = 5
"""After which to come again, where nobody knows better."""

ProblemKind = Literal[
    "unreadable", "invalid", "unauthenticated", "forbidden", "not_found", "method_not_allowed", "too_slow", "conflict",
    "approval_needed", "in_flight", "key_reused", "changed", "too_large", "unsupported", "too_many_requests", "failed",
    "later",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """A kind of problem: its status, its title, and what to do about it."""

    status: int
    title: str
    advice: str


MEANINGS: Mapping[ProblemKind, Meaning] = {
    "unreadable": Meaning(400, "The request cannot be read", "Send what the description of the API says, as JSON."),
    "invalid": Meaning(422, "Something is not valid", "Mend each of `errors`; nothing was changed."),
    "unauthenticated": Meaning(
        401, "No valid key", "Send `Authorization: Bearer` with a key that is neither expired nor revoked."
    ),
    "forbidden": Meaning(403, "Not allowed", "Use a key whose role has the `permission` that is named."),
    "not_found": Meaning(404, "Not there", "Look at the spelling; lists say what there is."),
    "method_not_allowed": Meaning(405, "Not in this way", "Use a method that `Allow` names."),
    "too_slow": Meaning(408, "Too slow", "Send the body at once."),
    "conflict": Meaning(409, "It does not fit what there is", "Read it again, and decide anew."),
    "approval_needed": Meaning(
        409, "An approval is missing", "Have it approved by somebody whom `detail` allows, and send the same again."
    ),
    "in_flight": Meaning(409, "The same is under way", "Ask again after `Retry-After` for its reply."),
    "key_reused": Meaning(409, "Another request had this key", "Make a new Idempotency-Key for each request."),
    "changed": Meaning(412, "It has changed since", "Read it again: `changes` says what is different."),
    "too_large": Meaning(413, "Too large", "Send less at once."),
    "unsupported": Meaning(415, "Of another type", "Send JSON, not compressed."),
    "too_many_requests": Meaning(429, "Too many requests", "Wait for as many seconds as `Retry-After` says."),
    "failed": Meaning(500, "It failed", "A defect of ours: tell its operators the `request_id`."),
    "later": Meaning(503, "Not now", "Send the same again after `Retry-After`."),
}
"""By kind. Each has a page of its own, which `type` leads to."""


class Detail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong: where (one of the first three), what was given, what is allowed, the nearest name."""

    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    detail: str
    given: str | None = None
    allowed: str | None = None
    nearest: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reply to what is refused. Source: RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""
    request_id: str = ""
    errors: list[Detail] = []
    permission: str | None = None
    changes: list[str] = []


@dataclass(frozen=True, slots=True)
class Refusal:
    """The words of a refusal; `permission` is the one that lacks, `changes` what is different by now."""

    kind: ProblemKind
    detail: str = ""
    errors: tuple[Detail, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    permission: str | None = None
    changes: Sequence[str] = ()

    def problem(self, instance: str, request_id: str) -> Problem:
        """The reply's body."""
        meaning = MEANINGS[self.kind]
        return Problem(
            type=PROBLEMS_PATH + self.kind,
            title=meaning.title,
            status=meaning.status,
            detail=self.detail or meaning.advice,
            instance=instance,
            request_id=request_id,
            errors=list(self.errors),
            permission=self.permission,
            changes=list(self.changes),
        )


class Refused(Exception):
    """A request that is not done."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def refused(kind: ProblemKind, detail: str = "", *errors: Detail, **headers: str) -> Refused:
    """An error to raise; headers are written with underscores."""
    return Refused(Refusal(kind, detail, errors, {name.replace("_", "-"): text for name, text in headers.items()}))


def refusal_of(error: TidingsError) -> Refusal:
    """The refusal of an error of the product, by what has to happen next."""
    match error:
        case DefinitionInvalid(problems=problems):
            return Refusal("invalid", _counted(len(problems)), tuple(map(of_document, problems)))
        case NotFound():
            return Refusal("not_found", str(error), (Detail(detail=str(error), nearest=error.meant),))
        case TryLater():
            after = str(math.ceil(error.retry_after or RETRY_SECONDS))
            return Refusal("later", "a server that this needs does not answer", headers={"retry-after": after})
        case BadQuestion(message=message, option=option):
            return Refusal("invalid", str(error), (in_parameter(option, message),) if option else ())
        case BadRecord():
            return Refusal("invalid", str(error), (in_body(pointer_of(error.path), str(error)),))
        case ApprovalNeeded(changes=changes):
            return Refusal("approval_needed", str(error), permission="sends:approve", changes=changes)
        case VersionConflict():
            return Refusal("conflict", str(error))
    return Refusal("conflict", str(error))


def of_document(problem: FoundProblem) -> Detail:
    """A problem of a document, as a command prints it."""
    where = ":".join(str(part) for part in (problem.file, problem.line) if part)
    return in_body(pointer_of(problem.path), f"{where}  {problem.message}" if where else problem.message)


def in_body(pointer: str, message: str) -> Detail:
    """A problem at a place of the body."""
    given, allowed, nearest = parts_of(message)
    return Detail(pointer=pointer, detail=message, given=given, allowed=allowed, nearest=nearest)


def in_parameter(name: str, message: str) -> Detail:
    """A problem of a parameter of the path or the query."""
    given, allowed, nearest = parts_of(message)
    return Detail(parameter=name, detail=message, given=given, allowed=allowed, nearest=nearest)


def _counted(number: int) -> str:
    return f"{number} problem{'' if number == 1 else 's'}, nothing was changed"
