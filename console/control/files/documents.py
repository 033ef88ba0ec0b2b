"""Documents in files and folders, with what stands beside them: templates, and lists of members."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePath

from console.control.documents import Document, parse_documents
from console.control.files.templates import read_templates
from schemas.errors import DefinitionInvalid, Problem
from streams.channels.template_files import TemplateFiles

ENDINGS = (".yaml", ".yml", ".json")
"""Of files that hold documents."""
_HEADERS = frozenset({"id", "customer", "customer_id", "customer.id"})
"""First lines of a list of members that are not ids."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files beside a document."""

    folder: Path

    def templates(self) -> Mapping[str, TemplateFiles]:
        """The templates in `templates/` beside the file, or one folder up."""
        return read_templates([self.folder.parent / "templates", self.folder / "templates"])

    def members(self, name: str) -> Sequence[str]:
        """The ids of a list: the first column of a CSV file, with or without a header. Raises ValueError."""
        try:
            with (self.folder / name).open(newline="", encoding="utf-8-sig") as lines:
                return members_in(lines.read())
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{name} cannot be read: {error}") from error

    def file(self, path: str, most: int) -> bytes:
        """A file of the folder or below, whatever links there are. Raises ValueError."""
        folder = self.folder.resolve()
        try:
            file = (folder / path).resolve()
            if not file.is_relative_to(folder) or PurePath(path).is_absolute():
                raise ValueError(f"{path} is not in the folder of this document, nor below it; move it there")
            if not file.is_file():
                raise ValueError(f"{path} is not a file; looked for in {self.folder}")
            must_be_attachable(path, file.stat().st_size, most)
            return file.read_bytes()
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error

    def raw(self, name: str) -> bytes | None:
        """The bytes of a file; None where it is not there."""
        file = self.folder / name
        return file.read_bytes() if file.is_file() else None


def must_be_attachable(path: str, size: int, most: int) -> None:
    """Refuse a file that is empty or too large. Raises ValueError."""
    if not 0 < size <= most:
        said = f"has {size:,} bytes; at most {most:,} (sender.attachment_max_bytes) are allowed"
        raise ValueError(f"{path} {said if size else 'is empty'}")


def members_in(text: str) -> list[str]:
    """The first column of a list, without its header. Raises csv.Error."""
    ids = [row[0].strip() for row in csv.reader(StringIO(text, newline="")) if row and row[0].strip()]
    return ids[1:] if ids and ids[0].lower() in _HEADERS else ids


def read_documents(paths: Iterable[Path]) -> list[Document]:
    """Every document in some files and folders. Raises DefinitionInvalid where a file cannot be read as YAML."""
    files = [file for path in paths for file in (_files(path) if path.is_dir() else [path])]
    return [document for file in files for document in _read(file)]


def _read(file: Path) -> Iterator[Document]:
    try:
        source = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionInvalid((Problem(str(file), f"cannot be read: {error}"),)) from error
    return parse_documents(source, str(file), Folder(file.parent))


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in ENDINGS)
