"""Answers of Shopify: what to ask next to know the outcome of each code, and what it is.

Nearly all comes under HTTP 200: errors of the request as a whole in `errors`, refusals of what was asked in
`userErrors`. A code that is there already is done where the discount that has it is the one that was meant, and refused
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from channels.contract import AccountCheck, shortened
from channels.http.transport import Reply
from channels.shopify import queries
from channels.shopify.discount import worth
from channels.templates.money import EXPONENTS
from schemas.channels.shopify import ShopifyAccountForm
from schemas.receipt import Accepted, Blocked, Deferred, Postponed, Receipt, Refused, Throttled, Unanswered
from schemas.record import JsonObject

SERVED = "x-shopify-api-version"
_TAKEN = frozenset({"TAKEN", "DUPLICATE", "IMPLICIT_DUPLICATE"})
_BLOCKING = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE", "UNAUTHORIZED", "FORBIDDEN"})
_OF_THE_SHOP = {
    402: "the shop is frozen until its owner pays",
    404: "there is no such shop, or it has no such version of the API. Check url and version",
    430: "the shop takes us for an attack",
}
_NEEDED = ("read_discounts", "write_discounts")
_LEAST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Answer(Reply):
    """A reply, with the version of the API that was asked for.

    `is_begun`: the shop had taken the codes before, and this answers what became of them.
    """

    version: str = ""
    is_begun: bool = False

    @property
    def remark(self) -> str:
        """The end of a sentence, where another version answered: one that is over is answered by the oldest."""
        served = self.headers.get(SERVED)
        return f"; Shopify answers as {served} and not as {self.version}, which is over" if self._differs else ""

    @property
    def _differs(self) -> bool:
        return bool(self.version) and self.headers.get(SERVED) not in (None, self.version)


# -- what is asked next ---------------------------------------------------------------------------------------------


def next_question(asked: bytes, reply: Reply) -> bytes | None:
    """The question that follows an answer; None where nothing is left to ask, or the answer cannot be read."""
    if reply.status != 200:
        return None
    try:
        return _next(queries.variables(asked), msgspec.json.decode(reply.body)["data"])
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _next(asked: JsonObject, data: JsonObject) -> bytes | None:
    match data:
        case {"discountCodeBasicCreate": {"userErrors": [*errors]}} if _is_taken(errors):
            return queries.holder(asked["discount"]["code"])
        case {"discountRedeemCodeBulkAdd": {"bulkCreation": {"id": job_id}, "userErrors": []}}:
            return queries.job(job_id)
        case {"discountRedeemCodeBulkCreation": dict(job)} if not _is_finished(job):
            return queries.job(job["id"])
        case {"discountRedeemCodeBulkCreation": {"failedCount": int(failed), "codes": {"nodes": nodes}} as job}:
            taken = [node["code"] for node in nodes if _is_taken(node["errors"])]
            asks = bool(failed and taken and "c0" not in data)
            return queries.results(job["id"], job["codesCount"], taken) if asks else None
        case {"discountRedeemCodeBulkCreation": {"failedCount": int(failed)} as job} if failed:
            return queries.results(job["id"], job["codesCount"])
        case _:
            return None


def _is_finished(job: JsonObject) -> bool:
    """`done` may be said of a job that has only begun, so its codes are counted as well."""
    return bool(job["done"]) and job["importedCount"] + job["failedCount"] >= job["codesCount"]


def _is_taken(errors: Sequence[JsonObject]) -> bool:
    return bool(errors) and all(error.get("code") in _TAKEN for error in errors)


# -- what it comes to -----------------------------------------------------------------------------------------------


def whole(reply: Reply, by_status: Receipt, taken: str) -> Receipt:
    """The receipt of a reply as a whole: Accepted where it is left to say what became of each code.

    No answer to a question for the outcome is a refusal of the codes: they may well be there.
    """
    receipt = _whole(reply, by_status, taken)
    is_begun = isinstance(reply, Answer) and reply.is_begun
    return Unanswered(receipt.detail) if is_begun and isinstance(receipt, Refused | Deferred) else receipt


def _whole(reply: Reply, by_status: Receipt, taken: str) -> Receipt:
    if not isinstance(by_status, Accepted):
        return _of_status(reply, by_status)
    said: JsonObject = msgspec.json.decode(reply.body)
    if errors := said.get("errors"):
        return _of_errors(errors if isinstance(errors, list) else [{"message": str(errors)}], said)
    if not isinstance(said["data"], dict):
        raise TypeError("data")
    remark = reply.remark if isinstance(reply, Answer) else ""
    return Accepted(shortened(f"HTTP 200: {taken}{remark}"), retry_after=_restored(said, 0.0))


def of_each(reply: Reply, bodies: Sequence[bytes], receipt: Accepted) -> Sequence[Receipt | None]:
    """The receipts of each request that was accepted as a whole; None for one of which nothing is said."""
    data: JsonObject = msgspec.json.decode(reply.body)["data"]
    match data:
        case {"discountCodeBasicCreate": {"userErrors": [*errors]}} if errors:
            return [_refused(errors)]
        case {"discountCodeBasicCreate": {"codeDiscountNode": {"id": str(made)}}}:
            return [Accepted(receipt.detail, made, receipt.retry_after)]
        case {"holder": found}:
            return [_held(found, queries.variables(bodies[0])["discount"], receipt)]
        case {"discountRedeemCodeBulkAdd": {"userErrors": [*errors]}} if errors:
            concerns_all = len(bodies) == 1 or errors[0].get("field") == ["discountId"]
            return [_refused(errors) if concerns_all else None] * len(bodies)
        case {"discountRedeemCodeBulkCreation": dict(job)} if _is_finished(job):
            return _of_job(job, data, bodies, receipt)
        case _:
            raise LookupError("no outcome")


def _of_job(job: JsonObject, data: JsonObject, bodies: Sequence[bytes], receipt: Accepted) -> Sequence[Receipt | None]:
    if not job["failedCount"]:
        return [receipt] * len(bodies)
    errors = {node["code"]: node["errors"] for node in job["codes"]["nodes"]}
    taken = [code for code, found in errors.items() if _is_taken(found)]
    holders = {code: data.get(f"c{index}") for index, code in enumerate(taken)}

    def outcome(body: bytes) -> Receipt | None:
        asked = queries.variables(body)
        (code,) = (one["code"] for one in asked["codes"])
        if code not in errors:
            return None
        if code in holders:
            return _added(holders[code], asked["discountId"], receipt)
        return _refused(errors[code]) if errors[code] else receipt

    return [outcome(body) for body in bodies]


def _held(found: JsonObject | None, wanted: JsonObject, receipt: Accepted) -> Receipt:
    """A discount of its own was wanted, and the code is taken."""
    if found is None:
        return Postponed("the shop says that the code is taken, and does not find it")
    there = found.get("codeDiscount") or {}
    value = (there.get("customerGets") or {}).get("value") or {}
    is_ours = there.get("title") == wanted["title"] and _is_worth(value, wanted["customerGets"]["value"])
    if is_ours:
        return Accepted(f"{receipt.detail}, and had it before", found["id"], receipt.retry_after)
    return Refused(shortened(f"the shop has the code already, {_described(there, value)}, and not as its voucher says"))


def _added(found: JsonObject | None, discount_id: str, receipt: Accepted) -> Receipt:
    """A code of a certain discount was wanted, and the code is taken."""
    if found is None:
        return Postponed("the shop says that the code is taken, and does not find it")
    if found["id"] == discount_id:
        return Accepted(f"{receipt.detail}, and had it before", retry_after=receipt.retry_after)
    return Refused(shortened(f"the shop has the code already, in {found['id']} and not in {discount_id}"))


def _is_worth(there: JsonObject, wanted: JsonObject) -> bool:
    same_kind = ("percentage" in there) == ("percentage" in wanted)
    return same_kind and worth(there) == worth(wanted)


def _described(there: JsonObject, value: JsonObject) -> str:
    if worth(value) is None:
        return "in a discount of another kind"
    off = f"{float(value['percentage']) * 100:g} %" if "percentage" in value else value["amount"]["amount"]
    return f'in "{there.get("title", "")}" with {off} off'


def _refused(errors: Sequence[JsonObject]) -> Receipt:
    words = "; ".join(f"{error.get('message')} ({error.get('code')})" for error in errors)
    if any(error.get("code") == "INTERNAL_ERROR" for error in errors):
        return Postponed(shortened(f"HTTP 200: {words}"))
    return Refused(shortened(f"HTTP 200: {words}"))


def _of_status(reply: Reply, by_status: Receipt) -> Receipt:
    if reply.status in _OF_THE_SHOP:
        return Blocked(f"HTTP {reply.status}: {_OF_THE_SHOP[reply.status]}")
    return by_status


def _of_errors(errors: Sequence[JsonObject], said: JsonObject) -> Receipt:
    """Errors of the request as a whole, which is not done then. Their codes count: words may be a customer's."""
    codes = {str((error.get("extensions") or {}).get("code", "")) for error in errors}
    words = shortened("HTTP 200: " + "; ".join(str(error.get("message")) for error in errors))
    if "THROTTLED" in codes:
        return Throttled(words, _restored(said, _LEAST_WAIT))
    if "INTERNAL_SERVER_ERROR" in codes:
        return Deferred(words)
    return Blocked(words) if codes & _BLOCKING else Refused(words)


def _restored(said: JsonObject, least: float) -> float | None:
    """Seconds until the bucket of costs holds what such a request takes; None where it does, or says nothing."""
    try:
        cost: Mapping[str, Any] = said["extensions"]["cost"]
        status = cost["throttleStatus"]
        missing = cost["requestedQueryCost"] - status["currentlyAvailable"]
        wait = max(float(missing / status["restoreRate"]), least)
    except (LookupError, TypeError, ZeroDivisionError):
        wait = least
    return wait if wait > 0 else None


# -- an account -----------------------------------------------------------------------------------------------------


def checked(form: ShopifyAccountForm, answer: Reply | Receipt, receipt: Receipt) -> AccountCheck:
    """The state of an account by the answer to the question for its shop; `receipt` is that of the answer."""
    if not isinstance(answer, Reply) or not isinstance(receipt, Accepted):
        return AccountCheck(False, shortened(f"{form.url}: {receipt.detail}. Check url, access_token and version"))
    data: JsonObject = msgspec.json.decode(answer.body)["data"]
    granted = {scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]}
    granted |= {scope.replace("write_", "read_", 1) for scope in granted}
    shop, missing = data["shop"], [scope for scope in _NEEDED if scope not in granted]
    if missing:
        return AccountCheck(False, f"the app lacks the access scope {' and '.join(missing)} in {shop['name']}")
    if EXPONENTS.get(shop["currencyCode"], 2) != EXPONENTS.get(form.currency, 2):
        said = f"{shop['name']} sells in {shop['currencyCode']}, which has other decimals than {form.currency}"
        return AccountCheck(False, f"{said}. Set currency={shop['currencyCode']}")
    served = answer.headers.get(SERVED, form.version)
    if served != form.version:
        said = f"{form.url} answers as version {served} and not as {form.version}, which is over or not there yet"
        return AccountCheck(False, f"{said}. Set version={served} after reading what changed")
    return AccountCheck(True, f"the token may make discounts in {shop['name']}, version {served}")
