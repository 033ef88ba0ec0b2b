"""A template in a file, to be shown with the subject of a distribution beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from console.control.documents import Document
from console.control.files.documents import ENDINGS, read_documents
from console.control.files.templates import NO_TEMPLATE, template_sources
from console.control.preview.template import Source, from_source
from console.control.template_source import named_file
from schemas.errors import DefinitionInvalid, TidingsError


def from_file(file: Path, brand: Mapping[str, str]) -> Source:
    """A template in a file, with the files beside it; subject and consent are those of a distribution that names it.

    Raises TidingsError.
    """
    name, tag = named_file(file)
    source = template_sources(file.parent).get(name)
    if source is None:
        raise TidingsError(f"{file} {NO_TEMPLATE}")
    subject, consent = _distribution_of(name, file.parent)
    return from_source(source, brand, subject=subject, consent=consent, tag=tag)


def _distribution_of(name: str, folder: Path) -> tuple[str | None, str]:
    """Subject, if any, and consent of the first distribution that names a template: in the places it is read from."""
    for document in _documents([folder.parent, *sorted(folder.parent.iterdir())]):
        body = document.plain if isinstance(document.plain, dict) else {}
        channels = body.get("channels")
        for channel in channels if isinstance(channels, list) else []:
            plan = channel.get("email") if isinstance(channel, dict) else None
            if isinstance(plan, dict) and plan.get("template") == name:
                subject = plan.get("subject")
                return None if subject is None else str(subject), str(body.get("consent", "marketing"))
    return None, "marketing"


def _documents(folders: Iterable[Path]) -> Iterator[Document]:
    """Documents that can be read: a broken distribution is not what was asked about."""
    for folder in folders:
        for file in sorted(found for ending in ENDINGS for found in folder.glob(f"*{ending}") if folder.is_dir()):
            try:
                yield from read_documents([file])
            except DefinitionInvalid:
                continue
