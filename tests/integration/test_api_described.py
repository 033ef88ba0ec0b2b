"""The API held to its own description by schemathesis: what it generates of the OpenAPI document, with each role's key.

`EXAMPLES=50 PHASES=coverage,fuzzing PATIENCE=7200` asks for more than a run of all tests has time for, `ONLY=/segments`
of some paths alone. With `coverage` documents that authors write are any object: of a distribution's whole schema it
makes no first request within many minutes. Their schemas are for a run with `fuzzing` alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agents.wiring import Wiring
from deploy.settings.settings import Settings
from schemas.access import ACCESS_ROLES
from schemas.topics import TOPICS
from tests import ROOT
from tests.integration.api_client import Api, running_api, wired

_DOCUMENT = ROOT / "deploy/reference/openapi.json"
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_PATIENCE = int(os.environ.get("PATIENCE", "1200"))
_PHASES = os.environ.get("PHASES", "fuzzing")


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, TOPICS) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


def _described(folder: Path) -> Path:
    """The file of the description, as far as the phases take it."""
    if "coverage" not in _PHASES:
        return _DOCUMENT
    said = json.loads(_DOCUMENT.read_text())
    schemas = said["components"]["schemas"]
    schemas |= {name: {"type": "object"} for name in schemas if name.endswith("Document")}
    made = folder / "openapi.json"
    made.write_text(json.dumps(said))
    return made


@pytest.mark.timeout(_PATIENCE + 60)
@pytest.mark.parametrize("role", sorted(ACCESS_ROLES))
async def test_no_reply_is_a_fault_or_outside_the_description(api: Api, role: str, tmp_path: Path) -> None:
    options = {
        "origin": api.base, "header": f"Authorization: Bearer {api.keys['shop', role]}", "checks": _CHECKS, "seed": "1",
        "phases": _PHASES, "max-examples": os.environ.get("EXAMPLES", "4"),
        "include-path-regex": os.environ.get("ONLY", "."),
        "suppress-health-check": "all", "warnings": "off", "output-truncate": "true", "request-timeout": "60",
    }  # fmt: skip
    given = [f"--{name}={value}" for name, value in options.items()]
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", str(_described(tmp_path)), *given),
            *("--continue-on-failure", "--no-shrink", "--no-color"),
            cwd=tmp_path, stdout=out, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
    try:
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    except TimeoutError:
        pytest.fail(f"it did not end: {said.read_text()}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.read_text()
