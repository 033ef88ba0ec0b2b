"""The page that somebody wanted before they had to sign in: one of ours, and nowhere else."""

from __future__ import annotations

import re

_LONGEST = 500
_PAGE = re.compile(r"/(?:[A-Za-z0-9_.~-]+(?:/[A-Za-z0-9_.~-]+)*)?(?:\?[A-Za-z0-9_.~=&%+:,-]*)?")
"""A path from the root and perhaps a query: no second slash, no backslash and no control character, which browsers
read as the beginning of a host.
"""


def next_page_of(written: str | None) -> str:
    """The page that is asked for; the start page in place of whatever is not plainly one of ours."""
    if written is None or len(written) > _LONGEST or not _PAGE.fullmatch(written):
        return "/"
    return written
