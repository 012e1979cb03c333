"""Gait events against made-up steps, simulated sensors on real running, and two real recordings."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import latemiles as lm
from latemiles.errors import ConfigError, ShapeError
from latemiles.estimators.gait_events import GaitStage
from latemiles.kernels.foot import pelvis_ratio
from latemiles.kernels.gait_state import new_gait_state
from latemiles.kernels.landing import KNOTS, SPAN, land, where_it_begins
from latemiles.kernels.onset import falling_foot, pick_onset, rising_foot
from latemiles.signals.blocks import AngleBlock
from latemiles.signals.events import Activity, GaitEvent
from latemiles.signals.frames import SEGMENTS, SIDES, Segment, Side, quat_rotate
from latemiles.sim.plan import Phase, RunnerPlan, Sensors, easy_run
from latemiles.sim.runner import simulate
from reference import steps as twin
from reference.rbds import data_root, has_rbds, rbds_session
from reference.steps import Steps, runner, standing_and_squats


def run(signals: Steps, size: int = 20) -> list[GaitEvent | Activity]:
    stage = GaitStage(signals.rate_hz)
    found = []
    for start in range(0, signals.size, size):
        found += stage.push(signals.block(start, min(signals.size, start + size)))
    return found + stage.finish()


def of_kind(events, kind: str) -> list[GaitEvent]:
    return [e for e in events if isinstance(e, GaitEvent) and e.kind == kind]


def errors_ms(found: list[GaitEvent], truth: list[tuple[float, Side]], slack: int = 0) -> np.ndarray:
    """Every true event has one of its side within 100 ms, and there are no others; their errors, ms."""
    errors = []
    for t, side in truth:
        near = [e for e in found if abs(e.t_s - t) < 0.1]
        if not near and slack > 0:
            slack -= 1
            continue
        assert [e.side for e in near] == [side], f"{near} at {t:.3f} s, {side}"
        errors.append(1e3 * (near[0].t_s - t))
    assert len(found) == len(errors)
    return np.array(errors)


def activities(events) -> list[str]:
    return [e.activity for e in events if isinstance(e, Activity)]


def test_the_onset_equals_the_slow_twin():
    rng = np.random.default_rng(1)
    for _ in range(50):
        force = rng.normal(0.0, 0.1, (3, 80))
        at = int(rng.integers(30, 70))
        force[:, at:] += rng.normal(0.0, 5.0, (3, 80 - at))
        force[int(rng.integers(0, 3)), 10:20] = np.nan
        use = np.array([1, int(rng.integers(0, 2)), 1])
        bent = np.zeros_like(force)
        bent[:, 2:] = np.nan_to_num(np.diff(force, 2)) ** 2
        got = pick_onset(bent, use, 5, 78, 200.0, np.empty((2, 3)))
        assert got == pytest.approx(twin.pick_onset(force, use.tolist(), 5, 78, 200.0))


def landings(count: int, phases: np.ndarray, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Forces (lanes, n) at 100 Hz with an impact every 90 samples, and when each begins, in samples."""
    rng = np.random.default_rng(seed)
    true = 60.0 + 90.0 * np.arange(count) + phases[np.arange(count) % len(phases)]
    k = np.arange(90 * count + 60.0)
    force = rng.normal(0.0, noise, (3, len(k)))
    for t in true:
        since = np.maximum(k - t, 0.0) / 100.0
        force[:2] += (
            15.0
            * (1.0 - np.exp(-((120.0 * since) ** 2)))
            * np.exp(-since / 0.025)
            * np.sin(60.0 * np.pi * since)
        )
    return force, true


def landed(force: np.ndarray, picks: np.ndarray, apart: float = 1.0) -> np.ndarray:
    """What ``land`` makes of picked contacts of the left foot."""
    shape, noise, memory, scratch = np.zeros((2, KNOTS)), np.zeros(2), np.zeros(2), np.zeros((2, SPAN))
    return np.array([land(force, force.shape[1], 1, p, apart, shape, noise, memory, scratch) for p in picks])


@pytest.mark.parametrize("apart", [1.0, 1.9])
def test_a_landing_equals_its_slow_twin(apart):
    force, true = landings(30, np.random.default_rng(4).uniform(0.0, 1.0, 30), 0.3)
    # The 20th to 22nd strides are another's: the shape is forgotten.
    force[:2, 1750:2000] *= -3.0
    picks = np.floor(true) + 0.5
    slow = twin.Landing()
    expected = [slow.land(force[:2], p, apart) for p in picks]
    np.testing.assert_allclose(landed(force, picks, apart), expected, atol=1e-9)


def test_strides_at_many_phases_show_the_contact_between_the_samples():
    for noise in (0.02, 0.3):
        force, true = landings(60, np.random.default_rng(5).uniform(0.0, 1.0, 60), noise)
        # A pick a sample late now and then, as where the first rise is faint.
        picks = np.floor(true) + 0.5 + (np.arange(60) % 3 == 0)
        off = (landed(force, picks) - true)[20:]
        assert np.std(off) < 0.1 < np.std((picks - true)[20:])
        # The first 3 ms of such an impact are below 0.5 m/s^2.
        assert np.abs(off).max() < 0.8


def test_a_thigh_that_swings_and_samples_between_those_of_the_grid_do_not_move_a_contact():
    for seed in range(3):
        force, true = landings(60, np.random.default_rng(seed).uniform(0.0, 1.0, 60), 0.02)
        k = np.arange(force.shape[1])
        # Its force is curved: up to 1.6 m/s^2 of second difference in the flight.
        force[1] += 45.0 * np.cos(0.19 * (k - 60.0))
        for between in (0.0, 0.5):
            seen = np.array([np.interp(k + between, k, lane) for lane in force])
            off = landed(seen, np.floor(true - between) + 0.5) - (true - between)
            # The impact's own first rise is slow: half a sample.
            assert -0.2 < np.median(off[20:]) < 0.7


def test_a_faint_first_bend_after_a_swing_that_bends_as_much_is_where_a_contact_begins():
    at = (np.arange(KNOTS) - 32) / 4.0
    swing = 2.5 * np.exp(-(((at + 3.0) / 1.2) ** 2))
    first, second = (size * np.exp(-(((at - t) / 0.4) ** 2)) for size, t in ((5.0, -0.75), (25.0, 0.75)))
    for before in (0.0, 1.0):
        shape = np.stack([before * swing + first + second, np.zeros(KNOTS)])
        # Its foot lies within a sample before its middle, a sample and a half before the strong one's.
        assert -1.6 < where_it_begins(shape) < -1.0
    assert 0.0 < where_it_begins(np.stack([swing + second, np.zeros(KNOTS)])) < 0.6


def test_a_landing_with_a_sample_missing_stays_where_it_was_picked():
    force, true = landings(20, np.array([0.3]), 0.1)
    picks = np.floor(true) + 0.5
    force[1, int(true[12]) + 2] = np.nan
    found = landed(force, picks)
    assert found[12] == picks[12]
    assert np.isfinite(found).all()


def test_the_feet_of_a_straight_flank_are_found_between_samples():
    force = np.concatenate([np.full(10, 20.0), 20.0 - 3.1 * np.arange(7), np.zeros(10)])
    force = np.maximum(force, 0.0)
    end = 10.0 + 20.0 / 3.1
    assert falling_foot(force, 5, len(force), 0.0, 20.0) == pytest.approx(end)
    back = force[::-1].copy()
    assert rising_foot(back, 0, 20, 0.0, 20.0) == pytest.approx(len(force) - 1 - end)
    assert np.isnan(falling_foot(np.full(30, 20.0), 0, 30, 0.0, 20.0))


@pytest.mark.parametrize(("rate_hz", "bound_ms"), [(200.0, 8.0), (100.0, 13.0)])
@pytest.mark.parametrize("stride_s", [0.6, 0.72, 0.85])
def test_running_contacts_and_toe_offs_are_where_they_were_put(rate_hz, bound_ms, stride_s):
    signals = runner(stride_s=stride_s, rate_hz=rate_hz, first=int(2 * rate_hz))
    events = run(signals)
    contacts = errors_ms(of_kind(events, "initial_contact"), signals.contacts, slack=2)
    toe_offs = errors_ms(of_kind(events, "toe_off"), signals.toe_offs, slack=3)
    assert np.percentile(np.abs(contacts), 95) < bound_ms
    assert np.percentile(np.abs(toe_offs), 95) < bound_ms
    assert "running" in activities(events)
    assert "walking" not in activities(events)


@pytest.mark.parametrize("rate_hz", [100.0, 200.0])
def test_a_contact_soon_after_the_other_toe_off_is_found_at_any_rate(rate_hz):
    # 44 ms of flight, four samples at 100 Hz: what lies that far from a toe-off is not its own kink.
    for seed in range(2):
        signals = runner(stride_s=0.74, duty=0.44, rate_hz=rate_hz, first=int(2 * rate_hz), seed=seed)
        contacts = errors_ms(of_kind(run(signals), "initial_contact"), signals.contacts, slack=2)
        assert np.percentile(np.abs(contacts), 95) < 8.0


@pytest.mark.parametrize(("rate_hz", "speed_m_s"), [(57.0, 4.7), (60.0, 4.4), (120.0, 5.5)])
def test_a_leg_that_whips_forward_after_its_toe_off_is_no_contact_to_a_slow_sensor(rate_hz, speed_m_s):
    plan = replace(easy_run(0.75, speed_m_s), waveforms="ric", sensors=Sensors(rate_hz=rate_hz))
    made = simulate(plan, seed=23)
    events = lm.analyze({s.value: stream for s, stream in made.streams().items()}).events
    is_contact = np.array(events.kind) == "initial_contact"
    truth = made.truth.strides
    for side in SIDES:
        found = events.t_s[is_contact & (np.array(events.side) == side.value)]
        true = truth["t_ic_s"][made.truth.steady() & (truth["side"] == side.lane)]
        nearest = found[np.argmin(np.abs(found - true[:, None]), axis=1)]
        assert len(true) > 50
        # It used to be a fifth of them, on the wrong side or at a toe-off.
        assert np.abs(nearest - true).max() < 0.05


def test_the_events_of_a_run_come_in_their_order():
    events = [e for e in run(runner()) if isinstance(e, GaitEvent)]
    t = [e.t_s for e in events]
    assert t == sorted(t)
    # contact left, toe-off left, contact right, toe-off right, ...
    steady = events[4:-2]
    other = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}
    for before, event in zip(steady[:-2], steady[2:], strict=True):
        assert (event.kind, event.side) == (before.kind, other[before.side])
    for before, event in pairwise(steady):
        assert event.kind != before.kind
        assert event.side is (before.side if event.kind == "toe_off" else other[before.side])
    assert min(e.confidence for e in steady) > 0.6


def test_an_event_is_told_within_six_tenths_of_a_second():
    signals = runner()
    stage = GaitStage(signals.rate_hz)
    for k in range(signals.size):
        for event in stage.push(signals.block(k, k + 1)):
            if isinstance(event, GaitEvent) and event.t_s > signals.contacts[2][0]:
                assert (signals.first + k) / signals.rate_hz - event.t_s < 0.6


def test_walking_steps_are_found_and_called_walking():
    signals = runner(is_walking=True, stride_s=1.1, seconds=15.0)
    events = run(signals)
    contacts = errors_ms(of_kind(events, "initial_contact"), signals.contacts, slack=2)
    assert np.percentile(np.abs(contacts), 95) < 20.0
    assert "running" not in activities(events)
    assert activities(events).count("walking") == 1


def test_mirrored_signals_give_mirrored_events():
    signals = runner(seed=3)
    other = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}
    events = run(signals)
    mirrored = run(signals.mirrored())
    assert len(events) == len(mirrored)
    for a, b in zip(events, mirrored, strict=True):
        if isinstance(a, GaitEvent):
            assert (a.t_s, a.kind, other[a.side], a.confidence) == (b.t_s, b.kind, b.side, b.confidence)
        else:
            assert a == b


def test_slower_running_is_the_same_running_in_longer_time():
    quick, slow = (of_kind(run(runner(stride_s=s, seconds=20 * s)), "initial_contact") for s in (0.64, 0.8))
    assert len(quick) == len(slow)
    ratio = np.diff([e.t_s for e in slow]) / np.diff([e.t_s for e in quick])
    assert np.median(ratio) == pytest.approx(0.8 / 0.64, rel=0.01)


@pytest.mark.parametrize("missing", ["pelvis", "left", "right", "hips", "left, hips unknown"])
def test_what_is_missing_is_stood_in_for(missing):
    signals = runner()
    if missing == "pelvis":
        signals.force_up[0] = np.nan
    if missing == "hips" or "unknown" in missing:
        signals.flexion[:] = np.nan
    for side in SIDES:
        if side.value in missing:
            signals.force_up[1 + side.lane] = np.nan
            signals.flexion[side.lane] = np.nan
    contacts = errors_ms(of_kind(run(signals), "initial_contact"), signals.contacts, slack=2)
    assert np.percentile(np.abs(contacts), 95) < 10.0


def test_nothing_heard_gives_nothing():
    signals = runner()
    signals.force_up[:] = np.nan
    signals.flexion[:] = np.nan
    assert run(signals) == []


def test_standing_squats_and_a_jump_are_no_steps():
    events = run(standing_and_squats())
    assert [e for e in events if isinstance(e, GaitEvent)] == []
    assert activities(events)[0] == "still"
    assert not {"walking", "running"} & set(activities(events))


def test_a_gap_in_everything_costs_the_steps_in_it_and_no_others():
    signals = runner(seconds=20.0)
    gap = (signals.first / 200.0 + 10.0, signals.first / 200.0 + 11.5)
    t = (signals.first + np.arange(signals.size)) / 200.0
    signals.force_up[:, (t > gap[0]) & (t < gap[1])] = np.nan
    signals.flexion[:, (t > gap[0]) & (t < gap[1])] = np.nan
    found = of_kind(run(signals), "initial_contact")
    assert not [e for e in found if gap[0] < e.t_s < gap[1]]
    outside = [(x, s) for x, s in signals.contacts if x < gap[0] - 0.3 or x > gap[1] + 0.5]
    kept = [e for e in found if e.t_s < gap[0] - 0.3 or e.t_s > gap[1] + 0.5]
    errors_ms(kept, outside, slack=2)


@pytest.mark.parametrize("trial", ["2.5ms", "3.5ms"])
@pytest.mark.skipif(not has_rbds(), reason="the shared running kinematics are absent; set LATEMILES_DATA")
def test_real_running_kinematics_lose_no_contact_and_swap_no_side(trial):
    session = rbds_session(trial, seed=5, rate_hz=200.0)
    force = np.stack(
        [quat_rotate(session.quat_earth_sensor[s], session.streams[s].acc)[:, 2] for s in SEGMENTS]
    )
    signals = Steps(0, 200.0, force, session.hip[:, :, 0], [], [])
    truth = sorted(((t, side) for side in SIDES for t in session.contacts_s[side]), key=lambda x: x[0])
    found = of_kind(run(signals), "initial_contact")
    errors = errors_ms([e for e in found if e.t_s > truth[0][0] - 0.1], truth)
    assert np.percentile(np.abs(errors), 95) < 15.0
    # Nothing in standing, squatting and waiting.
    assert min(e.t_s for e in found) > session.movement[1] + 2.0


def real_signals(name: str, running: slice, sign: float) -> Steps:
    """A real recording with the vertical of an orientation filter and the thighs' sagittal inclination."""
    from vqf import offlineVQF

    path = data_root() / name
    if not path.exists():
        pytest.skip(f"{path} is absent; set LATEMILES_DATA to the folder of the shared data")
    with np.load(path) as data:
        first = round(float(data["t"][0]) * 100.0)
        force, flexion = [], []
        for segment in SEGMENTS:
            acc, gyr = (
                np.ascontiguousarray(data[f"{k}_{segment}"], dtype=np.float64) for k in ("acc", "gyr")
            )
            quat = offlineVQF(gyr, acc, None, 0.01)["quat6D"]
            force.append(quat_rotate(quat, acc)[:, 2])
            up = quat_rotate(quat * np.array([1.0, -1.0, -1.0, -1.0]), np.array([0.0, 0.0, 1.0]))
            mean = up[running].mean(axis=0) / np.linalg.norm(up[running].mean(axis=0))
            swing = np.linalg.svd(up[running] - mean, full_matrices=False)[2][0]
            angle = np.arctan2(up @ swing, up @ mean)
            # The swing forwards is quicker than the way back (walking) or the leg is only lifted (jogging).
            flexion.append(sign * np.sign(np.mean(np.gradient(angle)[running] ** 3)) * angle)
    return Steps(first, 100.0, np.stack(force), np.stack(flexion[1:]), [], [])


def test_jogging_on_the_spot_gives_both_sides_in_antiphase():
    events = run(real_signals("jogging_on_the_spot.npz", slice(5600, 9500), 1.0))
    contacts = [e for e in of_kind(events, "initial_contact") if e.t_s > 56.0 and e.confidence > 0.3]
    times = {side: np.array([e.t_s for e in contacts if e.side is side]) for side in SIDES}
    for side in SIDES:
        assert len(times[side]) > 38
        assert np.median(np.diff(times[side])) == pytest.approx(0.95, abs=0.06)
    between = np.searchsorted(times[Side.LEFT], times[Side.RIGHT])
    inside = (between > 0) & (between < len(times[Side.LEFT]))
    before, after = times[Side.LEFT][between[inside] - 1], times[Side.LEFT][between[inside]]
    phase = (times[Side.RIGHT][inside] - before) / (after - before)
    assert np.percentile(phase, [5, 95]) == pytest.approx([0.5, 0.5], abs=0.12)
    assert not [e for e in events if isinstance(e, Activity) and e.activity == "running" and e.t_s < 55.0]


def test_a_real_walk_with_turns_alternates_and_begins_after_the_standing():
    events = run(real_signals("walking_with_turns.npz", slice(800, 2400), 1.0))
    contacts = of_kind(events, "initial_contact")
    assert min(e.t_s for e in contacts) > 5.5
    steady = [e for e in contacts if e.t_s > 10.0]
    assert len(steady) >= 17
    assert all(a.side is not b.side for a, b in pairwise(steady))
    assert "running" not in activities(events)


def test_blocks_out_of_order_or_shape_are_refused():
    signals = runner()
    stage = GaitStage(200.0)
    stage.push(signals.block(0, 10))
    with pytest.raises(ShapeError, match="once and in order"):
        stage.push(signals.block(20, 30))
    block = signals.block(10, 20)
    with pytest.raises(ShapeError, match="posture stage"):
        stage.push(AngleBlock(*block[:3], block.hip[:1], *block[4:]))
    with pytest.raises(ConfigError, match="Use 100 or 200"):
        GaitStage(20.0)


def test_what_the_pelvis_says_of_the_foot_equals_the_slow_twin():
    rng = np.random.default_rng(5)
    state = new_gait_state(200.0, 0)
    for size in (130, 141, 150):
        state["pelvis"][0, :, :400] = rng.normal(0.0, 0.3, (2, 400))
        state["interval"] = 0.5 * (size + 0.5) / 200.0
        for at in (size, 300):
            lean, turn = state["pelvis"][0, :, at - size : at]
            assert pelvis_ratio(state[0], at) == pytest.approx(twin.pelvis_evidence(lean, turn), abs=1e-12)
    assert np.isnan(pelvis_ratio(state[0], size - 1))
    state["pelvis"][0, 0, 200] = np.nan
    assert np.isnan(pelvis_ratio(state[0], 300))


@pytest.mark.parametrize(("waveforms", "speed_m_s", "rate_hz"), [("rbds", 2.4, 100.0), ("ric", 4.2, 208.0)])
def test_a_pelvis_alone_has_strides_of_both_feet_and_its_tilt(waveforms, speed_m_s, rate_hz):
    phases = (
        Phase("standing", 8.0),
        Phase("squats", 10.0),
        Phase("standing", 3.0),
        Phase("running", 60.0, speed_m_s),
        Phase("standing", 8.0),
        Phase("running", 30.0, speed_m_s),
    )
    made = simulate(RunnerPlan(phases, waveforms=waveforms, sensors=Sensors(rate_hz=rate_hz)), 11)
    found = lm.analyze({"pelvis": made.streams()[Segment.PELVIS]})
    truth, steady = made.truth.strides, made.truth.steady()
    strides = found.strides
    for lane, side in enumerate(("left", "right")):
        contacts = truth["t_ic_s"][steady & (truth["side"] == lane)]
        near = np.abs(contacts[:, None] - strides["t_ic_s"][strides["side"] == side]).min(axis=1)
        assert np.mean(near < 0.05) > 0.98
        other = np.abs(contacts[:, None] - strides["t_ic_s"][strides["side"] != side]).min(axis=1)
        assert other.min() > 0.15
    tilt = strides["pelvic_tilt_mean_deg"][strides.used]
    assert len(tilt) > 0.95 * steady.sum()
    assert np.mean(tilt) == pytest.approx(np.mean(truth["pelvic_tilt_mean_deg"][steady]), abs=0.6)
    assert np.isnan(strides["hip_flexion_mean_deg"]).all()
    assert any("may be exchanged" in note for note in found.quality.notes)


def test_feet_take_turns_where_nothing_tells_which_is_which():
    signals = runner()
    alone = replace(signals, force_up=np.where([[1], [0], [0]], signals.force_up, np.nan))
    alone = replace(alone, flexion=np.full_like(signals.flexion, np.nan))
    contacts = of_kind(run(alone), "initial_contact")
    assert len(contacts) >= len(signals.contacts) - 2
    assert all(a.side is not b.side for a, b in pairwise(contacts))
    assert all(e.confidence < 0.5 for e in contacts)


def contacts_off_ms(analysis, true, window):
    """Errors of the contacts that are true in a window, ms; infinite for one of whose foot none is near."""
    events, off = analysis.events, []
    for side in SIDES:
        found = events.t_s[
            (np.array(events.kind) == "initial_contact") & (np.array(events.side) == side.value)
        ]
        times = true[side][(true[side] > window[0]) & (true[side] < window[1])]
        nearest = found[np.argmin(np.abs(found - times[:, None]), axis=1)] - times
        off.append(1e3 * np.where(np.abs(nearest) < 0.06, nearest, np.inf))
    return np.concatenate(off)


@pytest.mark.parametrize("trial", ["2.5ms", "3.5ms"])
@pytest.mark.skipif(not has_rbds(), reason="the shared running kinematics are absent; set LATEMILES_DATA")
def test_a_first_pick_that_went_astray_does_not_shift_all_contacts_of_a_slow_sensor(trial):
    # One foot's used to come 80 ms late, a little less with every stride.
    for seed in range(2):
        session = rbds_session(trial, seed=seed, rate_hz=52.0)
        window = session.running[0] + 1.0, session.running[1] - 1.0
        off = contacts_off_ms(lm.analyze(session.by_name), session.contacts_s, window)
        assert np.percentile(np.abs(off), 95) < 17.0
        assert np.abs(np.median(off)) < 8.0


@pytest.mark.parametrize(("rate_hz", "bound_ms"), [(100.0, 3.0), (200.0, 1.0)])
def test_contacts_are_no_earlier_at_a_low_rate(rate_hz, bound_ms):
    phases = (
        Phase("standing", 8.0),
        Phase("squats", 10.0),
        Phase("standing", 4.0),
        Phase("running", 45.0, 3.0),
    )
    off = np.empty(0)
    for seed in range(31, 34):
        made = simulate(RunnerPlan(phases, sensors=Sensors(rate_hz=rate_hz)), seed)
        true = {side: made.timeline.feet[side].contact_s for side in SIDES}
        found = lm.analyze({s.value: x for s, x in made.streams().items()})
        off = np.concatenate([off, contacts_off_ms(found, true, (30.0, 62.0))])
    assert np.abs(np.median(off)) < bound_ms
    assert np.percentile(np.abs(off), 95) < 3.0 * bound_ms


@pytest.mark.parametrize("spoilt", ["left sensor loose", "hips upside down"])
def test_a_loose_sensor_or_a_wrong_sign_does_not_swap_the_feet_of_a_real_jog(spoilt):
    signals = real_signals("jogging_on_the_spot.npz", slice(5600, 9500), 1.0)
    want = [e for e in of_kind(run(signals), "initial_contact") if 58.0 < e.t_s < 72.0]
    if spoilt == "hips upside down":
        signals.flexion *= -1.0
    else:
        signals.force_up[1] = twin.G + 3.0 * (signals.force_up[1] - twin.G)
    got = [e for e in of_kind(run(signals), "initial_contact") if 58.0 < e.t_s < 72.0]
    assert [e.side for e in got] == [e.side for e in want]
    assert len(want) > 25
