"""A simulation over time as people read it: step by step where there are few, then how often each came about."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.markup import escape

from console.cli.explained import show_check, show_decision
from console.cli.terminal import show_rows, show_text, text, warn
from console.control.checking.fields import counted
from console.control.recording import Recording
from console.control.simulation import Difference, Simulation, Step

MOST_STEPS = 100
"""More are summed up alone."""
MOST_DIFFERENCES = 100


def show_over_time(simulation: Simulation, recording: Recording) -> None:
    """Each step with its checks, and the totals by reason."""
    for place, reason in recording.wrong:
        warn(f"{place}  {reason}")
    steps = simulation.steps
    if len(steps) <= MOST_STEPS:
        show_steps(steps)
    else:
        show_text(f"{len(steps)} decisions: --customer shows those about one, --json all")
    show_text("")
    rows = [(*key, number) for key, number in sorted(simulation.totals.items())]
    show_rows(("distribution", "outcome", "reason", "times"), rows, as_json=False)
    show_text(f"{counted(simulation.events, 'event')}; nothing was written")


def show_steps(steps: Sequence[Step]) -> None:
    """Steps in the order of time, those of one event, distribution and moment together."""
    for (moment, _), together in groupby(steps, key=lambda step: (step.at, step.fate)):
        found = list(together)
        first = found[0].decision
        event, rule = first.event, first.distribution
        again = f", released, round {found[0].round}" if found[0].round else ""
        show_text(
            f"\n{text(moment)}  {event.type}  event {escape(event.id)}  customer {escape(first.customer_id)}   "
            f"{escape(rule.id)} v{rule.version}{again}"
        )
        for check in first.checks:
            show_check(check)
        for step in found:
            show_decision(step.decision)
            if step.code_of:
                show_text(f"    with a code of {escape(step.code_of)}")


def show_differences(found: Sequence[Difference]) -> None:
    """Everything that comes out otherwise, event by event."""
    show_text(f"\n{counted(len(found), 'difference')}")
    for one in found[:MOST_DIFFERENCES]:
        show_text(f"  {escape(one.distribution)}  event {escape(one.event)}  customer {escape(one.customer)}")
        show_text(f"    [red]-[/red] {escape('; '.join(one.before) or 'nothing')}")
        show_text(f"    [green]+[/green] {escape('; '.join(one.after) or 'nothing')}")
    if len(found) > MOST_DIFFERENCES:
        show_text(f"  and {len(found) - MOST_DIFFERENCES} more: --json shows all")
