"""A folder of a project: its documents and templates as they are read, and as `tidings pull` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from console.control.document_texts import with_part
from console.control.documents import Document
from console.control.files.documents import ENDINGS, members_in, read_documents
from console.control.files.templates import template_sources
from console.control.from_git.live import FOLDERS, Live, LiveDocument
from console.control.template_source import TemplateSource
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.managed import ManagedKind

DOCUMENTS: tuple[ManagedKind, ...] = ("campaign", "segment", "distribution")
"""Things that are documents, in the order in which their folders are read."""
_OTHERS = frozenset({"event_schema", "project"})
"""Documents that may stand in such a folder and are applied by other commands."""

Written = Literal["new", "changed", "same", "not live"]
"""The fate of a file of a folder that is pulled into."""


@dataclass(slots=True)
class ProjectFolder:
    """The documents and templates of a folder; `name` is how problems call it, `problems` are those of reading it."""

    name: str
    documents: dict[ManagedKind, list[Document]]
    templates: Sequence[TemplateSource]
    problems: list[Problem] = field(default_factory=list)


def is_project_folder(folder: Path) -> bool:
    """True for a folder that holds those of a project, beside templates, and not the files of one kind alone."""
    return folder.is_dir() and any((folder / FOLDERS[kind]).is_dir() for kind in DOCUMENTS)


def read_project_folder(folder: Path) -> ProjectFolder:
    """Everything in a folder, in `campaigns/`, `segments/` and `distributions/` of it, and in `templates/`."""
    read = ProjectFolder(str(folder), {kind: [] for kind in DOCUMENTS}, [])
    for file in _files(folder):
        try:
            found = read_documents([file])
        except DefinitionInvalid as error:
            read.problems += error.problems
            continue
        for document in found:
            sort_document(document, read, is_inside=file.parent != folder)
    read.templates = list(template_sources(folder / FOLDERS["template"]).values())
    return read


def _files(folder: Path) -> Iterator[Path]:
    for place in (folder, *(folder / FOLDERS[kind] for kind in DOCUMENTS)):
        if place.is_dir():
            yield from sorted(file for file in place.iterdir() if file.suffix in ENDINGS and file.is_file())


def sort_document(document: Document, read: ProjectFolder, *, is_inside: bool) -> None:
    """Put a document among those of its kind; `is_inside`: it stands in a folder that holds nothing else."""
    keys = document.plain.keys() if isinstance(document.plain, dict) else frozenset[str]()
    kind = next((one for one in DOCUMENTS if one in keys), None)
    if kind is not None:
        read.documents[kind].append(document)
    elif is_inside and not keys & _OTHERS:
        names = ", ".join(DOCUMENTS)
        read.problems.append(Problem(f"{document.place}:{document.line('')}", f"names none of {names}"))


@dataclass(frozen=True, slots=True)
class PulledFile:
    """A file of the folder, and what became of it."""

    file: Path
    what: Written


def write_live(live: Live, folder: Path) -> list[PulledFile]:
    """Write what is live; files that say the same stay as they are written.

    Raises DefinitionInvalid where a file that is there cannot be read, TidingsError where one cannot be written.
    """
    read = read_project_folder(folder)
    if read.problems:
        raise DefinitionInvalid(tuple(read.problems))
    there = {(kind, one.identity(kind)): one for kind, found in read.documents.items() for one in found}
    files = _Files(folder)
    for one in live.documents:
        _document(one, there.pop((one.kind, one.identity), None), files)
    for name, text in live.templates.items():
        files.put(folder / FOLDERS["template"] / name, text.encode())
    for name, data in live.others.items():
        files.put(folder / name, data)
    own = [file.path for source in read.templates for file in source.parts()]
    gone = [Path(document.place) for document in there.values()]
    gone += [Path(path) for path in own if Path(path).name not in live.templates]
    return [*files.written(), *(PulledFile(file, "not live") for file in dict.fromkeys(gone))]


class _Files:
    """Files that are to be written: all are known before the first one is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contents: dict[Path, bytes] = {}
        self._what: dict[Path, Written] = {}

    def text(self, file: Path) -> str:
        """The text as it will be. Raises TidingsError."""
        return self._contents[file].decode() if file in self._contents else file.read_text()

    def keep(self, file: Path) -> None:
        """Leave a file as it is."""
        self._what.setdefault(file, "same")

    def free(self, one: LiveDocument) -> Path:
        """The place of a document that is new in the folder. Raises TidingsError where another file is there."""
        file = self._folder / one.place
        if file.exists():
            raise TidingsError(f"{file} is there, and does not hold {one.kind} {one.identity}; rename it")
        return file

    def put(self, file: Path, data: bytes) -> None:
        """Write a file, where it is not the same already. Raises TidingsError where it is outside of the folder."""
        if not file.resolve().is_relative_to(self._folder.resolve()):
            raise TidingsError(f"{file} is outside of {self._folder}, and is not written")
        before = file.read_bytes() if file.is_file() else None
        is_same = before is not None and (before == data or (file.suffix == ".csv" and _ids(before) == _ids(data)))
        self._what[file] = "same" if is_same else "new" if before is None else "changed"
        if not is_same:
            self._contents[file] = data

    def written(self) -> list[PulledFile]:
        """Write them all. Raises TidingsError."""
        for file, data in self._contents.items():
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            except OSError as error:
                raise TidingsError(f"cannot write {file}: {error.strerror}") from error
        return [PulledFile(file, what) for file, what in sorted(self._what.items())]


def _document(one: LiveDocument, before: Document | None, files: _Files) -> None:
    if before is None:
        file = files.free(one)
        files.put(file, one.text.encode())
    elif before.plain == one.values:
        files.keep(Path(before.place))
    else:
        file = Path(before.place)
        if file.suffix == ".json":
            text = msgspec.json.format(msgspec.json.encode(one.values), indent=2).decode() + "\n"
        else:
            text = with_part(files.text(file), one.kind, one.identity, one.text)
        files.put(file, text.encode())


def _ids(data: bytes) -> set[str]:
    """The customers of a list, with or without a header."""
    return set(members_in(data.decode("utf-8-sig", errors="replace")))
