"""Shopify on loopback: one shop that holds requests against the schema of its API, and knows its codes again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply
from channels.fakes.tokens import TokenEndpointFake

VERSION = "2026-10"
MOST_CODES = 250
APP = ("an-app", "hush-app-secret")
_LOGIN = "/admin/oauth/access_token"
_ROOT = re.compile(r"(?:(\w+):\s*)?\b(discount\w+|codeDiscountNodeByCode|shop|currentAppInstallation)\b(?=\s*[({])")
_DECLARED = re.compile(r"\$(\w+): (\[\w+!\]|\w+)(!?)")
_INPUTS: Mapping[str, Mapping[str, tuple[str, bool]]] = {
    "DiscountCodeBasicInput": {
        "title": ("String", True),
        "code": ("String", True),
        "startsAt": ("DateTime", True),
        "endsAt": ("DateTime", False),
        "usageLimit": ("Int", False),
        "appliesOncePerCustomer": ("Boolean", False),
        "context": ("DiscountContextInput", True),
        "customerGets": ("DiscountCustomerGetsInput", True),
    },
    "DiscountContextInput": {"all": ("String", False), "customers": ("DiscountCustomersInput", False)},
    "DiscountCustomersInput": {"add": ("[ID!]", False)},
    "DiscountCustomerGetsInput": {
        "value": ("DiscountCustomerGetsValueInput", True),
        "items": ("DiscountItemsInput", True),
    },
    "DiscountCustomerGetsValueInput": {
        "percentage": ("Float", False),
        "discountAmount": ("DiscountAmountInput", False),
    },
    "DiscountAmountInput": {"amount": ("Decimal", True), "appliesOnEachItem": ("Boolean", True)},
    "DiscountItemsInput": {"all": ("Boolean", False)},
    "DiscountRedeemCodeInput": {"code": ("String", True)},
}
"""The part of the schema that is used here: fields, their types, and whether they must be there."""
_SCALARS: Mapping[str, Callable[[Any], bool]] = {
    "String": lambda value: isinstance(value, str),
    "ID": lambda value: isinstance(value, str) and value.startswith("gid://shopify/"),
    "Int": lambda value: type(value) is int,
    "Float": lambda value: type(value) in (int, float),
    "Boolean": lambda value: isinstance(value, bool),
    "Decimal": lambda value: isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value) is not None,
    "DateTime": lambda value: isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value) is not None,
}


@dataclass(slots=True)
class Discount:
    """One of the shop. `said` is the input that it was made of."""

    id: str
    said: dict[str, Any]
    codes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Job:
    """Codes on their way into a discount, with the errors of each; it is done after so many questions."""

    errors: dict[str, list[dict[str, str]]]
    questions: int


class ShopifyFake(HttpFake):
    """Lets in who has the token, or one that the app `APP` was given, but those that
    have `ended`. `discounts` by id, `holders` the id by code, whose case does not count.

    `invalid` are codes that it does not want. A job is at its end after `questions` of its state. `available` are the
    points of cost that are left of a `bucket`, where it counts them; they come back at `restore_rate` a second.
    """

    path = ""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token
        self.logins = TokenEndpointFake(APP)
        self.ended: set[str] = set()
        self.invalid: set[str] = set()
        self.scopes = ["read_discounts", "write_discounts"]
        self.currency, self.served = "USD", VERSION
        self.questions = 0
        self.available: float | None = None
        self.bucket, self.restore_rate = 2000.0, 100.0
        self.discounts: dict[str, Discount] = {}
        self.holders: dict[str, str] = {}
        self.operations: list[str] = []
        self._jobs: dict[str, _Job] = {}
        self._counted_at = time.monotonic()

    def put(self, title: str, value: Mapping[str, Any], *codes: str) -> str:
        """A discount that somebody made in the shop's admin, and its id."""
        return self._made({"title": title, "customerGets": {"value": dict(value)}}, *codes)

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`: the code, or the first of them."""
        said = _read(body).get("variables") or {}
        codes = said.get("codes") or [said.get("discount") or said]
        return str(codes[0].get("code", ""))

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        if (request.method, request.path) == ("POST", _LOGIN):
            return None
        if not re.fullmatch(r"/admin/api/\d{4}-\d\d/graphql\.json", request.path) or request.method != "POST":
            return HTTPStatus.NOT_FOUND
        known = {self._token, *self.logins.given} - self.ended
        return None if request.headers.get("x-shopify-access-token") in known else HTTPStatus.UNAUTHORIZED

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """See `HttpFake`."""
        if reply.body:
            return reply, []
        if request.path == _LOGIN:
            return self.logins.answered(request, body, reply)
        said = _read(body)
        cost = 10.0 if said["query"].startswith("mutation") else 1.0
        if not self._pays(cost):
            return self._errors("Throttled", "THROTTLED", cost), []
        wrong = _wrong(said["query"], said.get("variables") or {})
        if wrong:
            return self._errors(wrong, "INVALID_VARIABLE", cost), []
        if "write_discounts" not in self.scopes and said["query"].startswith("mutation"):
            return self._errors("Access denied. Required access: write_discounts", "ACCESS_DENIED", cost), []
        data, taken = self._done(said["query"], said.get("variables") or {})
        return self._reply({"data": data, "extensions": self._cost(cost)}), taken

    def _done(self, query: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        data: dict[str, Any] = {}
        taken: list[str] = []
        for name, root in _ROOT.findall(query):
            self.operations.append(root)
            code = str(values.get(name or "code", values.get("code")))
            data[name or root], ids = self._field(root, values, code)
            taken += ids
        return data, taken

    def _field(self, root: str, values: Mapping[str, Any], code: str) -> tuple[Any, list[str]]:
        match root:
            case "discountCodeBasicCreate":
                return self._create(values["discount"])
            case "discountRedeemCodeBulkAdd":
                return self._add(values["discountId"], [one["code"] for one in values["codes"]])
            case "discountRedeemCodeBulkCreation":
                return self._job(values["id"], with_codes="first" in values), []
            case "codeDiscountNodeByCode":
                found = self.discounts.get(self.holders.get(code.casefold(), ""))
                return (_node(found) if found else None), [code] if found else []
            case "shop":
                return {"name": "The Shop", "currencyCode": self.currency}, []
            case _:
                return {"accessScopes": [{"handle": scope} for scope in self.scopes]}, []

    def _create(self, said: dict[str, Any]) -> tuple[Any, list[str]]:
        errors = self._code_errors(said["code"], "basicCodeDiscount")
        if errors:
            return {"codeDiscountNode": None, "userErrors": errors}, []
        made = self._made(said, said["code"])
        return {"codeDiscountNode": {"id": made}, "userErrors": []}, [said["code"]]

    def _made(self, said: dict[str, Any], *codes: str) -> str:
        made = f"gid://shopify/DiscountCodeNode/{len(self.discounts) + 1}"
        self.discounts[made] = Discount(made, said, set(codes))
        self.holders |= {code.casefold(): made for code in codes}
        return made

    def _add(self, discount_id: str, codes: Sequence[str]) -> tuple[Any, list[str]]:
        discount = self.discounts.get(discount_id)
        if discount is None or len(codes) > MOST_CODES:
            place = ["discountId"] if discount is None else ["codes"]
            error = {"field": place, "code": "INVALID", "message": f"{place[0]} is invalid."}
            return {"bulkCreation": None, "userErrors": [error]}, []
        errors = {}
        for code in codes:
            errors[code] = self._code_errors(code, "codes")
            if not errors[code]:
                discount.codes.add(code)
                self.holders[code.casefold()] = discount_id
        job = f"gid://shopify/DiscountRedeemCodeBulkCreation/{len(self._jobs) + 1}"
        self._jobs[job] = _Job(errors, self.questions)
        return {"bulkCreation": {"id": job}, "userErrors": []}, [code for code in codes if not errors[code]]

    def _code_errors(self, code: str, place: str) -> list[dict[str, Any]]:
        if code in self.invalid:
            return [{"field": [place, "code"], "code": "INVALID", "message": "Code is invalid."}]
        if code.casefold() not in self.holders:
            return []
        return [{"field": [place, "code"], "code": "TAKEN", "message": "Code must be unique."}]

    def _job(self, job_id: str, *, with_codes: bool) -> dict[str, Any] | None:
        job = self._jobs.get(job_id)
        if job is None:
            return None
        is_done, job.questions = job.questions <= 0, job.questions - 1
        failed = sum(map(bool, job.errors.values())) if is_done else 0
        counts = {"codesCount": len(job.errors), "failedCount": failed}
        made = len(job.errors) - failed if is_done else 0
        nodes = [{"code": code, "errors": errors} for code, errors in job.errors.items()]
        codes = {"codes": {"nodes": nodes}} if with_codes else {}
        return {"id": job_id, "done": is_done, "importedCount": made, **counts, **codes}

    def _pays(self, cost: float) -> bool:
        if self.available is None:
            return True
        now = time.monotonic()
        self.available = min(self.available + (now - self._counted_at) * self.restore_rate, self.bucket)
        self._counted_at = now
        if self.available < cost:
            return False
        self.available -= cost
        return True

    def _cost(self, cost: float) -> dict[str, Any]:
        left = self.bucket if self.available is None else self.available
        status = {"maximumAvailable": self.bucket, "currentlyAvailable": left, "restoreRate": self.restore_rate}
        return {"cost": {"requestedQueryCost": cost, "throttleStatus": status}}

    def _errors(self, message: str, code: str, cost: float) -> Reply:
        error = {"message": message, "extensions": {"code": code}}
        return self._reply({"errors": [error], "extensions": self._cost(cost)})

    def _reply(self, said: dict[str, Any]) -> Reply:
        return Reply(200, headers=(("x-shopify-api-version", self.served),), body=msgspec.json.encode(said))


def _node(discount: Discount) -> dict[str, Any]:
    """A discount as it is read: an amount is an object, and a number of its own."""
    value = dict(discount.said["customerGets"]["value"])
    amount = value.pop("discountAmount", None)
    if amount:
        value["amount"] = {"amount": f"{float(amount['amount'])}"}
    about = {"title": discount.said["title"], "customerGets": {"value": value}}
    return {"id": discount.id, "codeDiscount": about}


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _wrong(query: str, values: Mapping[str, Any]) -> str | None:
    """The words of what does not fit the schema; None for what does."""
    for name, kind, needed in _DECLARED.findall(query):
        if (needed or name in values) and not _fits(values.get(name), kind):
            return f"Variable ${name} of type {kind}{needed} was provided invalid value"
    return None


def _fits(value: Any, kind: str) -> bool:
    if kind.startswith("["):
        return isinstance(value, list) and all(_fits(one, kind[1:-2]) for one in value)
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    fields = _INPUTS[kind]
    if not isinstance(value, dict) or value.keys() - fields.keys():
        return False
    missing = [name for name, (_, needed) in fields.items() if needed and name not in value]
    return not missing and all(_fits(value[name], fields[name][0]) for name in value)
