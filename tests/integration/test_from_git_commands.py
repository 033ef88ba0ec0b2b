"""The page about projects in Git as a user follows it: in a real repository, with the command line and over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from agents.wiring import Wiring
from console.control.files.git_source import git_source, named_source, repository
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from schemas.managed import MANAGED_KINDS, GitSource, ManagedThing, Mark
from store.managed import Managed, Marking
from tests import ROOT
from tests.environment import environment_of
from tests.factory import NOW
from tests.integration.api_client import DOCUMENT, Api, running_api

Run = Callable[..., subprocess.CompletedProcess[str]]

WINBACK = """\
distribution: winback  # ours
trigger: {event: customer.order.paid}
when: {order.amount: {at_least: 1000}}
consent: marketing
channels:
  - webhook: {url: "https://hooks.example.com/x", type: winback}
"""


@pytest.fixture
def tidings(wiring: Wiring, tmp_path: Path) -> Run:
    """Run a command in a folder of its own."""
    environ = {**os.environ, **environment_of(wiring), "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "console", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=240, check=False
        )

    return run


def git(folder: Path, *arguments: str) -> str:
    """Git, whoever's machine this is."""
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"]
    command = ["git", *who, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def repository_in(folder: Path) -> Path:
    """A repository with a project's folder in it, committed."""
    shop = folder / "shop"
    (shop / "distributions").mkdir(parents=True)
    (shop / "segments").mkdir()
    (shop / "distributions/winback.yaml").write_text(WINBACK)
    (shop / "segments/vip.yaml").write_text("segment: vip\nmembers: [c1]\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", "https://ci:ghp_planted@github.com/acme/marketing.git")
    git(folder, "add", "shop")
    git(folder, "commit", "-qm", "Begin")
    return shop


def test_a_project_in_git_is_planned_applied_and_pulled(tidings: Run, tmp_path: Path) -> None:
    shop = repository_in(tmp_path)
    commit = git(tmp_path, "rev-parse", "HEAD")
    planned = tidings("plan", "shop")
    assert (planned.returncode, "2 to change" in planned.stdout) == (2, True), planned.stderr
    unasked = tidings("apply", "shop")
    assert (unasked.returncode, "use --yes" in unasked.stderr) == (1, True)
    other = tidings("apply", "shop", "--yes", "--digest", "0" * 64)
    assert (other.returncode, "the plan is another than the one that was looked at" in other.stderr) == (1, True)
    digest = json.loads(tidings("plan", "shop", "--json").stdout)["digest"]
    applied = tidings("apply", "shop", "--yes", "--digest", digest)
    assert applied.returncode == 0, applied.stderr
    assert tidings("plan", "shop").returncode == 0
    marks = [json.loads(line) for line in tidings("managed", "list", "--json").stdout.splitlines()]
    assert {(one["kind"], one["id"], one["source"], one["revision"]) for one in marks} == {
        ("distribution", "winback", "github.com/acme/marketing//shop", commit),
        ("segment", "vip", "github.com/acme/marketing//shop", commit),
    }

    (tmp_path / "mine.yaml").write_text(WINBACK.replace("1000", "700"))
    tried = tidings("apply", "mine.yaml", "--dry-run")
    assert (tried.returncode, "1000" in tried.stdout and "700" in tried.stdout) == (1, True), tried.stdout
    assert "managed from Git (github.com/acme/marketing//shop at" in tried.stderr
    insisted = tidings("apply", "mine.yaml", "--dry-run", "--override")
    assert insisted.returncode == 0 and "winback is managed from Git" in insisted.stderr
    assert "next plan shows this as drift" in insisted.stderr
    (tmp_path / "tidings.toml").write_text("git_lock = false\n")
    unlocked = tidings("apply", "mine.yaml", "--dry-run")
    assert unlocked.returncode == 0 and "next plan shows this as drift" in unlocked.stderr
    (tmp_path / "tidings.toml").unlink()
    locked = tidings("apply", "mine.yaml", "--yes")
    assert locked.returncode == 1 and "managed from Git (github.com/acme/marketing//shop at" in locked.stderr
    assert tidings("distributions", "pause", "winback").returncode == 0
    assert tidings("distributions", "resume", "winback", "--yes").returncode == 0
    assert tidings("distributions", "stop", "winback").returncode == 0
    revived = tidings("distributions", "resume", "winback", "--yes")
    assert revived.returncode == 1 and "managed from Git" in revived.stderr
    assert tidings("distributions", "resume", "winback", "--yes", "--override").returncode == 0
    assert tidings("apply", "mine.yaml", "--yes", "--override").returncode == 0
    drift = tidings("plan", "shop", "--json")
    (winback,) = [one for one in json.loads(drift.stdout)["things"] if one["identity"] == "winback"]
    assert (drift.returncode, winback["changed_in"], json.loads(drift.stdout)["drift"]) == (2, "elsewhere", 1)
    refused = tidings("apply", "shop", "--yes")
    assert refused.returncode == 1 and "--force takes it back" in refused.stderr

    assert tidings("pull", "--into", "shop").returncode == 0
    assert git(tmp_path, "status", "--porcelain") == "M shop/distributions/winback.yaml\n?? mine.yaml"
    git(tmp_path, "checkout", "shop")
    assert tidings("apply", "shop", "--yes", "--force").returncode == 0
    assert tidings("plan", "shop").returncode == 0
    assert tidings("managed", "release", "segment", "vip").returncode == 0
    missed = tidings("managed", "release", "segment", "vip")
    assert missed.returncode == 1 and 'no segment that is managed from Git: "vip"' in missed.stderr
    (shop / "distributions/winback.yaml").write_text("distribution: winback\ntriger: x\n")
    wrong = tidings("plan", "shop")
    assert wrong.returncode == 1 and "winback.yaml:2" in wrong.stderr and wrong.stdout == ""


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/acme/shop.git", "github.com/acme/shop"),
        ("https://user:ghp_planted@github.com/acme/shop", "github.com/acme/shop"),
        ("git@github.com:acme/shop.git", "github.com/acme/shop"),
        ("ssh://git@github.com:22/acme/shop.git", "github.com/acme/shop"),
        ("/srv/git/shop.git", "shop"),
        ("file:///srv/git/shop.git", "shop"),
    ],
)
def test_a_repository_has_one_name_however_it_is_reached(address: str, name: str) -> None:
    assert repository(address) == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("https://ci:ghp_planted@github.com/acme/shop.git", "github.com/acme/shop"),
        ("git@github.com:acme/shop.git", "github.com/acme/shop"),
        ("github.com/acme/marketing//shop", "github.com/acme/marketing//shop"),
        ("https://ci:p^w@github.com/acme/shop.git//emails", "github.com/acme/shop//emails"),
        ("https://ci:plan/ted@github.com/acme/shop", "github.com/acme/shop"),
        ("https://ci:plan#ted@github.com/acme/shop", "github.com/acme/shop"),
        ("https://git.example:8443/acme/@shop?token=planted", "git.example/acme/@shop"),
        ("https://[planted@x/shop", "shop"),
        ("shop", "shop"),
        ("team a: shop", "team a: shop"),
    ],
)
def test_a_source_that_somebody_names_keeps_no_secret(given: str, name: str) -> None:
    assert named_source(given, "c" * 40) == GitSource(name, "c" * 40)


def test_a_commit_counts_only_for_what_is_committed(tmp_path: Path) -> None:
    shop = repository_in(tmp_path)
    assert git_source(shop).revision == git(tmp_path, "rev-parse", "HEAD")
    (shop / "segments/more.yaml").write_text("segment: more\nmembers: [c1]\n")
    assert git_source(shop) == GitSource("github.com/acme/marketing//shop")


# -- over HTTP ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def api(wiring: Wiring, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(wiring.settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


async def manage(pool: asyncpg.Pool, identity: str) -> None:
    """Mark one of each kind, as an apply does."""
    source = GitSource("github.com/acme/shop", "c" * 40)
    things = [ManagedThing("shop", kind, identity) for kind in MANAGED_KINDS]
    await Managed(pool).put(Marking([Mark(one, source, "d" * 64, 1, "ci", NOW) for one in things]), by="ci")


CAMPAIGN: dict[str, Any] = {
    "kind": "DISCOUNT_COUPONS", "type": "AUTO_UPDATE", "discount": {"type": "PERCENT", "percent_off": 10},
    "code_config": {"pattern": "SPRING-######"},
}  # fmt: skip
BODIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "segments": ({"members": ["c1"]}, {"members": ["c2"]}),
    "campaigns": (CAMPAIGN, {**CAMPAIGN, "name": "Other"}),
    "templates": ({"files": {"one.txt": "Hi"}}, {"files": {"one.txt": "Hey"}}),
    "distributions": ({**DOCUMENT, "status": "DRAFT"}, {**DOCUMENT, "status": "DRAFT", "priority": 3}),
}


@pytest.mark.parametrize("noun", BODIES)
async def test_what_is_managed_from_git_is_refused_over_http_unless_somebody_insists(api: Api, noun: str) -> None:
    before, after = BODIES[noun]
    assert (await api.ask("PUT", f"/{noun}/one", before)).status == 201
    await manage(api.pool, "one")
    for query in ("", "?dry_run=true"):
        refused = await api.ask("PUT", f"/{noun}/one{query}", after)
        assert (refused.status, refused.json["type"]) == (409, "/api/v1/problems/conflict")
        assert "github.com/acme/shop at cccccccccccc" in refused.json["detail"]
    assert (await api.ask("PUT", f"/{noun}/one", before)).json["plan"] == "unchanged"
    done = await api.ask("PUT", f"/{noun}/one?override=true", after)
    assert (done.status, done.json["version"]) == (200, 2)
    log = await api.ask("GET", "/audit?thing=one")
    assert "managed.overridden" in {row["action"] for row in log.json["items"]}


async def test_what_is_managed_from_git_is_paused_and_stopped_and_not_set_live(api: Api) -> None:
    assert (await api.ask("PUT", "/distributions/one", BODIES["distributions"][0])).status == 201
    await manage(api.pool, "one")
    assert (await api.ask("POST", "/distributions/one/live")).status == 409
    assert (await api.ask("POST", "/distributions/one/live?override=true")).status == 200
    for step in ("pause", "resume", "stop"):
        assert (await api.ask("POST", f"/distributions/one/{step}")).status == 200


@pytest.mark.parametrize("noun", ["segments", "templates"])
async def test_what_is_managed_from_git_is_not_deleted(api: Api, noun: str) -> None:
    assert (await api.ask("PUT", f"/{noun}/one", BODIES[noun][0])).status == 201
    await manage(api.pool, "one")
    for query in ("", "?dry_run=true"):
        assert (await api.ask("DELETE", f"/{noun}/one{query}")).status == 409
    assert (await api.ask("DELETE", f"/{noun}/one?override=true")).status == 200
