"""Parts of a text message, and the letter that makes it dear.

A text of the letters of GSM 03.38 alone takes seven bits a letter: 160 of them in one part, 153 in each of several.
Those of the extension table count two. Any other letter makes the whole text UCS-2: 70 in one part, 67 in each of
several, where a letter outside the Basic Multilingual Plane (most emoji) counts two. What counts two is never parted.

Source: 3GPP TS 23.038 (6.2.1 and 6.2.1.1) and TS 23.040 (9.2.3.24).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Alphabet = Literal["GSM 03.38", "UCS-2"]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_ONE_PART: dict[Alphabet, int] = {"GSM 03.38": 160, "UCS-2": 70}
_EACH_PART: dict[Alphabet, int] = {"GSM 03.38": 153, "UCS-2": 67}
_BMP = 0xFFFF
_PLAIN = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2013": "-",
    "\u2014": "-", "\u2026": "...", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "`": "'", "\t": " ", "\u2022": "-",
    "\u00ab": '"', "\u00bb": '"', "ł": "l", "Ł": "L",
}  # fmt: skip
"""What people write without meaning more than the plain character."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a text. `dear` is the first letter that makes it UCS-2, `at` its place, counted from 1."""

    count: int
    alphabet: Alphabet
    units: int
    dear: str = ""
    at: int = 0

    @property
    def said(self) -> str:
        """In words, with what would be cheaper."""
        many = "1 part" if self.count == 1 else f"{self.count} parts"
        size = _ONE_PART[self.alphabet] if self.count == 1 else _EACH_PART[self.alphabet]
        counted = f"{many} of SMS, {self.units} units of at most {size} each, in {self.alphabet}"
        return f"{counted} because of {letter_named(self.dear)} at character {self.at}" if self.dear else counted


def parts_of(text: str) -> Parts:
    """Count over a text as it is sent."""
    dear = next(((at, one) for at, one in enumerate(text, 1) if one not in _BASIC and one not in _EXTENSION), None)
    if dear is None:
        count, units = _counted((2 if one in _EXTENSION else 1 for one in text), "GSM 03.38")
        return Parts(count, "GSM 03.38", units)
    count, units = _counted((2 if ord(one) > _BMP else 1 for one in text), "UCS-2")
    return Parts(count, "UCS-2", units, dear[1], dear[0])


def letter_named(letter: str) -> str:
    """A letter for people, with the plain one that may stand for it where there is one."""
    shown = f'"{letter}" ' if letter.isprintable() and not letter.isspace() else ""
    named = f"{shown}(U+{ord(letter):04X})"
    plain = _plain(letter)
    return f'{named}, for which "{plain}" costs less,' if plain else named


def plain_text(text: str) -> str:
    """A text as some providers send it, with plain signs for those that only look better, and none around it."""
    return "".join(_PLAIN.get(one, one) for one in text).strip()


def _plain(letter: str) -> str:
    """The sign of the basic table for it: itself without its accent, or the plain character of its kind."""
    bare = _PLAIN.get(letter) or unicodedata.normalize("NFD", letter)[0]
    return bare if bare != letter and set(bare) <= _BASIC else ""


def _counted(sizes: Iterable[int], alphabet: Alphabet) -> tuple[int, int]:
    """Parts, and units in all."""
    counted = list(sizes)
    units = sum(counted)
    if units <= _ONE_PART[alphabet]:
        return 1, units
    count, free = 1, _EACH_PART[alphabet]
    for size in counted:
        if size > free:
            count, free = count + 1, _EACH_PART[alphabet]
        free -= size
    return count, units
