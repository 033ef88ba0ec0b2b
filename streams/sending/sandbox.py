"""A sandbox: a project that reaches only the addresses which its document lists."""

from __future__ import annotations

from collections.abc import Collection

from schemas.closed import ChannelName
from schemas.suppression import address_keys
from streams.sending.judgement import Judgement, impossible


def outside_sandbox(channel: ChannelName, address: str, allowed: Collection[str] | None) -> Judgement | None:
    """Judge a delivery to an address; None where it may go there.

    `allowed` are keys as suppressions have them: addresses, hosts and wildcards. It is None outside of a sandbox.
    """
    if allowed is None or any(key in allowed for key in address_keys(channel, address)):
        return None
    return impossible("suppressed", "its project is a sandbox, and its address is not on the list of those it reaches")
