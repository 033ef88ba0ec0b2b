"""The tests, laid out by what they need; `tests/unit` mirrors the tree."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The clone's folder."""
