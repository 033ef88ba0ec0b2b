"""The codecs of Kafka's clients: a record batch comes in whichever its producer or its topic chose."""

from __future__ import annotations

import confluent_kafka

from schemas.errors import CannotStart

CODECS = ("gzip", "snappy", "lz4", "zstd")
_OF_PYTHON = "gzip"
"""The one that the workers' consumer reads without cramjam."""


def check_codecs() -> None:
    """Raise CannotStart where a codec cannot be read: the first batch written so would stop its partition."""
    missing = [name for name in CODECS if name != _OF_PYTHON and not _has_cramjam(name)]
    if missing:
        raise CannotStart(
            f"batches compressed with {', '.join(missing)} cannot be read: the package cramjam is missing or broken. "
            "Install it: pip install cramjam"
        )
    try:
        confluent_kafka.Consumer({"group.id": "codecs", "builtin.features": ",".join(CODECS), "log_level": 0}).close()
    except confluent_kafka.KafkaException as error:
        raise CannotStart(
            f"this librdkafka ({confluent_kafka.libversion()[0]}) was built without one of {', '.join(CODECS)} "
            f"({error.args[0].str()}). Install confluent-kafka from its wheel: pip install confluent-kafka"
        ) from error


def _has_cramjam(name: str) -> bool:
    try:
        import cramjam
    except ImportError:
        return False
    return hasattr(cramjam, name)
