"""Letters on a color: what can be read."""

from __future__ import annotations

import pytest

from schemas.formats.colors import contrast, letters_on


@pytest.mark.parametrize(
    ("color", "letters"),
    [("#1d4ed8", "#ffffff"), ("#ffcc00", "#000000"), ("#000000", "#ffffff"), ("#FFFFFF", "#000000")],
)
def test_the_letters_that_stand_out_more_are_taken(color: str, letters: str) -> None:
    assert letters_on(color) == letters


def test_a_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_whatever_the_color_it_can_be_read() -> None:
    shades = range(0, 256, 17)
    colors = [f"#{red:02x}{green:02x}{blue:02x}" for red in shades for green in shades for blue in shades]
    assert min(contrast(letters_on(color), color) for color in colors) >= 4.5
