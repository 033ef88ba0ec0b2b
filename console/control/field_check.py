"""Names and kinds of fields at providers, as distributions fill them in, held against what is there now.

What an account has is read by what tries it (`tidings accounts test`). One that does not answer soon is a warning: what
is applied must not depend on a provider that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from channels.contract import AccountCheck
from channels.registry import CHANNEL_TYPES
from console.control.documents import Document
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.events.triggers import TRIGGERS
from schemas.formats.paths import path_text
from schemas.known_fields import KnownFields
from schemas.record import JsonObject
from store.accounts import AccountKey
from streams.channels.known_fields import misfits
from streams.channels.payload import transfer_fields

Ask = Callable[[AccountKey], Awaitable[AccountCheck]]
"""Tries an account. Raises TidingsError."""
Compare = Callable[[Sequence[tuple[Document, Distribution]]], Awaitable[None]]
"""Raises DefinitionInvalid with all problems, each with its line."""

_SECONDS = 5.0
"""A provider is waited for so long; all are asked side by side."""


async def compare_fields(
    written: Sequence[tuple[Document, Distribution]], ask: Ask, warn: Callable[[str], None]
) -> None:
    """See `Compare`. `warn` hears of accounts that could not be asked."""
    keys = list(dict.fromkeys(key for _, one in written for _, _, key in _filled_in(one)))
    answers = dict(zip(keys, await asyncio.gather(*(_known(ask, key) for key in keys)), strict=True))
    for answer in answers.values():
        if isinstance(answer, str):
            warn(answer)
    known = {key: answer for key, answer in answers.items() if isinstance(answer, KnownFields)}
    problems = [document.located(one) for document, made in written for one in _problems(document, made, known)]
    if problems:
        raise DefinitionInvalid(tuple(problems))


def _filled_in(one: Distribution) -> Iterator[tuple[str, JsonObject, AccountKey]]:
    """Attributes that a distribution fills in at accounts with a list of their fields, and where they are written."""
    for at, plan in one.plans():
        attributes = getattr(plan, "attributes", {})
        if CHANNEL_TYPES[plan.channel].lists_fields and attributes:
            account = AccountKey(one.project_id, plan.channel, getattr(plan, "account", ""))
            yield f"{at}.attributes", attributes, account


def _problems(document: Document, one: Distribution, known: dict[AccountKey, KnownFields]) -> Iterator[Problem]:
    fields = transfer_fields(TRIGGERS[one.trigger.event], one.action, gathers=bool(one.digest))
    for at, attributes, key in _filled_in(one):
        if key in known:
            hint = "" if document.says(at) else "; it is one of the default, as attributes is not written"
            for name, said in misfits(attributes, known[key], fields):
                yield Problem(f"{at}.{path_text((name,))}", f"{said} (account {key}){hint}")


async def _known(ask: Ask, key: AccountKey) -> KnownFields | str:
    """The fields that are there; a text that says why nobody knows."""
    why = f"the names of fields at {key} are not compared"
    try:
        async with asyncio.timeout(_SECONDS):
            found = await ask(key)
    except TimeoutError:
        return f"{why}: it did not answer within {_SECONDS:g} s"
    except TidingsError as error:
        return f"{why}: {error}"
    return f"{why}: {found.said}" if found.known is None else found.known
