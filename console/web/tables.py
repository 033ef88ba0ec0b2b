"""Tables of pages as files: JSON, and CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from aiohttp import web

from console.control.files.csv_file import to_cell


def json_file(rows: Sequence[Any], following: str | None) -> web.Response:
    """A page of rows, and the cursor of the next one."""
    body = msgspec.json.format(msgspec.json.encode({"items": rows, "next": following}), indent=2)
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def csv_file(name: str, columns: Sequence[str], pages: AsyncIterable[Iterable[Iterable[Any]]]) -> web.Response:
    """All rows, sent as they are found; a text that a spreadsheet would work out has an apostrophe before it.

    Where no more are found in the middle of it, the connection ends before the file does, and whoever reads it is told.
    """
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return web.Response(body=_lines(columns, pages), content_type="text/csv", charset="utf-8", headers=headers)


async def _lines(columns: Sequence[str], pages: AsyncIterable[Iterable[Iterable[Any]]]) -> AsyncIterator[bytes]:
    yield _written([columns])
    async for rows in pages:
        yield _written([to_cell(str(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows)


def _written(rows: Iterable[Iterable[Any]]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue().encode()


def address(path: str, query: Mapping[str, str | None]) -> str:
    """A path with those parameters that say anything, beside its own: it may name its thing by one."""
    path, _, own = path.partition("?")
    said = urlencode({**dict(parse_qsl(own)), **{name: value for name, value in query.items() if value}})
    return f"{path}?{said}" if said else path
