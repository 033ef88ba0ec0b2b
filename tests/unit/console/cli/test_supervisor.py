"""Workers as they are started: what their environment says, which others can read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.cli.supervisor import worker_environ
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.servers import Kafka, Postgres
from deploy.settings.settings import load_settings

WRITTEN = '[kafka]\nbootstrap = "k:1"\n[postgres]\ndsn = "postgresql://u:hush@p/db"\n'
EMBEDDED = "postgresql://postgres@127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("written", "kafka", "dsn", "added"),
    [
        (WRITTEN, "k:1", "postgresql://u:hush@p/db", {}),
        ("", "127.0.0.1:1", EMBEDDED, {"TIDINGS_KAFKA": "127.0.0.1:1", "TIDINGS_POSTGRES": EMBEDDED}),
        (WRITTEN, "127.0.0.1:1", "postgresql://u:hush@p/db", {"TIDINGS_KAFKA": "127.0.0.1:1"}),
    ],
)
def test_workers_are_told_the_servers_that_their_settings_do_not_name_and_no_others(
    tmp_path: Path, written: str, kafka: str, dsn: str, added: dict[str, str]
) -> None:
    file = tmp_path / "tidings.toml"
    file.write_text(written)
    environ = {"TIDINGS_SETTINGS": str(file), "HOME": "/root"}
    settings = replace(load_settings(environ), kafka=Kafka(kafka), postgres=Postgres(Secret(dsn)))
    assert worker_environ(settings, environ) == {**environ, **added}
    with_key = replace(settings, accounts=AccountKeys(key_file="/data/account.keys"))
    assert worker_environ(with_key, environ) == {**environ, **added, "TIDINGS_ACCOUNTS_KEY_FILE": "/data/account.keys"}
