"""Peers that are not on everybody's machine: without a Java compiler they are left out, and the bench says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agents.wiring import Wiring
from deploy.embedded.jars import KAFKA_VERSION

_SOURCE = Path(__file__).parent / "StreamsPeer.java"
_COORDINATES = (f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}", "org.slf4j:slf4j-nop:1.7.36")

Peer = Callable[[Wiring, int, int], dict[str, Any]]
"""Runs on a topic with so many events and trivial rules."""


def kafka_streams(folder: Path, environ: Mapping[str, str]) -> Peer | None:
    """Kafka Streams with one thread on the first core, doing the trivial work in Java; None where it cannot be made."""
    compiler = shutil.which("javac", path=environ.get("PATH"))
    if compiler is None:
        sys.stdout.write("  no javac on the PATH: Kafka Streams is left out\n")
        return None
    from jgo import resolve

    jars = {Path(found.resolve()) for found in resolve("+".join(_COORDINATES))}
    folder.mkdir(parents=True, exist_ok=True)
    path = ":".join(map(str, [*sorted(jars), folder]))
    built = subprocess.run(
        [compiler, "-cp", path, "-d", str(folder), str(_SOURCE)], check=False, capture_output=True, text=True
    )
    if built.returncode:
        raise SystemExit(built.stderr)
    java = str(Path(compiler).with_name("java"))
    pinned = ["taskset", "-c", "0"] if shutil.which("taskset") else []

    def run(wired: Wiring, events: int, rules: int) -> dict[str, Any]:
        settings = wired.settings
        arguments = [
            settings.kafka.bootstrap, settings.topics.prefix, wired.topic("events.orders"),
            wired.topic("deliveries.webhook"), str(events), str(rules), str(folder / "state"),
        ]  # fmt: skip
        done = subprocess.run(
            [*pinned, java, "-Xmx512m", "-cp", path, "StreamsPeer", *arguments],
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        found: dict[str, Any] = msgspec.json.decode(done.stdout.splitlines()[-1])
        return found

    return run
