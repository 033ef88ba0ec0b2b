"""The rooms of the house stay small, and the signs on their doors stay true."""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tests import ROOT

FOLDERS = ("schemas", "streams", "channels", "store", "agents", "console", "deploy")
LONGEST_FUNCTION, LONGEST_MODULE = 50, 400
"""In lines; of a function without its docstring."""
_NAMED_FILE = re.compile(r"(?<!\[)`([\w/]+\.(?:py|sql|md))`")
"""In a page, but for the words of a link."""
_QUESTION = re.compile(r"(What|How|Whether|Which|When|Where|Why|Who|Whose)\b")
_IS_NONE = re.compile(r"\bis none\b")
"""Reads as Python's None."""


def _modules() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (ROOT / folder).rglob("*.py")


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    said = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - said


def test_no_module_is_too_long_to_read() -> None:
    lengths = {_shown(path): path.read_text().count("\n") for path in _modules()}
    assert len(lengths) > 200
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_function_is_too_long_to_read() -> None:
    lengths = {
        f"{_shown(path)}:{node.name}": _lines(node)
        for path in _modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_docstrings_begin_with_a_noun_or_a_verb_and_do_not_speak_of_none() -> None:
    docstrings = {
        f"{_shown(path)}:{getattr(node, 'name', '')}": ast.get_docstring(node) or ""
        for path in (*_modules(), *(ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert [name for name, said in docstrings.items() if _QUESTION.match(said) or _IS_NONE.search(said)] == []


def test_every_file_that_a_page_names_is_there() -> None:
    pages = [
        page
        for page in (
            *ROOT.glob("*.md"),
            *(page for folder in (*FOLDERS, "tests") for page in (ROOT / folder).rglob("*.md")),
        )
        if page.name != "CHANGELOG.md" and "released" not in page.parts
    ]
    assert len(pages) > 10
    missing = [
        f"{_shown(page)}: {name}"
        for page in pages
        for name in _NAMED_FILE.findall(page.read_text())
        if not _is_there(page, name)
    ]
    assert missing == []


def _is_there(page: Path, name: str) -> bool:
    """Below the page's own folder or from the root on; or in a library whose behaviour the page speaks of."""
    if (ROOT / name).exists() or any(page.parent.rglob(name)):
        return True
    libraries = Path(sysconfig.get_path("purelib"))
    return (libraries / name).exists() or any(any((libraries / one).rglob(name)) for one in ("faust", "aiokafka"))
