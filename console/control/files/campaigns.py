"""Campaigns in files, for distributions that are tried before either is applied: on a machine without servers, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from console.control.campaigns import check_campaigns
from console.control.files.documents import Document
from schemas.campaign import Campaign
from schemas.errors import DefinitionInvalid, Problem

FOLDER = "campaigns"
_NAMING = ("publish", "promote")


@dataclass(frozen=True, slots=True)
class Offered:
    """The campaigns that a distribution may name, and where they were looked for."""

    campaigns: Mapping[str, Campaign]
    where: str = ""


class CampaignFiles:
    """Campaigns of `campaigns/` one folder up from a distribution or beside it, over those that are applied.

    Where a `place` is named, a folder or a file, its campaigns and no others.
    """

    def __init__(
        self,
        project_id: str,
        applied: Mapping[str, Campaign] | None,
        place: Path | None = None,
        *,
        zone: tzinfo = UTC,
    ) -> None:
        self._project_id, self._zone = project_id, zone
        self._applied = applied
        self._place = place
        self._read: dict[Path, dict[str, Campaign]] = {}

    def of(self, document: Document) -> Offered:
        """What one distribution may name. Raises DefinitionInvalid where it names one and a file is wrong."""
        at = _names(document.plain)
        if at is None:
            return Offered({})
        try:
            return self._offered(document)
        except DefinitionInvalid as error:
            raise DefinitionInvalid(
                tuple(Problem(at, f"{problem.path}: {problem.message}") for problem in error.problems)
            ) from error

    def _offered(self, document: Document) -> Offered:
        places = self._places(document)
        found = dict(self._applied or {})
        for place in places:
            found |= self._at(place)
        where = f"Looked in {', '.join(str(one) if one.exists() else f'{one} (there is none)' for one in places)}"
        return Offered(found, where if self._applied is None else f"{where} and the database")

    def _places(self, document: Document) -> tuple[Path, ...]:
        """The later ones win."""
        beside = document.file.parent.parent / FOLDER, document.file.parent / FOLDER
        return beside if self._place is None else (self._place,)

    def _at(self, place: Path) -> dict[str, Campaign]:
        if place not in self._read:
            checked = (
                check_campaigns([place], self._project_id, self._applied or {}, self._zone) if place.exists() else []
            )
            self._read[place] = {campaign.id: campaign for _, campaign in checked}
        return self._read[place]


def _names(source: Any) -> str | None:
    """The key under which a distribution names a campaign."""
    written = [name for name in _NAMING if isinstance(source, dict) and source.get(name) is not None]
    return f"{written[0]}.campaign" if written else None
