"""The servers of a mailbox from its address alone: by its domain, else by who takes the domain's mail in (MX)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from schemas.channels.mail_providers import MailPreset, preset_of, preset_of_exchangers, with_preset
from schemas.closed import ChannelName
from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.mail_address import mail_address

Exchangers = Callable[[str], Awaitable[Sequence[str]]]
"""The mail exchangers of a domain, the preferred one first; none where that cannot be known."""

_LOOK_UP_SECONDS = 5.0


async def completed(
    channel: ChannelName, written: Mapping[str, object], exchangers: Exchangers
) -> tuple[Mapping[str, object], MailPreset | None]:
    """The fields that somebody wrote of a new account, with the servers of its address where it names no host.

    Raises DefinitionInvalid where no provider is known for its domain.
    """
    address = _address(written.get("sender"))
    if channel != "email" or "host" in written or not address:
        return written, None
    domain = address.rpartition("@")[2]
    preset = preset_of(domain)
    hosts = [] if preset else await exchangers(domain)
    preset = preset or preset_of_exchangers(hosts)
    if preset is None:
        raise DefinitionInvalid((Problem("host", _not_known(domain, hosts)),))
    return with_preset(written, preset, address), preset


def preset_words(preset: MailPreset, written: Mapping[str, object]) -> str:
    """A preset in words, but for what was written otherwise."""
    taken = {name: value for name, value in preset.fields("").items() if name not in written and value}
    fields = ", ".join(f"{name}={value}" for name, value in taken.items())
    wants = f". It wants {preset.provider.wants}" if preset.provider.wants else ""
    return f"{fields}, as {preset.provider.name} has it{wants}"


async def mail_exchangers(domain: str) -> list[str]:
    """Those that DNS names. None where it cannot be asked: then somebody writes the host."""
    import dns.asyncresolver  # for this alone, and not for each command
    import dns.exception

    try:
        found = await dns.asyncresolver.resolve(domain, "MX", lifetime=_LOOK_UP_SECONDS)
    except (dns.exception.DNSException, OSError, ValueError):
        return []
    return [str(one.exchange).rstrip(".") for one in sorted(found, key=lambda one: one.preference)]


def _address(sender: object) -> str:
    try:
        return mail_address(sender)
    except ValueError:  # whoever reads the account says so
        return ""


def _not_known(domain: str, hosts: Sequence[str]) -> str:
    seen = f"its mail goes to {hosts[0]}, whose operator knows" if hosts else "its operator knows"
    return f"is missing, and no preset fits {domain}: write the server that takes its outgoing mail; {seen}"
