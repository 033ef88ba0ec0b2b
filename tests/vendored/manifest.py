"""The manifest of files that others wrote."""

from __future__ import annotations

import base64
import hashlib

import msgspec

from tests import ROOT

FOLDER = ROOT / "console/web/static/vendor"
MANIFEST = "manifest.json"


class Vendored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file, the package and version that it is from, and where it stands there."""

    file: str
    name: str
    version: str
    licence: str
    source: str
    sha384: str


def manifest() -> list[Vendored]:
    """All of them."""
    return msgspec.json.decode((FOLDER / MANIFEST).read_bytes(), type=list[Vendored])


def integrity(content: bytes) -> str:
    """The hash of a file, as browsers write it."""
    return base64.b64encode(hashlib.sha384(content).digest()).decode()
