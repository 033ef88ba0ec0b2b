"""Text messages at a provider that speaks Twilio's API, on loopback: as strict, and it misbehaves on request.

It has no key by which it knows a message again: whoever repeats one sends two.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply

_NUMBER = re.compile(r"\+[1-9][0-9]{4,14}")
_SENDER = re.compile(r"\+[1-9][0-9]{4,14}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_KNOWN = frozenset({"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"})
_LONGEST = 1600
_LONGEST_VALIDITY = 36_000


@dataclass(frozen=True, slots=True)
class Text:
    """A message that was taken."""

    sid: str
    to: str
    sender: str
    body: str
    callback: str
    at: float


class SmsFake(HttpFake):
    """`texts` is all that it took. `stopped`, `invalid` and `landlines` are numbers that it refuses.

    `lost`: of so many of the next messages the answer never leaves, though they are taken. `look_ups` answers requests
    for the list of messages before that is given, `asked` counts these.
    """

    def __init__(self, account_sid: str, token: str, username: str = "") -> None:
        super().__init__()
        self.path = f"/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._account_sid, self._token = account_sid, token
        self._login = "Basic " + base64.b64encode(f"{username or account_sid}:{token}".encode()).decode()
        self.texts: list[Text] = []
        self.stopped, self.invalid, self.landlines = set[str](), set[str](), set[str]()
        self.lost = self.asked = 0
        self.look_ups = deque[Reply]()

    @property
    def base_url(self) -> str:
        """The address that an account has instead of the provider's own."""
        return f"http://127.0.0.1:{self.port}"

    def message_id(self, request: web.Request, body: bytes) -> str:
        """The delivery that its StatusCallback names: nothing else of a message does."""
        return dict(parse_qsl(urlsplit(_form(body).get("StatusCallback", "")).query)).get("delivery", "")

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        is_known = hmac.compare_digest(request.headers.get("authorization", "").encode(), self._login.encode())
        return None if is_known else HTTPStatus.UNAUTHORIZED

    def signed(self, url: str, form: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
        """Headers and body of a call to `url`, as the provider makes it."""
        text = url + "".join(name + form[name] for name in sorted(form))
        proof = base64.b64encode(hmac.digest(self._token.encode(), text.encode(), hashlib.sha1)).decode()
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        return {"x-twilio-signature": proof, "content-type": kind}, urlencode(form).encode()

    def status_call(self, text: Text, status: str, error: str = "") -> tuple[str, dict[str, str], bytes]:
        """Address, headers and body of the call that tells what became of a message."""
        form = {
            "MessageSid": text.sid, "SmsSid": text.sid, "AccountSid": self._account_sid, "From": text.sender,
            "To": text.to, "MessageStatus": status, "SmsStatus": status, "ApiVersion": "2010-04-01",
        }  # fmt: skip
        url = text.callback.partition("#")[0]
        return url, *self.signed(url, form | ({"ErrorCode": error} if error else {}))

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.method == "GET":
            return self._told(request, body)
        if request.method != "POST" or request.path != self.path:
            return _response(_refused(HTTPStatus.NOT_FOUND, 20404, "The requested resource was not found"))
        return await super()._take(request)

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """A message that is not right is refused as the provider does; another one is taken."""
        form, taken = _form(body), [self.message_id(request, body)]
        wrong = self._wrong(request, form)
        if wrong is not None:
            return _refused(HTTPStatus.BAD_REQUEST, *wrong), ()
        if reply.body:
            return reply, taken
        text = self._taken(form)
        is_lost, self.lost = self.lost > 0, max(0, self.lost - 1)
        made = {"sid": text.sid, "status": "queued", "to": text.to, "from": text.sender, "error_code": None}
        return Reply(201, body=msgspec.json.encode(made), is_lost=is_lost), taken

    def _taken(self, form: Mapping[str, str]) -> Text:
        sender = form.get("From") or form["MessagingServiceSid"]
        sid = "SM" + hashlib.md5(f"{time.time_ns()}.{len(self.texts)}".encode(), usedforsecurity=False).hexdigest()
        text = Text(sid, form["To"], sender, form["Body"], form.get("StatusCallback", ""), time.time())
        self.texts.append(text)
        return text

    def _wrong(self, request: web.Request, form: Mapping[str, str]) -> tuple[int, str] | None:
        """The code and the words of the first thing that is not right."""
        to, sender, validity = form.get("To", ""), form.get("From", ""), form.get("ValidityPeriod", "1")
        problems = {
            (20001, "Unknown parameters"): not form.keys() <= _KNOWN,
            (20001, "Body must be a form"): request.content_type != "application/x-www-form-urlencoded",
            (21604, "A 'To' phone number is required."): not to,
            (21603, "A 'From' phone number is required."): bool(sender) == bool(form.get("MessagingServiceSid")),
            (21212, "The 'From' number is not a valid phone number"): bool(sender) and not _SENDER.fullmatch(sender),
            (21602, "Message body is required."): not form.get("Body"),
            (21617, "The concatenated message body exceeds the 1600 character limit"): (
                len(form.get("Body", "")) > _LONGEST
            ),
            (21609, "The 'StatusCallback' URL is not a valid URL"): not _is_callback(form.get("StatusCallback")),
            (21200, "ValidityPeriod is not valid"): not (
                validity.isdecimal() and 1 <= int(validity) <= _LONGEST_VALIDITY
            ),
            (21211, f"Invalid 'To' Phone Number: {to}"): not _NUMBER.fullmatch(to) or to in self.invalid,
            (21614, f"'To' number {to} is not a valid mobile number"): to in self.landlines,
            (21610, "Attempt to send to unsubscribed recipient"): to in self.stopped,
        }
        return next((problem for problem, is_there in problems.items() if is_there), None)

    def _told(self, request: web.Request, body: bytes) -> web.Response:
        """The account, or the messages that a list asks for, the newest first."""
        if self.refusal(request, body):
            return _response(_refused(HTTPStatus.UNAUTHORIZED, 20003, "Authenticate"))
        if request.path == f"/2010-04-01/Accounts/{self._account_sid}.json":
            return _response(Reply(body=msgspec.json.encode({"sid": self._account_sid, "status": "active"})))
        self.asked += 1
        if self.look_ups:
            return _response(self.look_ups.popleft())
        asked = request.query
        since = datetime.fromisoformat(asked.get("DateSent>", "1970-01-01T00:00:00Z")).timestamp()
        found = [
            one
            for one in reversed(self.texts)
            if asked.get("To") in (None, one.to) and asked.get("From") in (None, one.sender) and one.at >= since
        ]
        listed = [_listed(one) for one in found[: int(asked.get("PageSize", "50"))]]
        return _response(Reply(body=msgspec.json.encode({"messages": listed})))


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _is_callback(url: str | None) -> bool:
    """Tell whether a call can be made there; None is no call."""
    parts = urlsplit(url or "https://none.example")
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "_" not in (parts.hostname or "")


def _listed(text: Text) -> dict[str, str | None]:
    at = format_datetime(datetime.fromtimestamp(text.at, UTC))
    return {"sid": text.sid, "to": text.to, "from": text.sender, "body": text.body, "status": "queued",
            "date_created": at, "date_sent": at, "error_code": None}  # fmt: skip


def _refused(status: HTTPStatus, code: int, words: str) -> Reply:
    said = {"code": code, "message": words, "more_info": f"https://provider.example/{code}", "status": int(status)}
    return Reply(int(status), body=msgspec.json.encode(said))


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body or None)
