"""The meaning of a mail server's answer, by where it was given, its code, its enhanced code and its words: one table.

Whatever is refused before a recipient was named is about us, and so is what the table names beside it: it must not burn
the messages of an account. Sources: RFC 5321 (codes), RFC 3463 and the IANA registry of enhanced status codes, RFC 4954
(AUTH), RFC 3207 (STARTTLS), RFC 7504 (521, 556), RFC 6647 (greylisting); the words are those that Postfix, Exim,
Exchange Online, Gmail, Yahoo and Amazon SES document or are seen to say. Postfix checks client, HELO and sender only
when a recipient is named (`smtpd_delay_reject`), so what is about us may come there as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, assert_never

from channels.contract import shortened
from schemas.receipt import Blocked, Bounced, Deferred, DomainThrottled, Postponed, Receipt, Refused, Throttled

Stage = Literal["greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data"]
Meaning = Literal["later", "bounced", "throttled", "blocked", "refused", "suppressed"]

_ANY: tuple[Stage, ...] = ("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data")
_ABOUT_US: tuple[Stage, ...] = ("greeting", "ehlo", "starttls", "auth", "mail")
_NOT_AUTH: tuple[Stage, ...] = ("greeting", "ehlo", "starttls", "mail", "rcpt", "data")
_RECIPIENT: tuple[Stage, ...] = ("rcpt", "data")

_TOO_FAST = (
    r"too many|too fast|throttl|rate.?limit|unusual rate|slow down|per (minute|hour|day)"
    r"|(rate|limit|quota)\b[\w ]{0,30}\bexceed|exceed\w*\b[\w ]{0,30}\b(rate|limit|quota)"
)
_ACCOUNT_LIMIT = (
    r"too many (messages|e?mails|connections|recipients)|throttl|rate.?limit"
    r"|(sending|daily|hourly|monthly|messages?|e?mails?)\b[\w ]{0,20}\b(limit|quota)\b[\w ]{0,20}\bexceed"
    r"|exceed\w*\b[\w ]{0,30}\b(per (minute|hour|day)|sending|daily|hourly)"
)
_ABOUT_OUR_SIDE = (
    r"too many (messages|e?mails|connections|recipients)|throttl|your (account|sending|plan|quota)"
    r"|(rate.?limit|limit|quota)\b.{0,30}\bexceed|exceed\w*\b.{0,30}\b(rate|limit|quota)"
    r"|connection|session|client host|helo command|sender address|reverse"
)
_ANY_DOMAIN = r"\b(recipient|destination|receiving)('s)? (domain|provider|host|mx)\b|\b(per|this|that) domain\b"
_OF_A_MAILBOX = r"mailbox|over.?quota|recipient's"
_NO_RELAY = (
    r"\brelay(ing)?( access)?( is)? (denied|prohibited|not (permitted|allowed))"
    r"|(unable|not (permitted|allowed)) to relay"
)
_FULL = r"\bover.?quota|mailbox( is)? full"
_UNKNOWN_USER = (
    r"(no such|unknown|invalid) (user|recipient|mailbox|address|account)|(user|recipient|mailbox|address|account)"
    r"( address)?( is)? (unknown|not found|disabled)|does(n't| not) (exist|have an? [\w.-]+ account)|no mailbox"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. `codes` and `enhanced` are patterns of the whole, `words` of a part of the text; empty fits all."""

    stages: tuple[Stage, ...]
    codes: str
    meaning: Meaning
    why: str
    enhanced: str = ""
    words: str = ""

    def fits(self, stage: Stage, code: int, enhanced: str, text: str) -> bool:
        """Tell whether this row says what an answer means."""
        return (
            stage in self.stages
            and re.fullmatch(self.codes, str(code)) is not None
            and (not self.enhanced or re.fullmatch(self.enhanced, enhanced) is not None)
            and (not self.words or re.search(self.words, text, re.IGNORECASE) is not None)
        )


_UNREACHED = r"[45]\.4\.[1247]"
"""No answer, a bad connection, no server to be found, too old by now (RFC 3463)."""
_FULL_FOR_GOOD = (
    Rule(_RECIPIENT, "5..", "refused", "the recipient's mailbox is full", words=_FULL),
    Rule(_RECIPIENT, "5..", "refused", "the recipient's mailbox is full", enhanced=r"5\.2\.2"),
)

RULES: tuple[Rule, ...] = (
    # Not now.
    Rule(_RECIPIENT, "4..", "bounced", "the recipient's mailbox is full or busy", enhanced=r"4\.2\.\d+"),
    Rule(_RECIPIENT, "4..", "bounced", "the recipient's mailbox is full or busy", words=_OF_A_MAILBOX),
    Rule(_ANY, "4..", "later", "greylisted: passes when it is tried again", words=r"gr[ae]y.?list"),
    Rule(("auth",), "432", "blocked", "the password has to be changed first", enhanced=r"|4\.7\.12"),
    Rule(_ANY, "454", "throttled", "the server takes nothing from us for now"),
    Rule(_ANY, "4..", "throttled", "a policy slows us down", enhanced=r"4\.7\.\d+"),
    Rule(_ANY, "4..", "throttled", "too many at once", enhanced=r"4\.5\.3"),
    Rule(_ANY, "4..", "throttled", "too many at once", words=_TOO_FAST),
    Rule(_ANY, "4..", "later", "a passing trouble of the server"),
    # Never, because of the message.
    Rule(("mail", *_RECIPIENT), "552", "refused", "the message is too big", enhanced=r"|5\.3\.4|5\.2\.3"),
    Rule(("mail", *_RECIPIENT), "5..", "refused", "the message is too big", enhanced=r"5\.3\.4|5\.2\.3"),
    Rule(("mail", *_RECIPIENT), "5..", "refused", "the message is too big", words=r"\bsize\b|too (big|large)"),
    # Never, because of us.
    Rule(_RECIPIENT, "5..", "blocked", "the sender's address is refused", enhanced=r"5\.1\.[78]"),
    Rule(_RECIPIENT, "530|534|535|538", "blocked", "the server wants a login or encryption first"),
    Rule(_RECIPIENT, "5..", "blocked", "the server wants a login first", enhanced=r"5\.7\.(8|9|10|11|57|64)"),
    Rule(_RECIPIENT, "5..", "blocked", "the server wants a login first", words=r"auth\w* (first|required)"),
    Rule(
        _RECIPIENT, "5..", "blocked", "our sender or our host is refused",
        words=r"(sender address|client host|helo command)( \[?[^ ]+\]?)? (rejected|blocked|refused)",
    ),
    Rule(
        _RECIPIENT, "55[0134]", "blocked", "our sender's address is refused", enhanced=r"|5\.0\.0|5\.1\.0",
        words=r"\bsender('s)? (verify|verification|domain|address)\b",
    ),
    Rule(
        _RECIPIENT, "55[014]", "blocked", "the server does not relay for us",
        words=_NO_RELAY,
    ),
    Rule(_RECIPIENT, "554", "blocked", "our account may not send yet", words=r"address(es)? (is|are) not verified"),
    Rule(_RECIPIENT, "554", "blocked", "it signs by itself: the account's dkim_… go", words=r"duplicate header .?dkim"),
    Rule(_RECIPIENT, "503", "later", "the session fell out of step"),
    # Never, because of the recipient.
    *_FULL_FOR_GOOD,
    Rule(_RECIPIENT, "5..", "suppressed", "there is no such mailbox", enhanced=r"5\.1\.([01236]|10)"),
    Rule(_RECIPIENT, "5..", "suppressed", "the mailbox is closed", enhanced=r"5\.2\.1"),
    Rule(_RECIPIENT, "5..", "refused", "the recipient's mailbox does not take it", enhanced=r"5\.[12]\.\d+"),
    Rule(_RECIPIENT, "556", "suppressed", "the domain takes no mail"),
    # Not now, though the server says never.
    Rule(_NOT_AUTH, "5..", "throttled", "a limit of our account is reached", enhanced=r"5\.4\.5"),
    Rule(_NOT_AUTH, "5..", "throttled", "a limit of our account is reached", words=_ACCOUNT_LIMIT),
    Rule(_RECIPIENT, "5..", "refused", "a policy refuses it; the address stays good", enhanced=r"5\.7\.\d+"),
    Rule(_RECIPIENT, "55[0134]", "suppressed", "there is no such mailbox", enhanced=r"|5\.0\.0", words=_UNKNOWN_USER),
    Rule(_RECIPIENT, "5..", "refused", "refused for good"),
    Rule(_ABOUT_US, "5..", "blocked", "the server does not accept us"),
    Rule(_ANY, ".*", "later", "an answer that fits nothing here"),
)  # fmt: skip
"""The first row that fits counts."""

_PASSING = 4
_GOODBYE = 421
_TAKES_NOTHING = 454
_AT_REST = ("4.4.1", "4.4.2")
_TOO_MANY = re.compile(r"too many|\b(limit|maximum|max)\b", re.IGNORECASE)
_ENHANCED = re.compile(r"(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_WAIT = re.compile(r"\b(?:in|after|wait|for)\s+(\d{1,5})\s*(second|sec\b|minute|min\b|hour)", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600}


def rule_for(stage: Stage, code: int, text: str) -> Rule:
    """The row that says what an answer means."""
    enhanced = enhanced_code(code, text)
    return next(rule for rule in RULES if rule.fits(stage, code, enhanced, text))


def says_of_address(code: int, text: str) -> Literal["dead", "resting", ""]:
    """The word of a relay's last answer on an address: nobody is there, or it takes nothing for now.

    That is a full mailbox, and a server that did not answer for as long as the relay tried.
    """
    rule = rule_for("rcpt", code, text)
    if rule.meaning == "suppressed":
        return "dead"
    is_unreached = any(re.fullmatch(_UNREACHED, one) for one in _ENHANCED.findall(text))  # Exchange: 550 4.4.7
    return "resting" if rule.meaning == "bounced" or rule in _FULL_FOR_GOOD or is_unreached else ""


def enhanced_code(code: int, text: str) -> str:
    """The enhanced status code in a reply's text; empty where it has not one of the code's own class."""
    found = (one for one in _ENHANCED.findall(text) if one[0] == str(code)[0])
    return next(found, "")


def is_about_session(code: int, text: str) -> bool:
    """Tell whether only this session is at its end: 421 says goodbye, and some servers let each take so many messages.

    Sources: RFC 5321, 3.8; RFC 3463, 3.5 (at rest for too long).
    """
    if code == _GOODBYE or enhanced_code(code, text) in _AT_REST:
        return True
    return re.search(r"\b(connection|session)\b", text, re.IGNORECASE) is not None and bool(_TOO_MANY.search(text))


def smtp_receipt(stage: Stage, code: int, text: str, domain: str = "") -> Receipt:
    """The receipt of the message that got this answer; `domain` is its recipient's."""
    rule, said = rule_for(stage, code, text), f"{code} {text}"
    about_us = shortened(f"{stage}: {said} ({rule.why})")
    match rule.meaning:
        case "later":
            is_of_message = stage in _RECIPIENT and code // 100 == _PASSING and code != _GOODBYE
            return (Postponed if is_of_message else Deferred)(shortened(said), _wait(text))
        case "bounced":
            return Bounced(shortened(said), _wait(text))
        case "throttled":
            return _throttled(stage, code, text, domain)
        case "blocked":
            return Blocked(about_us)
        case "refused":
            return Refused(shortened(said))
        case "suppressed":
            return Refused(shortened(said), "suppressed")
        case _:
            assert_never(rule.meaning)


def _throttled(stage: Stage, code: int, text: str, domain: str) -> Throttled:
    """Too fast for the account, or for the recipient's domain alone.

    That is what an answer to a recipient names, or where it speaks of a policy and of nothing on our side.
    """
    said, wait = shortened(f"{code} {text}"), _wait(text)
    if stage not in _RECIPIENT or code // 100 != _PASSING or not domain:
        return Throttled(said, wait)
    own_name = rf"(?<![\w.@-]){re.escape(domain)}(?![\w-])"
    if re.search(f"{own_name}|{_ANY_DOMAIN}", text, re.IGNORECASE):
        return DomainThrottled(said, wait, names_it=True)
    is_policy = enhanced_code(code, text).startswith("4.7.") and code != _TAKES_NOTHING
    is_ours = not is_policy or re.search(_ABOUT_OUR_SIDE, text, re.IGNORECASE)
    return Throttled(said, wait) if is_ours else DomainThrottled(said, wait)


def _wait(text: str) -> float | None:
    """The wait that some servers name in words: `try again in 5 minutes`."""
    found = _WAIT.search(text)
    return float(found[1]) * _UNITS[found[2][0].lower()] if found else None
