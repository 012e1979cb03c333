"""What sensors cannot give is left blank, and the run says which sensor and why; live and analysed alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latemiles.analysis import analyze
from latemiles.metrics.catalogue import CATALOGUE, NUMERIC_COLUMNS, blanked
from latemiles.metrics.needs import SIDES_UNSURE, Need, Offer, lacking, limits
from latemiles.pipeline import Pipeline
from latemiles.recording.reader import Recording
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.drivers import witmotion
from latemiles.sensors.registry import driver_for
from latemiles.signals.events import Stride
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.quality import StrideQuality
from latemiles.signals.records import Packet, RunHeader, SensorInfo
from latemiles.sim.plan import Phase, RunnerPlan
from latemiles.sim.runner import simulate

PELVIS, LEFT, RIGHT = SEGMENTS
PLAN = RunnerPlan((Phase("standing", 5.0), Phase("squats", 9.0), Phase("running", 16.0, 3.0)))
ALWAYS = {
    "t_ic_s",
    "stride_time_s",
    "cadence_spm",
    "pelvic_tilt_mean_deg",
    "pelvic_tilt_rom_deg",
    "pelvis_vo_m",
}


def test_what_lacks_depends_on_the_weakest_sensor():
    good = Offer(PELVIS, 208.0, has_clock=True)
    assert lacking([good, good._replace(rate_hz=99.9), good._replace(rate_hz=float("nan"))]) == Need.NOTHING
    assert lacking([good, good._replace(rate_hz=60.0)]) == Need.RATE
    assert lacking([good, Offer(LEFT, 100.0, has_clock=False)]) == Need.CLOCK
    assert lacking([Offer(LEFT, 50.0, has_clock=False)]) == Need.RATE | Need.CLOCK


def test_the_tilt_is_never_blank_and_contact_time_always_when_something_lacks():
    for need in (Need.RATE, Need.CLOCK):
        names = {m.name for m in blanked(need)}
        assert not names & ALWAYS
        assert {"contact_time_s", "flight_time_s", "duty_factor", "t_to_s", "pelvis_shock_m_s2"} <= names
    assert blanked(Need.NOTHING) == ()
    assert "hip_flexion_ic_deg" in {m.name for m in blanked(Need.CLOCK)}
    assert "hip_flexion_ic_deg" not in {m.name for m in blanked(Need.RATE)}


def test_a_pelvis_alone_says_so_before_the_run_and_once_after_it():
    assert limits([Offer(PELVIS, 208.0, has_clock=True)]) == [SIDES_UNSURE]
    assert limits([Offer(s, 208.0, has_clock=True) for s in (PELVIS, LEFT)]) == []
    streams = simulate(PLAN, 3).streams()
    notes = analyze({PELVIS.value: streams[PELVIS]}).quality.notes
    assert notes.count(SIDES_UNSURE) == 1


def test_the_sentences_name_the_sensors_and_every_family_that_is_blank():
    slow = limits([Offer(s, 60.0, has_clock=True) for s in SEGMENTS])
    assert len(slow) == 1
    assert "pelvis, left thigh and right thigh sensors give 60" in slow[0]
    (adrift,) = limits([Offer(PELVIS, 208.0, has_clock=True), Offer(LEFT, 100.0, has_clock=False)])
    assert "left thigh sensor has no clock" in adrift
    words = {
        "ic": "initial contact",
        "midstance": "mid-stance",
        "to": "toe-off",
        "excursion": "contact to peak",
        "rom": "all but the mean",
        "stance_peak": "peak of hip flexion",
    }
    for metric in CATALOGUE:
        for need, said in ((Need.RATE, slow[0]), (Need.CLOCK, adrift)):
            if metric.needs & need and metric.feature:
                assert words[metric.feature] in said


@pytest.fixture(scope="module")
def streams_60():
    return simulate(replace(PLAN, sensors=replace(PLAN.sensors, rate_hz=60.0)), 5).streams()


def blank_columns(strides) -> set[str]:
    return {name for name in NUMERIC_COLUMNS if np.isnan(strides[name]).all()}


def test_sensors_of_60_hz_give_tilt_and_no_contact_time(streams_60):
    analysis = analyze(streams_60)
    assert len(analysis.strides) > 15
    expected = {m.name for m in blanked(Need.RATE)} | {"distance_m", "speed_m_s"}
    assert blank_columns(analysis.strides) == expected
    bits = analysis.strides["quality"].astype(int)
    assert (bits & int(StrideQuality.NOT_OFFERED) != 0).all()
    # It is no reason to leave a stride out.
    assert analysis.quality.strides_used > 8
    (note,) = [n for n in analysis.quality.notes if "60 samples a second" in n]
    assert "contact" in note


def clockless(streams) -> tuple[RunHeader, list[Packet]]:
    """What WitMotion sensors say of a run: a frame a sample, those of a connection event together."""
    infos = tuple(
        SensorInfo(s, "witmotion", 100.0, "", witmotion.ACC_RANGE_M_S2, witmotion.GYR_RANGE_RAD_S)
        for s in SEGMENTS
    )
    packets: list[Packet] = []
    for k, (segment, stream) in enumerate(streams.items()):
        counts = np.hstack(
            [
                stream.acc * (32768.0 / witmotion.ACC_RANGE_M_S2),
                stream.gyr * (32768.0 / witmotion.GYR_RANGE_RAD_S),
                np.zeros((len(stream.t), 3)),
            ]
        )
        frames = np.clip(np.round(counts), -32768, 32767).astype("<i2")
        event = np.ceil((stream.t - 0.003 * k) / 0.03)
        for number in np.unique(event).tolist():
            heard = b"".join(b"\x55\x61" + frame.tobytes() for frame in frames[event == number])
            packets.append(Packet(round(max(0.0, 0.03 * number + 0.003 * k) * 1e9), segment, heard))
    packets.sort(key=lambda p: p.arrival_ns)
    return RunHeader("clockless", sensors=infos), packets


def test_sensors_without_a_clock_leave_the_same_blank_live_and_analysed(tmp_path):
    header, packets = clockless(
        simulate(replace(PLAN, sensors=replace(PLAN.sensors, rate_hz=100.0)), 6).streams()
    )
    live = Pipeline(header, driver_for)
    strides = [e for p in packets for e in live.push(p) if isinstance(e, Stride)]
    assert len(strides) > 15
    table = np.array([s.values for s in strides])
    expected = {m.name for m in blanked(Need.CLOCK)} | {"distance_m", "speed_m_s"}
    assert {
        n for n, column in zip(NUMERIC_COLUMNS, table.T, strict=True) if np.isnan(column).all()
    } == expected
    writer = RecordingWriter(tmp_path / "run.mcap", header)
    for packet in packets:
        writer.append(packet)
    writer.close()
    with Recording.open(tmp_path / "run.mcap") as recording:
        analysis = analyze(recording)
    assert blank_columns(analysis.strides) == expected
    assert analysis.quality.notes[0] == live.limits[0]
    assert analysis.form_drift["contact_time_s"].verdict == "too short"
