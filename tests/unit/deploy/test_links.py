"""Links that `tidings dev` serves where nobody configured any."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from console.cli.context import with_endpoints
from deploy.embedded.links import running_links, served_links
from deploy.embedded.servers import Endpoints
from deploy.secret import Secret
from deploy.settings.messages import Console
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings, load_settings

OWN = (Secret("written by somebody"),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a,b [c]"


def served(folder: Path) -> Console:
    """The settings of the public server as a process reads them that is told of its links."""
    with served_links(folder, Console()) as variables:
        return load_settings({"TIDINGS_SETTINGS": "", **variables}).console


def test_processes_read_an_address_and_a_secret_that_stay_and_that_only_their_owner_can_read(folder: Path) -> None:
    first = served(folder)
    first.check()
    assert (first.public_url, len(first.secrets)) == (f"http://127.0.0.1:{first.port}", 1)
    with served_links(folder, Console()) as variables:
        assert first.secrets[0].reveal() not in str(variables), "environments are shown with processes"
    assert served(folder) == first
    assert {one.name: one.stat().st_mode & 0o777 for one in folder.iterdir()} == {
        "console.port": 0o600, "link.secret": 0o600,
    }  # fmt: skip
    assert served(folder.parent / "other").secrets != first.secrets


def test_what_somebody_configured_stays(folder: Path) -> None:
    with served_links(folder, Console(public_url="https://shop.example", secrets=OWN)) as variables:
        assert variables == {}
    assert not folder.exists()
    with served_links(folder, Console(host="0.0.0.0", port=8080, secrets=OWN)) as variables:
        assert variables == {"TIDINGS_CONSOLE_PORT": "8080", "TIDINGS_CONSOLE_PUBLIC_URL": "http://localhost:8080"}
    with served_links(folder, Console(host="::1", port=8080)) as variables:
        assert variables["TIDINGS_CONSOLE_PUBLIC_URL"] == "http://[::1]:8080"


def test_another_port_is_taken_where_somebody_else_has_it_by_now(folder: Path) -> None:
    first = served(folder)
    with socket.create_server(("127.0.0.1", first.port)):
        second = served(folder)
    assert (second.port != first.port, second.secrets) == (True, first.secrets)
    assert served(folder) == second
    (folder / "console.port").write_text("not a number")
    assert served(folder).secrets == first.secrets


def test_commands_beside_it_find_the_same_links_for_as_long_as_it_runs(folder: Path) -> None:
    open_ones = Settings()
    with served_links(folder, open_ones.console) as variables:
        here = Endpoints("127.0.0.1:1", "postgresql://postgres@127.0.0.1:2/postgres", links=running_links(folder))
        found = with_endpoints(open_ones, here).console
        served_here = load_settings({"TIDINGS_SETTINGS": "", **variables}).console
        assert (found.public_url, found.secrets) == (served_here.public_url, served_here.secrets)
        own = replace(open_ones, console=Console(public_url="https://shop.example", secrets=OWN))
        assert with_endpoints(own, here).console == own.console
        with_secret = replace(open_ones, console=Console(secrets=OWN))
        assert with_endpoints(with_secret, here).console.secrets == OWN
        elsewhere = replace(open_ones, postgres=Postgres(Secret("postgresql://u@db/x")))
        assert with_endpoints(elsewhere, here).console == Console()
    assert running_links(folder) is None
