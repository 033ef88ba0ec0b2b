"""A campaign as its author writes it, checked to the last key: a `Campaign`, or every problem found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, get_args

from schemas.campaign import (
    EASILY_READ,
    LONGEST_CODE,
    VOUCHER_TYPES,
    Campaign,
    CampaignKind,
    CodeConfig,
    PoolType,
    Tier,
)
from schemas.record import JsonObject
from streams.values.kinds import (
    Flag,
    Free,
    Group,
    Identifier,
    Key,
    Keys,
    ListOf,
    Moment,
    OneOf,
    Plain,
    Span,
    Text,
    Varies,
    Whole,
)
from streams.values.reader import DocumentReader
from streams.values.wording import Report, invalid

_LONGEST_TEXT = 512


@dataclass(frozen=True, slots=True)
class Percent(Plain[float]):
    """A share of a price."""

    @property
    def allowed(self) -> str:
        return "a number above 0, at most 100"

    def accepted(self, value: object) -> float | None:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100:
            return value
        return None

    def schema(self) -> JsonObject:
        return {"type": "number", "exclusiveMinimum": 0, "maximum": 100}


@dataclass(frozen=True, slots=True)
class CodeText:
    """A part of a code."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return "a text of printable characters without spaces, in quotes, as a bare # begins a comment"

    def read(self, value: object, at: str, report: Report) -> str | None:
        """See `Value`."""
        if isinstance(value, str) and value.isprintable() and not any(map(str.isspace, value)):
            return value
        report(at, invalid(value, self.allowed))
        return None

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "string", "pattern": r"^\S*$"}


_ID = Identifier("spring-codes")
_NAME = Text(": what people call it", most=_LONGEST_TEXT)
_TEXT = Text(most=_LONGEST_TEXT)
_CODE_TEXT = Key(CodeText(), null="wrong")
_EFFECT = Key(_TEXT)

CODE_CONFIG = Group(
    {
        "pattern": _CODE_TEXT,
        "length": Key(Whole(1, LONGEST_CODE)),
        "charset": _CODE_TEXT,
        "prefix": _CODE_TEXT,
        "postfix": _CODE_TEXT,
    }
)
_CODE_DEFAULTS = {"charset": EASILY_READ, "prefix": "", "postfix": ""}


def _discount(kind: str, worth: str, value: Key, **others: Key) -> Keys:
    """The keys of a discount: what it takes off, or a formula for that."""
    return {
        "type": Key(OneOf((kind,)), required=True),
        worth: value,
        f"{worth}_formula": Key(_TEXT),
        **others,
        "effect": _EFFECT,
    }


DISCOUNT = Varies(
    "type",
    {
        "PERCENT": _discount("PERCENT", "percent_off", Key(Percent(), required=True), amount_limit=Key(Whole(1))),
        "AMOUNT": _discount("AMOUNT", "amount_off", Key(Whole(1), required=True)),
        "UNIT": _discount(
            "UNIT",
            "unit_off",
            Key(Whole(1), required=True),
            unit_type=Key(Text(": the id of the product that is given", most=_LONGEST_TEXT), required=True),
        ),
        "FIXED": _discount("FIXED", "fixed_amount", Key(Whole(0), required=True)),
    },
    example="{type: PERCENT, percent_off: 10}",
)
TIER = Group(
    {
        "id": Key(Identifier("gold"), required=True),
        "name": Key(_NAME),
        "banner": Key(_TEXT),
        "action": Key(Free()),
        "metadata": Key(Free()),
    }
)
_TIERS = ListOf(TIER, "{id: gold, name: Gold, banner: 10 % off}")

_COMMON: Keys = {
    "campaign": Key(_ID, required=True),
    "name": Key(_NAME),
    "description": Key(_TEXT),
    "kind": Key(OneOf(get_args(CampaignKind)), required=True),
    "active": Key(Flag()),
    "category_id": Key(_TEXT),
    "start_date": Key(Moment()),
    "expiration_date": Key(Moment()),
    "metadata": Key(Free()),
}
_POOL: Keys = {
    "type": Key(OneOf(get_args(PoolType)), required=True),
    "code_config": Key(CODE_CONFIG),
    "quantity": Key(Whole(1), null="itself"),
    "join_once": Key(Flag()),
    "auto_join": Key(Flag()),
    "valid_for": Key(Span()),
    "low_water": Key(Whole(0)),
}
_WORTH: dict[CampaignKind, Keys] = {
    "DISCOUNT_COUPONS": {"discount": Key(DISCOUNT, required=True)},
    "GIFT_VOUCHERS": {"gift": Key(Group({"amount": Key(Whole(0), required=True)}, "{amount: 5000}"), required=True)},
    "LOYALTY_PROGRAM": {
        "loyalty_card": Key(Group({"points": Key(Whole(0), required=True)}, "{points: 100}"), required=True)
    },
    "REFERRAL_PROGRAM": {"discount": Key(DISCOUNT, required=True)},
    "PROMOTION": {"tiers": Key(_TIERS, required=True)},
}
"""What a campaign of a kind is worth."""

CAMPAIGN = Varies(
    "kind", {kind: {**_COMMON, **worth, **(_POOL if kind in VOUCHER_TYPES else {})} for kind, worth in _WORTH.items()}
)
"""All that a campaign may say; null as `quantity` is no limit."""


@dataclass(frozen=True, slots=True)
class CampaignContext:
    """What a definition does not say itself. `before` is the newest version, where there is one."""

    project_id: str
    now: datetime
    before: Campaign | None = None
    zone: tzinfo = UTC
    """Where the project's days begin and end."""


def parse_campaign(source: object, context: CampaignContext) -> Campaign:
    """Check and complete a definition. Raises DefinitionInvalid with all problems, each with path and valid options."""
    reader = _Reader(context)
    return _complete(reader.checked(reader.campaign(source)), context)


class _Reader(DocumentReader):
    """What has to hold between the keys, beside what each may hold."""

    def __init__(self, context: CampaignContext) -> None:
        super().__init__(context.zone)
        self._before = context.before

    def campaign(self, source: object) -> JsonObject:
        written = self._document(source, "campaign", (*_COMMON, *_POOL, "discount, gift, loyalty_card or tiers"))
        read = (self._value(CAMPAIGN, written, "") if written is not None else None) or {}
        start = read["start_date"] = self._instant(read.get("start_date"), "start_date")
        end = read["expiration_date"] = self._instant(read.get("expiration_date"), "expiration_date", is_end=True)
        if start and end and end <= start:
            self._problem("expiration_date", "is not after start_date")
        self._kind(written.get("kind") if written else None)
        if read.get("type") == "AUTO_UPDATE" and written and written.get("code_config") is None:
            self._problem("code_config", "is missing: AUTO_UPDATE makes codes, as from {pattern: SPRING-######}")
        if read.get("code_config") is not None:
            read["code_config"] = self._code_config(read["code_config"])
        self._tier_ids([tier.get("id") for tier in read.get("tiers", [])])
        return read

    def _kind(self, kind: object) -> None:
        before = self._before
        if before and kind in get_args(CampaignKind) and before.kind != kind:
            self._problem("kind", f"was {before.kind}, and a campaign keeps its kind; use another id for another kind")

    def _code_config(self, written: JsonObject) -> CodeConfig | None:
        """What has to hold between the parts of a pattern."""
        if any(problem.path.startswith("code_config") for problem in self.problems):
            return None
        length = written.get("length")
        parts = {**_CODE_DEFAULTS, "pattern": "#" * (length or 0), **written}
        marks = parts["pattern"].count("#")
        config = CodeConfig(**{**parts, "length": length or marks})
        if not marks:
            said = "has no #" if config.pattern else "is missing"
            self._problem(
                "code_config.pattern", f"{said}: each # becomes a character of the charset, as in SPRING-####"
            )
        elif length is not None and length != marks:
            self._problem("code_config.length", f"is {length}, but the pattern has {marks} #; leave one of them out")
        if len(set(config.charset)) < 2:
            self._problem("code_config.charset", "needs at least two different characters")
        long = len(config.prefix) + len(config.pattern) + len(config.postfix)
        if long > LONGEST_CODE:
            self._problem("code_config", f"makes codes of {long} characters; at most {LONGEST_CODE} are allowed")
        return config

    def _tier_ids(self, ids: list[str | None]) -> None:
        for index, identity in enumerate(ids):
            if identity and identity in ids[:index]:
                self._problem(f"tiers[{index}].id", f"{identity} stands in tiers[{ids.index(identity)}] already")


def _complete(read: JsonObject, context: CampaignContext) -> Campaign:
    """A campaign of what was read; a key that is not written has the default of the record."""
    before, identity = context.before, read.pop("campaign")
    parts: dict[str, Any] = {"id": identity, "name": identity, "type": "STATIC", **read}
    if "gift" in parts:
        parts["gift"] = parts["gift"]["amount"]
    if "loyalty_card" in parts:
        parts["loyalty"] = parts.pop("loyalty_card")["points"]
    parts["tiers"] = tuple(Tier(**{"name": tier["id"], **tier}) for tier in parts.get("tiers", ()))
    return Campaign(
        project_id=context.project_id,
        version=before.version + 1 if before else 1,
        created_at=before.created_at if before else context.now,
        updated_at=context.now if before else None,
        **parts,
    )
