"""Text messages to the audience: their parts, the letter that makes them dearer, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from console.control.checking.fields import counted
from console.control.preflight.finding import Finding, found
from console.control.preflight.written import Texts, Written
from schemas.distribution import Distribution
from schemas.formats.sms_text import Parts, letter_named, parts_of

_CENT = Decimal("0.01")


def findings(
    rule: Distribution, texts: Texts, gets: Mapping[str, frozenset[str]], expected: int, of: int, price: Decimal | None
) -> Iterator[Finding]:
    """Of each plan its parts over all who are expected, of whom `of` were looked at; `price` is that of one part."""
    for at, of_plan in texts.items():
        counts = [parts_of(str(one.shown.facts["text"])) for one in of_plan]
        yield from _dear(at, counts)
        sent = [parts for one, parts in zip(of_plan, counts, strict=True) if _goes(rule, one, gets)]
        if sent:
            yield _cost(at, sent, expected, of, price)


def _goes(rule: Distribution, one: Written, gets: Mapping[str, frozenset[str]]) -> bool:
    """True where it is sent: with a fallback at most, since nobody knows yet whether the one before comes."""
    channels = gets.get(one.event_id, frozenset())
    return "sms" in channels or (rule.fallback_after is not None and bool(channels))


def _dear(at: str, counts: Sequence[Parts]) -> Iterator[Finding]:
    letters = Counter(one.dear for one in counts if one.dear)
    if letters:
        letter, _ = letters.most_common(1)[0]
        text = f"{letters.total():,} of {len(counts):,} are in UCS-2, mostly because of {letter_named(letter)}"
        yield found("sms_dear", at, text.rstrip(","), count=letters.total(), of=len(counts))


def _cost(at: str, sent: Sequence[Parts], expected: int, of: int, price: Decimal | None) -> Finding:
    parts = sum(one.count for one in sent)
    messages = -(-len(sent) * expected // of) if of else len(sent)
    whole = -(-parts * expected // of) if of else parts
    most = max(one.count for one in sent)
    text = f"{counted(whole, 'part')} for {counted(messages, 'message')}, at most {most} each"
    if price is not None:
        cost = (price * whole).quantize(_CENT, ROUND_HALF_UP)
        text += f": {cost:,} at {price.normalize():f} a part"
    return found("sms_cost", at, text, count=whole, of=messages)
