"""How to reach Kafka."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach Kafka. `client` is librdkafka's configuration, `credentials` the same as Faust takes it.

    `session_timeout`: seconds after which a member that is not heard of is out of its group.
    """

    bootstrap: str
    client: Mapping[str, object]
    credentials: Any = None
    ssl_context: ssl.SSLContext | None = None
    session_timeout: float = 10.0
