"""The client for questions about topics and groups: at rest while a broker is away, and closed before Python ends.

Two things of librdkafka's 2.16 are answered here. While a question is open whose broker refuses connections, a client
that has connections to those brokers alone which it needs tries again without a pause: that took a core in each process
(confluentinc/confluent-kafka-dotnet#787). And answers come in a thread of its own, which calls Python whether there
still is one: a process that ended while a question was open died by SIGSEGV instead of with its exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import weakref
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import OFFSET_INVALID, KafkaException
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo

from deploy.settings.servers import Kafka
from schemas.errors import TryLater

T = TypeVar("T")

_MORE = 1.0
"""Seconds that an answer is waited for beyond the question's own, which ends with the client's words for it."""


class Admin(AdminClient):
    """An AdminClient without words of its own in the log. `close` it, or leave that to the end of the process."""

    def __init__(self, kafka: Kafka) -> None:
        super().__init__({**kafka.client(), "log_level": 0, "enable.sparse.connections": False})
        self._listing, self._counted = 0, threading.Lock()
        _OPEN.add(self)

    def list_topics(self, *args: Any, **options: Any) -> Any:
        """Everything that the cluster has, waited for here. Raises KafkaException."""
        with self._counted:
            self._listing += 1
        try:
            return super().list_topics(*args, **options)
        finally:
            with self._counted:
                self._listing -= 1

    def close(self) -> None:
        """End the client; who waits for an answer gets an error. Nothing where a thread is in the midst of a call.

        That one would be left with a client that is not there any more. Nothing calls Python for it, so it may outlast
        the interpreter.
        """
        if not self._listing:
            self.__exit__(None, None, None)


_OPEN: weakref.WeakSet[Admin] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Before the interpreter ends, and after the threads that it waits for."""
    for one in list(_OPEN):
        with contextlib.suppress(KafkaException):
            one.close()


def answer_of(future: Future[T], seconds: float) -> T:
    """The answer to a question that may take `seconds`. Raises KafkaException, and TryLater where none comes."""
    try:
        return future.result(seconds + _MORE)
    except TimeoutError as error:
        raise TryLater("Kafka does not answer in time") from error


def offset_of(future: Future[ListOffsetsResultInfo], seconds: float) -> ListOffsetsResultInfo:
    """An offset that a partition's leader was asked for. Raises KafkaException, and TryLater where it is away.

    librdkafka's answer is then -1001, without an error.
    """
    found = answer_of(future, seconds)
    if found.offset == OFFSET_INVALID:
        raise TryLater("Kafka does not answer: the leader of a partition is away")
    return found
