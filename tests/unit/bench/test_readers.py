"""A run is told as a whole and by its second half, with the CPU of each."""

from __future__ import annotations

from tests.bench.matcher import of_several
from tests.bench.readers import Mark, Run


def test_the_second_half_begins_where_half_of_the_events_were_through() -> None:
    run = Run(began=100.0, began_cpu=1.0)
    run.marks += [Mark(101.0, 30, 2.0), Mark(102.0, 60, 3.5), Mark(104.0, 100, 4.5)]
    report = run.report()
    assert (report["events"], report["seconds"], report["cpu_seconds"]) == (100, 4.0, 3.5)
    second = [report[f"second_half_{name}"] for name in ("events", "seconds", "cpu_seconds")]
    assert (report["middle"], second) == (102.0, [40, 2.0, 1.0])


def test_a_run_that_had_no_events_says_so() -> None:
    report = Run(began=100.0, began_cpu=1.0).report()
    assert (report["events"], report["seconds"], report["cpu_seconds"], report["second_half_events"]) == (0, 0, 0, 0)


def test_events_are_counted_on_and_the_clocks_start_once() -> None:
    run = Run()
    run.begin()
    began = run.began
    run.begin()
    assert [run.count(number) for number in (5, 0, 7)] == [5, 5, 12]
    assert run.began == began


def test_processes_that_shared_the_events_are_told_together() -> None:
    shared = [
        {"events": 100, "second_half_events": 50, "second_half_cpu_seconds": 0.001},
        {"events": 300, "second_half_events": 150, "second_half_cpu_seconds": 0.005},
        {"events": 0, "second_half_events": 0, "second_half_cpu_seconds": 0.0},
    ]
    assert of_several(shared) == {"own_us": 30.0, "events": [100, 300, 0]}
    assert of_several(shared[2:]) == {"own_us": 0.0, "events": [0]}
