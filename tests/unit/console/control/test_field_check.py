"""Attributes of distributions, beside what accounts say that there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from channels.contract import AccountCheck
from console.control import field_check
from console.control.documents import Document, parse_documents
from console.control.field_check import compare_fields
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, TidingsError
from schemas.known_fields import KnownField, KnownFields
from store.accounts import AccountKey
from streams.documents.distribution import parse_definition
from tests.factory import CONTEXT

SOURCE = """\
distribution: one
trigger: {event: customer.order.paid}
consent: transactional
channels:
  - mailchimp:
      account: main
      attributes:
        CODE: order.id
        SUM: order.amount
  - klaviyo: {account: main, attributes: {anything: order.id}}
"""
KNOWN = KnownFields((KnownField("CODE", "text"), KnownField("SUM", "number")), "merge tag")
WELL = AccountCheck(True, "it is well", KNOWN)


def written(source: str = SOURCE) -> list[tuple[Document, Distribution]]:
    author = replace(CONTEXT, accounts={"mailchimp": ("main", "other"), "klaviyo": ("main",)})
    return [(one, parse_definition(one.plain, author).distribution) for one in parse_documents(source, "d.yaml")]


def compared(answer: Callable[[AccountKey], Any], source: str = SOURCE) -> tuple[list[str], list[str]]:
    """Problems and warnings."""
    warnings: list[str] = []

    async def ask(key: AccountKey) -> AccountCheck:
        found = answer(key)
        if asyncio.iscoroutine(found):
            found = await found
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, AccountCheck)
        return found

    try:
        asyncio.run(compare_fields(written(source), ask, warnings.append))
    except DefinitionInvalid as error:
        return [str(one) for one in error.problems], warnings
    return [], warnings


def test_only_accounts_that_have_a_list_are_asked_and_each_once() -> None:
    asked: list[str] = []
    source = f"{SOURCE}---\n{SOURCE.replace('one', 'two')}"
    assert compared(lambda key: asked.append(str(key)) or WELL, source) == ([], [])
    assert asked == ["mailchimp/main"]


def test_a_name_and_a_kind_that_do_not_fit_are_refused_with_their_lines() -> None:
    fields = KnownFields((KnownField("CODES", "text"), KnownField("SUM", "date")), "merge tag")
    problems, _ = compared(lambda _: AccountCheck(True, "it is well", fields))
    assert problems == [
        'd.yaml:8  channels[0].mailchimp.attributes.CODE: there is no merge tag "CODE". Did you mean "CODES"?'
        " There are: CODES, SUM (account mailchimp/main)",
        "d.yaml:9  channels[0].mailchimp.attributes.SUM: order.amount is a number; merge tag SUM takes a date"
        " (account mailchimp/main)",
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: AccountCheck(False, "the key is refused"), "the key is refused"),
        (lambda _: AccountCheck(True, "its attributes cannot be read"), "its attributes cannot be read"),
        (lambda _: TidingsError("there is no account"), "there is no account"),
        (lambda _: asyncio.sleep(60), "it did not answer within 0.05 s"),
    ],
)
def test_an_account_that_does_not_say_what_it_has_is_a_warning(
    answer: Callable[[AccountKey], Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_check, "_SECONDS", 0.05)
    expected = f"the names of fields at mailchimp/main are not compared: {said}"
    assert compared(answer) == ([], [expected])


def test_one_account_that_is_away_does_not_hide_what_another_says() -> None:
    source = f"{SOURCE}---\n{SOURCE.replace('one', 'two').replace('account: main', 'account: other', 1)}"
    answers = {"mailchimp/main": TidingsError("it is away"), "mailchimp/other": AccountCheck(True, "", KnownFields(()))}
    problems, warnings = compared(lambda key: answers[str(key)], source)
    assert [one.partition(": ")[0].split()[0] for one in problems] == ["d.yaml:19", "d.yaml:20"]
    assert len(warnings) == 1


def test_a_name_that_nobody_wrote_is_told_as_one_of_the_default() -> None:
    source = """\
distribution: one
trigger: {event: customer.publication.succeeded}
consent: transactional
channels:
  - mailchimp: {account: main}
"""
    problems, _ = compared(lambda _: WELL, source)
    assert problems[0].startswith('d.yaml:5  channels[0].mailchimp.attributes.VALUE: there is no merge tag "VALUE".')
    assert {one.rpartition("; ")[2] for one in problems} == {"it is one of the default, as attributes is not written"}
