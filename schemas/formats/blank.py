"""Characters that show nothing: around a value they mean nothing, and a text of them alone is blank."""

from __future__ import annotations

_SPACES = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u200b\u200c\u200d\u200e\u200f"
    "\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u2800\u3164\ufeff\uffa0"
)
"""Joiners, marks of direction, fillers and the like, as forms, spreadsheets and address books leave them behind.

Source: the Default_Ignorable_Code_Point of Unicode, as far as it comes with text, and the empty braille pattern.
"""
_BLANKS = _SPACES + _UNSEEN


def trimmed(text: str) -> str:
    """The text without what shows nothing before and behind it."""
    return text.strip(_BLANKS)


def is_blank(text: str) -> bool:
    """True where nothing of it would be seen. Where a value may be missing, such a text counts as missing."""
    return not text.strip(_BLANKS)
