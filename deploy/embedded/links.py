"""Links of messages where nobody configured any: below the public server on this machine, with a secret of its own.

The port and the secret stay in the data folder, so that links of messages that went out work after a new start.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.embedded.kept_file import kept_file, replace_file
from deploy.embedded.process import free_port
from deploy.secret import Secret
from deploy.settings.messages import Console
from schemas.errors import CannotStart

_SECRET, _PORT, _ADDRESS, _BYTES = "link.secret", "console.port", "console.url", 32
_PORTS = re.compile(r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}")
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - what stands for each address of this machine, and for none in a link


@dataclass(frozen=True, slots=True)
class Links:
    """The address below which links stand, and the file with the secret that signs them."""

    public_url: str
    secret_file: str

    def complete(self, console: Console) -> Console:
        """Settings of the public server in which what was left open is that of these links. Raises CannotStart."""
        if console.public_url:
            return console
        try:
            own = console.secrets or (Secret(Path(self.secret_file).read_text().strip()),)
        except OSError as error:
            raise CannotStart(f"cannot read {self.secret_file}: {error.strerror}") from error
        return replace(console, public_url=self.public_url, secrets=own)


@contextmanager
def served_links(folder: Path, console: Console) -> Iterator[dict[str, str]]:
    """Variables by which processes serve and sign links of their own; none where settings have an address for them.

    The secret is in none of them. Until the end `running_links` finds the same.
    """
    if console.public_url:
        yield {}
        return
    port = console.port or _port(folder)
    host = "localhost" if console.host in _EVERYWHERE else f"[{console.host}]" if ":" in console.host else console.host
    address, secret = f"http://{host}:{port}", kept_file(folder, _SECRET, lambda: secrets.token_urlsafe(_BYTES))
    variables = {"TIDINGS_CONSOLE_PORT": str(port), "TIDINGS_CONSOLE_PUBLIC_URL": address}
    if not console.secrets:
        variables["TIDINGS_CONSOLE_SECRETS"] = json.dumps([f"file:{secret.absolute()}"])
    said = replace_file(folder, _ADDRESS, address)
    try:
        yield variables
    finally:
        said.unlink(missing_ok=True)


def running_links(folder: Path) -> Links | None:
    """The links that are served out of a data folder now, if any."""
    try:
        address = (folder / _ADDRESS).read_text().strip()
    except OSError:
        return None
    return Links(address, str(folder / _SECRET))


def _port(folder: Path) -> int:
    """The port of last time, where nobody else listens there by now."""
    kept = kept_file(folder, _PORT, lambda: str(free_port())).read_text().strip()
    port = free_port(int(kept) if _PORTS.fullmatch(kept) else None)
    if str(port) != kept:
        replace_file(folder, _PORT, str(port))
    return port
