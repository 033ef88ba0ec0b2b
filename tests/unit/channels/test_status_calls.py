"""Calls of providers in the form of our own: proved, and every problem of what they say named."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Reference

from channels.status_calls import MOST_EVENTS, NotProven, StatusCall, StatusEvent, signed_events
from channels.webhook.signing import Signer
from schemas.errors import DefinitionInvalid
from tests.factory import NOW, SECRET

OTHER = "whsec_" + "QUFB" * 8
ID = "dlv_0123456789abcdef0123456789abcdef"
EVENT = {"delivery_id": ID, "outcome": "delivered"}
JSON = {"content-type": "application/json"}


def call(said: Any, secrets: tuple[str, ...] = (SECRET,), at: datetime = NOW, **changed: str) -> StatusCall:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    headers = Signer(secrets).headers("msg_1", int(at.timestamp()), body)
    changes = {f"webhook-{name}": value for name, value in changed.items()}
    return StatusCall("https://console.example/", JSON | headers | changes, body, NOW)


def problems(said: Any) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionInvalid) as caught:
        signed_events(call(said), [SECRET])
    return [(one.path, one.message) for one in caught.value.problems]


def test_it_is_read_as_the_reference_signs_it() -> None:
    body = json.dumps(EVENT)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": Reference(SECRET).sign("msg_1", NOW, body),
    }
    made = StatusCall("https://console.example/", JSON | headers, body.encode(), NOW)
    assert signed_events(made, [SECRET]) == [StatusEvent("delivered", ID)]


@pytest.mark.parametrize("secrets", [(SECRET,), (OTHER, SECRET), (SECRET, OTHER)])
def test_each_secret_proves_while_it_is_rotated(secrets: tuple[str, ...]) -> None:
    assert signed_events(call(EVENT), secrets)
    assert signed_events(call(EVENT, secrets), [SECRET])


@pytest.mark.parametrize(
    ("made", "secrets"),
    [
        (call(EVENT), []),
        (call(EVENT), [OTHER]),
        (call(EVENT, id="msg_2"), [SECRET]),
        (call(EVENT, id=""), [SECRET]),
        (call(EVENT, signature=""), [SECRET]),
        (call(EVENT, signature="v1,"), [SECRET]),
        (call(EVENT, signature="v1,é"), [SECRET]),
        (call(EVENT, signature="v1,\udcff"), [SECRET]),
        (call(EVENT, signature="é " * 5000), [SECRET]),
        (call(EVENT, id="\udcff"), [SECRET]),
        (call(EVENT, timestamp=""), [SECRET]),
        (call(EVENT, timestamp="NaN"), [SECRET]),
        (call(EVENT, timestamp="9" * 5000), [SECRET]),
        (call(EVENT, timestamp="1" * 12), [SECRET]),
        (call(EVENT, timestamp="²"), [SECRET]),
        (call(EVENT, timestamp=str(int(NOW.timestamp()) * 1000)), [SECRET]),
        (call(EVENT, at=NOW - timedelta(seconds=302)), [SECRET]),
        (call(EVENT, at=NOW + timedelta(seconds=302)), [SECRET]),
        (StatusCall("", JSON, b"{}", NOW), [SECRET]),
    ],
)
def test_whatever_does_not_prove_the_provider_is_not_read(made: StatusCall, secrets: list[str]) -> None:
    with pytest.raises(NotProven) as caught:
        signed_events(made, secrets)
    assert str(caught.value) == ""


def test_the_signature_is_of_the_body_as_it_came_within_five_minutes() -> None:
    for seconds in (-299, 299):
        assert signed_events(call(EVENT, at=NOW + timedelta(seconds=seconds)), [SECRET])
    spaced = json.dumps(EVENT, indent=3).encode() + b"\n"
    assert signed_events(call(spaced), [SECRET]) == [StatusEvent("delivered", ID)]


@pytest.mark.parametrize(
    ("said", "event"),
    [
        (EVENT, StatusEvent("delivered", ID)),
        ({**EVENT, "delivery_id": f"<{ID.upper()}@shop.example>"}, StatusEvent("delivered", ID)),
        ({**EVENT, "outcome": "complained", "detail": "abuse"}, StatusEvent("complained", ID, detail="abuse")),
        ({**EVENT, "outcome": "bounced"}, StatusEvent("bounced", ID)),
        ({**EVENT, "delivery_id": "<of-another-system@shop.example>"}, StatusEvent("delivered", "")),
        ({**EVENT, "outcome": "bounced", "bounce": "soft"}, StatusEvent("bounced", ID, is_soft=True)),
        ({**EVENT, "outcome": "bounced", "bounce": "hard"}, StatusEvent("bounced", ID, is_hard=True)),
        (
            {**EVENT, "occurred_at": "2026-03-02T10:30:00+02:00"},
            StatusEvent("delivered", ID, occurred_at=datetime(2026, 3, 2, 8, 30, tzinfo=UTC)),
        ),
        ({**EVENT, "occurred_at": "9999-12-31T00:00:00Z"}, StatusEvent("delivered", ID, occurred_at=NOW)),
    ],
)
def test_an_event_says(said: dict[str, str], event: StatusEvent) -> None:
    assert signed_events(call(said), [SECRET]) == [event]
    assert signed_events(call([said, said]), [SECRET]) == [event, event]


@pytest.mark.parametrize(
    ("said", "path", "message"),
    [
        (b"", "/", "is not JSON"),
        (b"{'outcome'}", "/", "is not JSON (byte 1)"),
        (b"\xff", "/", "is not JSON"),
        (b'"\xff"', "/", "is not JSON"),
        (b"[" * 100_000, "/", "is not JSON"),
        ([], "/", "a list of 1 to 1000, not of 0"),
        ([EVENT] * (MOST_EVENTS + 1), "/", "not of 1001"),
        (7, "/", "must be an object, not"),
        ([EVENT, None], "/1", "must be an object, not"),
        ({"outcome": "delivered"}, "/delivery_id", "is missing: must be the id of a delivery"),
        ({**EVENT, "delivery_id": 7}, "/delivery_id", "must be a text, not"),
        ({**EVENT, "delivery_id": "dlv_7"}, "/delivery_id", '"dlv_7" is not valid: must be the id of a delivery'),
        ({**EVENT, "delivery_id": ID + "0" * 300}, "/delivery_id", "is not valid"),
        ({**EVENT, "delivery_id": "x" * 301}, "/delivery_id", "is not valid"),
        ({**EVENT, "delivery_id": "a\nb"}, "/delivery_id", '"a?b" is not valid'),
        ({"delivery_id": ID}, "/outcome", "is missing: must be one of delivered, bounced, complained"),
        ({**EVENT, "outcome": "bounce"}, "/outcome", 'must be one of delivered, bounced, complained. Did you mean'),
        ({**EVENT, "outcome": "opened"}, "/outcome", '"opened" is not valid: must be one of'),
        ({**EVENT, "outcome": ["bounced"]}, "/outcome", "must be a text, not"),
        ({**EVENT, "bounce": "hard"}, "/bounce", "belongs to the outcome bounced, not to delivered"),
        ({**EVENT, "outcome": "bounced", "bounce": "firm"}, "/bounce", "must be one of hard, soft"),
        ({**EVENT, "occurred_at": 1764255600}, "/occurred_at", "must be a text, not"),
        ({**EVENT, "occurred_at": "yesterday"}, "/occurred_at", "must be a time such as"),
        ({**EVENT, "occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at", "must be a time such as"),
        ({**EVENT, "occurred_at": "2026-03-02T10:30:00"}, "/occurred_at", "has no zone"),
        ({**EVENT, "detail": None}, "/detail", "must be a text, not"),
        ({**EVENT, "a/b~\n": 1}, "/a~1b~0?", "must be one of delivery_id"),
        ({**EVENT, "detials": "x"}, "/detials", 'must be one of delivery_id, outcome, bounce, occurred_at, detail'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_would_be_right(said: Any, path: str, message: str) -> None:
    ((found, words),) = problems(said)
    assert found == path
    assert message in words


def test_all_problems_are_told_at_once_and_not_without_end() -> None:
    assert [path for path, _ in problems([{"outcome": "x"}, EVENT, {}])] == [
        "/0/outcome", "/0/delivery_id", "/2/outcome", "/2/delivery_id",
    ]  # fmt: skip
    assert len(problems([{}] * MOST_EVENTS)) == 20


def test_another_kind_of_body_is_refused() -> None:
    made = call(EVENT)
    mail = StatusCall(made.url, {**made.headers, "content-type": "message/rfc822"}, made.body, NOW)
    with pytest.raises(DefinitionInvalid, match="must be application/json"):
        signed_events(mail, [SECRET])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES | st.dictionaries(st.sampled_from(("delivery_id", *EVENT, "bounce", "occurred_at")), JSON_VALUES))
def test_any_json_is_read_or_answered_with_its_problems(said: Any) -> None:
    with suppress(DefinitionInvalid):
        signed_events(call(said), [SECRET])
