"""Fetch what stands in `console/web/static/vendor/` again, byte for byte: `make vendor`.

npm fetches each package of the manifest, from wherever it is set to. Nothing is written unless every file has the hash
that the manifest says; for another version change that first, and read what it changed.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.vendored.manifest import FOLDER, Vendored, integrity, manifest


def main() -> int:
    """Every file of the manifest. Exits with 1, and writes nothing, where one is another than it says."""
    fetched = {one.file: (one, content) for one in manifest() for content in [_fetch(one)]}
    others = [one for one, content in fetched.values() if integrity(content) != one.sha384]
    for one in others:
        sys.stderr.write(f"{one.file}: {one.name} {one.version} has another {one.source}\n")
    if others:
        return 1
    for name, (_, content) in fetched.items():
        (FOLDER / name).write_bytes(content)
    sys.stdout.write(f"{len(fetched)} files are as the manifest says\n")
    return 0


def _fetch(one: Vendored) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        pack = ["npm", "pack", "--silent", f"{one.name}@{one.version}", "--pack-destination", folder]
        subprocess.run(pack, check=True, capture_output=True, timeout=300)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as opened:
            file = opened.extractfile(f"package/{one.source}")
            if file is None:
                raise FileNotFoundError(f"{one.name} {one.version} has no {one.source}")
            return file.read()


if __name__ == "__main__":
    sys.exit(main())
