"""Looks for what a customer said in every store, through the store's own interface, whatever it is encoded as."""

from __future__ import annotations

import base64
import html
import json
import quopri
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import asyncpg
import rocksdict

from agents.broker.reader import TopicReader, headers_of
from agents.wiring import Wiring
from schemas.topics import CHANGELOGS, TOPICS

Found = dict[str, set[str]]
"""By store: the names of the strings that stand there."""


class Needles:
    """Unmistakable strings by name, to be found as UTF-8 or UTF-16, escaped, percent-encoded, in hex or in base64."""

    def __init__(self, strings: Mapping[str, str]) -> None:
        self.strings = dict(strings)
        self._forms = {name: set(_forms(text)) for name, text in strings.items()}

    def within(self, raw: bytes) -> set[str]:
        """The names of those that stand somewhere in some bytes."""
        plain = raw.replace(b"\\\\", b"\\").replace(b"\\\\", b"\\")
        looked = (raw, plain, plain.lower())
        return {name for name, forms in self._forms.items() if any(form in one for form in forms for one in looked)}


def _forms(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield from (raw, text.lower().encode(), raw.hex().encode(), quote(text).encode())
    yield from (text.encode("utf-16-le"), text.encode("utf-16-be"), quopri.encodestring(raw).strip())
    yield text.encode("ascii", "xmlcharrefreplace")
    yield html.escape(text).encode()
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
    escaped = json.dumps(text)[1:-1]
    yield from (escaped.encode(), escaped.lower().encode(), escaped.upper().replace("\\U", "\\u").encode())
    for place, begin in enumerate((0, 2, 3)):
        whole = base64.b64encode(b"\0" * place + raw).rstrip(b"=")
        yield whole[begin : len(whole) - ((place + len(raw)) % 3 != 0)]


def added(found: Found, store: str, names: Iterable[str]) -> None:
    """Note what was found in a store, where it is anything."""
    if new := set(names):
        found.setdefault(store, set()).update(new)


async def in_postgres(pool: asyncpg.Pool, needles: Needles) -> Found:
    """Every column of every table."""
    rows = await pool.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and not relispartition"
    )
    found: Found = {}
    async with pool.acquire() as connection, connection.transaction():
        for name in sorted(row["relname"] for row in rows):
            async for row in connection.cursor(f"select t::text from {name} t"):  # noqa: S608
                added(found, name, needles.within(row[0].encode()))
    return found


def in_topics(wiring: Wiring, needles: Needles) -> Found:
    """Every topic to its end: keys, values and headers."""
    found: Found = {}
    for name in (*TOPICS, *CHANGELOGS):
        with TopicReader(wiring, name) as reader:
            for one in reader.until_now():
                headers = [part for name, value in headers_of(one) for part in (name.encode(), value or b"")]
                raw = b"\0".join([one.key() or b"", one.value() or b"", *headers])
                added(found, name, needles.within(raw))
    return found


def in_tables(folder: Path, needles: Needles) -> Found:
    """Every row of the workers' tables on disk; nobody has them open."""
    found: Found = {}
    for current in sorted(folder.rglob("CURRENT")):
        options = rocksdict.Options(raw_mode=True)
        rows = rocksdict.Rdict(str(current.parent), options, access_type=rocksdict.AccessType.read_only())
        for key, value in rows.items():
            added(found, f"table {current.parent.parent.name}", needles.within(key + b"\0" + value))
        rows.close()
    return found


def in_files(folder: Path, needles: Needles) -> Found:
    """Every other file below a folder: logs, and what workers remember."""
    found: Found = {}
    tables = {one.parent for one in folder.rglob("CURRENT")}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not tables & set(file.parents):
            added(found, str(file.relative_to(folder)), needles.within(file.read_bytes()))
    return found
