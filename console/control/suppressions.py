"""The suppression list: add, remove, look, import, export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from console.control.files.suppression_file import (
    COLUMNS,
    SuppressionFile,
    channel_of,
    columns_of,
    csv_line,
    moment_of,
    reason_of,
)
from schemas.closed import ChannelName
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.formats.durations import parse_duration
from schemas.suppression import (
    LONGEST_SOURCE,
    NewSuppression,
    Suppression,
    SuppressionReason,
    host_keys,
    suppression_key,
)
from store.sending.suppressions import Place, Suppressions

T = TypeVar("T")

BATCH_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of an import: rows of the file, and how many of them are new or last longer now."""

    rows: int
    changed: int


@dataclass(frozen=True, slots=True)
class Wording:
    """An entry as somebody wrote it, but for its key. `until` is a day or a moment, `lasts` a span from now."""

    reason: str
    source: str
    channel: str = ""
    until: str | None = None
    lasts: str | None = None


class NotSuppressed(TidingsError):
    """A key has no entry that could be removed. The message names it; `covered_by` are entries that cover it."""

    def __init__(self, key: str, channel: ChannelName | None, covered_by: Sequence[Suppression]) -> None:
        where = f" on {channel} by an entry of its own" if channel else ""
        named = dict.fromkeys(f"{one.key} ({one.channel or 'every channel'})" for one in covered_by)
        hint = f" What covers it: {', '.join(named)}" if named else ""
        super().__init__(f"{key} is not suppressed{where}.{hint}")
        self.covered_by = tuple(covered_by)


def read_entry(project_id: str, actor: str, wording: Wording) -> NewSuppression:
    """An entry on its way, without its key. Raises DefinitionInvalid with all that is wrong."""
    problems: list[Problem] = []
    source = wording.source
    if len(source) > LONGEST_SOURCE:
        said = f"has {len(source)} characters; at most {LONGEST_SOURCE} are allowed"
        problems.append(Problem("source", said))
    if wording.until and wording.lasts:
        problems.append(Problem("until", "excludes a span: write one of the two"))
    entry = NewSuppression(
        project_id=project_id,
        key="",
        reason=_read("reason", wording.reason, reason_of, problems) or "other",
        source=source,
        added_by=actor,
        channel=_read("channel", wording.channel, channel_of, problems),
        expires_at=_read("until", wording.until or None, lambda one: moment_of(one, is_end=True), problems),
        lasts=_read("lasts", wording.lasts or None, parse_duration, problems),
    )
    if problems:
        raise DefinitionInvalid(tuple(problems))
    return entry


async def add(suppressions: Suppressions, entry: NewSuppression, keys: Sequence[str], *, dry_run: bool = False) -> int:
    """Suppress some keys, each as `entry` says; how many are new or last longer.

    Raises DefinitionInvalid with each that is not a key, TryLater.
    """
    problems: list[Problem] = []
    read = [_read(f"keys[{number}]", one, suppression_key, problems) for number, one in enumerate(keys)]
    if problems:
        raise DefinitionInvalid(tuple(problems))
    entries = [replace(entry, key=key) for key in read if key]
    return await suppressions.add(entries, by=entry.added_by, dry_run=dry_run)


async def remove(
    suppressions: Suppressions,
    project_id: str,
    written: str,
    channel: ChannelName | None,
    *,
    actor: str,
    dry_run: bool = False,
) -> int:
    """Send to a key again: on a channel that it has an entry for, or on each. Raises NotSuppressed, TidingsError."""
    key = key_of(written)
    removed = await suppressions.remove(project_id, key, channel, by=actor, dry_run=dry_run)
    if not removed:
        raise NotSuppressed(key, channel, await covering(suppressions, project_id, key))
    return removed


async def covering(suppressions: Suppressions, project_id: str, written: str) -> list[Suppression]:
    """The entries that an address, a domain or a wildcard has itself, and those that cover it. Raises TidingsError."""
    key = key_of(written)
    host = key.rpartition("@")[2]
    return await suppressions.find(project_id, {key, *host_keys(host)})


def listed(suppressions: Suppressions, project_id: str) -> AsyncIterator[Suppression]:
    """Every entry, in the order of the keys. Raises TryLater."""
    return suppressions.all(project_id)


async def page(
    suppressions: Suppressions,
    project_id: str,
    *,
    channel: ChannelName | None,
    reason: SuppressionReason | None,
    after: Place | None,
    limit: int,
) -> list[Suppression]:
    """Some entries that fit, behind a place, in the order of the places. Raises TryLater."""
    return await suppressions.page(project_id, channel=channel, reason=reason, after=after, limit=limit)


async def import_entries(
    suppressions: Suppressions,
    file: SuppressionFile,
    *,
    actor: str,
    on_progress: Callable[[str, int], None] = lambda *_: None,
) -> Imported:
    """Add a file's entries, a transaction a batch; the same file again changes nothing.

    The whole file is checked before anything is changed. Raises DefinitionInvalid, TryLater.
    """
    rows = file.check(lambda at: on_progress("checking", at))
    entries, changed = file.entries(), 0
    while batch := list(islice(entries, BATCH_SIZE)):
        changed += await suppressions.add(batch, by=actor)
        on_progress("adding", file.offset)
    await suppressions.know_size()
    return Imported(rows, changed)


async def export(suppressions: Suppressions, project_id: str) -> AsyncIterator[str]:
    """The whole list as the lines of a CSV file that `import_entries` takes. Raises TryLater."""
    yield csv_line(COLUMNS)
    async for one in suppressions.all(project_id):
        yield csv_line(columns_of(one))


def key_of(written: str) -> str:
    """A key as it is compared. Raises DefinitionInvalid that says what would be right."""
    problems: list[Problem] = []
    key = _read("key", written, suppression_key, problems)
    if key is None:
        raise DefinitionInvalid(tuple(problems))
    return key


def _read(name: str, written: str | None, read: Callable[[str], T | None], problems: list[Problem]) -> T | None:
    """A part as it is read; None where it is not there, or is wrong, which is noted."""
    if written is None:
        return None
    try:
        return read(written)
    except ValueError as error:
        problems.append(Problem(name, str(error).removeprefix(f"{name}: ")))
        return None
