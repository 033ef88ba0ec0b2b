"""Peers that need what not every machine has, a compiler or a package index; else the bench says they are left out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from agents.wiring import Wiring
from deploy.embedded.jars import KAFKA_VERSION
from schemas.distribution import Distribution

_HERE = Path(__file__).parent
_JAVA = _HERE / "java"
STREAMS = (f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}", "org.slf4j:slf4j-nop:1.7.36")
DROOLS = (
    "org.drools:drools-engine:9.44.0.Final",
    "org.drools:drools-model-compiler:9.44.0.Final",
    "com.fasterxml.jackson.core:jackson-databind:2.15.2",
    "com.fasterxml.jackson.core:jackson-core:2.15.2",
    "org.slf4j:slf4j-nop:1.7.36",
)

Peer = Callable[[Wiring, int, int], dict[str, Any]]
"""Runs on a topic with so many events and trivial rules."""

Matching = Callable[[Path], dict[str, Any]]
"""Builds the rules of a file and matches its events; seconds to build, microseconds an event, matches in all."""


def kafka_streams(folder: Path, environ: Mapping[str, str]) -> Peer | None:
    """Kafka Streams with one thread on the first core, doing the trivial work in Java; None where it cannot be made."""
    command = java_command("StreamsPeer", STREAMS, folder, environ)
    if command is None:
        return None
    return _on_a_topic(command, folder / "state")


def quix_streams(folder: Path) -> Peer | None:
    """Quix Streams on the first core, in an environment of its own; None where that cannot be made."""
    python = folder / "bin" / "python"
    venv.create(folder, with_pip=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    installed = subprocess.run(
        [str(python), *install, "-r", str(_HERE / "quix" / "requirements.lock")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if installed.returncode:
        sys.stdout.write(f"  Quix Streams cannot be installed and is left out: {installed.stderr[-300:].strip()}\n")
        return None
    return _on_a_topic([*pinned_command(), str(python), str(_HERE / "quix" / "peer.py")], folder / "state")


def _on_a_topic(command: list[str], state: Path) -> Peer:
    def run(wiring: Wiring, events: int, rules: int) -> dict[str, Any]:
        settings = wiring.settings
        arguments = [
            settings.kafka.bootstrap, settings.topics.prefix, wiring.topic("events.orders"),
            wiring.topic("deliveries.webhook"), str(events), str(rules), str(state),
        ]  # fmt: skip
        return ran([*command, *arguments])

    return run


def matching_peers(folder: Path, environ: Mapping[str, str]) -> dict[str, Matching]:
    """Other ways to find the rules that fit, where their compilers are."""
    found: dict[str, Matching] = {}
    drools = java_command("DroolsPeer", DROOLS, folder / "drools", environ)
    if drools:
        found["drools"] = lambda file: ran([*drools, str(file)])
    cargo = shutil.which("cargo", path=environ.get("PATH"))
    if cargo is None:
        sys.stdout.write("  no cargo on the PATH: a-tree is left out\n")
    else:
        target = folder / "atree"
        manifest = str(_HERE / "atree" / "Cargo.toml")
        made([cargo, "build", "--quiet", "--release", "--manifest-path", manifest, "--target-dir", str(target)])
        found["a-tree"] = lambda file: ran([*pinned_command(), str(target / "release" / "atree-peer"), str(file)])
    return found


def write_matching(file: Path, rules: list[Distribution], events: list[dict[str, Any]], now: datetime) -> None:
    """The rules of the bench and its events, decoded, with all that is tested side by side."""
    content = {"now": milliseconds(now), "rules": [flat_rule(rule) for rule in rules], "events": [*map(_flat, events)]}
    file.write_bytes(msgspec.json.encode(content))


def flat_rule(rule: Distribution) -> dict[str, Any]:
    """All that a rule of `rules.realistic` tests, by what it looks at."""
    flat: dict[str, Any] = {}
    assert isinstance(rule.when, dict)
    for part in rule.when["all"]:
        match part:
            case {"order.amount": {"at_least": amount}}:
                flat["amount"] = amount
            case {"order.items": {"any_item": {"sku_id": {"starts_with": start}}}}:
                flat["item"] = start
            case {"customer.metadata.joined": {"within_last": span}}:
                flat["joined_days"] = int(span.removesuffix("d"))
            case {"any": [{"customer.metadata.tier": tier}, {"order.amount": {"at_least": amount}}]}:
                flat |= {"vip_tier": tier, "vip_amount": amount}
            case {"not": {"customer.email": {"ends_with": end}}}:
                flat["not_mail"] = end
            case _:
                ((path, value),) = part.items()
                flat[path.rsplit(".", 1)[1]] = value
    return flat


def _flat(event: dict[str, Any]) -> dict[str, Any]:
    customer, order = event["data"]["customer"], event["data"]["order"]
    metadata = customer["metadata"]
    joined = datetime.fromisoformat(metadata["joined"]).replace(tzinfo=UTC)
    return {
        **{name: metadata[name] for name in ("shop", "country", "tier")}, "email": customer["email"],
        "joined": milliseconds(joined), "amount": order["amount"], "channel": order["metadata"]["channel"],
        "skus": [item["sku_id"] for item in order["items"]],
    }  # fmt: skip


def milliseconds(moment: datetime) -> int:
    """Unix milliseconds."""
    return int(moment.timestamp() * 1000)


def java_command(
    name: str, coordinates: tuple[str, ...], folder: Path, environ: Mapping[str, str], sources: tuple[Path, ...] = ()
) -> list[str] | None:
    """The command that runs one of the classes of `java/`, pinned to the first core; None without a compiler."""
    compiler = shutil.which("javac", path=environ.get("PATH"))
    if compiler is None:
        sys.stdout.write(f"  no javac on the PATH: {name} is left out\n")
        return None
    from jgo import resolve

    jars = {Path(found.resolve()) for found in resolve("+".join(coordinates))}
    folder.mkdir(parents=True, exist_ok=True)
    path = ":".join(map(str, [*sorted(jars), folder]))
    files = [*map(str, sources), str(_JAVA / f"{name}.java")]
    made([compiler, "-cp", path, "-sourcepath", str(_JAVA), "-d", str(folder), *files])
    return [*pinned_command(), str(Path(compiler).with_name("java")), "-Xmx2g", "-cp", path, name]


def pinned_command() -> list[str]:
    """The beginning of a command that stays on the first core, where the system can do that."""
    return ["taskset", "-c", "0"] if shutil.which("taskset") else []


def made(command: list[str]) -> None:
    """Build something; ends the bench with what the compiler said."""
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    if built.returncode:
        raise SystemExit(built.stderr)


def ran(command: list[str]) -> dict[str, Any]:
    """The report of a peer, the last line that it printed; ends the bench with its errors."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, Any] = msgspec.json.decode(done.stdout.splitlines()[-1])
    return found
