"""Errors of MiniJinja, in the author's own words and without the values that its message lists."""

from __future__ import annotations

import re

import minijinja

from channels.templates.absent import as_written
from channels.templates.author_lines import AuthorLine, author_line

_ALONE = (
    *(
        "abs",
        "bool",
        "capitalize",
        "count",
        "e",
        "escape",
        "first",
        "float",
        "items",
        "last",
        "length",
        "lines",
        "list",
    ),
    *("list", "lower", "max", "min", "pprint", "reverse", "safe", "string", "striptags", "sum", "title", "upper"),
    "urlencode",
)
_TAKES = {
    **dict.fromkeys(_ALONE, "nothing in brackets"),
    "attr": 'a name, as in attr("city")',
    "batch": 'a count, and what fills the last row, as in batch(3, "")',
    "chain": "more lists",
    "d": 'what stands instead, as in d("there")',
    "default": 'what stands instead, as in default("there")',
    "dictsort": 'by, reverse and case_sensitive by name, as in dictsort(by="value")',
    "filesizeformat": "true for binary units, or nothing",
    "format": 'values for its %s and %d, as in "%s!" | format(customer.name)',
    "groupby": 'a field, as in groupby("sku_id")',
    "indent": "a count, as in indent(4)",
    "int": "a number or a text that is one",
    "join": 'what stands between, as in join(", ")',
    "map": 'a filter, or attribute by name, as in map(attribute="name")',
    "pluralize": 'the endings of one and of many, as in pluralize("y", "ies")',
    "reject": "a test and its value",
    "rejectattr": 'a field, a test and its value, as in rejectattr("amount", "gt", 100)',
    "replace": 'a text and what stands instead, as in replace("-", " ")',
    "round": "a count of decimals, as in round(2)",
    "select": "a test and its value",
    "selectattr": 'a field, a test and its value, as in selectattr("amount", "gt", 100)',
    "slice": "a count of columns, as in slice(2)",
    "sort": 'attribute, reverse and case_sensitive by name, as in sort(attribute="name")',
    "split": 'what stands between, as in split(",")',
    "tojson": "a count of spaces, or nothing",
    "trim": "characters to take away, or nothing",
    "truncate": "length, killwords, end and leeway by name, as in truncate(length=40)",
    "unique": 'attribute and case_sensitive by name, as in unique(attribute="name")',
    "wordwrap": "a width, as in wordwrap(60)",
    "zip": "more lists",
    "range": "a count, or from, to and step, as in range(1, 4)",
    "dict": "values by name, as in dict(a=1)",
    "divisibleby": "a number, as in divisibleby(2)",
}
"""MiniJinja's own filters and functions, which say only that there are too many arguments or too few."""

_ENDS = {"{#": "#}", "{{": "}}", "{%": "%}"}
_BEGIN = re.compile(r"\{[#{%]")
_ELIDED = "(...)"
_UNCUT = 'what stands before [:] is not there, or neither a text nor a list. Write (customer.name | default(""))[:3]'
_PATH = r"[^\W\d][\w.]*(?:\[[^\[\]]*\][\w.]*)*"


def said(error: minijinja.TemplateError) -> str:
    """The reason alone; where it is stands beside it."""
    if error.kind == "OutOfFuel":
        return "takes too much work"
    opened = _never_closed(error.template_source or "") if error.kind == "SyntaxError" else None
    if opened is not None:
        begin = (error.template_source or "")[opened : opened + 2]
        return f"{begin} is not closed by {_ENDS[begin]}; where it is no code of a template write {{{{ '{begin}' }}}}"
    reason = error.detail or ""
    if _ELIDED in reason:
        reason = _named(reason, error)
    if "cannot be sliced" in reason:
        return _UNCUT
    name = _called(error)
    if error.kind != "UndefinedError" and name in _TAKES:
        return f"{name} takes {_TAKES[name]}{f': {reason}' if reason else ''}"
    return reason or re.sub(r"(?<!^)([A-Z])", lambda found: f" {found.group(1).lower()}", error.kind)


def author_place(error: minijinja.TemplateError) -> AuthorLine:
    """The place where the author wrote what is wrong. What is opened and never closed is told where it is opened."""
    source = error.template_source or ""
    opened = _never_closed(source) if error.kind == "SyntaxError" else None
    if opened is not None:
        return author_line(source, opened)
    if error.range:
        return author_line(source, len(source.encode()[: error.range[0]].decode(errors="ignore")))
    return AuthorLine(error.line or 1)


def _never_closed(source: str) -> int | None:
    """The beginning of a comment, an expression or a tag that does not end."""
    at = 0
    while begin := _BEGIN.search(source, at):
        end = source.find(_ENDS[begin.group()], begin.end())
        if end < 0:
            return begin.start()
        at = end + 2
    return None


def _slice(error: minijinja.TemplateError, start: int | None = None) -> str:
    """The piece of the source that an error is about, or what stands from `start` to its end, as it was written."""
    if not error.range or not error.template_source:
        return ""
    begin, end = error.range
    raw = error.template_source.encode()[begin if start is None else start : end]
    return as_written(raw.decode(errors="ignore"))


def _called(error: minijinja.TemplateError) -> str:
    found = re.match(r"[^\W\d]\w*", _slice(error))
    return found.group() if found else ""


def _named(reason: str, error: minijinja.TemplateError) -> str:
    """`(...).city` in full: the last that stands before the end of the piece."""
    whole = _slice(error, 0)

    def full(found: re.Match[str]) -> str:
        ending = found.group(1)
        there = re.findall(rf"{_PATH}(?<={re.escape(ending)})(?!\w)", whole)
        return f"`{there[-1]}`" if there else f"`{ending.lstrip('.')}`"

    return re.sub(r"`\(\.\.\.\)([^`]*)`", full, reason)
