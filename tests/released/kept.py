"""Output of released versions: `database` as SQL, `records` as they were on the topics."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
RELEASES = tuple(sorted(path.name for path in FOLDER.iterdir() if (path / "database.sql.gz").exists()))


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """One record. `topic` is without prefix."""

    topic: str
    partition: int
    timestamp: int
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None


def database(release: str) -> str:
    """SQL that makes the database anew, in one that is empty."""
    return gzip.decompress((FOLDER / release / "database.sql.gz").read_bytes()).decode()


def records(release: str) -> list[KeptRecord]:
    """By topic, partition and offset."""
    lines = gzip.decompress((FOLDER / release / "records.jsonl.gz").read_bytes()).splitlines()
    return [_record(json.loads(line)) for line in lines]


def _record(kept: dict[str, object]) -> KeptRecord:
    headers = kept["headers"]
    assert isinstance(headers, list)
    return KeptRecord(
        str(kept["topic"]),
        int(str(kept["partition"])),
        int(str(kept["timestamp"])),
        _bytes(kept["key"]),
        tuple((name, _bytes(value)) for name, value in headers),
        _bytes(kept["value"]),
    )


def _bytes(text: object) -> bytes | None:
    return None if text is None else base64.b64decode(str(text))
