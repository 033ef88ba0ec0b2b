"""`/p/<project>/accounts/new` and `/accounts/edit`: an account is written. Nothing that it holds is shown, ever.

The fields are those of its channel, and of the provider where that has several, as commands and the API take them. A
secret that was typed is not in any answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from aiohttp import web

from console.control import accounts as control
from console.control.not_found import NotFound
from console.web.accounts import LIST
from console.web.pages import FieldProblem, respond
from console.web.project_pages import Choice
from console.web.project_settings import AccountFormPage, AccountInput
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.tables import address
from console.web.visit import LOST, UNSHOWN
from console.web.words import inert
from schemas.account_fields import COMMON_FIELDS, AccountField
from schemas.channels.tables import ACCOUNT_TYPES
from schemas.closed import CHANNELS, ChannelName
from schemas.errors import BadQuestion, DefinitionInvalid, TidingsError, TryLater
from store.accounts import AccountKey, Accounts

_MOST_BYTES, _MOST_FIELDS = 128 * 1024, 60
_NEW, _EDIT = f"{LIST.path}/new", f"{LIST.path}/edit"
_USUAL = ("username", "sender_name")
_RARE = frozenset(one.name for one in COMMON_FIELDS) | {"client_id", "client_secret", "refresh_token"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A form: of which channel and provider, and of which account, if any; `is_other` than its provider now."""

    channel: ChannelName
    provider: str
    account: str = ""
    is_other: bool = False


async def ask(mine: ProjectVisit) -> web.Response:
    """The form of a new one. Raises BadQuestion."""
    channel = _channel(mine)
    return _page(mine, Asked(channel, _provider(mine, channel)), {})


async def ask_again(mine: ProjectVisit) -> web.Response:
    """The form of one that is there. Raises NotFound, BadQuestion, TryLater."""
    return _page(mine, await _asked(mine, await _key(mine)), {})


async def add(mine: ProjectVisit) -> web.Response:
    """Keep a new one. Raises BadQuestion, TryLater."""
    form, channel = await mine.visit.form(_MOST_BYTES, _MOST_FIELDS), _channel(mine)
    name, asked = form.get("name", "").strip(), Asked(channel, _provider(mine, channel))
    if LOST in form:
        return _page(mine, asked, form, [_LOST])
    try:
        if "\0" in name:
            raise TidingsError("must not contain U+0000")
        key = control.account_key(mine.project_id, f"{channel}/{name}")
        if not (await control.foresee(Accounts(mine.pool), mine.wiring.settings, key, _written(asked, form))).is_new:
            raise TidingsError(f"there is an account {key} already")
    except TryLater:
        raise
    except DefinitionInvalid as error:
        return _page(mine, asked, form, _problems(channel, error))
    except TidingsError as error:
        return _page(mine, asked, form, [FieldProblem("name", f"Name: {inert(error)}")])
    return await _kept(mine, key, form, asked)


async def change(mine: ProjectVisit) -> web.Response:
    """Change what is written of one, and keep the rest. Raises NotFound, BadQuestion, TryLater."""
    form, key = await mine.visit.form(_MOST_BYTES, _MOST_FIELDS), await _key(mine)
    asked = await _asked(mine, key)
    if LOST in form:
        return _page(mine, asked, form, [_LOST])
    written = _written(asked, form)
    if both := [name for name, value in written.items() if value is None and form.get(f"field_{name}", "").strip()]:
        said = [FieldProblem(f"field_{name}", f"{_label(name)}: is written, and to be emptied") for name in both]
        return _page(mine, asked, form, said)
    if not written:
        return _page(mine, asked, form, [FieldProblem("main", "Nothing is written: nothing changes")])
    return await _kept(mine, key, form, asked)


async def _kept(mine: ProjectVisit, key: AccountKey, form: Mapping[str, str], asked: Asked) -> web.Response:
    written = _written(asked, form)
    try:
        done = await control.put(Accounts(mine.pool), mine.wiring.settings, key, written, actor=mine.actor)
    except (NotFound, TryLater):
        raise
    except DefinitionInvalid as error:
        return _page(mine, asked, form, _problems(key.channel, error))
    except TidingsError as error:
        return _page(mine, asked, form, [FieldProblem("main", inert(error))])
    said = f"{key} is {'kept' if done.is_new else 'changed'}"
    return await LIST.respond(mine, note=". ".join(one for one in (said, done.servers, done.advice) if one))


def _channel(mine: ProjectVisit) -> ChannelName:
    """The channel of the address, e-mail where it names none. Raises BadQuestion."""
    named = mine.text("channel") or "email"
    for one in CHANNELS:
        if one == named:
            return one
    raise BadQuestion(f"must be one of {', '.join(CHANNELS)}", "channel")


async def _key(mine: ProjectVisit) -> AccountKey:
    """The account of the address. Raises NotFound, BadQuestion, TryLater."""
    try:
        key = control.account_key(mine.project_id, mine.text("account"))
    except DefinitionInvalid as error:
        raise BadQuestion(error.problems[0].message, "account") from None
    await control.must_be_there(Accounts(mine.pool), key)
    return key


def _provider(mine: ProjectVisit, channel: ChannelName) -> str:
    """The provider of the address, else the channel's first; empty where it has one alone. Raises BadQuestion."""
    providers, named = ACCOUNT_TYPES[channel].providers, mine.text("provider")
    if named and named not in providers:
        raise BadQuestion(f"must be one of {', '.join(providers) or 'none: this channel has one alone'}", "provider")
    return named or next(iter(providers), "")


async def _asked(mine: ProjectVisit, key: AccountKey) -> Asked:
    """The form of an account as it is, or of another provider, where the address names one."""
    current = await control.provider_of(Accounts(mine.pool), mine.wiring.settings, key)
    named = _provider(mine, key.channel) if mine.text("provider") else current
    return Asked(key.channel, named, str(key), is_other=named != current)


def _fields(asked: Asked) -> list[AccountField]:
    """The inputs of the form; its provider is chosen before. All, where nobody knows the provider."""
    return [
        one
        for one in ACCOUNT_TYPES[asked.channel].fields
        if one.provider in ("", asked.provider) or not asked.provider
        if one.name != "provider" or not asked.provider
    ]


def _written(asked: Asked, form: Mapping[str, str]) -> dict[str, object]:
    """The fields in which something is written; None for those that are emptied, as are those of another provider."""
    given = ((one.name, form.get(_input(one), "").strip()) for one in _fields(asked))
    written: dict[str, object] = {name: text.replace("\r\n", "\n") for name, text in given if text}
    if asked.account:
        written |= dict.fromkeys(one.name for one in _emptied(asked) if form.get(f"empty_{one.name}") == "yes")
    if asked.provider and (asked.is_other or not asked.account):
        written["provider"] = asked.provider
    if asked.is_other:
        rest = ACCOUNT_TYPES[asked.channel].fields
        written |= dict.fromkeys(one.name for one in rest if one.provider not in ("", asked.provider))
    return written


def _emptied(asked: Asked) -> list[AccountField]:
    """The fields that may be emptied: a secret is replaced, and never taken away by chance."""
    return [one for one in _fields(asked) if not (one.is_secret or one.is_required or one.name == "provider")]


def _problems(channel: ChannelName, error: DefinitionInvalid) -> list[FieldProblem]:
    inputs = {one.name: _input(one) for one in ACCOUNT_TYPES[channel].fields} | {"name": "name"}
    return [
        FieldProblem(inputs.get(one.path, "main"), f"{_label(one.path)}: {inert(one.message)}")
        for one in error.problems
    ]


def _input(one: AccountField) -> str:
    return f"{UNSHOWN}{one.name}" if one.is_secret else f"field_{one.name}"


def _label(name: str) -> str:
    return (name[:1].upper() + name[1:]).replace("_", " ")


def _page(
    mine: ProjectVisit,
    asked: Asked,
    form: Mapping[str, str],
    problems: Sequence[FieldProblem] = (),
) -> web.Response:
    channel, account, of_form = asked.channel, asked.account, _fields(asked)
    usual = {one.name for one in _usual(of_form)}
    shown = {one.name: _shown(asked, one, form) for one in of_form}
    base = base_of(mine.project_id)
    page = AccountFormPage(
        title=f"Change {account}" if account else "Add an account",
        here=f"{base}{LIST.path}",
        problems=problems,
        path=_path(mine, asked, asked.provider if asked.is_other or not account else ""),
        account=account,
        channel=channel,
        channels=CHANNELS,
        name=form.get("name", ""),
        inputs=[one for name, one in shown.items() if name in usual],
        more=[one for name, one in shown.items() if name not in usual],
        providers=[
            Choice(text, _path(mine, asked, value), value == asked.provider)
            for value, text in ACCOUNT_TYPES[channel].providers.items()
        ],
        emptied=[
            (f"empty_{one.name}", _label(one.name), form.get(f"empty_{one.name}") == "yes") for one in _emptied(asked)
        ]
        if account
        else [],
        has_lost=any(name.startswith(UNSHOWN) and text for name, text in form.items()),
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _path(mine: ProjectVisit, asked: Asked, provider: str) -> str:
    """The address of the form, of a provider where one is named."""
    of = {"account": asked.account} if asked.account else {"channel": asked.channel}
    base = base_of(mine.project_id) + (_EDIT if asked.account else _NEW)
    return address(base, {**of, "provider": provider or None})


def _usual(of_form: Sequence[AccountField]) -> Iterator[AccountField]:
    """Those that most people write: what has to be, and secrets; all, where nothing has to be."""
    has_required = any(one.is_required for one in of_form)
    for one in of_form:
        is_usual = one.is_required or one.name in _USUAL or (one.is_secret and not one.stays_here)
        if one.name not in _RARE and (is_usual or not has_required):
            yield one


def _shown(asked: Asked, one: AccountField, form: Mapping[str, str]) -> AccountInput:
    value = "" if one.is_secret else form.get(_input(one), "")
    has_lines = one.kind == "secrets" or one.stays_here
    usual = _usual_choice(asked.channel, one)
    choices = [(name, f"{text} (usual)" if name == usual else text) for name, text in one.choices.items()]
    nothing = "as it is" if asked.account else "as usual"
    return AccountInput(_input(one), _label(one.name), value, one.is_secret, has_lines, choices, nothing)


def _usual_choice(channel: ChannelName, one: AccountField) -> str:
    """The choice that counts where nobody makes one."""
    found = next(given.default for given in fields(ACCOUNT_TYPES[channel].form) if given.name == one.name)
    return str(found).lower() if one.kind == "truth" else str(found)


_LOST = FieldProblem("main", "What is secret was not kept: type it again. Nothing was done")
ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute(_NEW, "accounts:write", ask),
    ProjectRoute(_NEW, "accounts:write", add, "POST"),
    ProjectRoute(_EDIT, "accounts:write", ask_again),
    ProjectRoute(_EDIT, "accounts:write", change, "POST"),
)
