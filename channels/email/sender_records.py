"""The records by which a domain says who sends its mail: SPF (RFC 7208) and DMARC (RFC 7489).

A receiver looks for DMARC at the sender's domain, then at its organizational domain. Here each domain above is asked in
turn, which comes to the same without the list of public suffixes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from channels.email.dkim_record import published

LookUp = Callable[[str], Awaitable[list[str] | None]]
"""The TXT records of a name; None where DNS could not be asked."""
RecordFault = Literal["spf_missing", "spf_wrong", "dmarc_missing", "dmarc_wrong", "dns_unknown"]

_SPF = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_DMARC = re.compile(r"v\s*=\s*DMARC1\s*(?:;|$)")
_ALL = re.compile(r"([+?~-]?)all", re.IGNORECASE)
_LOOKS_UP = re.compile(r"[+?~-]?(?:include:|a(?=[:/]|$)|mx(?=[:/]|$)|ptr(?=:|$)|exists:)|redirect=", re.IGNORECASE)
_LEADS_ON = re.compile(r"(?:[+?~-]?include:|redirect=)([^%\s]+)", re.IGNORECASE)
_ALLOWS = re.compile(_LOOKS_UP.pattern + r"|[+?~-]?ip[46]:", re.IGNORECASE)
_MOST_LOOK_UPS = 10
"""Source: RFC 7208, 4.6.4."""
_MOST_ABOVE = 8
_POLICIES = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True)
class SenderFault:
    """Something that is wrong with a domain's records, in a word and a sentence."""

    kind: RecordFault
    said: str


async def sender_faults(domain: str, look_up: LookUp = published) -> list[SenderFault]:
    """Everything that keeps receivers from knowing a domain's mail by its records."""
    found = [await _spf(domain, look_up), await _dmarc(domain, look_up)]
    return [one for one in found if one is not None]


async def _spf(domain: str, look_up: LookUp) -> SenderFault | None:
    texts = await look_up(domain)
    if texts is None:
        return SenderFault("dns_unknown", f"DNS could not be asked for the SPF record of {domain}")
    records = [one for one in texts if _SPF.match(one)]
    if not records:
        return SenderFault("spf_missing", f"{domain} has no TXT record that begins with v=spf1")
    if len(records) > 1:
        return SenderFault("spf_wrong", f"{domain} has {len(records)} SPF records, and with more than one none counts")
    why = _spf_problem(records[0])
    if why is None and await _look_ups(records[0], look_up) > _MOST_LOOK_UPS:
        why = f"takes more than {_MOST_LOOK_UPS} look-ups in DNS, after which receivers give up"
    return None if why is None else SenderFault("spf_wrong", f"the SPF record of {domain} {why}")


def _spf_problem(record: str) -> str | None:
    terms = record.split()[1:]
    last = next((one for term in terms if (one := _ALL.fullmatch(term))), None)
    if last is not None and last[1] in ("", "+"):
        return f"ends in {last[0]}: it lets everybody send as the domain"
    if last is not None and last[1] == "-" and not any(map(_ALLOWS.match, terms)):
        return "lets nobody send as the domain"
    return None


async def _look_ups(record: str, look_up: LookUp, made: int = 0) -> int:
    """The look-ups that a record takes with those that it leads to; no more are counted once they are too many."""
    for term in record.split()[1:]:
        if not _LOOKS_UP.match(term):
            continue
        made += 1
        further = _LEADS_ON.fullmatch(term)
        if made > _MOST_LOOK_UPS:
            return made
        for one in (await look_up(further[1].rstrip(".")) or ()) if further else ():
            made = await _look_ups(one, look_up, made) if _SPF.match(one) else made
    return made


async def _dmarc(domain: str, look_up: LookUp) -> SenderFault | None:
    for name in _with_those_above(domain):
        place = f"_dmarc.{name}"
        texts = await look_up(place)
        if texts is None:
            return SenderFault("dns_unknown", f"DNS could not be asked for {place}")
        records = [one for one in texts if _DMARC.match(one)]
        if len(records) > 1:
            said = f"{place} has {len(records)} DMARC records, and with more than one none counts"
            return SenderFault("dmarc_wrong", said)
        if records:
            return _policy_fault(records[0], place, inherited=name != domain)
    return SenderFault("dmarc_missing", f"neither {domain} nor a domain above it has a DMARC record")


def _policy_fault(record: str, place: str, *, inherited: bool) -> SenderFault | None:
    tags = dict(_tag(one) for one in record.split(";") if "=" in one)
    policy = (tags.get("sp") if inherited else None) or tags.get("p", "")
    if policy.lower() in _POLICIES or (tags.get("rua") and not policy):
        return None
    given = f"p={policy}, which is not one of {', '.join(_POLICIES)}" if policy else "no p"
    return SenderFault("dmarc_wrong", f"the record of {place} has {given}")


def _with_those_above(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    yield domain
    for start in range(max(1, len(labels) - _MOST_ABOVE), len(labels) - 1):
        yield ".".join(labels[start:])


def _tag(written: str) -> tuple[str, str]:
    name, _, value = written.partition("=")
    return name.strip().lower(), value.strip()
