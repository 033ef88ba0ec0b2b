"""Fields of an ActiveCampaign account: known by tag or title, written by id, each in the form of its kind.

Sources: the API's reference on custom field values (dates YYYY-MM-DD, datetimes as ISO 8601, choices `||a||b||`). That
a blank name empties the contact's, and that no refusal names its field, is what its users report.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from schemas.formats.blank import is_blank
from schemas.formats.kinds import kind_in_words
from schemas.known_fields import FieldKind, KnownField, KnownFields
from schemas.record import JsonObject

OF_CONTACTS = ("firstName", "lastName", "phone")
"""What a contact has beside its fields."""
_KINDS: Mapping[str | None, FieldKind] = {
    "date": "date",
    "datetime": "date",
    "checkbox": "list",
    "listbox": "list",
    "multiselect": "list",
}
"""The kinds of types; of all others it is a text."""
_BETWEEN = "||"


class Field(msgspec.Struct, frozen=True):
    """A field as the account lists it. Nothing is asked of a type that is not known."""

    id: str | int
    title: str | None = None
    type: str | None = None
    perstag: str | None = None

    @property
    def name(self) -> str:
        """The name that is shown: its tag, which no other has."""
        return self.perstag or self.title or str(self.id)

    @property
    def known(self) -> KnownField:
        """The field as it is known to whoever fills it in."""
        return KnownField(self.name, _KINDS.get(self.type, "text"), (self.title,) if self.title else ())


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of an account by their names, as they were read at `at`, a moment of `time.monotonic`."""

    by_name: Mapping[str, Field]
    known: KnownFields
    """All that can be written, of which capitals make no other name."""
    at: float = field(default_factory=time.monotonic, compare=False)

    @classmethod
    def of(cls, listed: Iterable[Field]) -> Fields:
        """Those of the account's list."""
        by_name = {one.name: one for one in sorted(listed, key=lambda one: one.name)}
        own = [KnownField(name, "text") for name in OF_CONTACTS]
        return cls(by_name, KnownFields((*own, *(one.known for one in by_name.values())), any_case=True))

    def find(self, name: str) -> Field:
        """The field of a tag or a title. Raises ValueError that says what there is."""
        return self.by_name[self.known.find(name).name]


def contact_body(email: str, attributes: JsonObject) -> bytes:
    """The body of a contact whose fields stand under the names that their author wrote."""
    own = {name: attributes[name] for name in OF_CONTACTS if name in attributes}
    rest = [{"field": name, "value": value} for name, value in attributes.items() if name not in own]
    return msgspec.json.encode({"contact": {"email": email, **own, "fieldValues": rest}})


def has_fields(body: bytes) -> bool:
    """True where a body names a field, so that the account's list is needed."""
    return bool(msgspec.json.decode(body)["contact"]["fieldValues"])


def written(body: bytes, fields: Fields) -> bytes:
    """The same body as it is sent: ids for names, every value in the form of its field.

    Raises ValueError for a name that the account does not have, and for a value that does not fit.
    """
    contact = msgspec.json.decode(body)["contact"]
    own = {name: _text(name, contact[name]) for name in OF_CONTACTS if name in contact}
    made = {"email": contact["email"], **{name: text for name, text in own.items() if not is_blank(text)}}
    values = [_value(one["value"], fields.find(one["field"])) for one in contact["fieldValues"]]
    return msgspec.json.encode({"contact": {**made, "fieldValues": values}})


def _value(value: Any, found: Field) -> JsonObject:
    return {"field": str(found.id), "value": "" if value == "" else _formed(value, found)}


def _formed(value: Any, found: Field) -> str:
    match found.known.kind:
        case "list":
            items = [_text(found.name, one) for one in (value if isinstance(value, list) else [value])]
            if any(_BETWEEN in item for item in items):
                raise ValueError(f"field {found.name} takes choices, and none that holds {_BETWEEN}")
            return _BETWEEN + _BETWEEN.join(items) + _BETWEEN if items else ""
        case "date":
            moment = _moment(found, value)
            return moment.date().isoformat() if found.type == "date" else moment.isoformat(timespec="seconds")
        case _:
            return _text(found.name, value)


def _moment(found: Field, value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"field {found.name} is a {found.type}; what is there is not one, as 2026-11-20 is") from None


def _text(name: str, value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case list():
            return ", ".join(_text(name, one) for one in value)
        case _:
            raise ValueError(f"field {name} holds a text, a number or a date, not {kind_in_words(value)}")
