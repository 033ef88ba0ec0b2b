"""One request for a page: who asks, over which door, and what a form said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import asyncpg
from aiohttp import web

from console.control.oidc.entering import OidcDoor
from console.control.sign_in import Door
from console.control.users import Random
from console.web.guard import TokenCookie
from console.web.pages import see
from store.sessions import Comer, SignedIn

MOST_BYTES = 16 * 1024
BODY_SECONDS = 10.0
_MOST_FIELDS = 20
_FORM = "application/x-www-form-urlencoded"


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

    @property
    def signed_in(self) -> SignedIn:
        """Whoever is signed in: pages that need somebody are shown to nobody else."""
        if self.who is None:
            raise LookupError("nobody is signed in")
        return self.who

    async def form(self) -> Mapping[str, str]:
        """The fields of a form, as far as there are any; of one that is given twice the last."""
        if self.request.content_type != _FORM:
            return {}
        try:
            async with asyncio.timeout(BODY_SECONDS):
                raw = await self.request.read()
            text = raw.decode("ascii")
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="replace"))
        except (TimeoutError, ValueError):
            return {}

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
