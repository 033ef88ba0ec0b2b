"""The meaning of an answer for a delivery and its destination."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from schemas.receipt import Accepted, Blocked, Deferred, Gone, Receipt, Refused, Throttled, Unanswered, Unreached
from streams.sending.judgement import Judgement
from streams.sending.settle import MAX_STRIKES, Attempt, may_pause, settle, tried_again

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FIRST = Attempt(0, (MINUTE, HOUR), random=0.5)
LAST = msgspec.structs.replace(FIRST, before=2)
EXHAUSTED = "retries exhausted after 3 attempts: "


@pytest.mark.parametrize(
    ("receipt", "first", "last"),
    [
        (Accepted("HTTP 200", "id"), Judgement("sent", "HTTP 200", provider_id="id"), None),
        (Refused("HTTP 400"), Judgement("failed", "HTTP 400"), None),
        (Refused("550", "suppressed"), Judgement("failed", "550", reason="suppressed"), None),
        (Blocked("HTTP 401"), Judgement("waiting", "HTTP 401", reason="paused", tried=False, pauses="refused"), None),
        (Gone("HTTP 410"), Judgement("failed", "HTTP 410", pauses="gone"), None),
        (Throttled("429"), Judgement("waiting", "429", timedelta(), "throttled", tried=False), None),
        (Deferred("503"), Judgement("waiting", "503", MINUTE), Judgement("failed", EXHAUSTED + "503")),
        (Unreached("no name"), Judgement("waiting", "no name", MINUTE), Judgement("failed", EXHAUSTED + "no name")),
        (Deferred("503", 120.0), Judgement("waiting", "503", 2 * MINUTE), Judgement("failed", EXHAUSTED + "503")),
        (
            Unanswered("no answer"),
            Judgement("waiting", "no answer (possibly accepted)", MINUTE, is_ambiguous=True),
            Judgement("failed", EXHAUSTED + "no answer (possibly accepted)", is_ambiguous=True),
        ),
    ],
)
def test_each_answer_at_the_first_attempt_and_at_the_last(
    receipt: Receipt, first: Judgement, last: Judgement | None
) -> None:
    assert settle(receipt, FIRST) == first
    assert settle(receipt, LAST) == (last or first)


@pytest.mark.parametrize(
    ("strikes", "judgement"),
    [
        (0, Judgement("waiting", "429", timedelta(seconds=7), "throttled", tried=False)),
        (MAX_STRIKES - 1, Judgement("waiting", "429", timedelta(seconds=7), "throttled", tried=False)),
        (MAX_STRIKES, Judgement("waiting", "429", MINUTE)),
    ],
)
def test_a_throttled_message_waits_without_an_attempt_until_it_is_about_the_message(
    strikes: int, judgement: Judgement
) -> None:
    assert settle(Throttled("429", 5.0), msgspec.structs.replace(FIRST, strikes=strikes, until_next=7.0)) == judgement


def test_the_last_attempt_ends_the_delivery_or_speaks_for_its_destination() -> None:
    spoken = msgspec.structs.replace(LAST, is_last_word=True)
    assert settle(Deferred("503"), spoken) == Judgement(
        "waiting", EXHAUSTED + "503", reason="paused", pauses="exhausted"
    )
    assert settle(Deferred("503"), msgspec.structs.replace(FIRST, is_last_word=True)) == Judgement(
        "waiting", "503", MINUTE
    )
    assert settle(Refused("HTTP 400"), spoken) == Judgement("failed", "HTTP 400")


@pytest.mark.parametrize(("before", "wait"), [(0, MINUTE), (1, HOUR), (2, None)])
def test_waits_follow_the_schedule(before: int, wait: timedelta | None) -> None:
    assert tried_again("x", msgspec.structs.replace(FIRST, before=before)).wait == wait


def test_a_destination_that_is_gone_is_paused_whatever_its_delivery_has_had() -> None:
    judged = settle(Unanswered("no answer"), msgspec.structs.replace(FIRST, is_gone=True))

    said = "nothing was taken for as long as a delivery is tried: no answer (possibly accepted)"
    assert judged == Judgement("waiting", said, reason="paused", pauses="exhausted", is_ambiguous=True)


@pytest.mark.parametrize(
    ("receipt", "of_a_mailbox", "of_an_endpoint"),
    [
        (Unreached("Name or service not known"), True, True),
        (Unreached("Connection refused"), True, True),
        (Deferred("HTTP 503"), False, True),
        (Unanswered("no answer"), False, True),
    ],
)
def test_where_no_connection_is_made_the_destination_is_at_fault_whatever_its_channel(
    receipt: Receipt, of_a_mailbox: bool, of_an_endpoint: bool
) -> None:
    assert (may_pause(receipt, pauses=False), may_pause(receipt, pauses=True)) == (of_a_mailbox, of_an_endpoint)
