"""JSON pointers (RFC 6901) into documents, from paths as problems have them, and back."""

from __future__ import annotations

import re

from schemas.formats.paths import path_text

_STEP = re.compile(r'"((?:[^"\\]|\\.)+)"|\[(\d+)\]|([^.\[\]"]+)')


def pointer_of(path: str) -> str:
    """A problem's path, as in channels[0].email.text, as a pointer."""
    steps = [re.sub(r'\\(["\\])', r"\1", quoted) or place or name for quoted, place, name in _STEP.findall(path)]
    return pointer_to(*steps)


def path_of(pointer: str) -> str:
    """A path, as problems have it, of a pointer: of a name that is a number, too, a place in a list is made."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    return path_text(int(step) if step.isdecimal() else step for step in steps)


def pointer_to(*steps: str) -> str:
    """The pointer of these steps."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
