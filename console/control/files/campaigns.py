"""Campaigns in files, for distributions that are tried before either is applied: on a machine without servers, too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from console.control.campaigns import check
from console.control.context import ProjectContext
from console.control.distribution_check import Offered
from console.control.documents import Document
from console.control.files.documents import read_documents
from schemas.campaign import Campaign
from schemas.errors import DefinitionInvalid, Problem

FOLDER = "campaigns"
_NAMING = ("publish", "promote")


class CampaignFiles:
    """Campaigns of `campaigns/` one folder up from a distribution or beside it, over those that are applied.

    Where a `place` is named, a folder or a file, its campaigns and no others.
    """

    def __init__(
        self,
        project: ProjectContext,
        now: datetime,
        *,
        applied: Mapping[str, Campaign] | None = None,
        place: Path | None = None,
    ) -> None:
        self._project, self._now = project, now
        self._applied, self._place = applied, place
        self._read: dict[Path, dict[str, Campaign]] = {}

    def __call__(self, document: Document) -> Offered:
        """The campaigns that one may name. Raises DefinitionInvalid where it names one and a file is wrong."""
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
        if self._place is not None:
            return (self._place,)
        folder = document.beside.folder
        return () if folder is None else (folder.parent / FOLDER, folder / FOLDER)

    def _at(self, place: Path) -> dict[str, Campaign]:
        if place not in self._read:
            documents = read_documents([place]) if place.exists() else []
            checked = check(documents, self._applied or {}, self._project, self._now)
            self._read[place] = {campaign.id: campaign for _, campaign in checked}
        return self._read[place]


def _names(source: Any) -> str | None:
    """The key under which a distribution names a campaign."""
    written = [name for name in _NAMING if isinstance(source, dict) and source.get(name) is not None]
    return f"{written[0]}.campaign" if written else None
