"""When a change began, for rises that last as long as they like."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.trends.change_point import find_change_point
from latemiles.trends.params import wander_prior
from latemiles.trends.wander import fit_wander

BEGAN_S = 4000.0


def series(rise_s: float, seed: int, wander: float) -> tuple[np.ndarray, np.ndarray]:
    """Medians of two hours: a wander of two minutes, noise, and 2 degrees that come in over ``rise_s``."""
    rng = np.random.default_rng(seed)
    t = np.arange(180.0, 7000.0, 18.0)
    keep = np.exp(-18.0 / 120.0)
    path, value = np.empty(t.size), wander * rng.standard_normal()
    for k in range(t.size):
        path[k] = value
        value = keep * value + wander * np.sqrt(1.0 - keep**2) * rng.standard_normal()
    shape = np.clip((t - BEGAN_S) / rise_s, 0.0, 1.0) if rise_s else (t > BEGAN_S).astype(float)
    return t, 2.0 * shape + path + 0.12 * rng.standard_normal(t.size)


def found(rise_s: float, seed: int, wander: float):
    t, y = series(rise_s, seed, wander)
    return find_change_point(y, fit_wander(t, y, wander_prior("pelvic_tilt_mean_deg")))


@pytest.mark.parametrize("rise_s", [0.0, 400.0, 1000.0, 1500.0, 2300.0])
def test_a_rise_is_dated_whatever_it_lasts(rise_s: float) -> None:
    errors = [found(rise_s, seed, wander=0.05).t_s - BEGAN_S for seed in range(5)]
    assert abs(np.median(errors)) < 0.05 * rise_s + 60.0


def test_the_interval_holds_the_beginning_as_often_as_it_says() -> None:
    points = [found(rise_s, seed, wander=0.25) for rise_s in (500.0, 1073.0) for seed in range(12)]
    inside = [p.interval_s[0] - 18.0 <= BEGAN_S <= p.interval_s[1] + 18.0 for p in points if p is not None]
    assert len(inside) >= 22
    assert sum(inside) >= 0.85 * len(inside)
