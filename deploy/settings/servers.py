"""Servers that a process connects to, and where it answers itself."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from deploy.secret import Secret
from schemas.closed import Wire
from schemas.errors import CannotStart
from schemas.topics import check_prefix

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_SHORTEST_SESSION, _LONGEST_SESSION = timedelta(seconds=6), timedelta(seconds=35)
_LONGEST_LINGER_MS = 1000


@dataclass(frozen=True, slots=True)
class Kafka:
    """The brokers, and how to log in. Empty `bootstrap` means the embedded server."""

    bootstrap: str = ""
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: Secret = Secret("")
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    session_timeout: timedelta = timedelta(seconds=10)
    linger_ms: int = 2

    def client(self) -> dict[str, object]:
        """The settings as librdkafka names them."""
        config: dict[str, object] = {"bootstrap.servers": self.bootstrap, "security.protocol": self.security_protocol}
        if self.uses_sasl:
            config |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": self.sasl_password.reveal(),
            }
        files = {"ssl.ca": self.ssl_cafile, "ssl.certificate": self.ssl_certfile, "ssl.key": self.ssl_keyfile}
        return config | {f"{name}.location": path for name, path in files.items() if path and self.uses_tls}

    def producer(self) -> dict[str, object]:
        """The same for a process whose work is to produce: what it writes waits for more of it."""
        return {**self.client(), "linger.ms": self.linger_ms}

    @property
    def uses_sasl(self) -> bool:
        """True where the client logs in."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """True where the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    def ssl_context(self) -> ssl.SSLContext | None:
        """For clients that take Python's own; None without TLS."""
        if not self.uses_tls:
            return None
        context = ssl.create_default_context(cafile=self.ssl_cafile or None)
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile or None)
        return context

    def check(self) -> None:
        """Raises CannotStart for a session that brokers refuse by default, and for a wait that nobody wants."""
        if not _SHORTEST_SESSION <= self.session_timeout <= _LONGEST_SESSION:
            raise CannotStart("kafka.session_timeout must be from 6s, the least that brokers take by default, to 35s")
        if not 0 <= self.linger_ms <= _LONGEST_LINGER_MS:
            raise CannotStart(f"kafka.linger_ms must be from 0 to {_LONGEST_LINGER_MS}, not {self.linger_ms}")


@dataclass(frozen=True, slots=True)
class Postgres:
    """Connection string of the database. Empty means the embedded server.

    `pooler`: whether something like pgbouncer stands in between, which gives each transaction another session.
    """

    dsn: Secret = Secret("")
    pool: int = 4
    pooler: Literal["auto", "transaction", "none"] = "auto"


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of topics, and how they are made."""

    prefix: str = ""
    partitions: int = 8
    replication: int = 1

    def check(self) -> None:
        """Raises CannotStart for a prefix that no topic can have."""
        try:
            check_prefix(self.prefix)
        except ValueError as error:
            raise CannotStart(f"topics.prefix: {error}") from error


@dataclass(frozen=True, slots=True)
class WireFormat:
    """The format that we write; every format is read."""

    format: Wire = "avro"
    registry_url: str = ""
    registry_username: str = ""
    registry_password: Secret = Secret("")


@dataclass(frozen=True, slots=True)
class Http:
    """The address at which a worker answers /metrics and /healthz. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0
