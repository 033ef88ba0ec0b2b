"""JSON pointers (RFC 6901) into documents, from paths as problems have them."""

from __future__ import annotations

import re

_STEP = re.compile(r'"((?:[^"\\]|\\.)+)"|\[(\d+)\]|([^.\[\]"]+)')


def pointer_of(path: str) -> str:
    """A problem's path, as in channels[0].email.text, as a pointer."""
    steps = [re.sub(r'\\(["\\])', r"\1", quoted) or place or name for quoted, place, name in _STEP.findall(path)]
    return pointer_to(*steps)


def pointer_to(*steps: str) -> str:
    """The pointer of these steps."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
