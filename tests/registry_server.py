"""A server that speaks the REST API of a schema registry."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answers(BaseHTTPRequestHandler):
    """Three calls of the Confluent Schema Registry API v1. `failing` answers all of them, with a status and a body."""

    server: Any

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("authorization")))
        if self.server.failing:
            self._say(*self.server.failing)
            return
        self.server.may_answer.wait(30)
        found = self.server.known.get(int(self.path.rsplit("/", 1)[1]) if "ids" in self.path else self.path)
        if isinstance(found, str):
            found = {"schema": found}
        self._say(200, found) if found else self._say(404, {"error_code": 40403})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers.get("authorization")))
        if self.server.failing:
            self._say(*self.server.failing)
            return
        self.server.known[1] = body["schema"]
        self._say(200, {"id": 1})

    def _say(self, status: int, body: Any) -> None:
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", "http://elsewhere.example/")
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def registry_server() -> Iterator[Any]:
    """On a free port. `known`: what it answers by number or path; it answers nothing while `may_answer` is clear."""
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.known, made.asked, made.failing, made.may_answer = {}, [], None, threading.Event()
    made.may_answer.set()
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        made.may_answer.set()
        made.shutdown()
        thread.join()
        made.server_close()
