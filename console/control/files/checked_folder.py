"""A folder to check: its distributions, segments, templates and descriptions of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from console.control.documents import Document
from console.control.files.documents import read_documents
from console.control.files.templates import template_sources
from console.control.template_source import TemplateSource

_KINDS = ("distribution", "segment", "event_schema")
_FOLDERS = ("", "distributions", "segments", "event-schemas")


@dataclass(frozen=True, slots=True)
class Written:
    """The documents of a folder, by what they are."""

    distributions: Sequence[Document] = ()
    segments: Sequence[Document] = ()
    event_schemas: Sequence[Document] = ()
    templates: Sequence[TemplateSource] = ()


def read_folder(folder: Path) -> Written:
    """All documents in a folder, in `distributions/`, `segments/` and `event-schemas/` of it, and in `templates/`.

    Raises DefinitionInvalid where a file cannot be read as YAML.
    """
    by_kind: dict[str, list[Document]] = {kind: [] for kind in _KINDS}
    for document in read_documents(_folders(folder)):
        kind = next((kind for kind in _KINDS if isinstance(document.plain, dict) and kind in document.plain), None)
        if kind is not None:
            by_kind[kind].append(document)
    distributions, segments, event_schemas = (by_kind[kind] for kind in _KINDS)
    return Written(distributions, segments, event_schemas, _templates(folder))


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    yield from (place for name in _FOLDERS if (place := folder / name).is_dir())


def _templates(folder: Path) -> Sequence[TemplateSource]:
    return list(template_sources(folder / "templates").values())
