"""`/codes/qr/<name>` and `/codes/barcode/<name>`: pictures of codes, at signed addresses.

An address never shows anything else, so browsers, mail proxies and content networks keep it for as long as it lasts.
Whatever is wrong with one gets the same answer, so that nobody learns from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

from aiohttp import ETag, web

from channels.codes.images import CodeKind
from channels.codes.links import ProvenCode, code_of_path
from console.public.pictures import Picture, Pictures
from schemas.errors import RenderRefused

LONGEST_KEPT = 31_536_000
"""Seconds: a year, the most that caches are told (RFC 9111 sets no limit; RFC 2616 14.21 named this one)."""

_TYPES = {"png": "image/png", "svg": "image/svg+xml"}


def image_routes(secrets: Sequence[str], clock: Callable[[], float]) -> list[web.RouteDef]:
    """GET and HEAD of both kinds. `secrets` prove addresses; `clock` gives Unix seconds."""
    images = _Images(secrets, clock)
    return [web.get(f"/codes/{kind}/{{name}}", partial(images.show, kind)) for kind in get_args(CodeKind)]


class _Images:
    def __init__(self, secrets: Sequence[str], clock: Callable[[], float]) -> None:
        self._secrets, self._clock = secrets, clock
        self._pictures = Pictures()

    async def show(self, kind: CodeKind, request: web.Request) -> web.Response:
        now = self._clock()
        proven = code_of_path(kind, request.match_info["name"], self._secrets, now=now)
        if proven is None:
            raise web.HTTPNotFound
        try:
            picture = await self._pictures.get(proven.code, proven.kind, proven.image_format)
        except RenderRefused:
            raise web.HTTPNotFound from None
        headers = {"etag": f'"{picture.tag}"', "cache-control": f"public, max-age={max_age(proven, now)}, immutable"}
        if _is_known(request, picture):
            return web.Response(status=304, headers=headers)
        return web.Response(body=picture.body, content_type=_TYPES[proven.image_format], headers=headers)


def max_age(proven: ProvenCode, now: float) -> int:
    """For how many seconds a picture may be kept: never longer than its address lasts."""
    return min(LONGEST_KEPT, int(proven.expires - now)) if proven.expires else LONGEST_KEPT


def _is_known(request: web.Request, picture: Picture) -> bool:
    """Source: RFC 9110 13.1.2 (a weak comparison; `*` fits whatever there is)."""
    tags: tuple[ETag, ...] = request.if_none_match or ()
    return any(tag.value in {"*", picture.tag} for tag in tags)
