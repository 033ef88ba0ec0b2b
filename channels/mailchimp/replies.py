"""Answers of Mailchimp: what each says of a member, or of an account."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from channels.contract import AccountCheck, shortened
from channels.http.transport import Reply
from schemas.channels.mailchimp import MailchimpAccountForm
from schemas.closed import Reason
from schemas.known_fields import FieldKind, KnownField, KnownFields
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused

_FORGOTTEN = "Forgotten Email Not Subscribed"
"""The title of the answer where somebody had themselves deleted for good."""

_KINDS: Mapping[str, FieldKind] = {"number": "number", "date": "date", "birthday": "date", "address": "any", "": "any"}
"""The kinds of types; of all others it is a text."""
_LONGEST = 255
"""Bytes of a merge field."""


class _Member(msgspec.Struct):
    """The part of a member by which the answer is known to be one."""

    id: str
    status: str = ""


class _Field(msgspec.Struct):
    tag: str
    type: str = ""

    @property
    def known(self) -> KnownField:
        return KnownField(self.tag, _KINDS.get(self.type, "text"), longest=None if self.type in _KINDS else _LONGEST)


class _Fields(msgspec.Struct):
    merge_fields: list[_Field]


class _Wrong(msgspec.Struct):
    field: str = ""
    message: str = ""


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    errors: list[_Wrong] = []


def receipt_of(reply: Reply, by_status: Receipt) -> Receipt:
    """The receipt of a reply. What stands before the API answers 403 under load as well, though not in JSON."""
    problem = None if isinstance(by_status, Accepted) else _problem(reply)
    match by_status:
        case Accepted():
            member = msgspec.json.decode(reply.body, type=_Member)
            status = f", whose status is {member.status}," if member.status else ""
            return Accepted(shortened(f"HTTP {reply.status}: the fields of the member{status} are set"))
        case Blocked() if reply.status == 403 and problem is None:
            return Deferred("HTTP 403 without a word of the API: so it refuses too much at once as well")
        case Blocked() if reply.status == 404:
            return Blocked("HTTP 404: the account's data centre has no such audience. Check list_id")
        case Refused() if problem is not None:
            reason: Reason | None = "suppressed" if problem.title == _FORGOTTEN else None
            return Refused(shortened(f"HTTP {reply.status}: {_words(problem)}"), reason)
        case _:
            return by_status


def _problem(reply: Reply) -> _Problem | None:
    """A problem in the API's own words (RFC 7807); None where somebody else answered."""
    try:
        return msgspec.json.decode(reply.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _words(problem: _Problem) -> str:
    fields = "; ".join(f"{one.field}: {one.message}" for one in problem.errors)
    return f"{problem.title}: {problem.detail}" + (f" ({fields})" if fields else "")


def checked(form: MailchimpAccountForm, answer: Reply | Receipt) -> AccountCheck:
    """The state of an account by the answer to the question for its merge fields."""
    place = form.url + form.audience
    if not isinstance(answer, Reply):
        return AccountCheck(False, shortened(f"{place}: {answer.detail}. Check api_key, list_id and data_center"))
    try:
        fields = tuple(one.known for one in msgspec.json.decode(answer.body, type=_Fields).merge_fields)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return AccountCheck(False, f"{place} does not answer as Mailchimp does. Check data_center and url")
    known = KnownFields(fields, "merge tag")
    return AccountCheck(True, f"{place} knows the merge tags {', '.join(known.names) or 'EMAIL alone'}", known)
