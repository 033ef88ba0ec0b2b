"""Files that pages load: kept for ever by their content, and those of others as the manifest says."""

from __future__ import annotations

import html
import re

import pytest

from console.web.pages import SignInPage, respond
from console.web.static_files import FILES, PATHS, StaticFile
from tests import ROOT
from tests.vendored.manifest import FOLDER, MANIFEST, Vendored, integrity, manifest

_STATIC = ROOT / "console/web/static"
_MOST_SCRIPT = 100_000


def test_each_file_has_a_name_of_its_own_that_changes_with_it() -> None:
    found = [file for file in _STATIC.rglob("*") if file.suffix in (".css", ".js")]
    assert sorted(FILES) == sorted(file.name for file in found)
    for name, path in PATHS.items():
        stem, _, kind = name.rpartition(".")
        assert re.fullmatch(rf"/static/{re.escape(stem)}\.[0-9a-f]{{16}}\.{kind}", path), path


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
async def test_a_file_is_kept_for_ever(file: StaticFile) -> None:
    answer = await file.show(None)  # type: ignore[arg-type]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (answer.content_type, answer.body) == (file.kind, file.content)


def test_a_page_asks_for_its_style_by_that_name() -> None:
    assert f'<link rel="stylesheet" href="{PATHS["site.css"]}">' in html.unescape(respond(SignInPage()).text or "")


@pytest.mark.parametrize("one", manifest(), ids=lambda one: one.file)
def test_what_others_wrote_is_as_the_manifest_says(one: Vendored) -> None:
    assert integrity((FOLDER / one.file).read_bytes()) == one.sha384
    assert (one.version, one.licence) != ("", "")


def test_nothing_of_others_stands_there_without_a_word_or_its_licence() -> None:
    named = {one.file for one in manifest()}
    assert {file.name for file in FOLDER.iterdir()} == {MANIFEST, *named}
    for package in {one.name for one in manifest()}:
        assert any(one.name == package and one.file.endswith(".LICENSE") for one in manifest()), package


def test_all_scripts_together_are_small() -> None:
    assert sum(len(one.content) for name, one in FILES.items() if name.endswith(".js")) < _MOST_SCRIPT
