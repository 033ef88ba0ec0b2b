"""`/unsubscribe/<token>` and `/preferences/<token>`: customers leave, and choose what they are sent.

A GET changes nothing, since mail scanners follow links; a POST counts at once (RFC 8058). The pages need no script, and
tell nobody whose link it is. What cannot be kept now is answered with 503, and nothing has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web

from channels.unsubscribe import PREFERENCES_PATH, UNSUBSCRIBE_PATH, Subscriber, subscriber_of
from console.control.subscriptions import Standing, Subscriptions
from console.public.own_page import page, words_for
from console.public.subscription_words import Words
from schemas.closed import ChoiceWay
from schemas.distribution import TRANSACTIONAL
from schemas.errors import TryLater

log = structlog.get_logger()

BODY_SECONDS = 10.0
_RETRY_AFTER = "60"
Form = dict[str, list[str]]


def subscription_routes(subscriptions: Subscriptions, secrets: Sequence[str]) -> list[web.RouteDef]:
    """GET, HEAD and POST of both pages. `secrets` prove links."""
    pages = _Pages(subscriptions, secrets)
    return [
        web.get(UNSUBSCRIBE_PATH + "{token}", pages.ask),
        web.post(UNSUBSCRIBE_PATH + "{token}", pages.leave),
        web.get(PREFERENCES_PATH + "{token}", pages.preferences),
        web.post(PREFERENCES_PATH + "{token}", pages.choose),
    ]


class _Pages:
    def __init__(self, subscriptions: Subscriptions, secrets: Sequence[str]) -> None:
        self._subscriptions, self._secrets = subscriptions, secrets

    async def ask(self, request: web.Request) -> web.Response:
        return await self._answered(request, self._ask)

    async def leave(self, request: web.Request) -> web.Response:
        return await self._answered(request, self._leave)

    async def preferences(self, request: web.Request) -> web.Response:
        return await self._answered(request, self._preferences)

    async def choose(self, request: web.Request) -> web.Response:
        return await self._answered(request, self._choose)

    async def _answered(
        self, request: web.Request, answer: Callable[[web.Request, Subscriber], Awaitable[web.Response]]
    ) -> web.Response:
        subscriber = subscriber_of(request.match_info["token"], self._secrets)
        if subscriber is None:
            words = words_for(request, "")
            return page(request, words, 404, title=words.invalid_title, lines=[words.invalid_line])
        try:
            return await answer(request, subscriber)
        except TryLater as error:
            log.warning("choice_not_kept", why=str(error))
            words = words_for(request, "")
            response = page(request, words, 503, title=words.later_title, lines=[words.later_line])
            response.headers["retry-after"] = _RETRY_AFTER
            return response

    async def _ask(self, request: web.Request, subscriber: Subscriber) -> web.Response:
        standing = await self._subscriptions.standing(subscriber)
        words = words_for(request, standing.locale)
        if not any(one.is_given for one in standing.categories):
            return _left(request, standing, words, words.left_all)
        category = subscriber.category
        if category != TRANSACTIONAL and not standing.is_given(category):
            return _left(request, standing, words, words.left_one.format(category=_shown(category)))
        buttons = [{"value": "all", "text": words.leave_all}]
        if category != TRANSACTIONAL:
            buttons.insert(0, {"value": "category", "text": words.leave_one.format(category=_shown(category))})
        return page(
            request, words, 200, title=words.leave_title, lines=[words.leave_line], brand=standing.brand,
            buttons=buttons, link=_link(request, words),
        )  # fmt: skip

    async def _leave(self, request: web.Request, subscriber: Subscriber) -> web.Response:
        form = await _form(request)
        everything = form.get("what") == ["all"] or subscriber.category == TRANSACTIONAL
        way: ChoiceWay = "one_click" if "List-Unsubscribe" in form else "page"
        await self._subscriptions.leave(subscriber, everything=everything, way=way)
        standing = await self._subscriptions.standing(subscriber)
        words = words_for(request, standing.locale)
        said = words.left_all if everything else words.left_one.format(category=_shown(subscriber.category))
        return _left(request, standing, words, said)

    async def _preferences(self, request: web.Request, subscriber: Subscriber) -> web.Response:
        standing = await self._subscriptions.standing(subscriber)
        return _boxes(request, standing, [])

    async def _choose(self, request: web.Request, subscriber: Subscriber) -> web.Response:
        form = await _form(request)
        await self._subscriptions.choose(subscriber, form.get("category", []))
        standing = await self._subscriptions.standing(subscriber)
        return _boxes(request, standing, [words_for(request, standing.locale).saved])


def _left(request: web.Request, standing: Standing, words: Words, said: str) -> web.Response:
    return page(
        request, words, 200, title=words.left_title, lines=[said, words.still_sent], brand=standing.brand,
        link=_link(request, words),
    )  # fmt: skip


def _boxes(request: web.Request, standing: Standing, lines: list[str]) -> web.Response:
    words = words_for(request, standing.locale)
    boxes = [{"value": one.name, "text": _shown(one.name), "is_checked": one.is_given} for one in standing.categories]
    return page(
        request, words, 200, title=words.preferences_title, lines=[*lines, words.still_sent], brand=standing.brand,
        boxes=boxes, legend=words.preferences_legend, save=words.save,
    )  # fmt: skip


def _link(request: web.Request, words: Words) -> dict[str, str]:
    address = f"..{PREFERENCES_PATH}{request.match_info['token']}"  # below whatever path a proxy has in front
    return {"address": address, "text": words.change}


def _shown(category: str) -> str:
    words = category.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


async def _form(request: web.Request) -> Form:
    """The fields of a form, as far as there are any: a mail program's button may send them in either encoding."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            fields = await request.post()
    except (TimeoutError, ValueError, web.HTTPRequestEntityTooLarge):  # who presses the button leaves, all the same
        return {}
    form: Form = {}
    for name, value in fields.items():
        if isinstance(value, str):
            form.setdefault(name, []).append(value)
    return form
