"""The schema registry client against a server that speaks the registry's REST API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agents.registry import HttpSchemaRegistry
from schemas.contract import topic_codec, topic_schema
from schemas.errors import CannotStart, TryLater, Undecodable


class Answers(BaseHTTPRequestHandler):
    """Two calls of the Confluent Schema Registry API v1."""

    def do_GET(self) -> None:
        number = int(self.path.rsplit("/", 1)[1])
        known = self.server.known  # type: ignore[attr-defined]
        self._say(200, {"schema": known[number]}) if number in known else self._say(404, {"error_code": 40403})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers.get("authorization")))  # type: ignore[attr-defined]
        if self.server.busy:  # type: ignore[attr-defined]
            self._say(503, {})
            return
        self.server.known[1] = body["schema"]  # type: ignore[attr-defined]
        self._say(200, {"id": 1})

    def _say(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.known, made.asked, made.busy = {}, [], False
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def client(server: Any) -> HttpSchemaRegistry:
    return HttpSchemaRegistry(f"http://127.0.0.1:{server.server_port}", "user", "hush")


def test_a_record_written_in_confluent_framing_is_read_by_another_process(server: Any) -> None:
    raw = topic_codec("customers", "confluent", client(server)).encode({"id": "c1", "favourite": "blue"})
    assert raw[:5] == b"\x00\x00\x00\x00\x01"
    assert topic_codec("customers", "avro", client(server)).decode(raw)["favourite"] == "blue"
    assert server.asked == [("/subjects/customers-value/versions", "Basic dXNlcjpodXNo")]


def test_a_newer_writer_s_fields_are_kept(server: Any) -> None:
    newer: dict[str, Any] = json.loads(json.dumps(topic_schema("customers")))
    newer["fields"].append({"name": "shoe_size", "type": "int", "default": 0})
    server.known[7] = json.dumps(newer)
    from schemas.codec import TopicCodec

    class Seven:
        def schema(self, number: int) -> dict[str, Any]:
            return newer

        def number(self, subject: str, schema: dict[str, Any]) -> int:
            return 7

    raw = TopicCodec("customers", newer, "confluent", Seven()).encode({"id": "c1", "shoe_size": 42})
    assert topic_codec("customers", "avro", client(server)).decode(raw)["shoe_size"] == 42


def test_an_unknown_number_is_the_record_s_fault_and_a_busy_registry_is_not(server: Any) -> None:
    with pytest.raises(Undecodable, match="schema number 9 is not in the registry"):
        topic_codec("customers", "avro", client(server)).decode(b"\x00\x00\x00\x00\x09x")
    server.busy = True
    with pytest.raises(TryLater, match="HTTP 503") as caught:
        topic_codec("customers", "confluent", client(server)).encode({"id": "c1"})
    assert "hush" not in str(caught.value)


def test_a_registry_that_is_away_is_waited_for() -> None:
    with pytest.raises(TryLater, match="does not answer"):
        HttpSchemaRegistry("http://127.0.0.1:1").schema(1)
    with pytest.raises(CannotStart, match="http://"):
        HttpSchemaRegistry("file:///etc/passwd")
