"""Bends of a 400 m track: with the runner's speed a sensor does not lean into them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from vqf import VQF

from latemiles.analysis import analyze
from latemiles.estimators.course import Course, ahead_of
from latemiles.estimators.orientation import OrientationStage
from latemiles.signals.blocks import GridBlock
from latemiles.signals.frames import SEGMENTS, quat_multiply
from latemiles.sim.runner import SimulatedRun, simulate
from reference.course import on_a_track
from reference.orientation import inclination_rmse_deg

STOOD_S = 5.0
START_S = 54.0
"""Twenty seconds after the first running step, so that starting, which tilts too, is over."""


@cache
def runner() -> tuple[SimulatedRun, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two and a half laps: run, times, acc and gyr (lanes, n, 3), true orientation (lanes, n, 4)."""
    run = simulate(on_a_track(4.6), seed=12)
    parts = list(run.chunks())
    acc, gyr, quat = (
        np.stack([np.concatenate([getattr(p[lane], name) for p in parts]) for lane in range(3)])
        for name in ("acc", "gyr", "quat_earth_sensor")
    )
    t = np.concatenate([p[0].t_s for p in parts])
    # Rates read at an instant and summed up reach half a sample beyond it: a thigh turns by a degree there.
    middle = quat + np.roll(quat, -1, axis=1)
    middle[:, -1] = quat[:, -1]
    return run, t, acc, gyr, middle / np.linalg.norm(middle, axis=2, keepdims=True)


@cache
def errors(basis: str, share: float | None) -> np.ndarray:
    """Inclination errors of the lanes, degrees, when told this share of the true speed (None: nothing)."""
    run, t, acc, gyr, truth = runner()
    rate_hz = run.plan.sensors.rate_hz
    stage = OrientationStage(rate_hz, basis=basis)
    course = None
    if share is not None:
        # Which way a segment faces is known from standing, as in the pipeline.
        psi = float(run.timeline.heading_at(np.array([STOOD_S]))[0])
        back = np.array([np.cos(0.5 * psi), 0.0, 0.0, -np.sin(0.5 * psi)])
        stage.aim(ahead_of(quat_multiply(back, truth[:, np.searchsorted(t, STOOD_S)])))
        course = Course(share * run.timeline.at("speed", t), np.zeros(len(t)))
    first = stage.push(GridBlock(0, rate_hz, acc, gyr, np.zeros(acc.shape[:2], dtype=np.int64)), course)[1]
    quat = np.concatenate([first.quat, stage.finish()[1].quat], axis=1)
    where = (t > START_S) & (t < 300.0)
    return np.array([inclination_rmse_deg(q, true, where) for q, true in zip(quat, truth, strict=True)])


@pytest.mark.parametrize(("basis", "known", "wrong"), [("causal", 0.12, 0.25), ("smoothed", 0.08, 0.25)])
def test_a_pelvis_whose_speed_is_known_does_not_lean_into_a_bend(basis, known, wrong):
    assert errors(basis, 1.0)[0] < known
    assert errors(basis, 0.9)[0] < wrong
    assert errors(basis, 1.1)[0] < wrong


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_a_thigh_leans_a_quarter_of_what_it_did(basis):
    assert np.all(errors(basis, 1.0)[1:] < 0.25 * errors(basis, None)[1:])


def test_without_speed_nothing_is_worse_than_vqf():
    run, t, acc, gyr, truth = runner()
    where = (t > START_S) & (t < 300.0)
    peer = VQF(1.0 / run.plan.sensors.rate_hz)
    for lane in range(len(SEGMENTS)):
        peer.resetState()
        quat = peer.updateBatch(gyr[lane].copy(), acc[lane].copy())["quat6D"]
        limit = inclination_rmse_deg(quat, truth[lane], where)
        assert errors("causal", None)[lane] < limit + 1e-6
        assert errors("smoothed", None)[lane] < limit + 0.01


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_with_a_guess_at_the_speed_a_runner_nobody_tells_of_leans_half_as_much(basis):
    run, t, _, _, truth = runner()
    analysis = analyze(run.streams(), basis=basis)
    quat = analysis.orientation[SEGMENTS[0].value]
    where = (analysis.t > START_S) & (analysis.t < 250.0)
    # The nearest sample: 2 ms, in which a pelvis tilts by a tenth of a degree.
    grid = np.rint((analysis.t[where] - t[0]) * run.plan.sensors.rate_hz).astype(np.int64)
    mine = inclination_rmse_deg(quat[where], truth[0][grid], np.ones(len(grid), dtype=bool))
    assert mine < 0.5 * errors("causal", None)[0]
