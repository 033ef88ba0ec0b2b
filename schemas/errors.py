"""Every error of the product, by what has to happen next.

    TidingsError
    ├── BadRecord          dead-letter: this record is wrong and trying it again cannot help
    │   ├── Undecodable        the bytes are not a known encoding, or not valid in it
    │   ├── TooLarge           more bytes than allowed
    │   ├── TooDeep            nested deeper than allowed
    │   └── InvalidEvent       decoded, but a field is missing or of the wrong kind
    ├── DefinitionInvalid  refuse on save: a distribution is wrong; carries every problem found
    ├── BadQuestion        ask otherwise: an option of a search, or of a choice, is wrong; names it
    ├── TemplateFailed     the delivery fails with `template_error`; names the variable
    ├── RenderRefused      the delivery cannot be expressed on its channel; carries the reason
    ├── AccountHeld        the delivery waits: the account that it leaves through must not be used now
    ├── TryLater           a dependency is away; the same work may succeed later
    │   └── Asking             it was asked and has not answered yet
    ├── MustRestart        end the process with nothing committed: what it keeps on its own machine fails it
    └── CannotStart        stop the process: configuration or environment has to be mended by a person

Each message says what was wrong, where, and what would be right. None holds a secret or a payload.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.closed import Reason


class TidingsError(Exception):
    """Any error that the product raises on purpose."""


class BadRecord(TidingsError):
    """A record that can never be processed: it belongs in `dead-letters`."""

    kind: str = "bad_record"

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class Undecodable(BadRecord):
    """The bytes are not valid in any encoding that we read."""

    kind = "undecodable"


class TooLarge(BadRecord):
    """The record has more bytes than the configured limit."""

    kind = "too_large"


class TooDeep(BadRecord):
    """The record is nested deeper than the limit."""

    kind = "too_deep"


class InvalidEvent(BadRecord):
    """A field is missing, of the wrong kind, or outside what is allowed. `path` says which."""

    kind = "invalid_event"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a definition.

    `path` is where, as in `channels[0].email.subject`; `message` says what is wrong and what would be right. Where the
    path holds a text of several lines, `line` is its author's, counted from 1; `variant` is the locale whose text it
    is, and `file` the one that it stands in, where that is another.
    """

    path: str
    message: str
    line: int | None = None
    variant: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class DefinitionInvalid(TidingsError):
    """A distribution cannot be saved. `problems` holds all that was found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class BadQuestion(TidingsError):
    """A search or a choice that cannot be understood. `option` names what of it is wrong; empty: all of it."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(f"{option}: {message}" if option else message)
        self.message, self.option = message, option


class PartWrong(ValueError):
    """A part of a template (subject, text or html) cannot be completed; `line` is counted from 1, `file` the layout."""

    def __init__(self, message: str, part: str, line: int | None = None, *, variant: str = "", file: str = "") -> None:
        super().__init__(message)
        self.part, self.line, self.variant, self.file = part, line, variant, file

    def problem(self, at: str) -> Problem:
        """The same, of the e-mail at a path."""
        return Problem(f"{at}.{self.part}", str(self), self.line, self.variant, self.file)


class TemplateFailed(TidingsError):
    """A template could not be rendered: an undefined variable, too much work, or a wrong filter.

    `part` is subject, text or html, `line` its author's, counted from 1, and `file` the layout, where it is there.
    """

    def __init__(self, message: str, part: str = "", line: int | None = None, file: str = "") -> None:
        super().__init__(message)
        self.part, self.line, self.file = part, line, file


class RenderRefused(TidingsError):
    """A delivery that its channel can never send, with the reason from the closed list."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class AccountHeld(TidingsError):
    """The account that a delivery leaves through is paused, gone or cannot be used; the message says which, and why."""


class TryLater(TidingsError):
    """A dependency does not answer now. `retry_after` is in seconds, where the other side named it.

    `what` names it for `/healthz`, where whoever waits cannot know it.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, what: str = "") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.what = what


class Asking(TryLater):
    """A dependency has been asked and will answer in a moment; nothing is wrong yet."""


DISK = "disk"
"""What TryLater names where the worker's own disk is full: the whole process waits then."""


class MustRestart(TidingsError):
    """The worker's own machine fails it: its rows on disk, its memory. Never the fault of a record."""


class CannotStart(TidingsError):
    """The process must not run as it is configured; the message says what a person should do."""


NOT_OF_THE_RECORD = (TryLater, MustRestart, CannotStart, OSError, MemoryError)
"""Errors that can come up while a record is worked on and say nothing about it: never a reason to dead-letter it."""
