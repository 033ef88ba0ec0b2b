"""The imports of the product have no circle; what the contracts of `lint-imports` cannot say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import grimp  # the graph that import-linter reads
import pytest
from grimp import ImportGraph

FOLDERS = ("schemas", "streams", "channels", "store", "agents", "console", "deploy")
CIRCLES_OF_FOLDERS = {
    "channels.codes, channels.email, channels.templates": (
        "a picture in a text is an attachment of the mail: the template engine finds it, the codes draw it, the mail "
        "holds it"
    ),
    "console.cli, console.control, console.control.files, console.control.preview, console.demo": (
        "some use cases still show what they found"
    ),
}
"""Those that stay, and why; modules among them have no circle."""


@pytest.fixture(scope="module")
def graph() -> ImportGraph:
    return grimp.build_graph(*FOLDERS, cache_dir=None)


def test_no_module_imports_itself_by_way_of_others(graph: ImportGraph) -> None:
    assert list(circles(graph.modules, graph.find_modules_directly_imported_by)) == []


def test_no_folder_imports_itself_by_way_of_others(graph: ImportGraph) -> None:
    """A module that stands directly in one of the seven is looked at by itself: it wires the folders below."""
    imported: defaultdict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        imported[_folder(graph, module)] |= {
            _folder(graph, other) for other in graph.find_modules_directly_imported_by(module)
        }
    known = [set(names.split(", ")) for names in CIRCLES_OF_FOLDERS]
    found = circles(list(imported), lambda folder: imported[folder] - {folder})
    assert [circle for circle in found if not any(circle <= one for one in known)] == []


def _folder(graph: ImportGraph, module: str) -> str:
    parent = module.rpartition(".")[0]
    return module if module in FOLDERS or parent in FOLDERS or graph.find_children(module) else parent


def circles(names: Iterable[str], imported_by: Callable[[str], set[str]]) -> Iterator[set[str]]:
    """The sets of names that reach each other."""
    reached: dict[str, set[str]] = {}
    for name in names:
        waiting, reached[name] = [name], set()
        while waiting:
            new = imported_by(waiting.pop()) - reached[name]
            reached[name] |= new
            waiting += new
    told: set[str] = set()
    for name in sorted(reached):
        circle = {other for other in reached[name] if name in reached[other]}
        if circle and not circle & told:
            told |= circle
            yield circle


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, [{"b", "c"}]),
        ({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c", "a"}}, [{"a", "b"}, {"c", "d"}]),
    ],
)
def test_a_circle_is_found(imports: dict[str, set[str]], expected: list[set[str]]) -> None:
    assert list(circles(imports, imports.__getitem__)) == expected
