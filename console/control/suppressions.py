"""The suppression list: add, remove, look, import, export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from console.control.files.suppression_file import COLUMNS, SuppressionFile, columns_of, csv_line
from schemas.closed import ChannelName
from schemas.errors import TidingsError
from schemas.suppression import LONGEST_SOURCE, NewSuppression, Suppression, host_keys, suppression_key
from store.sending.suppressions import Suppressions

BATCH_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of an import: rows of the file, and how many of them are new or last longer now."""

    rows: int
    changed: int


async def add(suppressions: Suppressions, entry: NewSuppression, keys: Sequence[str]) -> int:
    """Suppress some keys, each as `entry` says; how many are new or last longer. Raises TidingsError, TryLater."""
    if len(entry.source) > LONGEST_SOURCE:
        raise TidingsError(f"source has {len(entry.source)} characters; at most {LONGEST_SOURCE} are allowed")
    return await suppressions.add([replace(entry, key=key_of(written)) for written in keys])


async def remove(suppressions: Suppressions, project_id: str, written: str, channel: ChannelName | None) -> int:
    """Send to a key again: on a channel that it has an entry for, or on each. Raises TidingsError where it has none."""
    key = key_of(written)
    removed = await suppressions.remove(project_id, key, channel)
    if not removed:
        raise TidingsError(
            f"{key} is not suppressed{_where(channel)}.{await _covering_hint(suppressions, project_id, key)}"
        )
    return removed


async def covering(suppressions: Suppressions, project_id: str, written: str) -> list[Suppression]:
    """The entries that an address, a domain or a wildcard has itself, and those that cover it. Raises TidingsError."""
    key = key_of(written)
    host = key.rpartition("@")[2]
    return await suppressions.find(project_id, {key, *host_keys(host)})


def listed(suppressions: Suppressions, project_id: str) -> AsyncIterator[Suppression]:
    """Every entry, in the order of the keys. Raises TryLater."""
    return suppressions.all(project_id)


async def import_entries(
    suppressions: Suppressions, file: SuppressionFile, *, on_progress: Callable[[str, int], None] = lambda *_: None
) -> Imported:
    """Add a file's entries, a transaction a batch; the same file again changes nothing.

    The whole file is checked before anything is changed. Raises DefinitionInvalid, TryLater.
    """
    rows = file.check(lambda at: on_progress("checking", at))
    entries, changed = file.entries(), 0
    while batch := list(islice(entries, BATCH_SIZE)):
        changed += await suppressions.add(batch)
        on_progress("adding", file.offset)
    await suppressions.know_size()
    return Imported(rows, changed)


async def export(suppressions: Suppressions, project_id: str) -> AsyncIterator[str]:
    """The whole list as the lines of a CSV file that `import_entries` takes. Raises TryLater."""
    yield csv_line(COLUMNS)
    async for one in suppressions.all(project_id):
        yield csv_line(columns_of(one))


def key_of(written: str) -> str:
    """A key as it is compared. Raises TidingsError that says what would be right."""
    try:
        return suppression_key(written)
    except ValueError as error:
        raise TidingsError(str(error)) from None


def _where(channel: ChannelName | None) -> str:
    return f" on {channel} by an entry of its own" if channel else ""


async def _covering_hint(suppressions: Suppressions, project_id: str, key: str) -> str:
    found = await covering(suppressions, project_id, key)
    named = dict.fromkeys(f"{one.key} ({one.channel or 'every channel'})" for one in found)
    return f" What covers it: {', '.join(named)}" if named else ""
