"""Variables that orchestrators set by themselves for a service named tidings, or tidings-anything: not settings.

Kubernetes sets them in every pod of a namespace for each Service that is there before the pod, Docker and Podman for a
linked container: `TIDINGS_SERVICE_HOST`, `TIDINGS_PORT_8080_TCP_ADDR`, `TIDINGS_ENV_PATH` and so on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SERVICE = r"TIDINGS(?:_[A-Z0-9_]+)?"
_ADDRESS = re.compile(rf"({_SERVICE})_PORT")
_LINK = re.compile(
    rf"{_SERVICE}_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_SCHEMES = ("tcp://", "udp://", "sctp://")


def is_address(name: str, value: str) -> bool:
    """True for `TIDINGS_HTTP_PORT=tcp://10.0.0.1:80`: the one kind of link that is named as a setting may be."""
    return bool(_ADDRESS.fullmatch(name)) and value.startswith(_SCHEMES)


def service_links(environ: Mapping[str, str]) -> set[str]:
    """The names of all links. Docker's `_NAME` and `_ENV_…` are told by the address of the same container."""
    linked = tuple(
        f"{found[1]}_{part}"
        for name, value in environ.items()
        if (found := _ADDRESS.fullmatch(name)) and is_address(name, value)
        for part in ("NAME", "ENV_")
    )
    return {name for name, value in environ.items() if _LINK.fullmatch(name) or is_address(name, value)} | {
        name for name in environ if linked and name.startswith(linked)
    }
