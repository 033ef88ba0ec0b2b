"""Text messages at Twilio (API 2010-04-01), or whoever speaks as it does: requests, replies, and what it reports."""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec

from channels.contract import AccountCheck, shortened
from channels.http.api import receipt_by_status
from channels.http.transport import Reply
from channels.sms.request import SmsRequest
from channels.status_calls import NotProven, StatusCall, StatusEvent, StatusKind, delivery_id_in
from schemas.channels.sms import SmsAccountForm, SmsDelivery
from schemas.formats.sms_text import plain_text
from schemas.receipt import Accepted, Blocked, Receipt, Refused, Throttled, Unanswered

FORM = "application/x-www-form-urlencoded"
SIGNATURE = "x-twilio-signature"
_CALLBACK = "/callbacks/{}/sms/{}?delivery={}"
_STOPPED = 21610
_OK, _BROKEN = 200, 500
_BLOCKED = frozenset({20003, 20005, 20404, 21212, 21606, 21659, 21660, 21701, 21703, 30002})
"""Errors that are about the account or its sender, whatever the message is."""
_THROTTLED = frozenset({20429, 21611})
_HARD = frozenset({"30005"})
"""The number is unknown, or is no more."""
_KINDS: Mapping[str, StatusKind] = {
    "delivered": "delivered", "read": "delivered", "undelivered": "bounced", "failed": "bounced",
    "canceled": "bounced",
}  # fmt: skip
_LEAVING = frozenset({"STOP", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT"})
_RETURNING = frozenset({"START", "UNSTOP"})
_LONGEST_WORD = 100
AGAIN = "#rc=5&rp=all"
"""Behind the address of a callback: what is not taken is told again, five times. Else it is told once."""
_SKEW = timedelta(minutes=1)
_LISTED = 50


def message(account: SmsAccountForm, delivery: SmsDelivery, text: str, callback: str) -> SmsRequest:
    """The request that sends a text; `callback` is where Twilio reports, empty for nowhere."""
    sender = {"From": account.sender} if account.sender else {"MessagingServiceSid": account.messaging_service_sid}
    form = {"To": delivery.sms.to, **sender, "Body": text}
    form |= {"StatusCallback": callback + AGAIN} if callback else {}
    form |= {"ValidityPeriod": str(account.validity)} if account.validity else {}
    return SmsRequest(
        _messages(account), delivery.account, delivery.delivery_id, {"content-type": FORM}, urlencode(form).encode(),
        project_id=delivery.project_id, to=delivery.sms.to, text=text, place=account.place,
    )  # fmt: skip


def callback(public_url: str, delivery: SmsDelivery) -> str:
    """The address at which its end is reported; none where Twilio would refuse the whole message for it."""
    host = urlsplit(public_url).hostname or ""
    if "." not in host or "_" in host:
        return ""
    parts = (delivery.project_id, delivery.account, delivery.delivery_id)
    return public_url + _CALLBACK.format(*(quote(part, safe="") for part in parts))


def checked(account: SmsAccountForm, answer: Reply | Receipt, now: datetime) -> AccountCheck:
    """The state of an account by the answer to the question for a list of messages."""
    if isinstance(answer, Reply) and answer.status == _OK:
        return AccountCheck(True, f"{urlsplit(account.base_url).hostname} lets {account.account_sid} in")
    said = receipt(answer, now) if isinstance(answer, Reply) else answer
    return AccountCheck(False, said.detail)


def authorization(account: SmsAccountForm) -> dict[str, str]:
    """The header that proves us."""
    user, password = account.api_key or account.account_sid, account.api_secret or account.auth_token
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def receipt(reply: Reply, now: datetime) -> Receipt:
    """The meaning of a reply: by the code of its error first, since many of them are a plain 400."""
    if 200 <= reply.status < 300:
        said = msgspec.json.decode(reply.body)
        return Accepted(f"HTTP {reply.status}: {said['status']}", said["sid"])
    code, words = _error(reply)
    detail = shortened(f"HTTP {reply.status}: {code} {words}")
    if code == _STOPPED:
        return Refused(detail, "suppressed")
    if code in _BLOCKED:
        return Blocked(detail)
    by_status = receipt_by_status(reply, now)
    if reply.status >= _BROKEN:  # Twilio says of itself that it may have sent the message then
        return Unanswered(by_status.detail)
    if code in _THROTTLED and not isinstance(by_status, Throttled):
        return Throttled(detail)
    return Refused(detail) if code and isinstance(by_status, Refused) else by_status


def listing(account: SmsAccountForm, request: SmsRequest, since: datetime) -> SmsRequest:
    """The request for the messages that went to the same number since then."""
    asked = {"To": request.to, **({"From": account.sender} if account.sender else {}), "PageSize": str(_LISTED)}
    query = urlencode(asked | {"DateSent>": f"{since - _SKEW:%Y-%m-%dT%H:%M:%SZ}"})
    return _read(f"{_messages(account)}?{query}", request.account, request.project_id, account.place)


def first_page(account: SmsAccountForm, name: str, project_id: str) -> SmsRequest:
    """A request that changes nothing, and that every key may make."""
    return _read(f"{_messages(account)}?PageSize=1", name, project_id, account.place)


def same_messages(reply: Reply, request: SmsRequest, since: datetime) -> list[Accepted]:
    """Of a listing, the messages with the text of a request that were made since then."""
    listed = msgspec.json.decode(reply.body)["messages"]
    return [
        Accepted(f"found at the provider: {one['status']}", one["sid"])
        for one in listed
        if plain_text(one["body"]) == plain_text(request.text)
        and parsedate_to_datetime(one["date_created"]) >= since - _SKEW
    ]


def events(call: StatusCall, account: SmsAccountForm) -> list[StatusEvent]:
    """The events of a call: what became of a message, or a word that its receiver wrote. Raises NotProven."""
    form = _proven_form(call, (account.auth_token,))
    if status := form.get("MessageStatus"):
        return _ends(call, form, status)
    return _words(form) if "Body" in form else []


def _ends(call: StatusCall, form: Mapping[str, str], status: str) -> list[StatusEvent]:
    delivery_id = delivery_id_in(parse_qs(urlsplit(call.url).query).get("delivery", [""])[0]) or ""
    code, sid = form.get("ErrorCode", ""), form.get("MessageSid", "")
    detail = f"{status}: error {code}" if code and code != "0" else status
    kind = _KINDS.get(status, "delayed")
    ends = [StatusEvent(kind, delivery_id, sid, is_hard=code in _HARD, detail=detail)]
    if code == str(_STOPPED):  # a messaging service tells it only after it took the message
        ends.append(StatusEvent("unsubscribed", address=form.get("To", ""), detail="STOP to the provider"))
    return ends


def _words(form: Mapping[str, str]) -> list[StatusEvent]:
    word = form.get("OptOutType") or _word(form["Body"])
    if word not in _LEAVING | _RETURNING:
        return []
    kind: StatusKind = "unsubscribed" if word in _LEAVING else "resubscribed"
    return [StatusEvent(kind, address=form.get("From", ""), detail=word)]


def _word(body: str) -> str:
    """The word that a text is, in capitals. One who leaves may write it in two, or with any signs: `Opt-out!`.

    What comes back has to be written as it is. Of a text that is longer than any of them nothing is looked at.
    """
    if len(body) > _LONGEST_WORD:
        return ""
    text = unicodedata.normalize("NFKC", body).upper()
    letters = "".join(one for one in text if one.isalnum())
    return letters if letters in _LEAVING else text.strip(" \t\r\n.!\"'")


def _proven_form(call: StatusCall, tokens: Sequence[str]) -> dict[str, str]:
    """The fields of a call. Its signature is over the URL and all fields, sorted, each value once.

    Of a URL with a port some are over one without, and of ours perhaps with what stands behind it: each proves.
    """
    fields = parse_qs(call.body.decode(errors="replace"), keep_blank_values=True)
    said = "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    parts = urlsplit(call.url)
    without_port = parts._replace(netloc=parts.netloc.rpartition("@")[2].partition(":")[0]).geturl()
    given = call.headers.get(SIGNATURE, "").encode("utf-8", "surrogateescape")
    proofs = [
        base64.b64encode(hmac.digest(token.encode(), (url + said).encode("utf-8", "surrogateescape"), hashlib.sha1))
        for token in tokens
        for url in (call.url, without_port, call.url + AGAIN)
        if token
    ]
    if not any(hmac.compare_digest(proof, given) for proof in proofs):
        raise NotProven
    return {name: values[0] for name, values in fields.items()}


def _messages(account: SmsAccountForm) -> str:
    return f"{account.place}/Messages.json"


def _read(url: str, account: str, project_id: str, place: str) -> SmsRequest:
    return SmsRequest(url, account, "", {}, b"", "GET", project_id, place=place)


def _error(reply: Reply) -> tuple[int, str]:
    """Code and words of an error; 0 where its body is another one's."""
    try:
        said: Any = msgspec.json.decode(reply.body)
        return int(said["code"]), str(said["message"])
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return 0, ""
