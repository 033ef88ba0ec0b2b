"""A share of all, as authors write it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.record import JsonObject
from streams.values.kinds import Plain


@dataclass(frozen=True, slots=True)
class Percent(Plain[int]):
    """A percentage; kept in hundredths of a percent."""

    @property
    def allowed(self) -> str:
        return "a percentage from 0% to 100% with at most two decimals, as in 5% or 0.25%"

    def accepted(self, value: object) -> int | None:
        fits = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
        return int(fits[1]) * 100 + int((fits[2] or "").ljust(2, "0")) if fits else None

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "string", "pattern": f"^{_FORM}$"}


_FORM = r"(100(?=%|\.00?%)|[0-9]{1,2})(?:\.([0-9]{1,2}))?%"
_WRITTEN = re.compile(_FORM)


def percent(share: int) -> str:
    """A share in hundredths of a percent, as it is written."""
    whole, rest = divmod(share, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + "%" if rest else f"{whole}%"
