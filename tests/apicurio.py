"""Apicurio's registry, a real one that speaks the Confluent API; from Maven Central, on the broker's Java."""

from __future__ import annotations

import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.embedded.jars import java
from deploy.embedded.process import ServerProcess, free_port

_NAME, _VERSION = "apicurio-registry-app", "2.6.13.Final"
_START_SECONDS = 180.0


@contextmanager
def apicurio(folder: Path) -> Iterator[str]:
    """Its Confluent-compatible address, on a free port; what it is told is kept in memory. Skips without a network."""
    home = _unpacked(folder)
    port = free_port()
    address = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    server = ServerProcess("apicurio", folder)
    path = f"{home}/{_NAME}-{_VERSION}-runner.jar:{home}/lib/*"
    options = ["-Xmx256m", f"-Dquarkus.http.port={port}", "-Dquarkus.http.host=127.0.0.1"]
    command = [str(java(os.environ)), *options, "-cp", path, "io.quarkus.runner.GeneratedMain"]
    server.start(command, {"http": port}, {"HOME": str(folder)})
    try:
        server.wait_until_ready(lambda: _answers(address), _START_SECONDS)
        yield address
    finally:
        server.kill()


def _unpacked(folder: Path) -> Path:
    from jgo.maven import MavenContext

    try:
        found = MavenContext().project("io.apicurio", _NAME).at_version(_VERSION).artifact("all", "tar.gz").resolve()
    except Exception as error:  # jgo lets through whatever its HTTP layer raises
        pytest.skip(f"{_NAME} {_VERSION} cannot be fetched from Maven Central: {type(error).__name__}")
    home = folder / "apicurio"
    with tarfile.open(found) as packed:
        packed.extractall(home, filter="data")
    return home


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/subjects", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False
