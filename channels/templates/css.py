"""The rules of a page's `<style>` written into the elements that they are for: some mail readers take no other.

It is done once, when a template is read. Marks of MiniJinja stand in for themselves meanwhile: as comments between
elements, where an HTML parser leaves them even between the rows of a table, and as words inside of tags and rules.
Rules with a condition (`@media`) and of states (`:hover`) stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import css_inline

from channels.templates.author_lines import AuthorLine, with_markers
from channels.templates.mjml import TAG

_STYLE = re.compile(r"<style\b", re.IGNORECASE)
_FOR_SOME = re.compile(r"<style\b[^<>]*\bmedia\s*=(?!\s*[\"']?\s*(?:all|screen)\s*[\"'>])", re.IGNORECASE)
_MARK = re.compile(r"(?:<!--|&lt;!--)?tidingsmark(\d+)x(?:--&gt;|-->)?")
_PLACES = re.compile(
    r"<!--.*?-->|<(style|script|title|textarea)\b.*?</\1\s*>|<[!/a-z][^<>]*>|(tidingsmark\d+x)",
    re.DOTALL | re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_SELECTED = re.compile(r"\b(?:class|id)\s*=\s*(?:\"[^\"]*tidingsmark|'[^']*tidingsmark)", re.IGNORECASE)
_VALUE = re.compile(r"/\*.*?\*/|:[^:;{}]*", re.DOTALL)
_BLOCK = re.compile(r"\{%-?\s*(?:(end)|if\b|for\b|with\b|block\b|macro\b|call\b|filter\b|autoescape\b)(?!set|raw)")
_INLINER = css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)


def with_inlined_css(html: str) -> str:
    """A page with its rules in its elements. Each mark keeps its author's line.

    One without `<style>` stays as it is, and so does one whose rules or tags cannot be read before it is filled in: a
    mark in a tag, but in no value of it, makes attributes that nobody knows yet. Rules under a condition, for some
    media or of a class that is filled in would lose against those in the elements.
    """
    styles = [found.start() for found in _STYLE.finditer(html)]
    if not styles or _FOR_SOME.search(html) or any(_has_open_blocks(html[:at]) for at in styles):
        return html
    tags = [found.group() for found in TAG.finditer(html)]
    lines: list[AuthorLine | None] = [
        AuthorLine(html.count("\n", 0, found.start()) + 1) for found in TAG.finditer(html)
    ]
    numbers = iter(range(len(tags)))
    marked = TAG.sub(lambda _: f"tidingsmark{next(numbers)}x", html)
    if any(_is_unknown(found, tags) for found in _PLACES.finditer(marked)):
        return html
    ready = _PLACES.sub(lambda found: f"<!--{found[2]}-->" if found[2] else found[0], marked)
    try:
        return with_markers(_INLINER.inline(ready), _MARK, tags, lines)
    except css_inline.InlineError:
        return html


def _is_unknown(place: re.Match[str], tags: Sequence[str]) -> bool:
    """Tell whether what stands here, attributes or rules, is known only when the page is filled in."""
    if (place[1] or "").lower() == "style":
        is_value = "tidingsmark" not in _VALUE.sub("", place[0])
        return not is_value or any(tags[int(mark[1])].startswith("{%") for mark in _MARK.finditer(place[0]))
    is_tag = not place[1] and not place[2] and not place[0].startswith("<!--")
    return is_tag and ("tidingsmark" in _QUOTED.sub("", place[0]) or _SELECTED.search(place[0]) is not None)


def _has_open_blocks(before: str) -> bool:
    return sum(-1 if found[1] else 1 for found in _BLOCK.finditer(before)) > 0
