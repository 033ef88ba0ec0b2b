"""Passwords as people choose them: judged by their length alone, and by a list of those that everybody tries.

Source: NIST SP 800-63B-4, 3.1.1.2: no rules about kinds of characters, at least 64 characters taken, normalised.
"""

from __future__ import annotations

import unicodedata

SHORTEST, LONGEST = 12, 128
"""In characters, after normalising."""
_MOST_GIVEN = 4 * LONGEST
"""Characters that are looked at: normalising may make them more."""

_WORDS = ("password", "passw0rd", "qwerty", "letmein", "welcome", "iloveyou", "admin", "administrator", "changeme")
_DIGITS = "1234567890" * 3
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1q2w3e4r5t6y", "1qaz2wsx3edc", "qazwsxedcrfv", "abcdefghijkl")
_COMMON = frozenset(
    {
        *(f"{word}{digits}" for word in _WORDS for digits in (_DIGITS[:n] for n in range(13))),
        *(f"{word}{year}{mark}" for word in _WORDS for year in range(2015, 2031) for mark in ("", "!", "!!")),
        *(word * times for word in _WORDS for times in (2, 3)),
        *(_DIGITS[:n] for n in range(SHORTEST, 21)),
        *(row + more for row in _ROWS for more in ("", "123", "1234", "12345", "123456", "[]", "zxcvbnm", "asdfgh")),
        *(letter * n for letter in "abcxyz0123456789." for n in range(SHORTEST, 21)),
        *("1234567890ab", "abc123abc123", "123123123123", "123456abcdef", "passwordpassword", "correct horse battery"),
        *("correcthorsebatterystaple", "trustno1trustno1", "monkeymonkey", "dragondragon", "sunshine1234"),
        *("football1234", "baseball1234", "superman1234", "princess1234", "michael12345", "tidingstidings"),
    }
)


def normal_password(written: str) -> str:
    """A password as it is hashed: the same whichever keyboard composed its characters (NFKC)."""
    return unicodedata.normalize("NFKC", written[:_MOST_GIVEN])


def password_problem(written: str) -> str | None:
    """The reason why a password is refused, without the password; None for one that is taken."""
    password = normal_password(written)
    if len(password) < SHORTEST:
        return f"is too short: must have at least {SHORTEST} characters"
    if len(written) > _MOST_GIVEN or len(password) > LONGEST:
        return f"is too long: must have at most {LONGEST} characters"
    if password.casefold() in _COMMON:
        return "is one that everybody tries first: choose another one"
    return None
