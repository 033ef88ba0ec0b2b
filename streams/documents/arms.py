"""Arms of a distribution as they are written: what each says in place of the plain one."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.record import JsonObject
from streams.channels.rules import ChannelTable
from streams.documents.distribution_kinds import ChannelList, DelayForm, WrittenChannel
from streams.values.kinds import AsWritten, Group, Key
from streams.values.named import Named
from streams.values.percent import Percent, percent
from streams.values.wording import Report

_ALL = 10_000
_EITHER = ("template", "text")
"""A channel has one of them."""


def arms_form(table: ChannelTable) -> Named[JsonObject]:
    """The arms of a distribution over some channels."""
    arm = Group(
        {
            "share": Key(Percent(), required=True, doc="How many customers get it.", example="50%"),
            "template": Key(
                AsWritten("the name of a template"),
                doc="The template of each channel that has one.",
                default="as in `channels`",
                example="winback-short",
            ),
            "subject": Key(
                AsWritten("a subject line, a template"),
                doc="The subject of each channel that has one.",
                default="as in `channels`",
                example="We miss you",
            ),
            "text": Key(
                AsWritten("a text, a template"),
                doc="The text of each channel that has one.",
                default="as in `channels`",
                example="Come back!",
            ),
            "channels": Key(
                ChannelList(table),
                doc="What goes out, in place of all `channels`.",
                default="as in `channels`",
                example="[{sms: {account: main, text: 'Come back!'}}]",
            ),
            "delay": Key(DelayForm(), doc="How long it waits.", default="as in `delay`", example="2h"),
        },
        "{share: 50%, template: winback-short}",
    )
    example = "{a: {share: 50%}, b: {share: 50%, template: winback-short}}"
    return Named(arm, "b", example, least=2, most=20)


def check_shares(arms: dict[str, JsonObject], report: Report) -> None:
    """All customers have to be in one."""
    shares = [arm.get("share") for arm in arms.values()]
    total = sum(share for share in shares if share is not None)
    if arms and None not in shares and total != _ALL:
        plain = "an arm with nothing but a share gets the plain one"
        report("arms", f"the shares add up to {percent(total)}: must be 100%; {plain}")


def channels_of_arm(
    arm: JsonObject, channels: Sequence[WrittenChannel], at: str, report: Report
) -> list[WrittenChannel | None]:
    """The channels of an arm; None for one that is as in the plain one."""
    keys = [name for name in ("template", "subject", "text") if name in arm]
    if "channels" in arm:
        for name in keys:
            report(f"{at}.{name}", "stands in the arm's channels, where it has some")
        return list(arm["channels"])
    if all(name in keys for name in _EITHER):
        report(f"{at}.template", "stands instead of text; write one or the other")
    for name in keys:
        if not any(name in one.rules.keys.keys for one in channels):
            report(f"{at}.{name}", f"no channel of the distribution has a {name}: write the arm's channels")
    return [_changed(one, {name: arm[name] for name in keys}, at, report) for one in channels]


def _changed(one: WrittenChannel, arm: JsonObject, at: str, report: Report) -> WrittenChannel | None:
    """A channel with other values of those keys that it has."""
    keys = {name: key for name, key in one.rules.keys.keys.items() if name in arm}
    if not keys:
        return None
    read = {name: key.holds.read(arm[name], f"{at}.{name}", report) for name, key in keys.items()}
    replaced = {"html", *_EITHER} if any(name in read for name in _EITHER) else set()
    kept = {name: value for name, value in one.written.items() if name not in replaced}
    return one._replace(at=at, written=kept | read)
