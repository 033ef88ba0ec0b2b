"""A campaign as its author writes it, checked to the last key: a `Campaign`, or every problem found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, get_args

from schemas.campaign import (
    ALPHANUMERIC,
    LONGEST_CODE,
    VOUCHER_TYPES,
    Campaign,
    CampaignKind,
    CodeConfig,
    PoolType,
    Tier,
)
from schemas.errors import DefinitionInvalid, Problem
from streams.conditions.fields import nearest
from streams.conditions.predicates import read_date
from streams.definition import plain_json
from streams.durations import parse_duration

COMMON_KEYS = (
    "campaign", "name", "description", "kind", "active", "category_id", "start_date", "expiration_date", "metadata",
)  # fmt: skip
"""The keys that campaigns of all kinds may have."""
POOL_KEYS = ("type", "code_config", "quantity", "join_once", "auto_join", "valid_for", "low_water")
"""The keys of the kinds that hand out codes."""
WORTH_KEYS = {
    "DISCOUNT_COUPONS": "discount",
    "REFERRAL_PROGRAM": "discount",
    "GIFT_VOUCHERS": "gift",
    "LOYALTY_PROGRAM": "loyalty_card",
    "PROMOTION": "tiers",
}
"""What a campaign of a kind is worth stands under this key."""
CODE_KEYS = ("pattern", "length", "charset", "prefix", "postfix")
_CODE_DEFAULTS = {"charset": ALPHANUMERIC, "prefix": "", "postfix": ""}
TIER_KEYS = ("id", "name", "banner", "action", "metadata")
DISCOUNT_KEYS = {
    "PERCENT": ("percent_off", "percent_off_formula", "amount_limit"),
    "AMOUNT": ("amount_off", "amount_off_formula"),
    "UNIT": ("unit_off", "unit_off_formula", "unit_type"),
    "FIXED": ("fixed_amount", "fixed_amount_formula"),
}
"""The keys of a discount by its type; the first is required, the second a formula. `effect` may stand beside."""

_LARGEST = 2**53 - 1
"""The largest number that every reader of JSON keeps exactly."""
_LONGEST_TEXT = 512
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@dataclass(frozen=True, slots=True)
class CampaignSurroundings:
    """What a definition does not say itself. `before` is the newest version, where there is one."""

    project_id: str
    now: datetime
    before: Campaign | None = None


def parse_campaign(source: object, around: CampaignSurroundings) -> Campaign:
    """Check and complete a definition. Raises DefinitionInvalid with all problems, each with path and valid options."""
    reader = _Reader(around)
    campaign = reader.campaign(source)
    if reader.problems or campaign is None:
        raise DefinitionInvalid(tuple(reader.problems))
    return campaign


class _Reader:
    """Reads each key on its own, so that one problem does not hide the next."""

    def __init__(self, around: CampaignSurroundings) -> None:
        self.problems: list[Problem] = []
        self._around = around

    def campaign(self, source: object) -> Campaign | None:
        if not isinstance(source, Mapping):
            keys = ", ".join((*COMMON_KEYS, *POOL_KEYS))
            return self._problem("", f"a campaign is a mapping with {keys} and discount, gift, loyalty_card or tiers")
        identity = self._identifier(source.get("campaign"), "campaign")
        kind = self._kind(source.get("kind"))
        parts: dict[str, Any] = {
            "name": self._text(source.get("name", identity), "name", ": a text for people"),
            "description": self._optional_text(source.get("description"), "description"),
            "category_id": self._optional_text(source.get("category_id"), "category_id"),
            "active": self._flag(source.get("active", True), "active"),
            "start_date": self._moment(source.get("start_date"), "start_date"),
            "expiration_date": self._moment(source.get("expiration_date"), "expiration_date"),
            "metadata": self._object(source.get("metadata"), "metadata"),
        }
        if parts["start_date"] and parts["expiration_date"] and parts["expiration_date"] <= parts["start_date"]:
            self._problem("expiration_date", "is not after start_date")
        if not kind:
            return None
        self._keys_of_kind(source, kind)
        parts |= self._pool(source) if kind in VOUCHER_TYPES else {"type": "STATIC"}
        parts |= self._worth(source, kind)
        return None if self.problems else self._complete(Campaign, {"id": identity, "kind": kind, **parts})

    def _complete(self, make: Callable[..., Campaign], parts: dict[str, Any]) -> Campaign:
        around, before = self._around, self._around.before
        return make(
            project_id=around.project_id,
            version=before.version + 1 if before else 1,
            created_at=before.created_at if before else around.now,
            updated_at=around.now if before else None,
            **parts,
        )

    # -- one method a key ---------------------------------------------------------------------------------------

    def _identifier(self, value: object, at: str) -> str:
        if isinstance(value, str) and 0 < len(value) <= 128 and _ID_CHARACTERS.issuperset(value):
            return value
        said = "is missing: an id" if value is None else "is an id"
        self._problem(at, f"{said} of letters, digits, dash, dot and underscore, at most 128 long")
        return ""

    def _kind(self, value: object) -> CampaignKind | None:
        kind: CampaignKind | None = self._closed(value, get_args(CampaignKind), "kind")
        before = self._around.before
        if kind and before and before.kind != kind:
            self._problem("kind", f"was {before.kind}, and a campaign keeps its kind; use another id for another kind")
        return kind

    def _keys_of_kind(self, source: Mapping[Any, Any], kind: CampaignKind) -> None:
        known = (*COMMON_KEYS, WORTH_KEYS[kind], *(POOL_KEYS if kind in VOUCHER_TYPES else ()))
        every = {*COMMON_KEYS, *POOL_KEYS, *WORTH_KEYS.values()}
        for key in [key for key in source if key in every and key not in known]:
            self._problem(str(key), f"is not of a {kind}, which has: {', '.join(known)}")
        self._known_keys({key: None for key in source if key not in every}, known, "")

    def _pool(self, source: Mapping[Any, Any]) -> dict[str, Any]:
        kind = self._closed(source.get("type"), get_args(PoolType), "type")
        if kind == "AUTO_UPDATE" and source.get("code_config") is None:
            self._problem("code_config", "is missing: AUTO_UPDATE makes codes, as from {pattern: SPRING-######}")
        valid_for = self._seconds(source.get("valid_for"), "valid_for")
        return {
            "type": kind,
            "code_config": self._code_config(source.get("code_config")),
            "quantity": self._whole(source.get("quantity", 1), "quantity", least=1, optional=True),
            "join_once": self._flag(source.get("join_once", False), "join_once"),
            "auto_join": self._flag(source.get("auto_join", False), "auto_join"),
            "valid_for": valid_for,
            "low_water": self._whole(source.get("low_water", 0), "low_water", least=0),
        }

    def _code_config(self, value: object) -> CodeConfig | None:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            return self._problem("code_config", f"is a mapping with {', '.join(CODE_KEYS)}")
        self._known_keys(value, CODE_KEYS, "code_config")
        length = value.get("length")
        if length is not None:
            length = self._whole(length, "code_config.length", least=1, most=LONGEST_CODE)
        pattern = value.get("pattern", "#" * (length or 0))
        written = {"pattern": pattern, **{name: value.get(name, default) for name, default in _CODE_DEFAULTS.items()}}
        texts = {name: self._code_text(text, f"code_config.{name}") for name, text in written.items()}
        given = {name: text for name, text in texts.items() if text is not None}
        if len(given) < len(texts):
            return None
        return self._fitting(CodeConfig(length=length or given["pattern"].count("#"), **given), length)

    def _fitting(self, config: CodeConfig, length: int | None) -> CodeConfig:
        """What has to hold between the parts of a pattern."""
        marks = config.pattern.count("#")
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

    def _code_text(self, value: object, at: str) -> str | None:
        if isinstance(value, str) and value.isprintable() and not any(map(str.isspace, value)):
            return value
        said = "holds a space or a character that cannot be printed" if isinstance(value, str) else _is(value)
        return self._problem(
            at, f"{said}; it is a text of printable characters without spaces, in quotes, as a bare # begins a comment"
        )

    def _worth(self, source: Mapping[Any, Any], kind: CampaignKind) -> dict[str, Any]:
        key = WORTH_KEYS[kind]
        value = source.get(key)
        if value is None:
            self._problem(key, f"is missing: it says what a {kind} gives, as in {_WORTH_EXAMPLES[key]}")
            return {}
        match key:
            case "discount":
                return {"discount": self._discount(value)}
            case "gift":
                return {"gift": self._amount(value, "gift", "amount")}
            case "loyalty_card":
                return {"loyalty": self._amount(value, "loyalty_card", "points")}
            case _:
                return {"tiers": self._tiers(value)}

    def _amount(self, value: object, at: str, name: str) -> int | None:
        if not isinstance(value, Mapping):
            return self._problem(at, f"is a mapping, as in {_WORTH_EXAMPLES[at]}")
        self._known_keys(value, (name,), at)
        return self._whole(value.get(name), f"{at}.{name}", least=0)

    def _discount(self, value: object) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            return self._problem("discount", f"is a mapping, as in {_WORTH_EXAMPLES['discount']}")
        kind = self._closed(value.get("type"), tuple(DISCOUNT_KEYS), "discount.type")
        if not kind:
            return None
        keys = DISCOUNT_KEYS[kind]
        self._known_keys(value, ("type", *keys, "effect"), "discount")
        for name in (keys[1], "effect"):
            self._optional_text(value.get(name), f"discount.{name}")
        if kind == "PERCENT":
            self._percent(value.get("percent_off"))
        else:
            self._whole(value.get(keys[0]), f"discount.{keys[0]}", least=0 if kind == "FIXED" else 1)
        if kind == "UNIT":
            self._text(value.get("unit_type"), "discount.unit_type", ": the id of the product that is given")
        if kind == "PERCENT" and value.get("amount_limit") is not None:
            self._whole(value["amount_limit"], "discount.amount_limit", least=1)
        return {name: one for name, one in value.items() if one is not None}

    def _percent(self, value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 100:
            self._problem("discount.percent_off", f"{_is(value)}; it is a number above 0, at most 100")

    def _tiers(self, value: object) -> tuple[Tier, ...]:
        if not isinstance(value, list) or not value:
            self._problem("tiers", f"{_is(value)}; it is a list of at least one of {_WORTH_EXAMPLES['tiers']}")
            return ()
        tiers = [tier for index, one in enumerate(value) if (tier := self._tier(one, f"tiers[{index}]"))]
        ids = [tier.id for tier in tiers]
        for index, identity in enumerate(ids):
            if identity and identity in ids[:index]:
                self._problem(f"tiers[{index}].id", f"{identity} stands in tiers[{ids.index(identity)}] already")
        return tuple(tiers)

    def _tier(self, value: object, at: str) -> Tier | None:
        if not isinstance(value, Mapping):
            return self._problem(at, f"{_is(value)}; it is a mapping with {', '.join(TIER_KEYS)}")
        self._known_keys(value, TIER_KEYS, at)
        return Tier(
            id=self._identifier(value.get("id"), f"{at}.id"),
            name=self._text(value.get("name", value.get("id")), f"{at}.name", ": a text for people"),
            banner=self._optional_text(value.get("banner"), f"{at}.banner"),
            action=self._object(value.get("action"), f"{at}.action"),
            metadata=self._object(value.get("metadata"), f"{at}.metadata"),
        )

    # -- one method a kind of value -----------------------------------------------------------------------------

    def _text(self, value: object, at: str, hint: str) -> str:
        if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_TEXT:
            return value
        self._problem(at, f"{_is(value)}; it is a text of at most {_LONGEST_TEXT} characters{hint}")
        return ""

    def _optional_text(self, value: object, at: str) -> str | None:
        return None if value is None else self._text(value, at, "")

    def _flag(self, value: object, at: str) -> bool:
        if not isinstance(value, bool):
            self._problem(at, f"{_is(value)}; it is true or false")
        return value is True

    def _whole(self, value: object, at: str, *, least: int, most: int = _LARGEST, optional: bool = False) -> int | None:
        if optional and value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        upto = f" to {most}" if most != _LARGEST else ""
        return self._problem(at, f"{_is(value)}; it is a whole number from {least}{upto}")

    def _object(self, value: object, at: str) -> dict[str, Any]:
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return dict(plain_json(value))
        self._problem(at, f"{_is(value)}; it is a mapping")
        return {}

    def _moment(self, value: object, at: str) -> datetime | None:
        if value is None:
            return None
        moment = read_date(value.isoformat() if isinstance(value, date) else value)
        return moment.astimezone(UTC) if moment else self._problem(at, "is a date, as in 2026-11-20T09:00:00Z")

    def _seconds(self, value: object, at: str) -> int | None:
        try:
            return None if value is None else int(parse_duration(value).total_seconds())
        except ValueError as error:
            return self._problem(at, str(error))

    def _closed(self, value: object, allowed: tuple[str, ...], at: str) -> Any:
        """A member of a closed list."""
        if isinstance(value, str) and value in allowed:
            return value
        said = "is missing" if value is None else f"{value!r} is none of these"
        return self._problem(at, f"{said}.{_meant(value, allowed)} There are: {', '.join(allowed)}")

    def _known_keys(self, source: Mapping[Any, Any], known: tuple[str, ...], at: str) -> None:
        for key in source:
            if key not in known:
                there = f"There are: {', '.join(known)}"
                path = f"{at}.{key}".lstrip(".")
                self._problem(path, f'"{key}" is not known here.{_meant(key, known)} {there}')

    def _problem(self, at: str, message: str) -> None:
        self.problems.append(Problem(at, message))


_WORTH_EXAMPLES = {
    "discount": "{type: PERCENT, percent_off: 10}",
    "gift": "{amount: 5000}",
    "loyalty_card": "{points: 100}",
    "tiers": "{id: gold, name: Gold, banner: 10 % off}",
}


def _meant(value: object, known: Collection[str]) -> str:
    found = nearest(str(value), known) or nearest(str(value).upper(), known)
    return f" Did you mean {found}?" if found else ""


def _is(value: object) -> str:
    """What a value is, for a complaint."""
    match value:
        case None:
            return "is missing"
        case bool() | int() | float():
            return f"is {str(value).lower()}"
        case str():
            return "is a text that is empty or too long" if not value.strip() or len(value) > 40 else f'is "{value}"'
        case list():
            return "is a list"
        case _:
            return "is a mapping" if isinstance(value, Mapping) else f"is {value}"
