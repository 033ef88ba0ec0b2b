"""Reports of mail systems about messages that they took: delivery status notifications and complaints.

Sources: RFC 3464 (delivery status), RFC 6533 (the same for addresses outside ASCII), RFC 5965 (feedback reports), and
what Exim and qmail write in plain words. A message of ours is known by the delivery id in its Message-ID, wherever a
report repeats it; whoever reports knows it only from the message. The answer a report quotes means what it would have
meant in the session (`smtp_replies.py`).
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message
from email.policy import compat32

from channels.contract import shortened
from channels.email.smtp_replies import says_of_address
from channels.status_calls import StatusEvent, StatusKind, delivery_id_in

MOST_BYTES = 512 * 1024
"""Read of one message. What is told stands in front of the returned message, whose headers alone count."""

_DEEPEST = 20
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_TYPES = (
    "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers",
    "text/global-headers",
)  # fmt: skip
_COMPLAINTS = ("abuse", "fraud", "opt-out", "opt-out-list")
_ACTIONS: dict[str, StatusKind] = {
    "failed": "bounced",
    "delayed": "delayed",
    "delivered": "delivered",
    "expanded": "delivered",  # reached its mailbox, which passes it on to others
    "relayed": "relayed",
}
_CLASSES: dict[str, StatusKind] = {"2": "delivered", "4": "delayed", "5": "bounced"}
_STATUS = re.compile(r"(?<![\d.])([245])\s*\.\s*(\d{1,3})\s*\.\s*(\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.#-])([45]\d\d)(?=[ \-#<])(?![ -]?\d{3,})")
_DAEMON = re.compile(r"mailer-?daemon|postmaster|mail delivery (sub)?system|qmail-send", re.IGNORECASE)
_QUOTED = re.compile(
    r"^(-+ ?(this is a copy|below this line|original message|the original message|returned message)"
    r"|(return-path|received|dkim-signature|message-id|from): )",
    re.IGNORECASE | re.MULTILINE,
)
_NO_SUCH_USER = re.compile(r"(unknown user|user unknown|no mailbox|no such user|does ?n[o']t exist)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MailReport:
    """One thing that a report says. `is_hard`: the address is dead; `is_soft`: its mailbox takes nothing for now.

    `recipient` is the address that the report names, in its spelling; many name another one than we wrote to.
    """

    kind: StatusKind
    delivery_id: str
    recipient: str
    is_hard: bool
    detail: str
    is_soft: bool = False


class NotReport(Exception):
    """A message that reports nothing of ours; the message says why."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One thing that is reported, before it is known of which message."""

    kind: StatusKind
    recipient: str = ""
    is_hard: bool = False
    detail: str = ""
    is_soft: bool = False


def read_reports(message: bytes) -> list[MailReport]:
    """Each thing that a message reports, as a rule one. Raises NotReport."""
    try:
        parts = _parts(message_from_bytes(message[:MOST_BYTES], policy=compat32))
    except RecursionError:
        raise NotReport("is nested too deeply to be a report") from None
    said = _complaints(parts) or _statuses(parts) or _plain(parts)
    if not said:
        raise NotReport("is not a report of a mail system")
    delivery_id = _delivery_id(parts)
    if delivery_id is None:
        raise NotReport("is a report, and names no message of ours")
    return [MailReport(one.kind, delivery_id, one.recipient, one.is_hard, one.detail, one.is_soft) for one in said]


def mail_events(message: bytes) -> list[StatusEvent]:
    """The same in the words of all channels. Raises NotReport.

    Where one of a message's recipients has it, it went to a list, which stays good though a member of it is gone.
    """
    reports = read_reports(message)
    is_list = any(one.kind == "delivered" for one in reports)
    report_id = hashlib.sha256(message).hexdigest()  # in a mailbox or a file it lies as it came
    return [
        StatusEvent(
            one.kind,
            one.delivery_id,
            is_hard=one.is_hard and not is_list,
            is_soft=one.is_soft and not is_list,
            detail=one.detail,
            report_id=report_id,
        )
        for one in reports
    ]


def _parts(message: Message) -> list[Message]:
    """A message and what is in it, in order; not the blocks of a status, which look like messages."""
    found: list[Message] = []
    waiting = [(message, 0)]
    while waiting:
        part, depth = waiting.pop()
        found.append(part)
        inside = part.get_payload()
        if isinstance(inside, list) and not _holds_fields(part) and depth < _DEEPEST:
            waiting.extend((one, depth + 1) for one in reversed(inside) if isinstance(one, Message))
    return found


def _holds_fields(part: Message) -> bool:
    return part.get_content_type() in (*_STATUS_TYPES, "message/feedback-report")


def _complaints(parts: list[Message]) -> list[_Said]:
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            fields = next(iter(_blocks(part)), Message())
            return [_complaint(fields)]
        if original := _field(part, "X-HmXmrOriginalRecipient"):  # Outlook.com repeats the message, and no more
            return [_Said("complained", recipient=original, detail="reported at Outlook.com")]
    return []


def _complaint(fields: Message) -> _Said:
    kind = _word(_field(fields, "Feedback-Type"))
    if kind not in _COMPLAINTS:
        raise NotReport(f'is feedback of type "{shortened(kind)[:40]}", which is not a complaint')
    recipient = _address(_field(fields, "Original-Rcpt-To"))
    return _Said("complained", recipient, detail=shortened(f"{kind}: {_field(fields, 'User-Agent')}"))


def _statuses(parts: list[Message]) -> list[_Said]:
    for part in parts:
        if part.get_content_type() in _STATUS_TYPES:
            told = [said for block in _blocks(part) if (said := _status(block))]
            if told:
                return list(dict.fromkeys(told))
    return []


def _status(block: Message) -> _Said | None:
    """The report of the fields about one recipient; None for those about the message, and what says nothing."""
    action, status = _word(_field(block, "Action")), _enhanced(_field(block, "Status"))
    kind = _ACTIONS.get(action) or _CLASSES.get(status[:1])
    if kind is None:
        return None
    diagnostic = _diagnostic(block)
    recipient = _address(_field(block, "Original-Recipient")) or _address(_field(block, "Final-Recipient"))
    address = _of_address(diagnostic, status) if kind == "bounced" else ""
    return _Said(
        kind,
        recipient,
        is_hard=address == "dead",
        is_soft=address == "resting",
        detail=shortened(diagnostic if status in diagnostic else f"{status} {diagnostic}"),
    )


def _diagnostic(block: Message) -> str:
    """The answer that is quoted, without the kind that stands before it; some gateways have a field of their own."""
    written = _field(block, "Diagnostic-Code") or _field(block, "X-Supplementary-Info").strip("<>")
    return written.partition(";")[2].strip() or written


def _of_address(answer: str, status: str) -> str:
    reply = _REPLY.search(answer)
    code = int(reply[1]) if reply else 450 if status.startswith("4") else 550
    return says_of_address(code, f"{answer} {status}")


def _plain(parts: list[Message]) -> list[_Said]:
    """The report that Exim, qmail and others write in words, above the message that they return."""
    outer = parts[0]
    failed = _address(_field(outer, "X-Failed-Recipients").partition(",")[0])
    if not failed and not _DAEMON.search(f"{_field(outer, 'From')} {_field(outer, 'Return-Path')}"):
        return []
    text = next((_text(part) for part in parts if part.get_content_type() == "text/plain"), "")
    words = _QUOTED.split(text, maxsplit=1)[0]
    status, reply = _enhanced(words), _REPLY.search(words)
    if not (failed or status or reply or _NO_SUCH_USER.search(words)):
        return []
    answer = words[reply.start() :] if reply else words
    is_passing = (status or (reply[1] if reply else "5")).startswith("4") and not failed
    address = "" if is_passing else _of_address(answer, status)
    return [
        _Said(
            "delayed" if is_passing else "bounced",
            failed or _named(words),
            is_hard=address == "dead",
            is_soft=address == "resting",
            detail=shortened(answer),
        )
    ]


def _delivery_id(parts: list[Message]) -> str | None:
    """The id of the message that is reported, from the place that says it most surely."""
    return next((found for place in _places(parts) if (found := delivery_id_in(place))), None)


def _places(parts: list[Message]) -> Iterator[str]:
    returned = list(_returned(parts))
    yield from (_field(one, "Message-ID") for one in returned)
    for part in parts:
        if _holds_fields(part):
            for block in _blocks(part):
                yield f"{_field(block, 'Original-Envelope-Id')} {_field(block, 'Original-Message-Id')}"
    outer = parts[0]
    yield from (_field(outer, name) for name in ("To", "Delivered-To", "X-Original-To", "In-Reply-To", "References"))
    yield from (_text(part) for part in parts if part.get_content_maintype() == "text")


def _returned(parts: list[Message]) -> Iterator[Message]:
    for part in parts:
        if part.get_content_type() not in _RETURNED_TYPES:
            continue
        inside = part.get_payload()
        if isinstance(inside, list):
            yield from (one for one in inside if isinstance(one, Message))
        yield message_from_string(_text(part), policy=compat32)


def _blocks(part: Message) -> list[Message]:
    """The groups of fields in a report's own part, also where all of it is encoded.

    Python's parser knows the groups of `message/delivery-status` alone: of other types all but the first stand below.
    """
    inside = part.get_payload()
    blocks = [one for one in inside if isinstance(one, Message)] if isinstance(inside, list) else []
    below = "\n\n".join(text for one in blocks if isinstance(text := one.get_payload(), str))
    if _word(_field(part, "Content-Transfer-Encoding")) == "base64":
        below = _decoded(below)
    return [*blocks, *(message_from_string(group, policy=compat32) for group in re.split(r"\r?\n\r?\n", below))]


def _decoded(text: str) -> str:
    try:
        return b64decode("".join(text.split())).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _text(part: Message) -> str:
    inside = part.get_payload(decode=True)
    if not isinstance(inside, bytes):
        return ""
    try:
        return inside.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return inside.decode("utf-8", "replace")


def _field(part: Message, name: str) -> str:
    return " ".join(str(part.get(name, "")).split())


def _word(value: str) -> str:
    """A field's word in lower case, without the comment that some put behind it."""
    return re.split(r"[\s(;]", value.strip(), maxsplit=1)[0].lower()


def _enhanced(text: str) -> str:
    found = _STATUS.search(text)
    return f"{found[1]}.{found[2]}.{found[3]}" if found else ""


def _address(value: str) -> str:
    """The address of `rfc822; <ann@shop.example>`, however it is written; empty for what has none."""
    address = value.rpartition(";")[2].strip().strip("<>").strip()
    return shortened(address) if "@" in address else ""


def _named(words: str) -> str:
    found = re.search(r"<([^<>\s]{1,254}@[^<>\s]{1,254})>", words)
    return shortened(found[1]) if found else ""
