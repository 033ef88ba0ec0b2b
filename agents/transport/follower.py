"""A consumer without a group, for a topic that every process reads whole."""

from __future__ import annotations

import aiokafka

from agents.transport.fetching import read_in_our_way
from deploy.settings.servers import Kafka


def follower(kafka: Kafka) -> aiokafka.AIOKafkaConsumer:
    """Reads what is committed, from wherever it is put; not started yet."""
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
