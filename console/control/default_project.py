"""The default project, which has no document: what the settings say of it, read as a document's keys are."""

from __future__ import annotations

from deploy.settings.settings import Settings
from schemas.errors import CannotStart, DefinitionInvalid
from streams.documents.project import ProjectValues, parse_values


def default_values(settings: Settings) -> ProjectValues:
    """Its caps, its control group and its staff. Raises CannotStart with every problem, each with its key."""
    keys = {"cap": settings.cap, "control_group": settings.control_group, "staff": settings.staff}
    try:
        return parse_values({name: one for name, one in keys.items() if one not in ("", [], {})}, settings.consents)
    except DefinitionInvalid as error:
        raise CannotStart("\n".join(map(str, error.problems))) from error
