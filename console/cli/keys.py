"""Keys of the API: make, list, revoke."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer
from rich.markup import escape

from console.cli.context import Session, in_session
from console.cli.terminal import AsJson, show_json, show_rows, show_text, warn
from console.control import api_keys
from console.control.api_keys import NewKey
from schemas.access import ACCESS_ROLES
from schemas.api_key import RANDOM_BYTES
from schemas.formats.durations import parse_duration
from store.api_keys import ApiKey, ApiKeys

commands = typer.Typer()
keys_app = typer.Typer(no_args_is_help=True, help="Keys of the HTTP API: make, list, revoke.")
commands.add_typer(keys_app, name="keys")


@keys_app.command("create")
def create_command(
    name: Annotated[str, typer.Argument(help="What it is for, as in ci. One key at a time has a name.")],
    role: Annotated[str, typer.Option(help=f"{', '.join(ACCESS_ROLES)}.")],
    expires: Annotated[str | None, typer.Option(metavar="SPAN", help="Ends after a span, as in 90d.")] = None,
    test: Annotated[
        bool, typer.Option("--test", help="A test key: it looks and dry-runs, and changes nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It is shown this once: what is kept proves it, and does not tell it."""
    try:
        lasts = parse_duration(expires) if expires else None
    except ValueError as error:
        raise typer.BadParameter(f"--expires: {error}") from error

    async def create(opened: Session) -> tuple[str, ApiKey]:
        new = NewKey(opened.project_id, name, role, "test" if test else "live", lasts)
        random = secrets.token_bytes(RANDOM_BYTES)
        return await api_keys.create(ApiKeys(opened.pool), new, random, actor=opened.actor)

    key, kept = in_session(create)
    if as_json:
        show_json({"key": key, "key_id": kept.key_id, "name": kept.name, "role": kept.role, "kind": kept.kind})
        return
    show_text(key)
    warn(f"{kept.name} ({kept.role}, {kept.kind}, {kept.key_id}): keep it now, it is not shown again")


@keys_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every key of the project, the newest first, with when it was last used."""
    found = in_session(lambda opened: api_keys.listed(ApiKeys(opened.pool), opened.project_id))
    columns = ("key", "name", "role", "kind", "state", "created by", "created", "expires", "last used")
    rows = [
        (
            one.key_id, one.name, one.role, one.kind, one.state, one.created_by, one.created_at, one.expires_at,
            one.last_used_at,
        )
        for one in found
    ]  # fmt: skip
    show_rows(columns, rows, as_json=as_json)


@keys_app.command("revoke")
def revoke_command(key: Annotated[str, typer.Argument(help="Its name, or its id.")]) -> None:
    """End a key at once."""
    in_session(lambda opened: api_keys.revoke(ApiKeys(opened.pool), opened.project_id, key, actor=opened.actor))
    show_text(f"{escape(key)} is revoked")
