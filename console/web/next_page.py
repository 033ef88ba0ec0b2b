"""The page that somebody wanted before they had to sign in: one of ours, and nowhere else."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_LONGEST = 2000
_NAME = "[A-Za-z0-9_.~-]+"
_PART = "(?:[A-Za-z0-9_.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+"
_PAGE = re.compile(rf"/(?:{_NAME}(?:/{_PART})*)?(?:\?[A-Za-z0-9_.~!$&'()*+,;=:@/?%\[\]-]*)?")
"""A path from the root and perhaps a query: no second slash, no backslash and no control character, which browsers
read as the beginning of a host. What is escaped stays so, and stands behind a first part that is not.
"""
_ENTRANCES = ("/sign-in", "/sign-out", "/welcome")
"""Pages that are not gone on to: of a form alone, or such as do something for whoever is signed in."""


def next_page_of(written: str | None) -> str:
    """The page that is asked for; the start page in place of whatever is not plainly one of ours."""
    if written is None or len(written) > _LONGEST or not _PAGE.fullmatch(written):
        return "/"
    path = written.partition("?")[0]
    climbs = any(unquote(part) in (".", "..") for part in path.split("/"))
    if climbs or any(path == one or path.startswith(f"{one}/") for one in _ENTRANCES):
        return "/"
    return written


def sign_in_for(written: str) -> str:
    """The address of the form, from which one goes on to a page."""
    page = next_page_of(written)
    return "/sign-in" if page == "/" else f"/sign-in?next={quote(page, safe='/')}"
