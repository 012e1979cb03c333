"""Cosine, sine and arctangent without a choice in them, against libm."""

from __future__ import annotations

import math

import numpy as np
import pytest

from latemiles.kernels.circular import arc_of, cos_sin_of


def test_cosine_and_sine_are_libms_to_the_last_bit_or_so():
    rng = np.random.default_rng(1)
    angles = [
        *rng.uniform(-7.0, 7.0, 500),
        *rng.uniform(-1e6, 1e6, 500),
        *(0.25 * math.pi * np.arange(-17, 18)),
    ]
    for angle in map(float, angles):
        c, s = cos_sin_of(angle)
        assert c == pytest.approx(math.cos(angle), rel=0.0, abs=3e-16)
        assert s == pytest.approx(math.sin(angle), rel=0.0, abs=3e-16)
    assert all(map(math.isnan, cos_sin_of(math.nan)))


def test_the_angle_of_a_point_is_libms_to_the_last_bit_or_so():
    rng = np.random.default_rng(2)
    points = rng.standard_normal((1000, 2)) * 10.0 ** rng.integers(-9, 9, (1000, 2))
    edges = [(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]
    for y, x in (*map(tuple, points.tolist()), *edges, (1e-300, 1.0), (3.0, -1e-300)):
        assert arc_of(y, x) == pytest.approx(math.atan2(y, x), rel=0.0, abs=5e-16)
    assert math.isnan(arc_of(math.nan, 1.0))
    assert math.isnan(arc_of(1.0, math.nan))
