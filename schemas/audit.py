"""Entries of the audit log: the closed list of actions, what is shown of a change, and the chain of hashes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import msgspec

AuditAction = Literal[
    "distribution.created",
    "distribution.changed",
    "distribution.set_live",
    "distribution.paused",
    "distribution.resumed",
    "distribution.stopped",
    "distribution.archived",
    "distribution.restored",
    "distribution.deleted",
    "distribution.tested",
    "segment.created",
    "segment.changed",
    "segment.removed",
    "template.created",
    "template.changed",
    "template.deleted",
    "campaign.created",
    "campaign.changed",
    "codes.generated",
    "codes.imported",
    "codes.import_begun",
    "codes.import_canceled",
    "send.drafted",
    "send.confirmed",
    "send.approved",
    "send.edited",
    "send.paused",
    "send.resumed",
    "send.stopped",
    "send.discarded",
    "project.created",
    "project.changed",
    "managed.applied",
    "managed.released",
    "managed.overridden",
    "account.created",
    "account.changed",
    "account.paused",
    "account.resumed",
    "account.removed",
    "account.encrypted_again",
    "key.created",
    "key.revoked",
    "suppressions.added",
    "suppressions.removed",
    "holds.canceled",
    "deliveries.resent",
    "deliveries.canceled",
    "deliveries.hurried",
    "destination.resumed",
    "dead_letters.replayed",
    "dead_letters.mended",
    "customer.erased",
    "customer.consents_set",
    "customer.exported",
    "customers.import_begun",
    "customers.import_canceled",
    "read_models.rebuild_begun",
    "read_models.rebuild_canceled",
    "user.added",
    "user.invited",
    "user.joined",
    "user.role_changed",
    "user.disabled",
    "user.enabled",
    "user.removed",
    "user.reset_allowed",
    "user.password_set",
    "user.linked",
    "user.unlinked",
    "user.passkey_added",
    "user.passkey_removed",
    "user.signed_in",
    "user.sign_in_refused",
    "user.sessions_ended",
]
"""A noun and what was done to it."""
AUDIT_ACTIONS: tuple[AuditAction, ...] = get_args(AuditAction)
AUDIT_NOUNS: tuple[str, ...] = tuple(dict.fromkeys(action.partition(".")[0] for action in AUDIT_ACTIONS))

OF_SENDS: Mapping[str, AuditAction] = {
    "draft": "send.drafted",
    "confirm": "send.confirmed",
    "approve": "send.approved",
    "edit": "send.edited",
    "pause": "send.paused",
    "resume": "send.resumed",
    "stop": "send.stopped",
    "set live": "send.confirmed",
}
"""By the words of a send's own list of what was done to it."""

FIRST_HASH = bytes(32)
"""The hash before the first row of a chain."""

_FORM = "tidings-audit-1"
"""The canonical encoding: another one gets another name."""
_HIDDEN = frozenset({"url", "headers", "password", "secret", "secrets", "token", "api_key", "private_key"})
"""Fields that may hold a secret: authors write tokens into the addresses and headers of webhooks."""
_PEOPLE = frozenset({"members", "allow"})
"""Lists of customers and of addresses, which stand by their length and digest."""
_MAIL = re.compile(r"[^\s@<>\"',;:()]+@[^\s@<>\"',;:()]+")
_PHONE = re.compile(r"\+\d[\d ().-]{5,}\d|(?<![\w.:+-])\d[\d ().]{7,}\d(?![\w.:-])")
_ADDRESS = "(address)"
_MOST_LETTERS, _MOST_ITEMS = 200, 50
_UNSAID = frozenset({"version", "updated_at", "project_id", "id"})
"""Fields of a record that the row has by itself."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: of which project, who did what to which thing, and what differs.

    `change` holds no secret, no address and nothing of a customer but ids that the person named: see `differences`.
    """

    project_id: str
    actor: str
    action: AuditAction
    thing: str
    version: int | None = None
    change: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that a change came with; `key_id` is a key's, or a session's."""

    request_id: str
    key_id: str | None
    address: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry as it stands in its chain; `change` is the JSON as it was hashed."""

    project_id: str
    position: int
    at: datetime
    actor: str
    action: str
    thing: str
    version: int | None
    change: str
    request_id: str | None
    key_id: str | None
    address: str | None


def hash_of_row(row: AuditRow, before: bytes) -> bytes:
    """The SHA-256 of a JSON array: the form's name, the hash before in hex, then the fields in their order.

    The time is in UTC with six digits; strings are escaped, so that no two rows are encoded alike.
    """
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [row.project_id, row.position, at, row.actor, row.action, row.thing, row.version, row.change]
    made = [_FORM, before.hex(), *fields, row.request_id, row.key_id, row.address]
    return hashlib.sha256(msgspec.json.encode(made)).digest()


def differences(before: object | None, after: object | None) -> dict[str, Any]:
    """The fields that differ between two records, as `before` and `after`; of one alone all that it has.

    Secrets and addresses are left out of it, and what is long stands by its length and digest.
    """
    old, new = (None if one is None else _fields(one) for one in (before, after))
    if old is None or new is None:
        return {name: shown(one) for name, one in (("before", old), ("after", new)) if one is not None}
    was, is_now = _differing(old, new)
    return {"before": shown(was), "after": shown(is_now)} if was or is_now else {}


def chosen_by(choice: Any) -> dict[str, Any]:
    """The fields that a choice of many names, which is a dataclass: as the log keeps them."""
    named = {name: value for name, value in asdict(choice).items() if value is not None and name != "project_id"}
    return {name: shown(value, name) for name, value in named.items()}


def shown(value: Any, name: str = "") -> Any:
    """A value as the log keeps it."""
    match value:
        case _ if name in _HIDDEN and value:
            return "(hidden)"
        case str():
            return _shown_text(value)
        case list() | tuple() if name in _PEOPLE or len(value) > _MOST_ITEMS:
            return f"(list of {len(value)}, {_digest(msgspec.json.encode(value))})"
        case list() | tuple():
            return [shown(one) for one in value]
        case Mapping():
            return {_shown_text(key): shown(one, key) for key, one in value.items()}
    return value


def _shown_text(text: str) -> str:
    if len(text) > _MOST_LETTERS:
        return f"(text of {len(text)}, {_digest(text.encode(errors='replace'))})"
    return _PHONE.sub(_ADDRESS, _MAIL.sub(_ADDRESS, text))


def _digest(raw: bytes) -> str:
    return f"sha256 {hashlib.sha256(raw).hexdigest()[:16]}"


def _fields(record: object) -> dict[str, Any]:
    """The fields of a record as JSON has them, without those that are empty."""
    made = _without_nulls(msgspec.to_builtins(record, str_keys=True))
    return {name: value for name, value in made.items() if name not in _UNSAID and value not in ("", [], {})}


def _without_nulls(value: Any) -> Any:
    match value:
        case list():
            return [_without_nulls(one) for one in value]
        case dict():
            return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return value


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    was: dict[str, Any] = {}
    is_now: dict[str, Any] = {}
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            old, new = _differing(old, new)
            if old or new:
                was[name], is_now[name] = old, new
        elif old != new:
            was |= {name: old} if name in before else {}
            is_now |= {name: new} if name in after else {}
    return was, is_now
