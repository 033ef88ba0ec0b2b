"""MiniJinja in which what is not there can be asked for at any depth, and still not be shown.

Strict, MiniJinja refuses `customer.address.city | default("…")` for a customer without an address; lenient, it shows
nothing where a name is missing. So the source is rewritten before it is compiled, on the same lines:
- what is looked into is looked into as an empty object where it is not there: `(customer.address or {}).city`
- what `default` stands behind is absent where it is blank: `(customer.name|present).value|default("there")`
- what is cut where it is shown cannot be cut where it is not there, or is blank before `default`: `(name|cut)[:3]`
- a field with the name of a method of Python's `dict` is asked of the fields alone: `(order|fields).items`
- what an `if` compares does not compare where it is not there: less and more than nothing, equal to nothing
A tab stands in what was added, so that messages can show what was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from channels.templates.filters import WrongValue
from schemas.formats.blank import is_blank

_BEGIN = re.compile(r"\{[{%#]")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}", re.DOTALL)
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<end>[-+]?[%}]\})|(?P<sign>[=!<>]=|//|\*\*|[^\w\s])",
    re.DOTALL,
)
_WORDS = frozenset({"and", "elif", "else", "for", "if", "in", "is", "not", "or", "recursive", "set"})
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
_CALCULATES = tuple("+-*/%~")
_LOW, _HIGH = "tidings_low", "tidings_high"
_SIDES = {"<": (_HIGH, _LOW), "<=": (_HIGH, _LOW), ">": (_LOW, _HIGH), ">=": (_LOW, _HIGH)}
_EQUAL = (_LOW, _HIGH)
"""Stand-ins for a missing value on the left and on the right, so that no comparison holds (of `!=` each)."""
_OPENED = "(\t"
_LOOKED_INTO = "\tor {})"
_PRESENT = "tidings_present"
_ASKED = f"\t|{_PRESENT}).value"
_SHOWN = "tidings_shown"
_FIELDS = "tidings_fields"
_METHODS = frozenset(name for name in dir(dict) if not name.startswith("_"))
"""Names for which MiniJinja gives what Python has where the data has nothing: `order.items` would be a function."""
_CUT, _CUT_OR_BLANK = "tidings_cut", "tidings_cut_or_blank"
_SAID = rf'{_SHOWN}\("\w+"\)'
_ADDED = re.compile(
    rf"\(\t|\tor \{{\}}\)|\t\|{_PRESENT}\)\.value|\t\|(?:{_LOW}|{_HIGH}|{_FIELDS}|{_CUT}|{_CUT_OR_BLANK}|{_SAID})\)"
)
_BLANKING = ("e", "escape", "indent", "urlencode")
"""Filters that write nothing for what is not there."""


class _Highest:
    """MiniJinja sorts an object of ours behind all that data can hold, and a null before it."""

    def __bool__(self) -> bool:
        return False


_HIGHEST = _Highest()


def _present(value: Any) -> dict[str, Any]:
    """An object with the value, or without it where it is absent or blank: only so a filter can give nothing back."""
    return {} if value is None or (isinstance(value, str) and is_blank(value)) else {"value": value}


def _shown(value: Any, name: str) -> Any:
    if value is None:
        raise WrongValue(f"{name} takes a text, not nothing")
    return value


class _Fields:
    """The fields of an object and nothing else."""

    __slots__ = ("__fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.__fields = fields

    def __getitem__(self, name: str) -> Any:
        return self.__fields[name]


ANYTHING = "tidings_anything"
"""A filter that takes whatever there is and writes nothing."""

FILTERS: Mapping[str, Callable[..., Any]] = {
    ANYTHING: lambda *_, **__: "",
    _PRESENT: _present,
    _SHOWN: _shown,
    _FIELDS: lambda value: _Fields(value) if isinstance(value, Mapping) else value,
    _CUT: lambda value: {} if value is None else value,
    _CUT_OR_BLANK: lambda value: "" if value is None else value,
    _LOW: lambda value: value,
    _HIGH: lambda value: _HIGHEST if value is None else value,
}
"""Functions that rewritten sources need."""


def forgiving(source: str) -> str:
    """The source, rewritten; what cannot be read is left as it is for the compiler to refuse."""
    parts, at = [], 0
    while begin := _BEGIN.search(source, at):
        parts.append(source[at : begin.start()])
        kept = _RAW.match(source, begin.start()) or _COMMENT.match(source, begin.start())
        if kept:
            parts.append(kept.group())
            at = kept.end()
        else:
            tokens = _tokens(source, begin.end(), begin.group())
            at = begin.end() + sum(len(token.text) for token in tokens)
            parts += [begin.group(), _Code(tokens).rewritten()]
    return "".join([*parts, source[at:]])


def as_written(source: str) -> str:
    """A rewritten source, or a piece of one, without what was added."""
    return _ADDED.sub("", source)


class _Token(NamedTuple):
    kind: str
    text: str


def _tokens(source: str, at: int, begin: str) -> list[_Token]:
    """Those of one piece of code, with its end; braces of an object within do not end it."""
    found, depth, closing = [], 0, "%}" if begin == "{%" else "}}"
    while token := _TOKEN.match(source, at):
        kind, text = str(token.lastgroup), token.group()
        if kind == "end" and (depth > 0 or not text.endswith(closing)):
            kind, text = "sign", text[0]
        depth += (text == "{") - (text == "}")
        found.append(_Token(kind, text))
        at += len(text)
        if kind == "end":
            break
    return found


class _Code:
    """One piece of code while it is rewritten: what is done, and the value that is being read."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._done = self._value = ""
        self._asks = False
        self._shows = bool(tokens) and tokens[-1].text.endswith("}}")
        self._right: str | None = None

    def rewritten(self) -> str:
        """The whole."""
        return self._target() + self._rest("")

    def _target(self) -> str:
        """The name that `set` gives a value to, as it is."""
        names = [token.text for token in self._tokens if token.kind == "name"]
        if names[:1] != ["set"]:
            return ""
        ends = [index for index, token in enumerate(self._tokens) if token.text == "="]
        self._at = ends[0] if ends else len(self._tokens)
        return "".join(token.text for token in self._tokens[: self._at])

    def _inner(self, closing: str) -> str:
        """The part in brackets, with the one that closes them."""
        around = (self._done, self._value, self._asks, self._right)
        self._done, self._value, self._right = "", "", None
        inner = self._rest(closing)
        self._done, self._value, self._asks, self._right = around
        return inner

    def _rest(self, closing: str) -> str:
        """Until a bracket is closed, or the code ends."""
        while self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            self._at += 1
            if text == closing:
                self._settle(text)
                return self._done
            self._take(kind, text)
        self._settle("")
        return self._done

    def _take(self, kind: str, text: str) -> None:
        value = self._value
        if kind == "space":
            self._value, self._done = (value + text, self._done) if value else ("", self._done + text)
        elif value and text in (".", "|"):
            self._value = self._dotted(value) if text == "." else self._filtered(value)
        elif text in _CLOSED_BY:
            into = self._into_item(value) if text == "[" and value else value
            self._value = f"{into}{text}{self._inner(_CLOSED_BY[text])}"
        elif kind in ("name", "text", "number") and text not in _WORDS:
            self._settle("")
            self._value = text
        elif self._asks and value and self._compares(text):
            self._compare(text)
        else:
            self._settle(f"{text}{self._test() if text == 'is' else ''}")
            self._asks = text in ("if", "elif") or (self._asks and text != "else")

    def _settle(self, text: str) -> None:
        """The value is read; if it is the right of a comparison and calculated with no further, it may be missing."""
        value = self._value
        if self._right and value:
            value = value if text in (*_CALCULATES, "**", "//") else _compared(value, self._right)
            self._right = None
        self._done, self._value = f"{self._done}{value}{text}", ""

    def _compare(self, text: str) -> None:
        left, right = _SIDES.get(text, _EQUAL)
        calculated = self._done.rstrip().endswith(_CALCULATES)
        self._value = self._value if calculated else _compared(self._value, left)
        self._settle(text)
        self._right = right

    def _compares(self, text: str) -> bool:
        return text in (*_SIDES, "==", "!=", "in") or (text == "not" and self._next() == "in")

    def _dotted(self, value: str) -> str:
        """A field; a call of what is not there stays an error."""
        if self._next(1) == "(":
            return f"{value}.{self._word()}"
        return f"{_fields_of(value, self._next())}.{self._word()}"

    def _into_item(self, value: str) -> str:
        """The part before a place in brackets, or before a slice, which MiniJinja takes of what is not there."""
        if not self._is_slice():
            place = self._next()
            return _fields_of(value, place[1:-1] if place[:1] in ("'", '"') else "")
        return _added(value, f"\t|{_CUT})") if self._shows and not self._asks else value

    def _filtered(self, value: str) -> str:
        asks = self._next() in ("default", "d")
        name = self._next()
        if asks:
            value = _added(re.sub(_SAID, _LOW, value.replace(f"|{_CUT})", f"|{_CUT_OR_BLANK})")), _ASKED)
        elif name in _BLANKING and self._shows and not self._asks:
            value = _added(value, f'\t|{_SHOWN}("{name}"))')
        return f"{value}|{self._word()}"

    def _test(self) -> str:
        """The name of a test."""
        said = self._word()
        return said + self._word() if said.strip() == "not" else said

    def _word(self) -> str:
        """The next name or number, with the blanks before it."""
        said = ""
        while not said.strip() and self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind not in ("space", "name", "number"):
                break
            said += text
            self._at += 1
        return said

    def _next(self, after: int = 0) -> str:
        """The text of a token to come, blanks left out."""
        coming = [token.text for token in self._tokens[self._at : self._at + 8] if token.kind != "space"]
        return coming[after] if len(coming) > after else ""

    def _is_slice(self) -> bool:
        depth = 1
        for token in self._tokens[self._at :]:
            depth += (token.text in _CLOSED_BY) - (token.text in _CLOSED_BY.values())
            if depth == 0 or (depth == 1 and token.text == ":"):
                return depth == 1
        return False


def _compared(value: str, missing: str) -> str:
    """A text or number as it is: that is always there."""
    return value if value[0] in "\"'" or value[0].isdigit() else _added(value, f"\t|{missing})")


def _looked_into(value: str) -> str:
    return _added(value, _LOOKED_INTO)


def _fields_of(value: str, name: str) -> str:
    """The part before a field of this name."""
    into = _looked_into(value)
    return _added(into, f"\t|{_FIELDS})") if name in _METHODS else into


def _added(value: str, end: str) -> str:
    """The value between what is added; a bracket that nothing closes stays alone, for the compiler to refuse."""
    return value if value.endswith("(") else f"{_OPENED}{value}{end}"
