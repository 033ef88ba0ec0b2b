"""The reference pages of what authors write, from the declarations by which it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from streams.channels.tables import CHANNEL_RULES
from streams.documents.campaign import CAMPAIGN
from streams.documents.cap_keys import CAP, CapForm
from streams.documents.digest_keys import DIGEST, DigestForm
from streams.documents.distribution_keys import DISTRIBUTION
from streams.documents.distribution_kinds import COMMON
from streams.documents.event_schema import EVENT_SCHEMA
from streams.documents.project import PROJECT
from streams.documents.segment import SEGMENT
from streams.values.kinds import Group, Key, Keys, ListOf, OneOf, Value, Varies
from streams.values.named import Named


class Row(NamedTuple):
    """A key, by its path; `kinds` are those of a document that have it, where not all do."""

    path: tuple[str, ...]
    key: Key
    kinds: tuple[str, ...] = ()


def rows(value: Value[Any], path: tuple[str, ...] = ()) -> Iterator[Row]:
    """All keys below a value, those of a mapping directly after its own."""
    match value:
        case Group(keys):
            for name, key in keys.items():
                yield Row((*path, name), key)
                yield from rows(key.holds, (*path, name))
        case Varies(by, groups):
            for name, key in _united(by, groups).items():
                having = tuple(kind for kind, keys in groups.items() if name in keys)
                yield Row((*path, name), key, having if len(having) < len(groups) else ())
                yield from rows(key.holds, (*path, name))
        case Named(item):
            yield from rows(item, (*path, "NAME"))
        case ListOf(item):
            yield from rows(item, path)
        case CapForm():
            yield from rows(CAP, path)
        case DigestForm():
            yield from rows(DIGEST, path)
        case _:
            return


def _united(by: str, groups: Any) -> Keys:
    """The keys of all groups; the one that chooses takes any of them."""
    united = {name: key for keys in reversed(groups.values()) for name, key in keys.items()}
    ordered = dict.fromkeys(name for keys in groups.values() for name in keys)
    choosing = united[by]
    united[by] = Key(OneOf(tuple(groups)), required=True, doc=choosing.doc, example=choosing.example)
    return {name: united[name] for name in ordered}


def distributions_page() -> str:
    """The keys of a distribution, then those of each channel."""
    channels = [f"\n## {name}\n\n{_table(rules.keys)}" for name, rules in CHANNEL_RULES.items()]
    common = f"\n## Every channel\n\n{_table(Group(COMMON))}"
    return _DISTRIBUTIONS + _table(DISTRIBUTION) + common + "".join(channels)


def campaigns_page() -> str:
    """The keys of a campaign."""
    return _CAMPAIGNS + _table(CAMPAIGN)


def segments_page() -> str:
    """The keys of a segment."""
    return _SEGMENTS + _table(SEGMENT)


def projects_page() -> str:
    """The keys of a project."""
    return _PROJECTS + _table(PROJECT)


def event_schemas_page() -> str:
    """The keys of the description of a custom event."""
    return _EVENT_SCHEMAS + _table(EVENT_SCHEMA)


def _table(value: Value[Any]) -> str:
    lines = [
        f"| {'.'.join(row.path)} | {_cell(_said(row))} | {_without(row.key)} | `{_cell(row.key.example)}` |\n"
        for row in rows(value)
    ]
    return _HEAD + "".join(lines)


def _said(row: Row) -> str:
    of = f" Of {', '.join(row.kinds)}." if row.kinds else ""
    return f"{row.key.doc}{of} Must be {row.key.holds.allowed}."


def _without(key: Key) -> str:
    return "required" if key.required else key.default


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_HEAD = "| key | what it is | without it | example |\n|---|---|---|---|\n"

_DISTRIBUTIONS = """\
# Distributions

Written from `streams/documents/distribution_keys.py` and `streams/channels/` by `python -m console.reference`.
`tidings schema distribution` prints the same for editors. Whatever is wrong in a
file is found at once, each with its line and what would be right.

"""

_CAMPAIGNS = """\
# Campaigns

Written from `streams/documents/campaign.py` by `python -m console.reference`. `tidings schema campaign` prints the
same for editors. Keys that are of some kinds only are refused in the others.

"""

_SEGMENTS = """\
# Segments

Written from `streams/documents/segment.py` by `python -m console.reference`. `tidings schema segment` prints the
same for editors. A segment has exactly one of `when`, `members` and `members_file`.

"""

_PROJECTS = """\
# Projects

Written from `streams/documents/project.py` by `python -m console.reference`. `tidings schema project` prints the same
for editors, `tidings projects apply` keeps documents. That of the default project may say its brand alone: the settings
say the rest of it, `cap`, `control_group` and `staff` in the same words. What is left out is the settings' as well, but
for those three; a brand that is written is whole. Distributions have the brand, the caps, the control group and the
staff of when they were applied; quiet hours and the country are given to them when a project is.

"""

_EVENT_SCHEMAS = """\
# Event schemas

Written from `streams/documents/event_schema.py` by `python -m console.reference`. `tidings schema event-schema` prints
the same for editors. `tidings check` ([check.md](check.md)) holds distributions and recorded events against these
files; nothing else reads them, and events that follow none are taken as before.

"""
