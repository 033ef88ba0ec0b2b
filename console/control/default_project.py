"""The default project, which has no document: what the settings say of it, read as a document's keys are."""

from __future__ import annotations

from deploy.settings.settings import Settings
from schemas.errors import CannotStart, DefinitionInvalid
from streams.documents.project import ProjectValues, parse_values


def default_values(settings: Settings) -> ProjectValues:
    """Its caps, control group, staff and country. Raises CannotStart with every problem, each with its key."""
    keys = {name: getattr(settings, name) for name in ("cap", "control_group", "staff", "country")}
    try:
        return parse_values({name: one for name, one in keys.items() if one not in ("", [], {})}, settings.consents)
    except DefinitionInvalid as error:
        raise CannotStart("\n".join(map(str, error.problems))) from error
