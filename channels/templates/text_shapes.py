"""Texts of messages whose author wrote HTML alone: made once for each shape of a template, filled for each message.

To read HTML and lay it out takes a millisecond and more. Messages of a template differ in values mostly: with marks in
place of these they have the same HTML, and what was made of that is the text of each, with its values in place of the
marks. A value that could change the layout (blank, with line ends or more than a space between words) gets no mark,
so it is part of the shape. A text is made anew where lengths of values or styles count, and where a shape with its
values is not the message: what is printed may be changed as a whole, and a mark with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from channels.templates.plain_text import has_data, text_of

_WORD = "tidingsvalue"
"""Letters and digits, as a value begins: what stands beside one is read in the same way."""
_MARKS = re.compile(rf"{_WORD}(\d+):?x")
_UNFIT = re.compile(
    "[\u00ad\u034f\u200b-\u200f\u2060\ue0a0\ufeff<>]|[ \u00a0][ \u00a0]|[ \u00a0]$|^[\\W_]|:$|javascript:|cid:|^$"
)
"""Values that are laid out otherwise than a word: also a scheme alone, and those of what is no address."""
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "/": "&#x2f;"})
"""As MiniJinja writes them."""
_SPECIAL = re.compile("[&<>\"'/]")
_STYLED = re.compile(rf"(?:display|visibility|height|opacity)\s*:[^;\"'<>]*{_WORD}|<[^\s<>]*{_WORD}", re.IGNORECASE)
_KEPT = 100


class Shapes:
    """The values of the message that is being rendered; `mark` is called for each that is printed."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._is_sound = True

    def mark(self, value: Any) -> Any:
        """A mark in place of a value, the same for the same value."""
        text = str(value) if type(value) is int else value
        if type(text) is not str:  # markup as well, which is part of the shape
            return value
        if not _fits(text):
            self._is_sound = self._is_sound and _WORD not in text.lower()
            return value
        colon = ":" if ":" in text else ""  # an address with a scheme is read as one
        return f"{_WORD}{self._values.setdefault(text, len(self._values))}{colon}x"

    def text(self, html: str, render: Callable[[], str | None]) -> str:
        """The text of a message's HTML, with a function that renders it with marks."""
        self._values, self._is_sound = {}, True
        shape = render() or ""
        values = list(self._values)
        rests = {value.partition(":")[2] for value in values if ":" in value}
        if (
            not self._is_sound
            or not rests.isdisjoint(self._values)
            or html != _filled(shape, [_escaped(one) for one in values])
        ):
            return text_of(html)
        text = _text_of_shape(shape)
        return text_of(html) if text is None else _filled(text, values)


def _filled(shape: str, values: Sequence[str]) -> str:
    return _MARKS.sub(lambda found: values[int(found[1])], shape)


def _escaped(value: str) -> str:
    return value.translate(_ESCAPED) if _SPECIAL.search(value) else value


def _fits(text: str) -> bool:
    shown = text.replace("\u00a0", " ") if "\u00a0" in text else text
    return shown.isprintable() and _UNFIT.search(text) is None and _WORD not in text.lower()


@lru_cache(_KEPT)
def _text_of_shape(shape: str) -> str | None:
    return None if _STYLED.search(shape) or has_data(shape) else text_of(shape)
