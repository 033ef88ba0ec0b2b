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
_EFFECT = Key(_TEXT, doc="On what it works, as the redeeming side reads it.", example="APPLY_TO_ORDER")


def _code_text(doc: str, example: str, default: str = "") -> Key:
    return Key(CodeText(), null="wrong", doc=doc, example=example, default=default)


CODE_CONFIG = Group(
    {
        "pattern": _code_text("The code, in which each # becomes a character of the charset.", "'SPRING-######'"),
        "length": Key(Whole(1, LONGEST_CODE), doc="How many # there are, instead of a pattern.", example="6"),
        "charset": _code_text("The characters to draw from.", "ABCDEFGH", "those that are easily read"),
        "prefix": _code_text("What stands before the pattern.", "PL-"),
        "postfix": _code_text("What stands after it.", "-PL"),
    }
)
_CODE_DEFAULTS = {"charset": EASILY_READ, "prefix": "", "postfix": ""}


def _discount(kind: str, worth: str, value: Key, **others: Key) -> Keys:
    """The keys of a discount: what it takes off, or a formula for that."""
    return {
        "type": Key(OneOf((kind,)), required=True, doc="What is taken off.", example=kind),
        worth: value,
        f"{worth}_formula": Key(_TEXT, doc="A formula instead, as the redeeming side reads it.", example="PRICE * 0.1"),
        **others,
        "effect": _EFFECT,
    }


DISCOUNT = Varies(
    "type",
    {
        "PERCENT": _discount(
            "PERCENT",
            "percent_off",
            Key(Percent(), required=True, doc="Percent of the price.", example="10"),
            amount_limit=Key(Whole(1), doc="At most so much, in minor units.", example="5000"),
        ),
        "AMOUNT": _discount(
            "AMOUNT", "amount_off", Key(Whole(1), required=True, doc="An amount, in minor units.", example="1000")
        ),
        "UNIT": _discount(
            "UNIT",
            "unit_off",
            Key(Whole(1), required=True, doc="So many of a product.", example="1"),
            unit_type=Key(
                Text(": the id of the product that is given", most=_LONGEST_TEXT),
                required=True,
                doc="Which product.",
                example="prod_1",
            ),
        ),
        "FIXED": _discount(
            "FIXED",
            "fixed_amount",
            Key(Whole(0), required=True, doc="The price that is paid instead, in minor units.", example="900"),
        ),
    },
    example="{type: PERCENT, percent_off: 10}",
)
TIER = Group(
    {
        "id": Key(Identifier("gold"), required=True, doc="Its id; each once.", example="gold"),
        "name": Key(_NAME, doc="What people call it.", default="its id", example="Gold"),
        "banner": Key(_TEXT, doc="What customers are told of it.", example="10 % off"),
        "action": Key(Free(), doc="What it gives, as the redeeming side reads it.", example="{percent_off: 10}"),
        "metadata": Key(Free(), doc="Whatever goes along in messages.", example="{colour: gold}"),
    }
)
_TIERS = ListOf(TIER, "{id: gold, name: Gold, banner: 10 % off}")

_COMMON: Keys = {
    "campaign": Key(_ID, required=True, doc="Its id, which it keeps.", example="spring-codes"),
    "name": Key(_NAME, doc="What people call it.", default="its id", example="Spring"),
    "description": Key(_TEXT, doc="What it is about, for people.", example="Codes of spring"),
    "kind": Key(
        OneOf(get_args(CampaignKind)), required=True, doc="What it gives, for ever.", example="DISCOUNT_COUPONS"
    ),
    "active": Key(Flag(), doc="False: none of its codes is given out.", default="true", example="false"),
    "category_id": Key(_TEXT, doc="A category, as upstream names it.", example="cat_1"),
    "start_date": Key(Moment(), doc="From when on it holds.", default="at once", example="2026-11-20"),
    "expiration_date": Key(
        Moment(), doc="Until when it holds; a date includes its day.", default="for ever", example="2026-12-31"
    ),
    "metadata": Key(Free(), doc="Whatever goes along in messages.", example="{season: spring}"),
}
_POOL: Keys = {
    "type": Key(
        OneOf(get_args(PoolType)),
        required=True,
        doc="STATIC: codes are imported. AUTO_UPDATE: they are made as they are needed.",
        example="STATIC",
    ),
    "code_config": Key(
        CODE_CONFIG, doc="How codes are made; AUTO_UPDATE needs it.", example="{pattern: 'SPRING-######'}"
    ),
    "quantity": Key(
        Whole(1), null="itself", doc="How often a code may be redeemed; null: without limit.", default="1", example="5"
    ),
    "join_once": Key(Flag(), doc="Whether a customer gets one code for ever.", default="false", example="true"),
    "auto_join": Key(Flag(), doc="Whether customers join by themselves.", default="false", example="true"),
    "valid_for": Key(
        Span(), doc="How long a code holds once it is published.", default="as long as the campaign", example="14d"
    ),
    "low_water": Key(Whole(0), doc="At so many free codes it is said that few are left.", default="0", example="100"),
}
GIFT = Group(
    {"amount": Key(Whole(0), required=True, doc="An amount, in minor units.", example="5000")}, "{amount: 5000}"
)
CARD = Group({"points": Key(Whole(0), required=True, doc="A number of points.", example="100")}, "{points: 100}")
_DISCOUNTED = Key(DISCOUNT, required=True, doc="What a code takes off.", example="{type: PERCENT, percent_off: 10}")
_WORTH: dict[CampaignKind, Keys] = {
    "DISCOUNT_COUPONS": {"discount": _DISCOUNTED},
    "GIFT_VOUCHERS": {"gift": Key(GIFT, required=True, doc="What a gift card is worth.", example="{amount: 5000}")},
    "LOYALTY_PROGRAM": {
        "loyalty_card": Key(CARD, required=True, doc="What a loyalty card begins with.", example="{points: 100}")
    },
    "REFERRAL_PROGRAM": {"discount": _DISCOUNTED},
    "PROMOTION": {
        "tiers": Key(_TIERS, required=True, doc="Its tiers.", example="[{id: gold, name: Gold, banner: 10 % off}]")
    },
}
"""The worth of a campaign of a kind."""

CAMPAIGN = Varies(
    "kind", {kind: {**_COMMON, **worth, **(_POOL if kind in VOUCHER_TYPES else {})} for kind, worth in _WORTH.items()}
)
"""All that a campaign may say; null as `quantity` is no limit."""


@dataclass(frozen=True, slots=True)
class CampaignContext:
    """Facts that a definition does not say itself. `before` is the newest version, where there is one."""

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
    """Check what has to hold between the keys, beside what each may hold."""

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
        """Check what has to hold between the parts of a pattern."""
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
