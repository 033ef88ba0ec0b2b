"""An installed wheel is whole: it works in an empty folder, far from the clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests import ROOT

CLONE = ROOT
PACKAGES = ("schemas", "streams", "channels", "store", "agents", "console", "deploy")
NOT_INSTALLED = ("README.md", "deploy/reference/", "deploy/decisions/", "__pycache__/")
"""Of what stands in our folders, what no code opens."""

DISTRIBUTION = """\
distribution: thanks
trigger: {event: customer.order.paid}
consent: marketing
channels:
  - webhook: {url: https://hooks.example.com/tidings, type: thanks}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of a copy: what builds leave behind stays out of the clone."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in (*PACKAGES, "examples"):
        shutil.copytree(CLONE / folder, source / folder, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CLONE / name, source)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(made)], cwd=source, check=True, capture_output=True, timeout=120)
    return next(made.glob("*.whl"))


def _needed() -> set[str]:
    """Every file in our folders, by its name in the wheel."""
    found = set()
    for package in PACKAGES:
        for folder, _, names in os.walk(CLONE / package, followlinks=True):
            found |= {(Path(folder) / name).relative_to(CLONE).as_posix() for name in names}
    return {name for name in found if not any(part in name for part in NOT_INSTALLED)}


def test_everything_that_is_opened_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert _needed() - names == set()
    installed = {name for name in names if ".dist-info/" not in name}
    assert installed - _needed() == set(), "what is not ours to install"
    examples = {path.relative_to(CLONE).as_posix() for path in (CLONE / "examples").glob("*/*") if path.is_file()}
    assert examples and {f"console/demo/{name}" for name in examples} <= names


def test_commands_work_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site, folder = tmp_path / "site packages", tmp_path / "an empty folder"
    zipfile.ZipFile(wheel).extractall(site)
    folder.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TIDINGS_", "PYTHON"))}
    # -S: the clone, which is installed for development, is not found by way of site-packages.
    environ["PYTHONPATH"] = os.pathsep.join((str(site), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-S", "-P", *command],
            cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("-m", "console", "--version").startswith("tidings ")
    sample = run("-m", "console", "sample", "customer.order.paid")
    (folder / "event.json").write_text(sample)
    (folder / "thanks.yaml").write_text(DISTRIBUTION)
    assert "hooks.example.com" in run("-m", "console", "preview", "thanks.yaml", "--event", "event.json")
    assert Path(run("-c", _OPENS).strip()).is_relative_to(site)


_OPENS = """
import console.cli.main
from channels.templates.mjml import LAYOUT
from console.demo import run, stage
from schemas.contract import FOLDER as avro
from store import migrate, sql
for folder in (LAYOUT, stage.EXAMPLES / "distributions", avro, migrate.FOLDER, sql.FOLDER):
    assert any(folder.iterdir()), folder
print(console.cli.main.__file__)
"""
