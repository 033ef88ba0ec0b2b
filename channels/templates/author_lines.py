"""The lines that an author wrote, kept in what is made of them: a comment of MiniJinja, which renders to nothing.

Compiled MJML has other lines than its source. `{#@12#}` says that what follows comes from line 12, `{#@layout.mjml:7#}`
from that line of the layout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_MARKER = re.compile(r"\{#-?@(?:(?P<file>[^:#{}]+):)?(?P<line>\d+)#\}")


class AuthorLine(NamedTuple):
    """A line, counted from 1; of the file beside, where it is not of the template's own."""

    line: int
    file: str = ""

    def __str__(self) -> str:
        return f"line {self.line}{f' of {self.file}' if self.file else ''}"


def author_line(source: str, at: int) -> AuthorLine:
    """The line of a place in a source: what the last marker before it says; without one, the source's own."""
    last = None
    for marker in _MARKER.finditer(source, 0, at):
        last = marker
    if last is None:
        return AuthorLine(source.count("\n", 0, at) + 1)
    return AuthorLine(int(last["line"]), last["file"] or "")


def _marker(line: AuthorLine, *, trims: bool) -> str:
    """`trims`: as the tag behind it does with the blanks before."""
    return f"{{#{'-' if trims else ''}@{f'{line.file}:' if line.file else ''}{line.line}#}}"


def with_markers(html: str, mark: re.Pattern[str], tags: Sequence[str], lines: Sequence[AuthorLine | None]) -> str:
    """HTML with `tags` in place of their marks, and markers where the line changes; what has no line is ours.

    A marker stands before the element, which keeps values as they were; where one stands there, before the tag itself.
    """
    parts, at, shown, element = [], 0, None, -1
    for found in mark.finditer(html):
        tag, line = tags[int(found.group(1))], lines[int(found.group(1))]
        before = html[at : found.start()]
        if line is not None and line != shown:
            opened = html.rfind("<", at, found.start())
            is_free = opened > element and opened >= at
            marker = _marker(line, trims=tag[2:3] == "-" and not is_free)
            cut = opened - at if is_free else len(before)
            before = before[:cut] + marker + before[cut:]
            shown, element = line, opened if is_free else element
        parts += [before, tag]
        at = found.end()
    return "".join([*parts, html[at:]])
