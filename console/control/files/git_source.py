"""The source of a folder: the repository it is in, with the folder inside it, and the commit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from schemas.managed import GitSource

_SECONDS = 10
_GIT = re.compile(r"\.git(?=//|$)")
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")
LONGEST = 300
"""Characters of a source's name."""


def git_source(folder: Path) -> GitSource:
    """The repository as host and path, without whoever is named in its address; the folder's own name outside of one.

    A commit counts only where the folder is as it was committed.
    """
    inside = _git(folder, "rev-parse", "--show-prefix")
    if inside is None:
        return GitSource(folder.resolve().name or "/")
    remote = _git(folder, "config", "--get", "remote.origin.url")
    top = _git(folder, "rev-parse", "--show-toplevel") or ""
    name = repository(remote) if remote else Path(top).name
    revision = _git(folder, "rev-parse", "HEAD")
    is_dirty = _git(folder, "status", "--porcelain", "--", ".") != ""
    place = f"{name}//{inside.strip('/')}" if inside.strip("/") else name
    return GitSource(place[:LONGEST], None if is_dirty else revision)


def named_source(name: str, revision: str | None = None) -> GitSource:
    """The source of a name that somebody gives; of an address the repository, without whoever is named in it."""
    is_address = "://" in name or re.match(r"[^@/]+@[^:/]+:[^/]", name)
    return GitSource((repository(name) or "/") if is_address else name, revision)


def repository(address: str) -> str:
    """A repository's address as host and path, the same over HTTPS and SSH; a secret in it is left out."""
    scp = None if "://" in address else _SCP.fullmatch(address)
    if scp:
        host, path = scp["host"], scp["path"]
    else:
        host, path = _host_and_path(address)
    path = _GIT.sub("", path.strip("/"))
    return f"{host}/{path}" if host else Path(path).name


def _host_and_path(address: str) -> tuple[str, str]:
    """Of a URL, also of one whose password has a character that ends where the host is written."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.netloc.rpartition("@")[2].partition(":")[2]
    except ValueError:
        return "", address.rpartition("@")[2].rpartition("/")[2]
    whole = address.partition("://")[2]
    if port and not port.isdigit() and "@" in whole and not parts.username:
        return _host_and_path(f"{parts.scheme}://{whole.rpartition('@')[2]}")
    return host, parts.path


def _git(folder: Path, *arguments: str) -> str | None:
    """The answer of git; None where it has none, or is not there."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
