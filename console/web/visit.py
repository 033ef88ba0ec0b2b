"""One request for a page: who asks, over which door, and what a form said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import SEEK_END
from typing import BinaryIO, cast
from urllib.parse import parse_qsl

import asyncpg
from aiohttp import web

from console.control.imports import Upload
from console.control.oidc.entering import OidcDoor
from console.control.passkeys.own import PasskeyDoor
from console.control.sign_in import Door
from console.control.users import Random
from console.web.guard import TokenCookie
from console.web.pages import see
from store.sessions import Comer, SignedIn

MOST_BYTES = 16 * 1024
BODY_SECONDS = 10.0
UPLOAD_SECONDS = 25.0
_MOST_FIELDS = 20
UNSHOWN = "secret_"
"""The beginning of the names of inputs for what is secret: what is typed there stands in no answer."""
LOST = "lost"
"""A field of a form that is sent again after its session had ended, where not all that was given is in it."""
_DIGITS_OF_A_VERSION = 9
"""Of a number that 31 bits hold in any case."""
_FORM, _PARTS = "application/x-www-form-urlencoded", "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Posted:
    """The fields of a form, and the files that came with it."""

    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, and everything that answering it goes by."""

    request: web.Request
    door: Door
    cookie: TokenCookie
    random: Random
    comer: Comer
    who: SignedIn | None
    pool: asyncpg.Pool
    oidc: OidcDoor | None = None
    oidc_cookie: TokenCookie | None = None
    passkeys: PasskeyDoor | None = None
    passkey_cookie: TokenCookie | None = None

    @property
    def signed_in(self) -> SignedIn:
        """Whoever is signed in: pages that need somebody are shown to nobody else."""
        if self.who is None:
            raise LookupError("nobody is signed in")
        return self.who

    async def form(self, most: int = MOST_BYTES, fields: int = _MOST_FIELDS) -> Mapping[str, str]:
        """The fields of a form of at most so many bytes; of one that is given twice the last."""
        return (await self.posted(most, fields, is_with_files=False)).fields

    async def posted(self, most: int, fields: int = _MOST_FIELDS, *, is_with_files: bool = True) -> Posted:
        """The fields of a form and its files: nothing where it is not one, or cannot be read."""
        kind, sized = self.request.content_type, self.request.clone(client_max_size=most, client_max_fields=fields)
        try:
            async with asyncio.timeout(UPLOAD_SECONDS if most > MOST_BYTES else BODY_SECONDS):
                if kind == _PARTS and is_with_files:
                    return await _in_parts(sized)
                raw = await sized.read() if kind == _FORM else b""
            text = raw.decode("ascii")
            return Posted(dict(parse_qsl(text, keep_blank_values=True, max_num_fields=fields, errors="replace")))
        except (TimeoutError, ValueError):
            return Posted()

    @asynccontextmanager
    async def upload(self, most: int) -> AsyncIterator[tuple[Mapping[str, str], Upload | None]]:
        """The fields of a form, and its first file, which is open until then: nothing where it is not one."""
        sized, fields, files = self.request.clone(client_max_size=most), dict[str, str](), list[web.FileField]()
        try:
            if self.request.content_type == _PARTS:
                async with asyncio.timeout(UPLOAD_SECONDS):
                    for name, value in (await sized.post()).items():
                        fields |= {name: value} if isinstance(value, str) else {}
                        files += [value] if isinstance(value, web.FileField) else []
            chosen = cast("BinaryIO", files[0].file) if files and files[0].filename else None
            yield fields, Upload(chosen, chosen.seek(0, SEEK_END)) if chosen is not None else None
        finally:
            for one in files:
                one.file.close()

    @property
    def provider(self) -> str:
        """The provider by which one may sign in, as pages call it; empty for none."""
        return self.oidc.provider.settings.name if self.oidc else ""

    async def enter(self, token: str, next_page: str = "/") -> web.Response:
        """Show a page to a new session; the one that was there before ends, so that no id is used again."""
        if self.who is not None:
            session = self.who.session
            await self.door.sessions.end(session.user_id, session.session_id, by=f"user:{session.user_id}")
        response = see(next_page)
        self.cookie.keep(response, token)
        return response


def whole_number(text: str, most_digits: int = _DIGITS_OF_A_VERSION) -> int | None:
    """The number that a form or an address says; None where it says none, or one of too many digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= most_digits else None


async def _in_parts(request: web.Request) -> Posted:
    """A form with files. Raises ValueError."""
    fields, files = dict[str, str](), dict[str, bytes]()
    for name, value in (await request.post()).items():
        if isinstance(value, str):
            fields[name] = value
        elif isinstance(value, web.FileField):
            with value.file as file:
                files[name] = file.read()
    return Posted(fields, files)
