"""Accounts at providers. What is secret comes from a prompt, standard input or a file, never as an argument."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Annotated

import typer

from channels.contract import AccountCheck
from console.cli.context import Session, in_session
from console.cli.terminal import PROBLEM, AsJson, fail, show_json, show_rows, show_text
from console.control import accounts, signing_secrets
from console.control.mail_presets import preset_words
from schemas.channels.tables import ACCOUNT_TYPES
from schemas.errors import TidingsError
from store.accounts import AccountKey, Accounts

commands = typer.Typer()
accounts_app = typer.Typer(
    no_args_is_help=True, help="Accounts of a project at its providers, encrypted in the database."
)
commands.add_typer(accounts_app, name="accounts")

Account = Annotated[
    str,
    typer.Argument(
        metavar="CHANNEL/NAME", help="As in email/main; webhook/main signs webhooks, webhook/HOST those to one."
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Argument(metavar="FIELD=VALUE", help="FIELD=@FILE reads a file, FIELD=- standard input; secrets only so."),
]


@accounts_app.command("add")
def add_command(
    account: Account,
    values: Values = None,
    change: Annotated[bool, typer.Option("--change", help="Change one that is there; the rest of it stays.")] = False,
    empty: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="With --change: as if nobody had ever written it.")
    ] = None,
) -> None:
    """Keep an account; senders use it within seconds. Secrets that are not named are asked for on a terminal.

    Webhooks that have none get a new signing secret, which is shown once.
    """

    async def work(opened: Session) -> None:
        key = accounts.account_key(opened.project_id, account)
        written: Mapping[str, object] = {**_written(key, values or []), **dict.fromkeys(empty or [])}
        if empty and not change:
            raise TidingsError("--empty is of an account that is there: write --change beside it")
        if not change or any(one.is_place and one.name in written for one in ACCOUNT_TYPES[key.channel].fields):
            written = _asked_for(key, written)
        kept, preset, made = Accounts(opened.pool), None, ""
        if change:
            await accounts.change(kept, opened.wiring.settings, key, written, actor=opened.actor)
        else:
            written, made = signing_secrets.with_secret(key, written)
            preset = await accounts.add(kept, opened.wiring.settings, key, written, actor=opened.actor)
        if preset is not None:
            show_text(f"{key}: {preset_words(preset, written)}")
        show_text(f"{key}: {'changed' if change else 'added'}; to try it: tidings accounts test {key}")
        if advice := await accounts.advice(kept, opened.wiring.settings, key):
            show_text(f"{key}: {advice}")
        if made:
            show_text(f"its signing secret, shown this once, for the receiver: {made}")

    in_session(work)


@accounts_app.command("test")
def test_command(account: Account, as_json: AsJson = False) -> None:
    """Log in at the provider without sending anything, and say what is wrong and how to mend it."""

    async def work(opened: Session) -> AccountCheck:
        key = accounts.account_key(opened.project_id, account)
        return await accounts.check(Accounts(opened.pool), opened.wiring.settings, key)

    found = in_session(work)
    if as_json:
        show_json({"is_well": found.is_well, "said": found.said, "fields": found.fields})
    elif found.is_well:
        show_text(f"{account}: {found.said}".replace("[", r"\["))
    else:
        fail(f"{account}: {found.said}")
    if not found.is_well:
        sys.exit(PROBLEM)


@accounts_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """The accounts that a project's messages may leave through, without anything secret."""

    async def work(opened: Session) -> list[accounts.ShownAccount]:
        return accounts.listed(opened.accounts, opened.wiring.settings)

    found = in_session(work)
    columns = tuple(one.name.replace("_", " ") for one in fields(accounts.ShownAccount))
    show_rows(columns, map(astuple, found), as_json=as_json)


@accounts_app.command("rotate")
def rotate_command(
    account: Annotated[
        str, typer.Argument(metavar="[webhook/NAME]", help="Whose signing secret; without: the keys of all accounts.")
    ] = "",
    values: Values = None,
    grace: Annotated[
        str, typer.Option(help="For so long what signed until now signs as well; 0s: no more.")
    ] = signing_secrets.GRACE,
    as_json: AsJson = False,
) -> None:
    """Sign an account's webhooks by a new secret, made here and shown once, or read from secrets=@FILE.

    Without an account: encrypt those of every project under the first key of the settings; safe to repeat.
    """
    if account:
        _rotate_secret(account, values or [], grace, as_json=as_json)
    else:
        _rotate_keys(as_json=as_json)


def _rotate_secret(account: str, values: list[str], grace: str, *, as_json: bool) -> None:
    async def work(opened: Session) -> signing_secrets.RotatedSecret:
        key, settings = accounts.account_key(opened.project_id, account), opened.wiring.settings
        written = _written(key, values)
        return await signing_secrets.rotate_secret(
            Accounts(opened.pool), settings, key, written, grace, actor=opened.actor
        )

    done = in_session(work)
    if as_json:
        show_json({"account": account, **asdict(done)})
        return
    if done.until is None:
        show_text(f"{account}: signs by the new secret alone")
    else:
        what = "the one before" if done.retiring == 1 else f"the {done.retiring} before"
        show_text(f"{account}: signs by the new secret, and by {what} until {done.until:%Y-%m-%d %H:%M:%SZ}")
    if done.ended:
        show_text("what the rotation before it had replaced signs no more: its time was not over")
    if done.secret:
        show_text(f"the new secret, shown this once, for the receiver: {done.secret}")


def _rotate_keys(*, as_json: bool) -> None:
    done = in_session(lambda opened: accounts.rotate(Accounts(opened.pool), opened.wiring.settings, actor=opened.actor))
    show_json({"encrypted_again": done.count}) if as_json else show_text(f"encrypted again: {done.count}")
    for key, why in done.unreadable:
        fail(f"{key} of project {key.project_id}: {why}")
    if done.unreadable:
        sys.exit(PROBLEM)


@accounts_app.command("pause")
def pause_command(account: Account) -> None:
    """Hold what is for an account, until it is resumed."""
    _do(accounts.pause, account, "paused; what is for it waits")


@accounts_app.command("resume")
def resume_command(account: Account) -> None:
    """Send what waits for an account, whatever it was paused for."""
    _do(accounts.resume, account, "resumed")


@accounts_app.command("remove")
def remove_command(account: Account) -> None:
    """Forget what an account holds. What is for it waits until one of its name is added; nothing is lost."""
    said = "removed; what is for it waits until one of its name is added"
    _do(
        accounts.remove, account, f"{said}, or, with one in the settings, until tidings destinations --resume {account}"
    )


def _do(act: Callable[..., Awaitable[None]], account: str, said: str) -> None:
    async def work(opened: Session) -> None:
        key = accounts.account_key(opened.project_id, account)
        await act(Accounts(opened.pool), key, actor=opened.actor)
        show_text(f"{key}: {said}")

    in_session(work)


def _written(key: AccountKey, values: list[str]) -> dict[str, object]:
    """The fields of some arguments. A secret among them is refused without being repeated."""
    secret = {one.name for one in ACCOUNT_TYPES[key.channel].fields if one.is_secret}
    written: dict[str, object] = {}
    for given in values:
        name, equals, value = given.partition("=")
        if not equals:
            raise TidingsError("an argument is not valid: must be FIELD=VALUE, FIELD=@FILE or FIELD=-")
        if name in secret and not value.startswith("@") and value != "-":
            raise TidingsError(
                f"{name} is a secret, and arguments are seen in the list of processes and the shell's history: write"
                f" {name}=@FILE or {name}=-, or leave it out to be asked"
            )
        written[name] = _read(name, value)
    return written


def _read(name: str, value: str) -> str:
    if value == "-":
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise TidingsError(f"{name}: cannot read {value[1:]}: {why}") from None


def _asked_for(key: AccountKey, written: Mapping[str, object]) -> Mapping[str, object]:
    """With the secrets that a person types, where there is one to ask; what is left empty is left out."""
    if not sys.stdin.isatty():
        return written
    typed_ones = [one.name for one in ACCOUNT_TYPES[key.channel].fields if one.is_secret and not one.stays_here]
    missing = [name for name in typed_ones if name not in written]
    typed = {name: typer.prompt(name, default="", hide_input=True, show_default=False, err=True) for name in missing}
    return {**written, **{name: text for name, text in typed.items() if text}}
