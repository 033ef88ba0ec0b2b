"""A real Apache Kafka: a KRaft node on loopback, alone or in a cluster, its data kept in a folder."""

from __future__ import annotations

import base64
import logging
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.embedded.jars import Progress, java, kafka_class_path
from deploy.embedded.process import ServerProcess, free_port, prepare_folder
from schemas.errors import CannotStart

_START_SECONDS = 120.0
_SILENT = logging.Logger("kafka-probe", logging.CRITICAL)

_SETTINGS_FILE = "server.properties"
_SETTINGS = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}
controller.listener.names=CONTROLLER
log.dirs=logs
auto.create.topics.enable=false
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
min.insync.replicas={in_sync}
offsets.topic.replication.factor={nodes}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={nodes}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={nodes}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=33554432
"""


@dataclass(frozen=True, slots=True)
class Seat:
    """A node's place in its cluster: its number from 1, all controllers' ports by that number, the cluster's id."""

    node: int
    controllers: Sequence[int]
    cluster: str

    def settings(self) -> dict[str, object]:
        """Settings that the nodes of a cluster have to agree on. One of three may be lost, and writes go on."""
        nodes = len(self.controllers)
        voters = ",".join(f"{number}@127.0.0.1:{port}" for number, port in enumerate(self.controllers, start=1))
        return {"node": self.node, "voters": voters, "nodes": nodes, "in_sync": nodes // 2 + nodes % 2}


class KafkaServer:
    """Start, stop, kill and restart a broker in `folder`. The bootstrap address stays the same over restarts."""

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        heap: str = "512m",
        for_load: bool = False,
        seat: Seat | None = None,
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._heap = heap
        self._for_load = for_load
        self._seat = seat
        self.process = ServerProcess("kafka", folder)

    @property
    def bootstrap(self) -> str:
        """host:port for clients, known after the first start."""
        return f"127.0.0.1:{self.process.remembered_ports()['client']}"

    def start(self, progress: Progress | None = None) -> str:
        """Start, or find it running; returns the bootstrap address. Raises CannotStart."""
        if self.process.running() is None:
            self._start(progress)
        return self.bootstrap

    def stop(self) -> None:
        """Stop in order."""
        self.process.stop()

    def kill(self) -> None:
        """End at once, as a crash would."""
        self.process.kill()

    def _start(self, progress: Progress | None) -> None:
        prepare_folder(self._folder)
        before = self.process.remembered_ports()
        ports = {"client": free_port(before.get("client"))}
        ports["controller"] = self._controller_port(before)
        seat = self._seat or Seat(1, [ports["controller"]], new_cluster_id())
        program = [str(java(self._environ)), *self._flags(kafka_class_path(self._environ, progress))]
        (self._folder / _SETTINGS_FILE).write_text(_SETTINGS.format(**ports, **seat.settings()))
        self._format(program, seat.cluster)
        self.process.start([*program, "kafka.Kafka", _SETTINGS_FILE], ports, self._java_environ())
        address = f"127.0.0.1:{ports['client']}"
        self.process.wait_until_ready(lambda: answers(address), _START_SECONDS)

    def _controller_port(self, before: Mapping[str, int]) -> int:
        return self._seat.controllers[self._seat.node - 1] if self._seat else free_port(before.get("controller"))

    def _flags(self, jars: list[Path]) -> list[str]:
        quick = ["-XX:+UseSerialGC", "-XX:+PerfDisableSharedMem", "-Xshare:auto"]
        quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        if not self._for_load:
            quick.append("-XX:TieredStopAtLevel=1")  # a broker of minutes would spend more on compiling than it gains
        return [f"-Xmx{self._heap}", "-Xms256m", *quick, *quiet, "-cp", ":".join(map(str, jars))]

    def _java_environ(self) -> dict[str, str]:
        """Java reads the names of files as the locale says; without one, letters beyond ASCII would be lost."""
        return {**self._environ, "LC_ALL": "C.UTF-8"}

    def _format(self, program: list[str], cluster: str) -> None:
        if (self._folder / "logs" / "meta.properties").exists():
            return
        command = [*program, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", _SETTINGS_FILE]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False, env=self._java_environ()
        )
        if done.returncode:
            output = (done.stderr + done.stdout).strip().splitlines()[-5:]
            raise CannotStart(f"Kafka's storage could not be formatted in {self._folder}:\n" + "\n".join(output))


class KafkaCluster:
    """Three brokers, each with a copy of every record: one of them may be lost."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, nodes: int = 3, heap: str = "256m") -> None:
        ports, cluster = [free_port() for _ in range(nodes)], new_cluster_id()
        self.nodes = [
            KafkaServer(folder / f"node-{number}", environ, heap=heap, seat=Seat(number, ports, cluster))
            for number in range(1, nodes + 1)
        ]

    def start(self) -> str:
        """Start all at once, since each waits for a majority; returns the bootstrap addresses. Raises CannotStart."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            try:
                return ",".join(pool.map(KafkaServer.start, self.nodes))
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Stop all at once: one alone would wait for a majority that is gone."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(KafkaServer.stop, self.nodes))


def new_cluster_id() -> str:
    """As Kafka's own tool makes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").lstrip("-")


def answers(bootstrap: str) -> bool:
    """True where a broker answers a metadata request within a second."""
    try:
        AdminClient({"bootstrap.servers": bootstrap}, logger=_SILENT).list_topics(timeout=1.0)
    except KafkaException:
        return False
    return True
