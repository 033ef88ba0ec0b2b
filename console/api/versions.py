"""Versions as ETags: what is there is not shown again, and what has changed since is not overwritten."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from msgspec import Meta

from console.api.problems import Refusal, Refused, refused

VersionNumber = Annotated[int, Meta(ge=1, le=1_000_000_000)]
_TAG = re.compile(r'(?:W/)?"[^"]*"|\*')
_VERSION = re.compile(r'"v([0-9]{1,9})"')


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"v{version}"'


def is_known(if_none_match: str | None, version: int) -> bool:
    """True where the one who asks has this version already."""
    tags = [tag.removeprefix("W/") for tag in _TAG.findall(if_none_match or "")]
    return "*" in tags or etag(version) in tags


async def must_match(
    if_match: str | None,
    if_none_match: str | None,
    version: int,
    changed_since: Callable[[int], Awaitable[Sequence[str]]] | None = None,
) -> None:
    """Refuse a change of what is not as whoever changes it has seen it. `version` is 0 where there is nothing yet.

    `changed_since` gives the difference between a version and the one that is there, where somebody can tell. Raises
    Refused.
    """
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise refused("unreadable", 'If-None-Match of a change must be "*": make it only where it is not there')
        if version:
            raise refused("changed", f"it is there already, in version {version}", etag=etag(version))
    if if_match is None:
        return
    tags = _TAG.findall(if_match)
    if version and ("*" in tags or etag(version) in tags):
        return
    if not tags:
        raise refused("unreadable", 'If-Match must be an ETag, as in "v3", or *')
    if not version:
        raise refused("changed", "it is not there")
    seen = next((int(found[1]) for tag in tags if (found := _VERSION.fullmatch(tag))), 0)
    changes = await changed_since(seen) if changed_since and 0 < seen < version else ()
    detail = f"it is in version {version} by now"
    raise Refused(Refusal("changed", detail, headers={"etag": etag(version)}, changes=changes))
