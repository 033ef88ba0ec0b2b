"""The environment of a command that works on a test's own servers, topics and database."""

from __future__ import annotations

import pytest

from agents.wiring import Wiring


def environment_of(wiring: Wiring) -> dict[str, str]:
    """The settings of a wiring, as variables."""
    settings = wiring.settings
    return {
        "TIDINGS_KAFKA": settings.kafka.bootstrap,
        "TIDINGS_POSTGRES": settings.postgres.dsn.reveal(),
        "TIDINGS_TOPICS_PREFIX": settings.topics.prefix,
        "TIDINGS_TOPICS_PARTITIONS": str(settings.topics.partitions),
        "TIDINGS_PROJECT_ID": settings.project_id,
    }


def set_environment(monkeypatch: pytest.MonkeyPatch, wiring: Wiring) -> None:
    """Set them in this process until the test is over."""
    for name, value in environment_of(wiring).items():
        monkeypatch.setenv(name, value)
