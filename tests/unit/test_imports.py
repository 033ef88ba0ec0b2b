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
    "console.control, console.control.files, console.control.preview": (
        "what is applied is tried first, as a preview tries it; previews and files stand on the same checks"
    ),
    "console.cli, console.demo": "`tidings demo` runs the demo, which keeps its workers as `tidings dev` does",
    "console.web, console.web.builder": "the builder is pages as all others, in a folder since it is so many modules",
}
"""Those that stay, and why; modules among them have no circle."""


@pytest.fixture(scope="module")
def graph() -> ImportGraph:
    return grimp.build_graph(*FOLDERS, cache_dir=None)


def test_no_module_imports_itself_by_way_of_others(graph: ImportGraph) -> None:
    assert list(circles(graph.modules, graph.find_modules_directly_imported_by)) == []


def test_no_folder_imports_itself_by_way_of_others(graph: ImportGraph) -> None:
    """Modules that stand directly in one of the seven bind the folders beside them, and are left out."""
    imported: defaultdict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        others = graph.find_modules_directly_imported_by(module)
        imported[_folder(graph, module)] |= {_folder(graph, other) for other in others}
    for folder in FOLDERS:
        imported[folder].clear()
    known = [set(names.split(", ")) for names in CIRCLES_OF_FOLDERS]
    found = circles(list(imported), lambda folder: imported[folder] - {folder})
    assert [circle for circle in found if not any(circle <= one for one in known)] == []


def _folder(graph: ImportGraph, module: str) -> str:
    return module if graph.find_children(module) else module.rpartition(".")[0]


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
