"""Colors as #rrggbb, and the letters that can be read on them.

Source: WCAG 2.2, relative luminance and contrast ratio.
"""

from __future__ import annotations

_STEEPER = 0.03928
"""Above it a channel of sRGB is a power, below it a line."""


def letters_on(color: str) -> str:
    """White or black, whichever stands out more: one of them always has a contrast of 4.5 at least."""
    return max(("#ffffff", "#000000"), key=lambda letters: contrast(letters, color))


def contrast(one: str, other: str) -> float:
    """The ratio of two colors, from 1 (the same) to 21 (black on white)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= _STEEPER else float(((channel + 0.055) / 1.055) ** 2.4)
