"""MJML to HTML, once a template and not once a message: what MiniJinja fills in later passes through untouched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mjml import mjml2html

from schemas.names import ROUGHLY_LIKE, did_you_mean

LAYOUT = Path(__file__).parent / "layout"
TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
"""What belongs to MiniJinja."""

_MARK = "tidingsmark{}x"
_PIECE = re.compile(r"<!--.*?-->|<(/?)(mj[a-z-]*)\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*?(/?)>|tidingsmark(\d+)x", re.DOTALL)
_CONTENT = "{{ content }}"
_FOOTER = "{{ footer }}"
_WITH_TEXT = ("mj-text", "mj-button", "mj-table", "mj-raw", "mj-title", "mj-preview", "mj-style", "mj-navbar-link",
    "mj-social-element", "mj-accordion-title", "mj-accordion-text")  # fmt: skip
_ELEMENTS = (*_WITH_TEXT, "mjml", "mj-head", "mj-body", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint",
    "mj-font", "mj-section", "mj-column", "mj-group", "mj-wrapper", "mj-hero", "mj-image", "mj-divider", "mj-spacer",
    "mj-social", "mj-navbar", "mj-carousel", "mj-carousel-image", "mj-accordion", "mj-accordion-element")  # fmt: skip
_CARD = (
    '<mj-section background-color="#ffffff" border-radius="12px" padding="28px 0" css-class="card">'
    "<mj-column>{}</mj-column></mj-section>"
)
_IN_BODY = ("<mj-section", "<mj-wrapper", "<mj-hero")


class MjmlWrong(ValueError):
    """MJML that cannot be compiled; `line` is counted from 1. `file` is the layout's, where that is what is wrong."""

    def __init__(self, line: int, reason: str, file: str | None = None) -> None:
        super().__init__(f"{file}, line {line}: {reason}" if file else f"line {line}: {reason}")
        self.line = line
        self.reason = reason
        self.file = file


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands around the content of a template that is not a whole document."""

    source: str
    name: str = "layout.mjml"


def built_in_layout() -> Layout:
    """The layout for those who wrote none."""
    return Layout((LAYOUT / "layout.mjml").read_text())


def compile_mjml(source: str, layout: Layout) -> str:
    """HTML in which every `{{ }}` and `{% %}` stands where it stood. Raises MjmlWrong.

    A source without `<mjml>` is the content of the layout; where it has no sections of its own it becomes one. The
    footer takes the place of `{{ footer }}`, or the end of the body.
    """
    marks: list[str] = []
    body = _ready(source, marks)
    if not is_document(source):
        if not any(element in body for element in _IN_BODY):
            body = _CARD.format(body)
        _check_layout(layout)
        before, after = layout.source.split(_CONTENT)
        body = f"{_ready_part(before, marks)}{body}{_ready_part(after, marks)}"
    try:
        html = _html(_with_footer(body, marks))
    except _GaveUp as error:
        raise MjmlWrong(_line_of_bare_end(source), str(error)) from None
    except ValueError as error:
        raise MjmlWrong(1, str(error)) from None
    return _unmarked(html, marks)


class _GaveUp(ValueError):
    """The compiler panicked."""


def _html(source: str) -> str:
    """Raises ValueError for what is wrong, _GaveUp where the compiler panics.

    It does so on a bare > soon after a letter that is not ASCII, and that comes as a BaseException of a class that
    cannot be imported (mjml-python 1.4, by htmlparser 0.2.1).
    """
    try:
        return mjml2html(source, disable_comments=False, fonts={})
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _GaveUp("the compiler cannot read this: write &gt; for a > that ends no tag") from None


def _line_of_bare_end(source: str) -> int:
    """Where the compiler probably gave up; the first line where nothing is to be seen."""
    texts = re.sub(r"<[^<>]*>", lambda tag: re.sub(r"[^\n]", " ", tag.group()), source)
    found = re.search(r"[^\x00-\x7f][\x00-\x7f]?>", texts)
    return source.count("\n", 0, found.start()) + 1 if found else 1


def is_document(source: str) -> bool:
    """Whether MJML is whole; other MJML is the content of a layout."""
    return "<mjml" in source


@lru_cache(maxsize=100)
def _check_layout(layout: Layout) -> None:
    """On its own, so that what is wrong in it is not looked for in each template. Raises MjmlWrong with its name."""
    try:
        if layout.source.count(_CONTENT) != 1:
            raise MjmlWrong(1, f"has to say {_CONTENT} once: where the content goes")
        if not all(element in layout.source for element in ("<mjml", "<mj-body", "</mj-body>")):
            raise MjmlWrong(1, "is a whole document, with <mjml> and in it <mj-body>")
        _html(_ready(layout.source.replace(_CONTENT, _CARD.format("")), []))
    except MjmlWrong as error:
        raise MjmlWrong(error.line, error.reason, layout.name) from None
    except ValueError as error:
        raise MjmlWrong(1, str(error), layout.name) from None


def _ready(source: str, marks: list[str]) -> str:
    """Marks instead of MiniJinja's tags, checked, and tags between elements made `mj-raw`."""
    return "".join(_pieces(_marked(source, marks), marks, whole=True))


def _ready_part(source: str, marks: list[str]) -> str:
    return "".join(_pieces(_marked(source, marks), marks, whole=False))


def _marked(source: str, marks: list[str]) -> str:
    def mark(found: re.Match[str]) -> str:
        marks.append(found.group())
        return _MARK.format(len(marks) - 1)

    return TAG.sub(mark, source)


def _unmarked(text: str, marks: list[str]) -> str:
    return re.sub(r"tidingsmark(\d+)x", lambda found: marks[int(found.group(1))], text)


def _pieces(source: str, marks: list[str], *, whole: bool) -> Iterator[str]:
    stack: list[tuple[str, int]] = []
    at = 0
    for piece in _PIECE.finditer(source):
        yield source[at : piece.start()]
        at = piece.end()
        closing, name, alone, mark = piece.groups()
        if mark is not None:
            yield _placed(piece.group(), marks[int(mark)], stack[-1][0] if stack else "mj-column")
            continue
        yield piece.group()
        if name:
            _follow(stack, name, closing, alone, _line(source[: piece.start()], marks), whole=whole)
    if whole and stack:
        raise MjmlWrong(stack[-1][1], f"<{stack[-1][0]}> is not closed")
    yield source[at:]


def _follow(stack: list[tuple[str, int]], name: str, closing: str, alone: str, line: int, *, whole: bool) -> None:
    """Keep the elements that are open."""
    if name not in _ELEMENTS:
        hint = did_you_mean(name, _ELEMENTS, ROUGHLY_LIKE) or f" There are: {', '.join(sorted(_ELEMENTS))}"
        raise MjmlWrong(line, f"there is no element {name}.{hint}")
    if closing and (stack or whole):
        if not stack or stack[-1][0] != name:
            opened = f"<{stack[-1][0]}> of line {stack[-1][1]} is open" if stack else "nothing is open"
            raise MjmlWrong(line, f"</{name}> closes nothing: {opened}")
        stack.pop()
    elif not closing and not alone:
        stack.append((name, line))


def _placed(mark: str, tag: str, inside: str) -> str:
    """Between elements MJML takes nothing but `mj-raw`; in a column a value becomes a row of its own."""
    if inside in _WITH_TEXT or tag in (_CONTENT, _FOOTER):
        return mark
    row = inside == "mj-column" and tag.startswith("{{")
    return f'<mj-raw><tr><td style="padding:8px 32px">{mark}</td></tr></mj-raw>' if row else f"<mj-raw>{mark}</mj-raw>"


def _line(before: str, marks: list[str]) -> int:
    return _unmarked(before, marks).count("\n") + 1


def _with_footer(body: str, marks: list[str]) -> str:
    footer = _ready((LAYOUT / "footer.mjml").read_text(), marks)
    if _FOOTER in marks:
        return body.replace(_MARK.format(marks.index(_FOOTER)), footer)
    return body.replace("</mj-body>", f"{footer}</mj-body>")
