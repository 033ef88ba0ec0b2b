"""A bar of progress on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from console.cli.terminal import err


class Bar:
    """Moves a bar on by so much."""

    def __init__(self, bars: Progress, total: int, step: str) -> None:
        self._bars = bars
        self._task = bars.add_task(step, total=total)

    def __call__(self, by: int) -> None:
        self._bars.advance(self._task, by)

    def at(self, step: str, place: float) -> None:
        """Move to a place, under a word for what is done."""
        self._bars.update(self._task, completed=place, description=step)


@contextmanager
def bar(step: str, total: int) -> Iterator[Bar]:
    """A bar on standard error, where that is a terminal; gone when the work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        yield Bar(bars, total, step)
