"""A real Apache Kafka: one KRaft node on loopback, its data kept in a folder."""

from __future__ import annotations

import base64
import logging
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.embedded.jars import Progress, java, kafka_class_path
from deploy.embedded.process import ServerProcess, free_port, prepare_folder
from schemas.errors import CannotStart

_START_SECONDS = 60.0
_SILENT = logging.Logger("kafka-probe", logging.CRITICAL)

_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}
controller.listener.names=CONTROLLER
log.dirs={logs}
auto.create.topics.enable=false
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=33554432
"""


class KafkaServer:
    """Start, stop, kill and restart a broker in `folder`. The bootstrap address stays the same over restarts."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, heap: str = "512m") -> None:
        self._folder = folder
        self._environ = environ
        self._heap = heap
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
        ports = {name: free_port(before.get(name)) for name in ("client", "controller")}
        program = [str(java(self._environ)), *self._flags(kafka_class_path(self._environ, progress))]
        settings = self._folder / "server.properties"
        settings.write_text(_SETTINGS.format(**ports, logs=self._folder / "logs"))
        self._format(program, settings)
        self.process.start([*program, "kafka.Kafka", str(settings)], ports, self._environ)
        address = f"127.0.0.1:{ports['client']}"
        self.process.wait_until_ready(lambda: answers(address), _START_SECONDS)

    def _flags(self, jars: list[Path]) -> list[str]:
        quick = ["-XX:+UseSerialGC", "-XX:+PerfDisableSharedMem", "-Xshare:auto"]
        quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        return [f"-Xmx{self._heap}", "-Xms256m", *quick, *quiet, "-cp", ":".join(map(str, jars))]

    def _format(self, program: list[str], settings: Path) -> None:
        if (self._folder / "logs" / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").lstrip("-") or "tidings"
        command = [*program, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(self._environ))
        if done.returncode:
            said = (done.stderr + done.stdout).strip().splitlines()[-5:]
            raise CannotStart(f"Kafka's storage could not be formatted in {self._folder}:\n" + "\n".join(said))


def answers(bootstrap: str) -> bool:
    """Whether a broker answers a metadata request within a second."""
    try:
        AdminClient({"bootstrap.servers": bootstrap}, logger=_SILENT).list_topics(timeout=1.0)
    except KafkaException:
        return False
    return True
