"""Fields of an ActiveCampaign account: known by tag or title, written by id, each in the form of its kind.

Sources: the API's reference on custom field values (dates YYYY-MM-DD, datetimes as ISO 8601, choices `||a||b||`). That
a blank name empties the contact's, and that no refusal names its field, is what its users report.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec

from schemas.formats.blank import is_blank
from schemas.formats.kinds import kind_in_words
from schemas.names import did_you_mean
from schemas.record import JsonObject

OF_CONTACTS = ("firstName", "lastName", "phone")
"""What a contact has beside its fields."""
_SEVERAL = ("checkbox", "listbox", "multiselect")
_BETWEEN = "||"
_SHOWN = 12


class Field(msgspec.Struct, frozen=True):
    """A field as the account lists it."""

    id: str | int
    title: str | None = None
    type: str | None = None
    perstag: str | None = None

    @property
    def name(self) -> str:
        """The name that is shown: its tag, which no other has."""
        return self.perstag or self.title or str(self.id)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of an account, as they were read at `at`, a moment of `time.monotonic`."""

    known: Sequence[Field]
    at: float = field(default_factory=time.monotonic, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be written."""
        return (*OF_CONTACTS, *sorted(one.name for one in self.known))

    def find(self, name: str) -> Field:
        """The field of a tag, or of a title that one alone has. Raises ValueError that says what there is."""
        plain = name.casefold()
        for found in (
            [one for one in self.known if (one.perstag or "").casefold() == plain],
            [one for one in self.known if one.title == name],
            [one for one in self.known if (one.title or "").casefold() == plain],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                tags = ", ".join(one.name for one in found)
                raise ValueError(f'several fields are called "{name}": write the tag of one: {tags}')
        titles = [one.title for one in self.known if one.title]
        raise ValueError(f'there is no field "{name}".{did_you_mean(name, [*self.names, *titles])} {self._there()}')

    def _there(self) -> str:
        more = len(self.names) - _SHOWN
        return f"There are: {', '.join(self.names[:_SHOWN])}" + (f" and {more} more" if more > 0 else "")


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
    values = [_value(one["field"], one["value"], fields) for one in contact["fieldValues"]]
    return msgspec.json.encode({"contact": {**made, "fieldValues": values}})


def _value(name: str, value: Any, fields: Fields) -> JsonObject:
    found = fields.find(name)
    return {"field": str(found.id), "value": "" if value == "" else _formed(name, value, found.type or "")}


def _formed(name: str, value: Any, kind: str) -> str:
    if kind in _SEVERAL:
        items = [_text(name, one) for one in (value if isinstance(value, list) else [value])]
        if any(_BETWEEN in item for item in items):
            raise ValueError(f"field {name} takes choices, and none that holds {_BETWEEN}")
        return _BETWEEN + _BETWEEN.join(items) + _BETWEEN if items else ""
    if kind in ("date", "datetime"):
        moment = _moment(name, value, kind)
        return moment.date().isoformat() if kind == "date" else moment.isoformat(timespec="seconds")
    return _text(name, value)


def _moment(name: str, value: Any, kind: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"field {name} is a {kind}; what is there is not one such as {date(2026, 11, 20)}") from None


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
