"""MJML to HTML, once a template and not once a message: what MiniJinja fills in later passes through untouched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mjml import mjml2html

from channels.templates.author_lines import AuthorLine, with_markers
from channels.templates.mjml_attributes import attributes_of
from schemas.names import ROUGHLY_LIKE, did_you_mean

LAYOUT = Path(__file__).parent / "layout"
TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
"""Marks that belong to MiniJinja."""

_MARK = "tidingsmark{}x"
_MARKS = re.compile(r"tidingsmark(\d+)x")
_ATTRIBUTE = re.compile(r"([^\s=\"'<>/]+)(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))?")
_INLINE = "a|abbr|b|big|code|del|em|font|i|img|ins|mark|s|small|span|strike|strong|sub|sup|u"
_SPACED = re.compile(rf"(</(?:{_INLINE})>|<(?:br|img)\b[^<>]*>)(\s*\n\s*)(?=<(?:{_INLINE})\b)", re.IGNORECASE)
"""A line end between words that stand out: the compiler drops it, and they would run together."""
_VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
_PIECE = re.compile(r"<!--.*?-->|<(/?)(mj[a-z-]*)\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*?(/?)>|tidingsmark(\d+)x", re.DOTALL)
_CONTENT = "{{ content }}"
_FOOTER = "{{ footer }}"
_STYLED = re.compile(r'<[A-Za-z][^<>]*?( )style="')
_LONG_LINE = 200
"""Characters; what is filled in makes it longer, and mail takes 998."""
_WITH_TEXT = ("mj-text", "mj-button", "mj-table", "mj-raw", "mj-title", "mj-preview", "mj-style", "mj-navbar-link",
    "mj-social-element", "mj-accordion-title", "mj-accordion-text")  # fmt: skip
_ELEMENTS = (*_WITH_TEXT, "mjml", "mj-head", "mj-body", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint",
    "mj-font", "mj-section", "mj-column", "mj-group", "mj-wrapper", "mj-hero", "mj-image", "mj-divider", "mj-spacer",
    "mj-social", "mj-navbar", "mj-carousel", "mj-carousel-image", "mj-accordion", "mj-accordion-element")  # fmt: skip
_CARD = (
    '<mj-section background-color="#ffffff" border-radius="12px" padding="28px 0" css-class="card">'
    "<mj-column>{}</mj-column></mj-section>"
)
_SPECIMENS = "".join(f"<{name}></{name}>" for name in ("mj-text", "mj-button", "mj-image", "mj-divider", "mj-table"))
"""Content by which a layout is tried: its mj-attributes are nowhere until an element takes them."""
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
    """The document around the content of a template that is not a whole document."""

    source: str
    name: str = "layout.mjml"


def built_in_layout() -> Layout:
    """The layout for those who wrote none."""
    return Layout((LAYOUT / "layout.mjml").read_text())


def compile_mjml(source: str, layout: Layout) -> str:
    """HTML in which every `{{ }}` and `{% %}` stands where it stood, with its line. Raises MjmlWrong.

    A source without `<mjml>` is the content of the layout; where it has no sections of its own it becomes one. The
    footer takes the place of `{{ footer }}`, or the end of the body.
    """
    marks: list[str] = []
    body = _ready(source, marks)
    lines: list[AuthorLine | None] = [AuthorLine(line) for line in _lines(source)]
    if not is_document(source):
        if not any(element in body for element in _IN_BODY):
            body = _CARD.format(body)
        _check_layout(layout)
        before, after = layout.source.split(_CONTENT)
        body = f"{_ready_part(before, marks)}{body}{_ready_part(after, marks)}"
        lines += _layout_lines(layout)
    body, before_all, behind_all = _apart(body)
    html = before_all + _html(_with_footer(body, marks), source) + behind_all
    _check_kept(source, body, html)
    lines += [None] * (len(marks) - len(lines))
    return with_markers(_with_short_lines(html), _MARKS, marks, lines)


def _with_short_lines(html: str) -> str:
    """Line ends within tags, where they mean the same as a space: mail takes short lines as they are."""
    parts, at = [], 0
    for tag in _STYLED.finditer(html):
        begins = max(at, html.rfind("\n", at, tag.start()) + 1)
        if tag.start() - begins > _LONG_LINE:
            parts += [html[at : tag.start(1)], "\n"]
            at = tag.end(1)
    return "".join([*parts, html[at:]])


def _apart(body: str) -> tuple[str, str, str]:
    """A document, and the tags of MiniJinja before and behind it, where MJML takes nothing."""
    before, opened, rest = body.partition("<mjml")
    inner, closed, behind = rest.rpartition("</mjml>")
    head, tail = ("".join(mark.group() for mark in _MARKS.finditer(part)) for part in (before, behind))
    return f"{opened}{inner}{closed}", head, tail


def _lines(source: str) -> list[int]:
    """The line of each tag of MiniJinja, counted from 1."""
    return [source.count("\n", 0, tag.start()) + 1 for tag in TAG.finditer(source)]


def _layout_lines(layout: Layout) -> list[AuthorLine | None]:
    """Those of the tags around the content; what is built in is not a line of the author's."""
    tags = zip(TAG.finditer(layout.source), _lines(layout.source), strict=True)
    name = "" if layout == built_in_layout() else Path(layout.name).name
    return [AuthorLine(line, name) if name else None for tag, line in tags if tag.group() != _CONTENT]


def _check_kept(source: str, body: str, html: str) -> None:
    """Every tag reaches the HTML: the compiler drops what it cannot use. Raises MjmlWrong."""
    for index, tag in enumerate(TAG.finditer(source)):
        mark = _MARK.format(index)
        if tag.group().startswith("{#") or tag.group() == _FOOTER or mark in html:
            continue
        line = source.count("\n", 0, tag.start()) + 1
        within = re.search(rf"<([a-z-]+)[^<>]*?([\w-]+)\s*=\s*[\"'][^\"'<>]*{mark}", body)
        where = f"as {within[2]} of {within[1]} it needs a plain value" if within else "here it takes none"
        raise MjmlWrong(line, f"{tag.group()} would be lost: the compiler drops it, {where}")


def _html(whole: str, source: str) -> str:
    """Raises MjmlWrong with the line in the author's source: the compiler itself names none.

    On a bare > soon after a letter that is not ASCII it panics, and that comes as a BaseException of a class that
    cannot be imported (mjml-python 1.4, by htmlparser 0.2.1).
    """
    try:
        return mjml2html(whole, disable_comments=False, fonts={})
    except ValueError as error:
        raise MjmlWrong(*_unreadable(source, str(error))) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
    said = "the compiler cannot read this: write &gt; for a > that ends no tag"
    raise MjmlWrong(_line_of(r"[^\x00-\x7f][\x00-\x7f]?>", _texts(source)), said)


def _unreadable(source: str, reason: str) -> tuple[int, str]:
    """The place where the compiler stopped, as far as it can be seen, and what would be right."""
    texts = re.sub(r"<!--.*?-->", _blanked, TAG.sub(_blanked, source), flags=re.DOTALL)
    bare = re.search(r"<(?![A-Za-z/!?])", texts)
    if bare:
        return texts.count("\n", 0, bare.start()) + 1, "a < that begins no tag is written &lt;"
    unquoted = re.search(r"<[\w-]+(?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s+[\w:-]+\s*=\s*(?![\"'\s])", texts)
    if unquoted:
        return texts.count("\n", 0, unquoted.end()) + 1, "the value of an attribute stands in quotes"
    opened = _unclosed(texts)
    if opened:
        return opened[0], f"<{opened[1]}> is not closed"
    return _line_of(r"<(?:mj-title|mj-preview|mj-style)\b[^>]*>[^<]*<!--|<\?", TAG.sub(_blanked, source)), reason


def _unclosed(texts: str) -> tuple[int, str] | None:
    """The first element that is still open at its parent's end, or at the end of all."""
    stack: list[tuple[int, str]] = []
    for tag in re.finditer(r"<(/?)([A-Za-z][\w-]*)(?:[^>\"']|\"[^\"]*\"|'[^']*')*?(/?)>", texts):
        closing, name, alone = tag.groups()
        if closing:
            if stack and stack[-1][1] != name and any(one[1] == name for one in stack):
                return stack[-1]
            if stack and stack[-1][1] == name:
                stack.pop()
        elif not alone and name.lower() not in _VOID:
            stack.append((texts.count("\n", 0, tag.start()) + 1, name))
    return stack[-1] if stack else None


def _blanked(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found.group())


def _texts(source: str) -> str:
    return re.sub(r"<[^<>]*>", _blanked, source)


def _line_of(pattern: str, texts: str) -> int:
    found = re.search(pattern, texts)
    return texts.count("\n", 0, found.start()) + 1 if found else 1


def is_document(source: str) -> bool:
    """Tell whether MJML is whole; other MJML is the content of a layout."""
    return "<mjml" in source


@lru_cache(maxsize=100)
def _check_layout(layout: Layout) -> None:
    """On its own, so that what is wrong in it is not looked for in each template. Raises MjmlWrong with its name."""
    try:
        if layout.source.count(_CONTENT) != 1:
            raise MjmlWrong(1, f"has to say {_CONTENT} once: where the content goes")
        if not all(element in layout.source for element in ("<mjml", "<mj-body", "</mj-body>")):
            raise MjmlWrong(1, "is a whole document, with <mjml> and in it <mj-body>")
        content = layout.source.replace(_CONTENT, _CARD.format(_SPECIMENS))
        body = _ready(content, [])
        _check_kept(content, body, _html(body, content))
    except MjmlWrong as error:
        raise MjmlWrong(error.line, error.reason, layout.name) from None


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
    return _MARKS.sub(lambda found: marks[int(found.group(1))], text)


def _pieces(source: str, marks: list[str], *, whole: bool) -> Iterator[str]:
    stack: list[tuple[str, int]] = []
    at = 0
    for piece in _PIECE.finditer(source):
        yield _SPACED.sub(r"\1&#32;\2", source[at : piece.start()])
        at = piece.end()
        closing, name, alone, mark = piece.groups()
        if mark is not None:
            yield _placed(piece.group(), marks[int(mark)], stack[-1][0] if stack else "mj-column")
            continue
        yield piece.group()
        if name:
            line = _line(source[: piece.start()], marks)
            _follow(stack, name, closing, alone, line, whole=whole)
            _check_attributes(name, piece.group(), line)
    if whole and stack:
        raise MjmlWrong(stack[-1][1], f"<{stack[-1][0]}> is not closed")
    yield _SPACED.sub(r"\1&#32;\2", source[at:])


def _follow(stack: list[tuple[str, int]], name: str, closing: str, alone: str, line: int, *, whole: bool) -> None:
    """Keep the elements that are open."""
    if name not in _ELEMENTS:
        hint = did_you_mean(name, _ELEMENTS, ROUGHLY_LIKE) or f" There are: {', '.join(sorted(_ELEMENTS))}."
        raise MjmlWrong(line, f"there is no element {name}.{hint}")
    if closing and (stack or whole):
        if not stack or stack[-1][0] != name:
            opened = f"<{stack[-1][0]}> of line {stack[-1][1]} is open" if stack else "nothing is open"
            raise MjmlWrong(line, f"</{name}> closes nothing: {opened}")
        stack.pop()
    elif not closing and not alone:
        stack.append((name, line))


def _check_attributes(name: str, tag: str, line: int) -> None:
    """Raises MjmlWrong for an attribute that the compiler would pass over, with the nearest."""
    known = attributes_of(name)
    for found in _ATTRIBUTE.finditer(tag.strip("</>").removeprefix(name)):
        attribute = found.group(1)
        if attribute not in known and not _MARKS.search(attribute):
            line += tag.count("\n", 0, tag.find(attribute))
            hint = did_you_mean(attribute, known, ROUGHLY_LIKE) or f" There are: {', '.join(sorted(known))}."
            raise MjmlWrong(line, f"{name} has no attribute {attribute}.{hint}")


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
