"""The steps of the builder, in their order."""

from __future__ import annotations

from collections.abc import Mapping

MODE, TRIGGER, ACTION, CHANNELS, TIMING, SUMMARY, TEXT = (
    "mode", "trigger", "action", "channels", "timing", "summary", "yaml",
)  # fmt: skip
LABELS: Mapping[str, str] = {
    MODE: "Mode", TRIGGER: "Trigger", ACTION: "Action", CHANNELS: "Channels", TIMING: "Timing", SUMMARY: "Summary",
    TEXT: "YAML",
}  # fmt: skip
"""Each step by its word in addresses, as people read it."""


def after(step: str) -> str:
    """The step that one goes on to."""
    steps = list(LABELS)
    return steps[min(steps.index(step) + 1, steps.index(SUMMARY))]
