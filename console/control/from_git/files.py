"""A project's files without a folder, by their places in one: as they come over HTTP, and as they leave."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path, PurePosixPath

from console.control.documents import parse_documents
from console.control.files.documents import ENDINGS, members_in, must_be_attachable
from console.control.from_git.folder import DOCUMENTS, ProjectFolder, sort_document
from console.control.from_git.live import FOLDERS, Live
from console.control.template_source import SourceFile, named_file, sources
from schemas.errors import DefinitionInvalid, Problem
from streams.channels.template_files import TemplateFiles
from streams.values.wording import invalid

_UNFIT = re.compile(r"[\\\x00-\x1f\x7f]")
_PLACE = "the place of a file in the folder, as in distributions/winback.yaml"


@dataclass(slots=True)
class GivenFiles:
    """The files of a folder that somebody sent; `looked_at` are those that something has asked for so far."""

    files: Mapping[str, bytes] = field(repr=False)
    looked_at: set[str] = field(default_factory=set)

    def get(self, place: str) -> bytes | None:
        """A file; None where none of that place came."""
        if place in self.files:
            self.looked_at.add(place)
        return self.files.get(place)

    @property
    def unread(self) -> list[str]:
        """Files that nothing asked for."""
        return sorted(self.files.keys() - self.looked_at)


@dataclass(frozen=True, slots=True)
class Among:
    """The files that came with a document, by their places from its own on; no other file is ever read."""

    given: GivenFiles = field(repr=False)
    place: str
    folder: Path | None = None

    def templates(self) -> Mapping[str, TemplateFiles]:
        """No template: those that came are stored, and taken from there."""
        return {}

    def members(self, name: str) -> Sequence[str]:
        """The ids of a list. Raises ValueError."""
        data = self.raw(name)
        if data is None:
            raise ValueError(f"{name} cannot be read: it is not among the files that came")
        try:
            return members_in(data.decode("utf-8-sig"))
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{name} cannot be read: {error}") from error

    def file(self, path: str, most: int) -> bytes:
        """A file of the document's folder or below. Raises ValueError."""
        if not PurePosixPath(self._at(path)).is_relative_to(self.place):
            raise ValueError(f"{path} is not in the folder of this document, nor below it; move it there")
        data = self.raw(path)
        if data is None:
            raise ValueError(f"{path} is not a file; looked for among those that came")
        must_be_attachable(path, len(data), most)
        return data

    def raw(self, name: str) -> bytes | None:
        """The bytes of a file; None where it is not there."""
        return self.given.get(self._at(name))

    def _at(self, name: str) -> str:
        return posixpath.normpath(posixpath.join(self.place, name))


def must_be_places(places: Iterable[str]) -> None:
    """Refuse what no file of a folder is called. Raises DefinitionInvalid."""
    wrong = [one for one in places if _UNFIT.search(one) or one.startswith(("/", "..")) or one != _normal(one)]
    if wrong:
        raise DefinitionInvalid(tuple(Problem(one, invalid(one, _PLACE)) for one in wrong))


def read_given(given: GivenFiles) -> ProjectFolder:
    """Everything that a folder with these files holds, as `read_project_folder` reads it."""
    read = ProjectFolder("the folder", {kind: [] for kind in DOCUMENTS}, [])
    for place in _documents(given.files):
        parent = posixpath.dirname(place)
        try:
            found = list(parse_documents(_text(given.get(place) or b""), place, Among(given, parent or ".")))
        except DefinitionInvalid as error:
            read.problems += error.problems
            continue
        except UnicodeDecodeError as error:
            read.problems.append(Problem(place, f"cannot be read: {error}"))
            continue
        for document in found:
            sort_document(document, read, is_inside=bool(parent))
    read.templates = list(sources(_templates(given)).values())
    return read


def files_of(found: Live) -> dict[str, bytes]:
    """A project as files, as `tidings pull` writes them into a new folder."""
    documents = {one.place: one.text.encode() for one in found.documents}
    templates = {f"{FOLDERS['template']}/{name}": text.encode() for name, text in found.templates.items()}
    return documents | templates | {_normal(place): data for place, data in found.others.items()}


def _normal(place: str) -> str:
    return posixpath.normpath(place)


def _documents(files: Mapping[str, bytes]) -> Iterator[str]:
    for folder in ("", *(FOLDERS[kind] for kind in DOCUMENTS)):
        here = (one for one in files if posixpath.dirname(one) == folder)
        yield from sorted(one for one in here if PurePosixPath(one).suffix in ENDINGS)


def _templates(given: GivenFiles) -> Iterator[SourceFile]:
    for place in given.files:
        path = PurePosixPath(place)
        if str(path.parent) == FOLDERS["template"] and named_file(path)[0]:
            try:
                yield SourceFile(path, _text(given.get(place) or b"", "utf-8-sig"))
            except UnicodeDecodeError as error:
                yield SourceFile(path, unreadable=str(error))


def _text(data: bytes, encoding: str = "utf-8") -> str:
    """The text of a file, its lines ended as those of files are when they are read. Raises UnicodeDecodeError."""
    return StringIO(data.decode(encoding), newline=None).read()
