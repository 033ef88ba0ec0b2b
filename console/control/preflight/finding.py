"""Findings of a preflight: a closed list, each with how bad it is, a sentence and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from schemas.formats.pointers import pointer_of

Severity = Literal["blocker", "warning", "note"]
"""It would not send as it is meant; it would not send as well as it could; something to know."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

FindingKind = Literal[
    "account_missing", "account_paused", "account_unfit", "account_failing", "pace_slow", "address_refused",
    "spf_missing", "spf_wrong", "dmarc_missing", "dmarc_wrong", "mail_unsigned", "signature_unaligned", "dns_unknown",
    "template_fails", "template_fragile", "message_fails", "value_missing", "locale_incomplete", "locale_missing",
    "mail_clipped", "unsubscribe_missing", "unsubscribe_hidden",
    "link_empty", "link_malformed", "link_private", "link_broken", "link_unknown",
    "sms_cost", "sms_dear",
    "campaign_missing", "campaign_over", "campaign_not_begun", "codes_gone", "codes_short",
    "segment_unknown", "segment_computing", "segment_unjudged",
    "audience_empty", "audience_unknown", "audience_sampled", "nobody_gets_it", "cannot_judge", "consent_missing",
    "address_missing", "suppressed", "sandboxed", "all_wait", "expires_waiting", "capped",
    "is_over", "began_before", "fallback_for_all", "approval_needed", "managed_from_git",
]  # fmt: skip
"""The word that programs tell findings apart by."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A kind of finding, the same whatever it is about."""

    severity: Severity
    said: str
    right: str


_BLOCKERS: Mapping[FindingKind, tuple[str, str]] = {
    "account_missing": ("A channel names an account that is not there.", "Add it, or name one that is there."),
    "account_paused": ("Nothing is sent through an account, or to an endpoint, now.", "Resume it."),
    "account_unfit": ("An account cannot be used as it stands.", "Mend what its provider says, and try it again."),
    "address_refused": ("A webhook or a file leads to where nothing is ever sent to.", "Write an address that may be."),
    "template_fails": ("A template cannot be written with what its event brings.", "Mend the place that is named."),
    "message_fails": ("Messages to some of the audience cannot be written.", "Give what is missing a default."),
    "unsubscribe_missing": (
        "An e-mail that needs consent has no way to leave.",
        "Set console.public_url and console.secrets, or unsubscribe_url of the account.",
    ),
    "link_empty": ("A link leads nowhere.", "Write its address, or take it out."),
    "link_malformed": ("A link is not an address.", "Write it whole, as in https://shop.example/spring."),
    "link_private": ("A link leads to where no customer comes.", "Write an address that is public."),
    "link_broken": ("Nothing is behind a link.", "Write the address of a page that is there."),
    "campaign_missing": ("Its campaign is not there.", "Apply the campaign, or name one that is there."),
    "campaign_over": ("Its campaign is over, or not active.", "Set the campaign's dates and `active`."),
    "codes_gone": ("Its campaign has no code left.", "Import codes, or generate some."),
    "nobody_gets_it": ("Nobody of the audience would get it.", "Look at the reasons, and at one of them: tidings why."),
    "is_over": ("It has ended.", "Set ends_at to a moment to come, or take it out."),
}
_WARNINGS: Mapping[FindingKind, tuple[str, str]] = {
    "account_failing": ("An account, or an endpoint, fails or is asked to slow down.", "See tidings destinations."),
    "pace_slow": (
        "The audience takes longer than the pace of an account allows.",
        "Raise the account's rate as far as its provider lets you, or begin earlier.",
    ),
    "spf_missing": ("The sender's domain has no SPF record.", "Publish one that names who sends its mail."),
    "spf_wrong": ("The sender's SPF record does not work.", "Keep one record, with at most 10 look-ups and no +all."),
    "dmarc_missing": ("The sender's domain has no DMARC record.", 'Publish one at _dmarc, such as "v=DMARC1; p=none".'),
    "dmarc_wrong": ("The sender's DMARC record does not work.", "Keep one record, with p=none, quarantine or reject."),
    "signature_unaligned": ("The signature of mails is worth little.", "Sign with the sender's own domain."),
    "template_fragile": (
        "A template needs what not every event or customer has.",
        "Give it a default, or write an if around it.",
    ),
    "value_missing": ("A value that a template shows is missing for some.", "See that its default reads well."),
    "locale_incomplete": ("A locale of a template lacks a part that the default has.", "Write that part."),
    "locale_missing": ("Some of the audience read a language that a template lacks.", "Add a file of that locale."),
    "mail_clipped": (
        "An e-mail is so large that Gmail clips it, and its link to leave with it.",
        "Make it smaller than 102 KB: fewer sections, styles said once.",
    ),
    "unsubscribe_hidden": (
        "The way to leave stands in a header alone.",
        "Show unsubscribe_url or preferences_url in the message.",
    ),
    "sms_dear": ("A letter makes text messages dearer.", "Write the plain letter that is named."),
    "campaign_not_begun": ("Its campaign begins later.", "Begin both at the same moment."),
    "codes_short": ("Its campaign has fewer codes than the audience needs.", "Import codes, or generate some."),
    "segment_unknown": ("It names a segment that is not defined.", "Apply the segment, or mend its name."),
    "segment_computing": ("A segment that it names is still being computed.", "Wait until it is: tidings segments."),
    "segment_unjudged": ("A segment that it names cannot judge some customers.", "See tidings segments show."),
    "audience_empty": ("Nobody is in the segment.", "Look at the segment's condition."),
    "cannot_judge": ("Its conditions cannot be judged for some of the audience.", "See that kinds of fields agree."),
    "consent_missing": ("Some of the audience have not given the consent it needs.", "Nothing, if that is meant."),
    "address_missing": ("Some of the audience have no address on a channel.", "Add a channel that reaches them."),
    "suppressed": ("Some of the audience are on the suppression list.", "Nothing, if that is meant."),
    "all_wait": ("Everything waits before it is sent.", "Nothing, if that is meant: see its hours and caps."),
    "expires_waiting": ("Some messages expire while they wait.", "Lengthen expires_after, or open its hours earlier."),
    "capped": ("Caps keep it from some of the audience.", "Raise the cap, or let it wait."),
    "fallback_for_all": ("The next channel is sent to all, whatever became of the one before.", "See fallback_after."),
}  # fmt: skip
_NOTES: Mapping[FindingKind, tuple[str, str]] = {
    "mail_unsigned": (
        "Mails are not signed here.",
        "Nothing, if the mail server signs for the sender's domain; else set dkim_* of the account.",
    ),
    "dns_unknown": ("DNS could not be asked.", "Try again from where DNS answers."),
    "link_unknown": ("A link could not be looked at.", "Open it by hand."),
    "sms_cost": ("The parts, and the cost, of text messages to the audience.", "Nothing."),
    "audience_unknown": (
        "Nothing is known of whom it goes to, so it was judged on a sample alone.",
        "Name a segment, or wait for events.",
    ),
    "audience_sampled": ("A part of the audience was looked at.", "Nothing; --most looks at more."),
    "sandboxed": ("The project is a sandbox, which reaches only those on its list.", "Nothing, if that is meant."),
    "began_before": ("Its beginning is past: it sends as soon as it is live.", "Nothing, if that is meant."),
    "approval_needed": ("A send to so many has to be approved first.", "Have another approve it: tidings sends."),
    "managed_from_git": ("It is managed from Git.", "Set it live there."),
}


def _meanings() -> Mapping[FindingKind, Meaning]:
    by_severity: Mapping[Severity, Mapping[FindingKind, tuple[str, str]]] = {
        "blocker": _BLOCKERS,
        "warning": _WARNINGS,
        "note": _NOTES,
    }
    return {kind: Meaning(severity, *texts) for severity, of in by_severity.items() for kind, texts in of.items()}


MEANINGS = _meanings()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. `pointer` leads to the field of the document that it is about, `reason` says what was seen there.

    `count` of `of` customers, messages or links are so; None where it is not about some of many.
    """

    kind: FindingKind
    pointer: str
    reason: str
    right: str
    count: int | None = None
    of: int | None = None

    @property
    def severity(self) -> Severity:
        """The severity of its kind."""
        return MEANINGS[self.kind].severity


def found(
    kind: FindingKind, at: str, reason: str, *, right: str = "", count: int | None = None, of: int | None = None
) -> Finding:
    """A finding about the key at a path, as in channels[0].email; `right` where more is known than for its kind."""
    return Finding(kind, pointer_of(at), reason, right or MEANINGS[kind].right, count, of)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each once, the worst first, else by their fields."""
    return tuple(
        sorted(dict.fromkeys(findings), key=lambda one: (SEVERITIES.index(one.severity), one.pointer, one.kind))
    )
