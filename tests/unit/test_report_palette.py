"""The palette of the report: readable on paper, on a dark screen and for those who ask for more contrast."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

STYLE = files("latemiles.report").joinpath("static", "report.css").read_text(encoding="utf-8")
BLOCKS = re.findall(r":root\s*\{([^}]*--paper[^}]*--ink[^}]*)\}", STYLE)
TEXT = [
    ("ink", "paper"),
    ("ink-2", "paper"),
    ("ink-3", "paper"),
    ("ink-2", "band"),
    ("ink", "band"),
    ("ink-2", "wash"),
]
TEXT += [(tone, "paper") for tone in ("change", "left", "right")]
SHAPES = [
    ("band-edge", "paper"),
    ("dot", "paper"),
    ("dot", "band"),
    ("change", "band"),
    ("left", "band"),
    ("right", "band"),
]


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*#([0-9A-Fa-f]{6})", block))


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255.0 for k in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    bright, dim = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_there_is_a_light_and_a_dark_palette() -> None:
    assert len(BLOCKS) == 2


@pytest.mark.parametrize("block", BLOCKS, ids=["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (SHAPES, 3.0)], ids=["text", "shapes"])
def test_each_colour_stands_out_from_its_ground(
    block: str, pairs: list[tuple[str, str]], least: float
) -> None:
    palette = colours(block)
    for front, ground in pairs:
        assert contrast(palette[front], palette[ground]) >= least, (front, ground)


def test_no_type_is_smaller_than_twelve_pixels() -> None:
    sizes = [float(px) for px in re.findall(r"font(?:-size)?:[^;}]*?([\d.]+)px", STYLE)]
    assert min(sizes) >= 12.0


def test_the_style_fetches_nothing() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
