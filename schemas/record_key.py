"""The key of a record, the same on every topic and in every table: whose it is, and of which project.

Of the default project it is the id alone, as it has been since before there were others; of every other project it is
the pair project, U+001F, id. So compaction, partitioning and tombstones tell projects apart, and no id holds U+001F.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.errors import InvalidEvent

SEPARATOR = "\x1f"
"""The unit separator: printable ids do not hold it, and every key is still text that a person can read."""


_SEPARATOR = SEPARATOR.encode()


class Keyed(NamedTuple):
    """The meaning of a key: a customer, or a distribution, of a project."""

    project_id: str
    id: str


def record_key(project_id: str, identity: str, default: str) -> str:
    """The key of an id of a project; `default` is the deployment's default project."""
    return identity if project_id == default else f"{project_id}{SEPARATOR}{identity}"


def parse_key(key: bytes, default: str) -> Keyed:
    """The project and id of a key. Raises InvalidEvent for one that `record_key` never makes."""
    try:
        text = key.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent(
            "the key is not UTF-8; the key is the id, with project and U+001F in front", path="key"
        ) from error
    project_id, separator, identity = text.partition(SEPARATOR)
    if not separator:
        return Keyed(default, text)
    if SEPARATOR in identity:
        raise InvalidEvent(f"the key {shown_key(text)} holds U+001F more than once: no id may hold it", path="key")
    if not project_id or not identity:
        missing = "project" if not project_id else "id"
        raise InvalidEvent(f"the key {shown_key(text)} has no {missing} beside its U+001F", path="key")
    if project_id == default:
        said = f"the key {shown_key(text)} names the default project; there the key is the id alone"
        raise InvalidEvent(f"{said}, {shown_key(identity)}", path="key")
    return Keyed(project_id, identity)


def project_of(key: bytes, default: str) -> str:
    """The project of a key: `parse_key` for those who read a key for each row of a table."""
    return default if key.isascii() and _SEPARATOR not in key else parse_key(key, default).project_id


def is_plain(identity: str) -> bool:
    """Tell whether a key can keep an id of the default project: `check_parts`, without its reason."""
    return "\0" not in identity and SEPARATOR not in identity


def check_parts(identity: str, project_id: str) -> None:
    """Raise InvalidEvent where a customer's id, or the project's, holds what no key can keep."""
    for character, name, why in _REFUSED:
        if character in identity:
            raise InvalidEvent(f"the key holds the character {name}, {why}", path="key")
        if character in project_id:
            raise InvalidEvent(f"project_id holds the character {name}, {why}", path="project_id")


_REFUSED = (
    ("\0", "U+0000", "which Postgres cannot keep"),
    (SEPARATOR, "U+001F", "which stands between project and id in keys"),
)


def shown_key(key: str) -> str:
    """A key as messages show it: at most 100 characters, its separator written out."""
    return repr(key[:100])


def label_of(project_id: str, identity: str, default: str) -> str:
    """The name of an id of a project in metrics: the id alone for the default one, else with the project before it."""
    return identity if project_id == default else f"{project_id}/{identity}"
