"""Refusals as RFC 9457: the words of the command line, with where, what was given and what is allowed."""

from __future__ import annotations

import msgspec
import pytest

from console.api.problems import MEANINGS, Refusal, of_document, refusal_of
from console.control.not_found import not_found
from schemas.errors import BadQuestion, BadRecord, DefinitionInvalid, InvalidEvent, Problem, TidingsError, TryLater
from schemas.formats.pointers import path_of, pointer_of
from store.distributions import VersionConflict
from streams.values.wording import invalid, unknown


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("", ""),
        ("channels", "/channels"),
        ("channels[0].email.subject", "/channels/0/email/subject"),
        ('when."customer.metadata.a"', "/when/customer.metadata.a"),
        ('when."a\\"b/c~d"', '/when/a"b~1c~0d'),
        ("arms.b.channels[12]", "/arms/b/channels/12"),
    ],
)
def test_a_path_becomes_a_pointer_and_a_pointer_a_path(path: str, pointer: str) -> None:
    assert pointer_of(path) == pointer
    assert path_of(pointer) == path


@pytest.mark.parametrize(
    ("message", "given", "allowed", "nearest"),
    [
        (invalid(7, "true or false"), "7", "true or false", None),
        (invalid(None, "a text"), "nothing", "a text", None),
        (invalid("a: b", "a text"), '"a: b"', "a text", None),
        (unknown("emial", ["email", "sms"]), '"emial"', "one of email, sms", "email"),
        (unknown("chanels", ["channels"], "a key"), '"chanels"', "one of channels", "channels"),
        (unknown("x", [], "a campaign"), '"x"', None, None),
        ("the files have 7 bytes together", None, None, None),
    ],
)
def test_a_message_says_what_was_given_and_what_is_allowed(
    message: str, given: str | None, allowed: str | None, nearest: str | None
) -> None:
    found = of_document(Problem("a[0].b", message))
    assert (found.pointer, found.detail) == ("/a/0/b", message)
    assert (found.given, found.allowed, found.nearest) == (given, allowed, nearest)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DefinitionInvalid((Problem("a", "is missing"),)), "invalid"),
        (not_found("distribution", "x", ["xy"]), "not_found"),
        (TryLater("Postgres: away"), "later"),
        (BadRecord("a text holds the character U+0000"), "invalid"),
        (InvalidEvent("is missing", path="data.customer"), "invalid"),
        (BadQuestion("is not valid", "since"), "invalid"),
        (VersionConflict("again"), "conflict"),
        (TidingsError("segment vip is used"), "conflict"),
    ],
)
def test_each_error_of_ours_has_its_kind(error: TidingsError, kind: str) -> None:
    assert refusal_of(error).kind == kind


def test_a_question_names_its_parameter_and_what_is_allowed() -> None:
    (found,) = refusal_of(BadQuestion('"1x" is not valid: must be a time', "since")).errors
    assert (found.parameter, found.given, found.allowed) == ("since", '"1x"', "a time")
    assert refusal_of(BadQuestion("nothing is asked for")).errors == ()


def test_a_server_that_is_away_is_not_named_to_others_and_is_asked_again() -> None:
    refusal = refusal_of(TryLater("Postgres at db-7.internal does not answer", retry_after=2.2))
    assert "db-7" not in str(refusal)
    assert refusal.headers == {"retry-after": "3"}


def test_a_problem_leaves_out_what_it_does_not_have() -> None:
    said = msgspec.json.decode(msgspec.json.encode(Refusal("not_found").problem("/api/v1/x", "r1")))
    assert said == {
        "type": "/api/v1/problems/not_found", "title": "Not there", "status": 404, "instance": "/api/v1/x",
        "request_id": "r1", "detail": MEANINGS["not_found"].advice,
    }  # fmt: skip
