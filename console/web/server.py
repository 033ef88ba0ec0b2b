"""The pages of one process: each request is guarded, its session looked up, answered, and failures are pages too."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Awaitable, Callable

import asyncpg
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from agents.clock import Clock, utc_now
from agents.wiring import Wiring
from console.control.not_found import NotFound
from console.control.oidc.entering import OidcDoor
from console.control.oidc.provider import Provider
from console.control.passkeys.own import PasskeyDoor
from console.control.passkeys.proof import relying_party_of
from console.control.passwords import Passwords
from console.control.sessions import sessions_by
from console.control.sign_in import Door, SignInRefused, agent_of
from console.control.users import Random
from console.web import account, entrance, passkeys, single_sign_on
from console.web.guard import TokenCookie, is_forged
from console.web.kept_form import kept
from console.web.live import EVERY_SECONDS, Live
from console.web.next_page import sign_in_for
from console.web.pages import MessagePage, respond, see
from console.web.project_routes import PROJECT_ROUTES
from console.web.projects import ProjectRoute, Projects
from console.web.static_files import static_routes
from console.web.streams import Streams
from console.web.tails import Tails
from console.web.visit import Visit
from console.web.words import as_sentence
from schemas.audit import Origin
from schemas.errors import TryLater
from schemas.formats.networks import address_behind, network_of
from store import audit
from store.identities import Identities
from store.passkeys import Passkeys
from store.sessions import Comer
from store.sign_ins import SignIns
from store.users import Users

log = structlog.get_logger()

HANDLE_SECONDS = 30.0
_RETRY_AFTER = "5"
Answer = Callable[[Visit], Awaitable[web.Response]]


class WebServer:
    """`database` gives connections, or raises TryLater until there are any."""

    def __init__(
        self,
        wiring: Wiring,
        database: Callable[[], Awaitable[asyncpg.Pool]],
        passwords: Passwords,
        random: Random = secrets.token_bytes,
        now: Clock = utc_now,
        *,
        provider: Provider | None = None,
        live_every: float = EVERY_SECONDS,
    ) -> None:
        self._settings, self._database, self._passwords = wiring.settings.web, database, passwords
        self._random, self._projects = random, Projects(wiring, now)
        self._wiring, self._provider, self._default_project = wiring, provider, wiring.default_project
        self._cookie = TokenCookie(is_plain=self._settings.is_plain)
        self._oidc_cookie = TokenCookie(is_plain=self._settings.is_plain, suffix="-oidc")
        self.streams = Streams()
        self._live = Live(self.streams, self._cookie, live_every)
        self._passkey_cookie = TokenCookie(is_plain=self._settings.is_plain, suffix="-passkey")
        self._party = relying_party_of(self._settings.url)
        self._tails = Tails(wiring, self.streams, self._cookie)

    def routes(self) -> list[web.RouteDef]:
        """Every page; those that are open are for nobody in particular."""
        return [
            web.get("/", self._page(account.start)),
            web.get("/sign-in", self._page(entrance.ask, is_open=True)),
            web.post("/sign-in", self._page(entrance.enter, is_open=True)),
            web.get("/sign-in/oidc", self._page(single_sign_on.leave, is_open=True)),
            web.get(single_sign_on.CALLBACK_PATH, self._page(single_sign_on.come_back, is_open=True)),
            web.get(single_sign_on.SIGNED_OUT_PATH, self._page(single_sign_on.come_back_signed_out, is_open=True)),
            web.post("/sign-in/oidc/unlink", self._page(single_sign_on.unlink)),
            web.post(single_sign_on.BACK_CHANNEL_PATH, self._page(single_sign_on.end_sessions, is_open=True)),
            web.post("/sign-in/passkey/options", self._page(passkeys.ask_sign_in, is_open=True)),
            web.post("/sign-in/passkey", self._page(passkeys.enter, is_open=True)),
            web.get("/passkeys", self._page(passkeys.show)),
            web.post("/passkeys/options", self._page(passkeys.ask)),
            web.post("/passkeys", self._page(passkeys.add)),
            web.post("/passkeys/remove", self._page(passkeys.remove)),
            web.get("/welcome/{token}", self._page(entrance.welcome, is_open=True)),
            web.post("/welcome/{token}", self._page(entrance.come, is_open=True)),
            web.get("/password", self._page(account.ask_password)),
            web.post("/password", self._page(account.change_password)),
            web.get("/sessions", self._page(account.sessions)),
            web.get("/sessions.json", self._page(account.list_sessions)),
            web.post("/sessions", self._page(account.end_sessions)),
            web.post("/sign-out", self._page(account.sign_out)),
            *static_routes(),
            *(self._of_project(one) for one in PROJECT_ROUTES),
        ]

    async def close(self, _: web.Application) -> None:
        """Let go of Kafka."""
        await self._projects.close()
        await asyncio.to_thread(self._wiring.close)
        await asyncio.to_thread(self._tails.topics.close)

    def _of_project(self, route: ProjectRoute) -> web.RouteDef:
        add = web.get if route.method == "GET" else web.post
        answer = self._projects.answer(route)
        page = self._page(answer)
        if route.is_followed:
            page = self._tails.handler(self._page(answer, is_use=False))
        if route.is_live:
            page = self._live.beside(page, self._page(answer, is_use=False))
        return add(f"/p/{{project}}{route.path}", page)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what another site sends, if no provider signs it, and show as a page what there is no page for."""
        if is_forged(request) and request.path != single_sign_on.BACK_CHANNEL_PATH:
            text = "This did not come from a page of Tidings, so nothing was done. Open the page anew and try again."
            return respond(MessagePage(title="Refused", text=text), 403)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _in_place_of(error)

    def _page(self, answer: Answer, *, is_open: bool = False, is_use: bool = True) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                async with asyncio.timeout(HANDLE_SECONDS):
                    return await self._answered(request, answer, is_open=is_open, is_use=is_use)
            except NotFound as error:
                return respond(MessagePage(title="This link does not work", text=as_sentence(str(error))), 404)
            except SignInRefused:
                return see("/sign-in")
            except (TryLater, TimeoutError) as error:
                log.warning("not_now", why=str(error))
                response = respond(MessagePage(title="Not now", text="A server does not answer. Try again soon."), 503)
                response.headers["retry-after"] = _RETRY_AFTER
                return response

        return handle

    async def _answered(self, request: web.Request, answer: Answer, *, is_open: bool, is_use: bool) -> web.Response:
        pool = await self._database()
        web_settings = self._settings
        sessions = sessions_by(web_settings, pool)
        door = Door(Users(pool), sessions, SignIns(pool), self._passwords)
        token = self._cookie.read(request)
        who = await sessions.check(token, is_use=is_use) if token else None
        if who is None and not is_open:
            return see(sign_in_for(request.path_qs)) if request.method == "GET" else await kept(request)
        forwarded = request.headers.getall("x-forwarded-for", [])
        address = address_behind(request.remote or "", forwarded, web_settings.proxies)
        comer = Comer(network_of(address), agent_of(request.headers.get("user-agent", "")))
        origin = Origin(uuid.uuid4().hex, who.session.session_id if who else None, address)
        oidc = None
        if self._provider is not None:
            oidc = OidcDoor(door, self._provider, Identities(pool), self._default_project)
        keys = PasskeyDoor(door, Passkeys(pool), self._party) if self._party is not None else None
        visit = Visit(
            request, door, self._cookie, self._random, comer, who, pool, oidc, self._oidc_cookie, keys,
            self._passkey_cookie,
        )  # fmt: skip
        with audit.coming_from(origin):
            return await answer(visit)


def _in_place_of(error: web.HTTPException) -> web.Response:
    match error.status:
        case 404:
            page = MessagePage(title="Page not found", text="There is nothing at this address.")
        case 405:
            page = MessagePage(title="Not in this way", text="This address does not take that.")
        case 413:
            page = MessagePage(title="Too large", text="The form is larger than any of ours.")
        case _:
            raise error
    return respond(page, error.status)
