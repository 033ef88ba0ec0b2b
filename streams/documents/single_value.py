"""A path of which an author says that it leads to one value of an event."""

from __future__ import annotations

from schemas.events.triggers import Trigger
from schemas.formats.paths import read_names
from streams.conditions.answer import Kind, a_kind
from streams.conditions.fields import Fields, Unknown
from streams.conditions.parse import without_inside
from streams.values.wording import Report


def one_value(path: str, at: str, trigger: Trigger | None, report: Report) -> Kind | None:
    """The kind of value at the path; None where it leads to no single one, which is reported, or nobody knows."""
    try:
        names = read_names(path)
    except ValueError as error:
        report(at, str(error))
        return None
    fields = Fields.of(trigger) if trigger else None
    found = fields.find(names) if fields else None
    holder = without_inside(names, fields) if fields else None
    if isinstance(found, Unknown):
        report(at, found.message)
    elif holder:
        report(at, holder.partition(";")[0])
    elif found and found.kind in ("list", "object"):
        report(at, f"is a field that holds one value; {path} is {a_kind(found.kind)}")
    else:
        return found.kind if found else None
    return None
