"""Questions about topics whose broker goes while it is asked; the answers are librdkafka's own errors."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ListOffsetsResultInfo, NewTopic

from agents.broker.topics import make, wait_until_led
from schemas.errors import CannotStart

GONE = [KafkaError._DESTROY_BROKER, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError.NOT_CONTROLLER]


class Answering:
    """An admin client that has these answers to give, one to each question; None is what is asked for."""

    def __init__(self, *codes: int | None) -> None:
        self.left = list(codes)

    def create_topics(self, new: list[NewTopic], **_: Any) -> dict[str, Future[None]]:
        return {one.topic: self._next(None) for one in new}

    def list_offsets(self, asked: dict[Any, Any], **_: Any) -> dict[Any, Future[ListOffsetsResultInfo]]:
        return {place: self._next(ListOffsetsResultInfo(0, -1, -1)) for place in asked}

    def _next(self, found: Any) -> Future[Any]:
        future: Future[Any] = Future()
        code = self.left.pop(0)
        if code is None:
            future.set_result(found)
        else:
            future.set_exception(KafkaException(KafkaError(code)))
        return future


@pytest.mark.parametrize("code", GONE)
def test_a_broker_that_goes_while_it_makes_a_topic_is_asked_again(code: int) -> None:
    admin: Any = Answering(code, KafkaError.TOPIC_ALREADY_EXISTS)
    make(admin, [NewTopic("a", 2, 3)])
    assert admin.left == []


@pytest.mark.parametrize("code", [KafkaError._DESTROY_BROKER, KafkaError._TRANSPORT, KafkaError._TIMED_OUT])
def test_a_broker_that_goes_while_it_is_asked_for_leaders_is_waited_for(code: int) -> None:
    admin: Any = Answering(None, code, None)
    wait_until_led(admin, {"a": 2})
    assert admin.left == []


def test_what_a_broker_refuses_for_good_is_said_at_once() -> None:
    admin: Any = Answering(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(CannotStart, match=r"^topic a: "):
        make(admin, [NewTopic("a", 2, 3)])
