"""The source of a folder: the repository it is in, with the folder inside it, and the commit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from schemas.managed import GitSource

_SECONDS = 10
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")
_LONGEST = 300


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
    return GitSource(place[:_LONGEST], None if is_dirty else revision)


def repository(address: str) -> str:
    """A repository's address as host and path, the same over HTTPS and SSH; a secret in it is left out."""
    scp = None if "://" in address else _SCP.fullmatch(address)
    if scp:
        host, path = scp["host"], scp["path"]
    else:
        parts = urlsplit(address)
        host, path = parts.hostname or "", parts.path
    path = path.strip("/").removesuffix(".git")
    return f"{host}/{path}" if host else Path(path).name


def _git(folder: Path, *arguments: str) -> str | None:
    """The answer of git; None where it has none, or is not there."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
