"""Questions to brokers that are away: they cost nothing, and do not meddle with the end of a process."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest

from agents.broker.admin import answer_of
from agents.broker.extents import Extents
from agents.wiring import Wiring
from deploy.settings.servers import Kafka
from deploy.settings.settings import Settings
from schemas.errors import TryLater

_ENDS_WHILE_IT_ASKS = """
import ctypes, sys, threading
from confluent_kafka import TopicCollection
from agents.broker.admin import Admin
from deploy.settings.servers import Kafka

# once Python is over, the process stays until its input is closed
ctypes.CDLL(None).__cxa_atexit(ctypes.CDLL(None).getchar, None, None)

def wait(admin):
    for answer in admin.describe_topics(TopicCollection(["orders"]), request_timeout=1).values():
        asked.set()
        answer.result()

asked = threading.Event()
threading.Thread(target=wait, args=[Admin(Kafka(bootstrap=sys.argv[1]))], daemon=True).start()
asked.wait()
sys.exit(69)
"""
"""A thread that nobody waits for holds the client, as in a worker that is told to stop while it looks at its topics."""


def test_a_process_that_ends_while_it_asks_a_silent_broker_has_its_own_exit_code() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(60)
        address = f"127.0.0.1:{broker.getsockname()[1]}"
        process = subprocess.Popen([sys.executable, "-c", _ENDS_WHILE_IT_ASKS, address], stdin=subprocess.PIPE)
        with process:
            connection, _ = broker.accept()
            connection.settimeout(60)
            while connection.recv(4096):
                pass  # until the client is gone: in order, or with the process, when its question is over
        assert process.returncode == 69


class OneOfTwo:
    """A broker that says, to whoever asks, that another one has the cluster's word and leads `orders`: it is away."""

    def __init__(self, server: socket.socket, away: int) -> None:
        self._server, self._away = server, away
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests:
            while length := requests.read(4):
                api, version, number = struct.unpack(">hhi", requests.read(*struct.unpack(">i", length))[:8])
                answer = struct.pack(">i", number) + (self._versions(version) if api == 18 else self._metadata())
                connection.sendall(struct.pack(">i", len(answer)) + answer)

    def _versions(self, version: int) -> bytes:
        """Metadata of version 1, the offsets of partitions, and this question in its first version alone."""
        return struct.pack(">hi9h", 35 if version else 0, 3, 18, 0, 0, 3, 1, 1, 2, 0, 1)

    def _metadata(self) -> bytes:
        ports = {1: self._server.getsockname()[1], 2: self._away}
        brokers = b"".join(struct.pack(">ih9sih", node, 9, b"127.0.0.1", port, -1) for node, port in ports.items())
        leader, replicas = 2, struct.pack(">3i", 2, 1, 2)
        partition = struct.pack(">hii", 0, 0, leader) + 2 * replicas
        return struct.pack(">i", 2) + brokers + struct.pack(">iihh6sbi", 2, 1, 0, 6, b"orders", 0, 1) + partition


_ASKS = """
import resource, sys
from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import NewTopic, OffsetSpec
from agents.broker.admin import Admin, offset_of
from deploy.settings.servers import Kafka
from schemas.errors import TryLater

with Admin(Kafka(bootstrap=sys.argv[1])) as admin:
    assert admin.list_topics(timeout=60).controller_id == 2
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    for answer in eval(sys.argv[2]).values():
        try:
            offset_of(answer, 60)
        except (KafkaException, TryLater) as error:
            said = error
    print(resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before, said)
"""
"""In a process of its own: what threads of another test do would count as well."""

QUESTIONS = {
    "topics": 'admin.describe_topics(TopicCollection(["orders"]), request_timeout=1)',
    "creation": 'admin.create_topics([NewTopic("orders", 1, 1)], request_timeout=1)',
    "offsets": 'admin.list_offsets({TopicPartition("orders", 0): OffsetSpec.latest()}, request_timeout=1)',
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_to_a_broker_that_refuses_connections_waits_without_work(question: str) -> None:
    """The client's threads woke each other some 50,000 times a second, for as long as it was open."""
    with socket.create_server(("127.0.0.1", 0)) as refusing, socket.create_server(("127.0.0.1", 0)) as server:
        away = refusing.getsockname()[1]
        refusing.close()
        OneOfTwo(server, away)
        asking = [sys.executable, "-c", _ASKS, f"127.0.0.1:{server.getsockname()[1]}", QUESTIONS[question]]
        switches, said = subprocess.check_output(asking, text=True).split(maxsplit=1)
    assert re.search("imed out|leader of a partition is away", said)
    assert int(switches) < 1000


def test_where_a_leader_is_away_nothing_is_taken_for_its_offset() -> None:
    """The client says -1001, and no error: a page would take the partition for an empty one."""
    with socket.create_server(("127.0.0.1", 0)) as refusing, socket.create_server(("127.0.0.1", 0)) as server:
        away = refusing.getsockname()[1]
        refusing.close()
        OneOfTwo(server, away)
        wiring = Wiring(Settings(kafka=Kafka(bootstrap=f"127.0.0.1:{server.getsockname()[1]}")))
        with pytest.raises(TryLater, match="Kafka does not answer"):
            Extents(wiring, patience=1.0).first_after({("orders", 0): 0})


def test_an_answer_that_does_not_come_in_time_is_said_to_pass() -> None:
    with pytest.raises(TryLater, match="Kafka does not answer"):
        answer_of(Future(), 0.0)
