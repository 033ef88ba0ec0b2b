"""From settings to the things that a worker is made of: connections, codecs, topic names."""

from __future__ import annotations

import ssl
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agents.broker.connection import Connection
from agents.broker.registry import HttpSchemaRegistry, RegistryAside
from channels.codes.links import code_links
from deploy.settings import EmailAccountSettings, Kafka, Settings
from schemas.closed import CHANNELS, ChannelName, Role
from schemas.contract import topic_codec
from schemas.events.triggers import PUBLISHED, TRIGGERS
from schemas.formats.mail_address import mail_address, mailto
from schemas.topics import DECISIONS, DELIVERY_STATUS, DISTRIBUTIONS, PUBLICATION_REQUESTS, deliveries
from schemas.wire.codec import TopicCodec
from schemas.wire.registry import SchemaRegistry

if TYPE_CHECKING:  # commands start in half the time without what workers alone need
    import aiokafka

    from channels.contract import AnyChannel
    from channels.email.smtp_session import EmailAccount


class Wiring:
    """What follows from the settings. Nothing is opened before it is asked for.

    `in_loop`: whoever decodes must not be held, so the schema registry is asked aside.
    """

    def __init__(self, settings: Settings, *, in_loop: bool = False) -> None:
        self.settings = settings
        self._in_loop = in_loop
        self._codecs: dict[str, TopicCodec] = {}

    def topic(self, name: str) -> str:
        """A topic's name on the broker."""
        return self.settings.topics.prefix + name

    def group(self, role: str) -> str:
        """A role's consumer group."""
        return f"{self.settings.topics.prefix}tidings-{role}"

    def codec(self, topic: str) -> TopicCodec:
        """The codec of a topic (without prefix), writing the configured format."""
        if topic not in self._codecs:
            self._codecs[topic] = topic_codec(topic, self.settings.wire.format, self._schemas)
        return self._codecs[topic]

    def register_schemas(self, role: Role) -> None:
        """Have the numbers of all that a role writes before it begins, for no work waits for one. Blocks."""
        for topic in _WRITES[role]:
            self.codec(topic).prepare()

    @cached_property
    def registry(self) -> HttpSchemaRegistry | None:
        """The schema registry, where one is configured. Blocks."""
        wire = self.settings.wire
        if not wire.registry_url:
            return None
        return HttpSchemaRegistry(wire.registry_url, wire.registry_username, wire.registry_password.reveal())

    @cached_property
    def _schemas(self) -> SchemaRegistry | None:
        return RegistryAside(self.registry) if self.registry and self._in_loop else self.registry

    def connection(self) -> Connection:
        """Kafka, for a worker."""
        kafka = self.settings.kafka
        return Connection(
            kafka.bootstrap,
            kafka.client(),
            _credentials(kafka),
            session_timeout=kafka.session_timeout.total_seconds(),
        )

    def follower(self) -> aiokafka.AIOKafkaConsumer:
        """A consumer without a group, for a topic that every worker reads whole."""
        import aiokafka

        from agents.transport.fetching import read_in_our_way

        kafka = self.settings.kafka
        read_in_our_way()
        return aiokafka.AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap.split(","),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            metadata_max_age_ms=30_000,
            fetch_max_wait_ms=100,
            security_protocol=kafka.security_protocol,
            ssl_context=kafka.ssl_context(),
            sasl_mechanism=kafka.sasl_mechanism if kafka.uses_sasl else "PLAIN",
            sasl_plain_username=kafka.sasl_username or None,
            sasl_plain_password=kafka.sasl_password.reveal() or None,
        )

    def code_links(self, code: str) -> dict[str, str]:
        """`qr_url` and `barcode_url` of a code; nothing where the console's address or secrets are not set."""
        console = self.settings.console
        return code_links(code, console.public_url, [one.reveal() for one in console.secrets])

    def channels(self) -> dict[ChannelName, AnyChannel]:
        """Every channel, for one sender process."""
        from channels.registry import build_channels
        from channels.webhook.signing import Signer

        settings = self.settings
        return build_channels(
            signer=Signer([one.reveal() for one in settings.webhook.secrets], settings.webhook.legacy_secret.reveal()),
            accounts={name: _account(name, account) for name, account in settings.email_accounts.items()},
            allow_private=settings.sender.webhook_allow_private,
            max_bytes=settings.sender.webhook_max_bytes,
            links=self.code_links,
            zone=settings.zone,
        )


_DELIVERIES = tuple(deliveries(channel) for channel in CHANNELS)
_WRITES: dict[Role, tuple[str, ...]] = {
    "matcher": (*_DELIVERIES, DECISIONS, PUBLICATION_REQUESTS),
    "publisher": (*_DELIVERIES, DECISIONS, DISTRIBUTIONS, TRIGGERS[PUBLISHED].topic),
    "segmenter": ("events.segments",),
    "sender": (DELIVERY_STATUS,),
}
"""The topics that a role encodes records for."""


def _credentials(kafka: Kafka) -> Any:
    import faust

    context = kafka.ssl_context()
    if kafka.uses_sasl:
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.reveal(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context else None


def _account(name: str, account: EmailAccountSettings) -> EmailAccount:
    from channels.email.smtp_session import EmailAccount

    tls = None if account.security == "none" else ssl.create_default_context(cafile=account.ssl_cafile or None)
    return EmailAccount(
        name=name,
        host=account.host,
        port=account.port,
        security=account.security,
        sender=mail_address(account.sender),
        sender_name=account.sender_name,
        username=account.username,
        password=account.password.reveal(),
        connections=account.connections,
        unsubscribe_url=account.unsubscribe_url,
        unsubscribe_mailto=mailto(account.unsubscribe_mailto),
        tls=tls,
    )
