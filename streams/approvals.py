"""Approval of manual sends beyond a size: the digest of what goes out, and what has changed since it was approved.

An edit of anything voids it. Customers come and go by themselves, so their number is bound otherwise: it may be less,
and at most a tenth more than whoever approved was shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from schemas.approval import Approval, Basis
from schemas.channels.tables import ChannelPlan
from schemas.distribution import Distribution
from schemas.record import JsonObject
from schemas.stable_hash import stable_hash
from schemas.template import TemplateRef

_GROWTH = 10
_NEVER = datetime.min.replace(tzinfo=UTC)
_ANY = TemplateRef(name="", digest="")
_UNSAID = ("version", "updated_at", "source")
"""Keys of a document that say nothing of what it does."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A send beside its approval: whether it is needed, and given; `changes` are those since it was approved."""

    is_needed: bool
    is_given: bool
    changes: tuple[str, ...] = ()

    @property
    def may_go(self) -> bool:
        """True where nothing has to be approved any more."""
        return self.is_given or not self.is_needed


def parts_of(basis: Basis) -> dict[str, str]:
    """The digest of each thing that decides what goes out to whom, but for the number of customers."""
    send = {
        "revision": basis.revision, "to": basis.to, "at": basis.when.at, "local_time": basis.when.local_time,
        "hold": basis.hold.total_seconds(),
    }  # fmt: skip
    templates = sorted({(plan.template.name, plan.template.digest) for _, plan in basis.rule.plans() if plan.template})
    return {
        "send": stable_hash(send),
        "distribution": stable_hash(_bare(basis.rule)),
        "templates": stable_hash(templates),
        "segment": digest_of_document(basis.segment) or "",
        "campaign": digest_of_document(basis.campaign) or "",
    }


def digest_of_document(document: JsonObject | None) -> str | None:
    """The digest of a segment or a campaign, whatever its version."""
    if document is None:
        return None
    return stable_hash({name: value for name, value in document.items() if name not in _UNSAID})


def content_of(parts: Mapping[str, str]) -> str:
    """The one digest that stands for all of what goes out."""
    return stable_hash(dict(parts))


def judge(above: int | None, basis: Basis, approval: Approval | None) -> Verdict:
    """A send beside the newest approval of it; `above` so many customers it needs one, None: never."""
    is_needed = above is not None and basis.audience > above
    if approval is None:
        return Verdict(is_needed, is_given=False)
    changes = tuple(_changes(basis, approval))
    return Verdict(is_needed, not changes, changes)


def most_for(audience: int) -> int:
    """The number of customers up to which an approval for so many counts."""
    return audience + audience // _GROWTH


def _changes(basis: Basis, approval: Approval) -> Sequence[str]:
    now, names = parts_of(basis), _names(basis)
    changes = [f"{name} was changed" for part, name in names.items() if now[part] != approval.parts.get(part)]
    if basis.audience > most_for(approval.audience):
        most = most_for(approval.audience)
        changes.append(
            f"it goes to {basis.audience}, approved were {approval.audience}, and at most {most} are sent to"
        )
    return changes


def _names(basis: Basis) -> Mapping[str, str]:
    rule = basis.rule
    return {
        "send": "the send itself",
        "distribution": f"distribution {rule.id}",
        "templates": f"a template of {rule.id}",
        "segment": f"segment {basis.to.segment}",
        "campaign": f"campaign {rule.publish.campaign if rule.publish else ''}",
    }


def _bare(rule: Distribution) -> Distribution:
    """The same whatever its version, its status and the templates that it names."""

    def bare(plan: ChannelPlan) -> ChannelPlan:
        return replace(plan, template=_ANY) if plan.template else plan

    arms = [replace(arm, channels=[bare(plan) for plan in arm.channels]) for arm in rule.arms]
    channels = [bare(plan) for plan in rule.channels]
    return replace(rule, channels=channels, arms=arms, version=1, status="LIVE", updated_at=_NEVER)
