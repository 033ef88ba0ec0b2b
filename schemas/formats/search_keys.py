"""Keys that customers are found by: texts as they are compared by a search, whatever the case or the accents."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, NamedTuple

_LONGEST = 200
"""Characters that are compared; an index holds no longer text."""
_BARE = str.maketrans("łøđıŁØĐ", "lodilod")
"""Letters whose stroke is no accent to Unicode."""
_NUMBER = re.compile(r"[+0-9 ()./\u00a0-]+\Z")
_FEWEST_DIGITS = 5
"""Fewer say nothing of a number's end."""


class SearchKeys(NamedTuple):
    """The keys of a profile. `phone` begins with the last digit: people leave out what stands in front."""

    source_id: str | None
    email: str | None
    phone: str | None
    name: str | None
    turned_name: str | None
    """The last word in front: a family's name, mostly."""


def search_keys(profile: dict[str, Any]) -> SearchKeys:
    """The keys of a profile, whatever it holds: what is no text has none."""
    name = folded(profile.get("name"))
    words = (name or "").split()
    turned = " ".join([words[-1], *words[:-1]]) if len(words) > 1 else None
    return SearchKeys(
        _kept(profile.get("source_id")), folded(profile.get("email")), phone_key(profile.get("phone")), name, turned
    )


def folded(text: Any) -> str | None:
    """A text without case, accents and needless blanks; None where nothing is left."""
    text = _kept(text)
    if text is None:
        return None
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text.translate(_BARE))
        text = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return _kept(" ".join(text.casefold().split()))


def phone_key(written: Any) -> str | None:
    """The digits of a phone number from the last to the first, without zeros in front; None where it is no number."""
    if not isinstance(written, str) or not _NUMBER.match(written):
        return None
    digits = "".join(filter(str.isdigit, written)).lstrip("0")
    return digits[::-1][:_LONGEST] if len(digits) >= _FEWEST_DIGITS else None


def _kept(text: Any) -> str | None:
    """A text as a column takes it, and as an index does; None where nothing is left."""
    if not isinstance(text, str):
        return None
    if len(text) <= _LONGEST and text.isascii() and "\0" not in text:
        return text or None
    return text[:_LONGEST].replace("\0", "").encode("utf-8", "ignore").decode() or None
