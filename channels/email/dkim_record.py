"""The public key that DNS has for a signer, held against the key that signs (RFC 6376, 3.6.1)."""

from __future__ import annotations

from channels.contract import AccountCheck
from channels.email.dkim import Signer

_LOOK_UP_SECONDS = 5.0


async def check_record(signer: Signer) -> AccountCheck:
    """Compare both. DNS that cannot be asked from here says nothing about the account."""
    place = f"{signer.selector}._domainkey.{signer.domain}"
    records = await published(place)
    if records is None:
        return AccountCheck(True, f"DKIM: DNS could not be asked for {place}")
    wanted = f"v=DKIM1; k={signer.kind}; p={signer.public_key}"
    if len(records) > 1:  # which of them counts is each verifier's choice (RFC 6376, 3.6.2.2)
        several = f"DKIM: {place} has {len(records)} TXT records, of which verifiers take any one"
        return AccountCheck(False, f"{several}. Leave this one alone there: {wanted}")
    if any(is_record_of(signer, one) for one in records):
        return AccountCheck(True, f"DKIM: the key of {place} is the one that signs")
    there = "has another key than the one that signs" if records else "does not exist"
    return AccountCheck(False, f"DKIM: the TXT record {place} {there}. Publish there: {wanted}")


def is_record_of(signer: Signer, record: str) -> bool:
    """Tell whether a record has the public key of a signer, and is of use for it."""
    tags = dict(_tag(one) for one in record.split(";") if "=" in one)
    is_ours = tags.get("p") == signer.public_key and tags.get("k", "rsa") == signer.kind
    return is_ours and tags.get("v", "DKIM1") == "DKIM1" and "sha256" in tags.get("h", "sha256").split(":")


def _tag(written: str) -> tuple[str, str]:
    name, _, value = written.partition("=")
    return name.strip(), "".join(value.split())


async def published(place: str) -> list[str] | None:
    """The TXT records of a name; None where DNS could not be asked."""
    import dns.asyncresolver  # for this alone, and not for each sender
    import dns.exception
    import dns.resolver

    try:
        found = await dns.asyncresolver.resolve(place, "TXT", lifetime=_LOOK_UP_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError, ValueError):
        return None
    return [b"".join(one.strings).decode(errors="replace") for one in found]
