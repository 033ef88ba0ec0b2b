"""All settings of a process, read once at start from a TOML file and the environment, checked to the last key.

Every key can be overridden by the environment as TIDINGS_<GROUP>_<KEY>; TIDINGS_KAFKA and TIDINGS_POSTGRES are short
for the two addresses. A secret may be written as `file:/path`, which is read.
"""

from __future__ import annotations

import re
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from deploy.secret import Secret
from schemas.closed import Wire
from schemas.distribution import CONSENTS, TRANSACTIONAL
from schemas.errors import CannotStart
from schemas.formats.blank import is_blank
from schemas.formats.days import zone_of
from schemas.formats.hosts import HostRefused, ascii_host, ascii_url
from schemas.formats.mail_address import mail_address, mailto
from schemas.names import ROUGHLY_LIKE, did_you_mean
from schemas.topics import check_prefix

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
MailSecurity = Literal["none", "starttls", "tls"]

_SHORTEST_SESSION, _LONGEST_SESSION = timedelta(seconds=6), timedelta(seconds=35)

FIRST_FILE = Path("tidings.toml")
"""Read when it exists and no other file is named by TIDINGS_SETTINGS."""

_NOT_NEEDED = ("preferences_url", "locale")
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")

_LONGEST_HEADER_URL = 900
"""A line of a mail has at most 998 characters (RFC 5322, 2.1.1), and the name that is put in takes some."""

SHORTEST_SECRET = 16
"""In characters, of a secret that signs what customers can see."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """How to reach the brokers. Empty `bootstrap` means the embedded server."""

    bootstrap: str = ""
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: Secret = Secret("")
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    session_timeout: timedelta = timedelta(seconds=10)

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

    @property
    def uses_sasl(self) -> bool:
        """Whether to log in."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    def ssl_context(self) -> ssl.SSLContext | None:
        """For clients that take Python's own; None without TLS."""
        if not self.uses_tls:
            return None
        context = ssl.create_default_context(cafile=self.ssl_cafile or None)
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile or None)
        return context


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
    """How topics are named and made."""

    prefix: str = ""
    partitions: int = 8
    replication: int = 1


@dataclass(frozen=True, slots=True)
class WireFormat:
    """What we write; every format is read."""

    format: Wire = "avro"
    registry_url: str = ""
    registry_username: str = ""
    registry_password: Secret = Secret("")


@dataclass(frozen=True, slots=True)
class Http:
    """Where a worker answers /metrics and /healthz. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0


@dataclass(frozen=True, slots=True)
class Matcher:
    """Limits of what a matcher takes."""

    max_future: timedelta = timedelta(minutes=5)
    max_event_bytes: int = 1_048_576
    fetch_wait_ms: int = 20
    store: Literal["rocksdb", "memory"] = "rocksdb"
    table_memory_mb: int = 96
    standby_replicas: int = 0
    no_match_one_in: int = 0


@dataclass(frozen=True, slots=True)
class Sender:
    """How deliveries are tried."""

    lease: timedelta = timedelta(seconds=60)
    concurrency: int = 50
    poll: timedelta = timedelta(seconds=1)
    webhook_timeout: timedelta = timedelta(seconds=10)
    webhook_allow_private: bool = False
    webhook_max_bytes: int = 1_048_576
    webhook_retries: tuple[timedelta, ...] = tuple(timedelta(minutes=min(2**power, 480)) for power in range(12))
    email_timeout: timedelta = timedelta(seconds=30)
    email_retries: tuple[timedelta, ...] = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is over is kept; of a delivery its id stays, so that no replay sends it again."""

    deliveries: timedelta = timedelta(days=90)

    def check(self) -> None:
        """Raises CannotStart for less than a day: what has just ended may not have been told and looked at yet."""
        if self.deliveries < timedelta(days=1):
            raise CannotStart("retention.deliveries: at least 1d")


@dataclass(frozen=True, slots=True)
class Webhook:
    """How receivers know us. `secrets` sign by Standard Webhooks, all at once while rotating."""

    secrets: tuple[Secret, ...] = ()
    legacy_secret: Secret = Secret("")


@dataclass(frozen=True, slots=True)
class Console:
    """Where the console answers, and how pictures of codes are addressed. Port 0 takes a free one.

    `public_url` is how customers reach it, and needs `secrets`: the first signs addresses, all prove them. Without
    `public_url` no message carries such an address.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str = ""
    secrets: tuple[Secret, ...] = ()

    def check(self) -> None:
        """Raises CannotStart for an address that no browser opens, and for secrets that lack or can be guessed."""
        if self.public_url and not self.public_url.startswith(("https://", "http://")):
            raise CannotStart("console.public_url begins with https:// or http://")
        if self.public_url and not self.secrets:
            raise CannotStart(
                "console.secrets is empty: console.public_url needs one that signs the addresses below it"
            )
        for index, secret in enumerate(self.secrets):
            if len(secret.reveal()) < SHORTEST_SECRET:
                raise CannotStart(f"console.secrets[{index}]: at least {SHORTEST_SECRET} characters, at random")


@dataclass(frozen=True, slots=True)
class EmailAccountSettings:
    """One mailbox to send from."""

    host: str
    sender: str
    port: int = 587
    security: MailSecurity = "starttls"
    username: str = ""
    password: Secret = Secret("")
    sender_name: str = ""
    ssl_cafile: str = ""
    connections: int = 4
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""

    def check(self, name: str) -> None:
        """Raises CannotStart for an address that mail can neither come from nor go to, or that fits on no line."""
        if len(self.unsubscribe_url) > _LONGEST_HEADER_URL:
            raise CannotStart(f"email_accounts.{name}.unsubscribe_url has at most {_LONGEST_HEADER_URL} characters")
        for key, read in (("sender", mail_address), ("unsubscribe_mailto", mailto)):
            try:
                read(getattr(self, key))
            except ValueError as error:
                raise CannotStart(
                    f"email_accounts.{name}.{key} is an address such as news@shop.example: {error}"
                ) from error


@dataclass(frozen=True, slots=True)
class Brand:
    """Who writes: stands in the footer of every e-mail, and has to be complete before one can be sent.

    `locale` is the language of templates' default variants, as in pl or pl-PL; empty is English.
    """

    name: str = ""
    address: str = ""
    contact: str = ""
    privacy_url: str = ""
    terms_url: str = ""
    logo_url: str = ""
    permission_reminder: str = ""
    preferences_url: str = ""
    locale: str = ""

    def missing(self) -> tuple[str, ...]:
        """The keys that e-mail needs and that are empty; a preference page and a locale are not needed."""
        return tuple(key.name for key in fields(self) if key.name not in _NOT_NEEDED and not getattr(self, key.name))

    def check(self) -> None:
        """Raises CannotStart for what is no address, and for a locale that is no language tag."""
        for key in ("privacy_url", "terms_url", "logo_url", "preferences_url"):
            url = getattr(self, key)
            if url and not url.startswith(("https://", "http://")):
                raise CannotStart(f"brand.{key} is an address such as https://shop.example.com/page, not {url!r}")
        if self.locale and not _LANGUAGE_TAG.fullmatch(self.locale):
            raise CannotStart(f"brand.locale is a language tag such as pl or pl-PL, not {self.locale!r}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything."""

    project_id: str = "default"
    timezone: str = "UTC"
    consents: tuple[str, ...] = CONSENTS
    data: str = "var/data"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    kafka: Kafka = Kafka()
    postgres: Postgres = Postgres()
    topics: Topics = Topics()
    wire: WireFormat = WireFormat()
    http: Http = Http()
    matcher: Matcher = Matcher()
    sender: Sender = Sender()
    retention: Retention = Retention()
    webhook: Webhook = Webhook()
    console: Console = Console()
    brand: Brand = Brand()
    email_accounts: dict[str, EmailAccountSettings] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """Where the project's days begin and end."""
        return zone_of(self.timezone)

    def check(self) -> None:
        """Raises CannotStart for what no key can be checked for alone."""
        try:
            zone_of(self.timezone)
        except ValueError as error:
            raise CannotStart(f"timezone: {error}") from error
        for index, name in enumerate(self.consents):
            if is_blank(name) or name == TRANSACTIONAL:
                said = f"{TRANSACTIONAL} is no consent: it is sent without one" if name else "is empty"
                raise CannotStart(f"consents[{index}]: {said}")


def load_settings(environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """Read and check. Raises CannotStart naming the key, what it is and what is allowed."""
    source = file or Path(environ.get("TIDINGS_SETTINGS") or FIRST_FILE)
    written = _read_file(source, required=bool(file or environ.get("TIDINGS_SETTINGS")))
    settings: Settings = _build(Settings, _with_environment(written, environ), "")
    try:
        check_prefix(settings.topics.prefix)
    except ValueError as error:
        raise CannotStart(f"topics.prefix: {error}") from error
    if not _SHORTEST_SESSION <= settings.kafka.session_timeout <= _LONGEST_SESSION:
        raise CannotStart("kafka.session_timeout: from 6s, the least that brokers take by default, to 35s")
    settings.check()
    settings.console.check()
    settings.brand.check()
    settings.retention.check()
    for name, account in settings.email_accounts.items():
        account.check(name)
    if settings.sender.webhook_timeout > timedelta(seconds=30):
        raise CannotStart("sender.webhook_timeout: at most 30s, so that one slow receiver cannot hold a place for long")
    return settings


def _read_file(source: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(source.read_text())
    except FileNotFoundError as error:
        if required:
            raise CannotStart(f"no settings file {source}") from error
        return {}
    except (OSError, ValueError) as error:
        raise CannotStart(f"cannot read {source}: {error}") from error


def _with_environment(written: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    merged = {name: dict(value) if isinstance(value, dict) else value for name, value in written.items()}
    short = {"TIDINGS_KAFKA": ("kafka", "bootstrap"), "TIDINGS_POSTGRES": ("postgres", "dsn")}
    for group in fields(Settings):
        kind = get_type_hints(Settings)[group.name]
        if not is_dataclass(kind):
            _override(merged, group.name, environ.get(f"TIDINGS_{group.name.upper()}"))
            continue
        inner = merged.setdefault(group.name, {})
        for key in fields(kind):
            _override(inner, key.name, environ.get(f"TIDINGS_{group.name.upper()}_{key.name.upper()}"))
    for name, (group_name, key_name) in short.items():
        _override(merged[group_name], key_name, environ.get(name))
    return merged


def _override(into: dict[str, Any], name: str, text: str | None) -> None:
    if text is not None:
        into[name] = text


def _build(kind: Any, written: Any, at: str) -> Any:
    if not isinstance(written, dict):
        raise CannotStart(f"{at} is a group of keys, not {_kind_of(written)}")
    hints, known = get_type_hints(kind), {entry.name: entry for entry in fields(kind)}
    for name in written:
        if name not in known:
            hint = did_you_mean(name, known, ROUGHLY_LIKE)
            raise CannotStart(f"{_path(at, name)}: there is no such setting.{hint} There are: {', '.join(known)}")
    values = {name: _value(hints[name], value, _path(at, name)) for name, value in written.items()}
    missing = [name for name, entry in known.items() if name not in values and _is_required(entry)]
    if missing:
        raise CannotStart(f"{_path(at, missing[0])} is missing")
    return kind(**values)


def _is_required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _value(hint: Any, value: Any, at: str) -> Any:
    if is_dataclass(hint):
        return _build(hint, value, at)
    origin = get_origin(hint)
    if origin is dict:
        return {name: _build(get_args(hint)[1], inner, _path(at, name)) for name, inner in _mapping(value, at).items()}
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list):
            raise CannotStart(f"{at} is a list, not {_kind_of(value)}")
        return tuple(_value(get_args(hint)[0], item, f"{at}[{index}]") for index, item in enumerate(items))
    if origin is Literal:
        if value not in get_args(hint):
            raise CannotStart(f"{at} is one of {', '.join(get_args(hint))}, not {value!r}")
        return value
    return _PLAIN[hint](value, at)


def _mapping(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CannotStart(f"{at} is a group of keys, not {_kind_of(value)}")
    return value


def _text(value: Any, at: str) -> str:
    """A text; where it is an address or a host, in ASCII: clients disagree on which host another spelling names."""
    if not isinstance(value, str):
        raise CannotStart(f"{at} is a text, not {_kind_of(value)}")
    try:
        return ascii_url(value) if at.endswith("_url") else ascii_host(value) if at.endswith(".host") else value
    except HostRefused as error:
        raise CannotStart(f"{at}: {error}") from error


def _secret(value: Any, at: str) -> Secret:
    text = _text(value, at)
    if not text.startswith("file:"):
        return Secret(text)
    try:
        return Secret(Path(text.removeprefix("file:")).read_text().strip())
    except OSError as error:
        raise CannotStart(f"{at}: cannot read {text.removeprefix('file:')}: {error.strerror}") from error


def _whole(value: Any, at: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdigit():
        raise CannotStart(f"{at} is a whole number, not {_kind_of(value)}")
    return int(text)


def _flag(value: Any, at: str) -> bool:
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if found is None:
        raise CannotStart(f"{at} is true or false, not {_kind_of(value)}")
    return found


def _span(value: Any, at: str) -> timedelta:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    text = str(value).strip()
    if not text[:-1].isdigit() or text[-1] not in units:
        raise CannotStart(f"{at} is a duration such as 30s, 5m, 2h or 1d, not {value!r}")
    return timedelta(seconds=int(text[:-1]) * units[text[-1]])


def _kind_of(value: Any) -> str:
    names = {bool: "true/false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a group"}
    return names.get(type(value), type(value).__name__)


_PLAIN: dict[Any, Any] = {str: _text, Secret: _secret, int: _whole, bool: _flag, timedelta: _span}
