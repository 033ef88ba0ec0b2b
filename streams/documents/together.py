"""Everything that has to hold between the keys of a whole distribution: what is refused could never be meant so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from schemas.channels.tables import ChannelPlan
from schemas.distribution import TRANSACTIONAL, Distribution
from streams.caps import applies
from streams.channels.rules import ChannelTable
from streams.documents.fallback_keys import fallback_stands_against
from streams.verdict import Skip
from streams.window import never_sent, quiet_hours_of

_NEXT = "next_channel"


def wrong_together(rule: Distribution, table: ChannelTable) -> Iterator[tuple[str, str]]:
    """Each key that does not go with the others, and why."""
    yield from never_sent(rule)
    yield from fallback_stands_against(rule)
    yield from _in_turn(rule, table) if rule.sends_once else _at_once(rule)


def _at_once(rule: Distribution) -> Iterator[tuple[str, str]]:
    windows = chain([("", rule.window)], ((f"{at}.", plan.window) for at, plan in rule.plans()))
    for at, window in windows:
        if window and window.outside == _NEXT:
            yield f"{at}window.outside", "needs order: first_available; else write hold or skip"


def _in_turn(rule: Distribution, table: ChannelTable) -> Iterator[tuple[str, str]]:
    if all(len(channels) == 1 for _, channels in rule.ways):
        yield "order", "first_available needs a second channel to go on to: add one, or leave order out"
        return
    for at, channels in rule.ways:
        yield from _last(rule, at, channels)
        for number, plan in enumerate(channels[:-1]):
            if not _may_give_way(rule, plan, table):
                follows = ", ".join(one.channel for one in channels[number + 1 :])
                right = "write it last, or give it a window or a cap that skips, or fallback_after"
                yield f"{at}channels[{number}].{plan.channel}", f"can always be used, so {follows} never is: {right}"


def _last(rule: Distribution, at: str, channels: Sequence[ChannelPlan]) -> Iterator[tuple[str, str]]:
    plan, number = channels[-1], len(channels) - 1
    if plan.window and plan.window.outside == _NEXT:
        yield f"{at}channels[{number}].{plan.channel}.window.outside", "has no next channel: write hold or skip"
    elif plan.window is None and rule.window and rule.window.outside == _NEXT and len(channels) > 1:
        right = "give it a window of its own, or write hold or skip"
        yield "window.outside", f"counts for the last channel, {at}channels[{number}], which has no next: {right}"


def _may_give_way(rule: Distribution, plan: ChannelPlan, table: ChannelTable) -> bool:
    """True where there may be customers, or hours, for whom it cannot be used, or is not enough."""
    window = plan.window or rule.window
    may_wait = window is not None or quiet_hours_of(rule, plan.channel) is not None
    return (
        rule.fallback_after is not None
        or isinstance(table[plan.channel].reach(plan, {}), Skip)
        or (window is not None and window.outside != "hold")
        or (may_wait and rule.expires_after is not None)
        or (rule.consent != TRANSACTIONAL and any(applies(cap, plan.channel, rule.consent) for cap in rule.caps))
    )
