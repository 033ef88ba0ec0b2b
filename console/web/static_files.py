"""Files that pages load: style and scripts. Each has its content in its name, so that browsers keep it for ever.

Those of others stand in `static/vendor/`, as `manifest.json` there says: name, version, licence and hash. `make vendor`
makes them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

_FOLDER = Path(__file__).parent / "static"
_KINDS: Mapping[str, str] = {".css": "text/css", ".js": "text/javascript"}
_HEADERS = {"cache-control": "public, max-age=31536000, immutable"}
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file: its address, and what is there."""

    path: str
    kind: str
    content: bytes

    async def show(self, _: web.Request) -> web.Response:
        """The file as an answer."""
        return web.Response(body=self.content, content_type=self.kind, charset="utf-8", headers=_HEADERS)


def _read(file: Path) -> StaticFile:
    content = file.read_bytes()
    path = f"/static/{file.stem}.{hashlib.sha256(content).hexdigest()[:_DIGITS]}{file.suffix}"
    return StaticFile(path, _KINDS[file.suffix], content)


FILES: Mapping[str, StaticFile] = {
    file.name: _read(file) for file in sorted(_FOLDER.rglob("*")) if file.suffix in _KINDS
}
"""By name, in whichever folder: a second one of a name would take the first one's place, which a test refuses."""
PATHS: Mapping[str, str] = {name: one.path for name, one in FILES.items()}
"""The address of each, as templates ask for it: `{{ static["site.css"] }}`."""


def static_routes() -> list[web.RouteDef]:
    """A route for each, open to everybody: the sign-in page has them, too."""
    shows: list[tuple[str, Handler]] = [(one.path, one.show) for one in FILES.values()]
    return [web.get(path, show) for path, show in shows]
