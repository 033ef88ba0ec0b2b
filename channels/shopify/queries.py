"""All that is asked of Shopify, in GraphQL: to do something (`creation`, `addition`), and to know its outcome.

Source: the Admin API's reference, version 2026-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.record import JsonObject

_ERRORS = "userErrors { field code message }"
_CREATE = f"""mutation Create($discount: DiscountCodeBasicInput!) {{
  discountCodeBasicCreate(basicCodeDiscount: $discount) {{ codeDiscountNode {{ id }} {_ERRORS} }}
}}"""
_ADD = f"""mutation Add($discountId: ID!, $codes: [DiscountRedeemCodeInput!]!) {{
  discountRedeemCodeBulkAdd(discountId: $discountId, codes: $codes) {{ bulkCreation {{ id }} {_ERRORS} }}
}}"""
_JOB = """query Job($id: ID!) {
  discountRedeemCodeBulkCreation(id: $id) { id done codesCount importedCount failedCount }
}"""
_RESULTS = """query Results($id: ID!, $first: Int!%s) {
  discountRedeemCodeBulkCreation(id: $id) {
    id done codesCount importedCount failedCount
    codes(first: $first) { nodes { code errors { code message } } }
  }%s
}"""
_HOLDER = """query Holder($code: String!) {
  holder: codeDiscountNodeByCode(code: $code) {
    id
    codeDiscount {
      ... on DiscountCodeBasic {
        title
        customerGets {
          value { ... on DiscountPercentage { percentage } ... on DiscountAmount { amount { amount } } }
        }
      }
    }
  }
}"""
_SHOP = "query Shop { shop { name currencyCode } currentAppInstallation { accessScopes { handle } } }"


def creation(discount: JsonObject) -> bytes:
    """A discount with a code of its own; `discount` is a DiscountCodeBasicInput."""
    return _body(_CREATE, discount=discount)


def addition(discount_id: str, codes: Sequence[str]) -> bytes:
    """Codes more for a discount."""
    return _body(_ADD, discountId=discount_id, codes=[{"code": code} for code in codes])


def job(job_id: str) -> bytes:
    """The state of a job that adds codes, for one point of cost."""
    return _body(_JOB, id=job_id)


def results(job_id: str, count: int, taken: Sequence[str] = ()) -> bytes:
    """The outcome of each code of a job; of those that were taken also the discount that has them, in their order."""
    names = [f"c{index}" for index in range(len(taken))]
    declared = "".join(f", ${name}: String!" for name in names)
    asked = "".join(f"\n  {name}: codeDiscountNodeByCode(code: ${name}) {{ id }}" for name in names)
    codes = dict(zip(names, taken, strict=True))
    return _body(_RESULTS % (declared, asked), id=job_id, first=count, **codes)


def holder(code: str) -> bytes:
    """The discount that has a code, and what it takes off."""
    return _body(_HOLDER, code=code)


def shop() -> bytes:
    """The shop, and what an access token may do in it."""
    return _body(_SHOP)


def variables(body: bytes) -> JsonObject:
    """The variables of any of these."""
    found: JsonObject = msgspec.json.decode(body)["variables"]
    return found


def _body(query: str, **values: Any) -> bytes:
    return msgspec.json.encode({"query": query, "variables": values})
