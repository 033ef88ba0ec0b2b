"""Customers found by what people know of them."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Annotated

import typer

from console.cli.context import Session, in_session
from console.cli.terminal import AsJson, show_json, show_rows, show_text
from console.control.customer_search import FoundCustomer, find
from console.control.customers import check_id
from schemas.errors import TidingsError
from store.known_customers import KnownCustomers

search_commands = typer.Typer()


@search_commands.command("find")
def find_command(
    text: Annotated[str, typer.Argument(help="The beginning of an id, an address or a name, or a number's end.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The first so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Customers by what you know of them, whatever the case and the accents."""

    async def work(opened: Session) -> None:
        found, is_more = await find(KnownCustomers(opened.pool), opened.project_id, text, limit)
        columns = [one.name.replace("_", " ") for one in fields(FoundCustomer)]
        show_rows(columns, map(astuple, found), as_json=as_json)
        if is_more and not as_json:
            show_text(f"There are more than {limit}: a longer text tells them apart.")

    in_session(work, "postgres")


@search_commands.command("show")
def show_command(customer: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")]) -> None:
    """A customer's whole profile, as it came last."""

    async def work(opened: Session) -> None:
        check_id(customer)
        profile = await KnownCustomers(opened.pool).profile(opened.project_id, customer)
        if profile is None:
            raise TidingsError(f"no profile of {customer} is kept: none came yet, or it was erased")
        show_json(profile)

    in_session(work, "postgres")
