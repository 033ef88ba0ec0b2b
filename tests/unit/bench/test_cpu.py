"""CPU of a span is told by the samples around it, and divided by what was done in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deploy.embedded.servers import Servers
from tests.bench import cpu
from tests.bench.cpu import Sample

_NO_SERVERS = Servers(Path("nowhere"), {})
SAMPLES = [Sample(10.0, 2.0), Sample(11.0, 2.5), Sample(13.0, 4.5)]


@pytest.mark.parametrize(
    ("moment", "used"),
    [(9.0, 2.0), (10.0, 2.0), (10.5, 2.25), (11.0, 2.5), (12.0, 3.5), (13.0, 4.5), (14.0, 4.5)],
)
def test_between_two_samples_it_was_used_evenly(moment: float, used: float) -> None:
    assert cpu.used_at(SAMPLES, moment) == pytest.approx(used)


def test_one_sample_tells_the_same_of_every_moment() -> None:
    assert [cpu.used_at(SAMPLES[:1], moment) for moment in (9.0, 10.0, 11.0)] == [2.0, 2.0, 2.0]


def test_a_unit_costs_its_share_in_microseconds_and_nothing_done_costs_nothing() -> None:
    seconds = {"own": 2.0, "kafka": 0.5}
    assert cpu.a_unit(seconds, 100_000) == {"own": 20.0, "kafka": 5.0}
    assert cpu.a_unit(seconds, 0) == {"own": 0.0, "kafka": 0.0}


def test_who_came_in_between_had_used_nothing_before() -> None:
    assert cpu.since({"kafka": 3.0}, {"kafka": 5.0, "matcher": 1.0}) == {"kafka": 2.0, "matcher": 1.0}


def test_a_worker_that_was_started_anew_is_not_told_as_if_it_had_used_little() -> None:
    with pytest.raises(SystemExit, match="matcher ended while it was measured"):
        cpu.since({"matcher": 3.0, "kafka": 1.0}, {"matcher": 0.5, "kafka": 2.0})


def test_processes_that_have_ended_count_on_and_never_twice() -> None:
    own = psutil.Process(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: sum(range(1000))"
    looks = [cpu.cpu_seconds(own)]
    for _ in range(2):
        child = subprocess.Popen([sys.executable, "-c", burn])
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            looks.append(cpu.cpu_seconds(own))
        looks.append(cpu.cpu_seconds(own))
        child.wait()
        looks.append(cpu.cpu_seconds(own))
    assert looks == sorted(looks)
    assert looks[-1] - looks[0] >= 0.6


def test_a_process_that_has_ended_and_was_not_asked_after_is_no_worker() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    try:
        assert cpu.so_far(_NO_SERVERS, ("matcher",))["matcher"] == 0.0
    finally:
        child.wait()


def test_medians_are_those_of_each_process() -> None:
    rows = [{"own": 1.0, "kafka": 9.0}, {"own": 5.0, "kafka": 7.0}, {"own": 3.0, "kafka": 8.0}]
    assert cpu.medians(rows) == {"own": 3.0, "kafka": 8.0}


def test_a_row_shows_the_sum_and_who_had_which_part() -> None:
    assert cpu.shown({"own": 20.0, "kafka": 5.5, "bench": 0.0}, "event") == "CPU an event 25.5 µs (own 20.0, kafka 5.5)"
    assert cpu.shown({"own": 1.0}, "delivery") == "CPU a delivery 1.0 µs (own 1.0)"


def test_a_watch_tells_what_a_process_used_while_it_worked() -> None:
    own = psutil.Process(os.getpid())
    with cpu.Watch({"own": own}) as watch:
        began, before = time.time(), time.process_time()
        while time.process_time() - before < 0.5:  # seconds of CPU, however long they take
            sum(range(1000))
        ended, used = time.time(), time.process_time() - before
    assert watch.between(began - 3600, began - 1800) == {"own": 0.0}
    assert 0.0 < watch.between(began, ended)["own"] <= cpu.cpu_seconds(own)
    assert watch.between(began - 3600, ended + 3600)["own"] >= used * 0.9
