"""What a host hears of a simulated run: complete, in order, late but never early."""

from dataclasses import replace

import numpy as np
import pytest

from latemiles.sensors.registry import driver_for
from latemiles.signals.frames import Segment
from latemiles.signals.records import Link, Packet, Pose, RunHeader, Speed
from latemiles.sim.packets import records
from latemiles.sim.plan import Outage, Radio, Reboot, easy_run
from latemiles.sim.runner import simulate


def heard(radio=None, minutes=0.5, seed=3, **kwargs):
    run = simulate(easy_run(minutes, radio=radio or Radio()), seed)
    return run, list(records(run, **kwargs))


def decoded(found, segment):
    head = found[0]
    driver = driver_for(next(i for i in head.sensors if i.segment is segment))
    return [
        (r.arrival_ns * 1e-9, driver.decode(r.payload))
        for r in found
        if isinstance(r, Packet) and r.segment is segment
    ]


def test_records_begin_with_the_header_and_arrive_in_order():
    _, found = heard()
    assert isinstance(found[0], RunHeader)
    arrivals = [r.arrival_ns for r in found[1:]]
    assert arrivals == sorted(arrivals)
    assert {type(r) for r in found} == {RunHeader, Packet, Speed, Link}


def test_the_same_seed_gives_the_same_bytes():
    assert heard()[1] == heard()[1]


def test_every_sample_arrives_once_and_as_it_was_measured():
    run, found = heard()
    for i, sensor in enumerate(run.sensors):
        packets = [p for _, p in decoded(found, sensor.segment)]
        starts = [p.first_index for p in packets]
        assert starts == list(range(0, 12 * len(packets), 12))
        acc = np.concatenate([c[i].acc for c in run.chunks(30.0)])[: 12 * len(packets)]
        # Both are steps of 16 g / 32768.
        np.testing.assert_allclose(np.concatenate([p.acc for p in packets]), acc, atol=1e-9)


def test_no_packet_arrives_before_its_last_sample_was_taken():
    run, found = heard()
    for i, sensor in enumerate(run.sensors):
        t = np.concatenate([c[i].t_s for c in run.chunks()])
        late = [arrival - t[p.first_index + 11] for arrival, p in decoded(found, sensor.segment)]
        assert min(late) >= 0.003
        assert np.median(late) < 0.025


def test_ticks_follow_the_crystal_of_each_sensor():
    run, found = heard()
    for i, sensor in enumerate(run.sensors):
        t = np.concatenate([c[i].t_s for c in run.chunks()])
        packets = [p for _, p in decoded(found, sensor.segment)]
        device = (t[[p.first_index for p in packets]] + sensor.tick_offset_s) * (1.0 + sensor.skew)
        np.testing.assert_allclose([p.tick / p.tick_hz for p in packets], device, atol=1.1 / 32768)


def test_lost_packets_leave_holes_in_the_index():
    run, found = heard(Radio(loss_share=0.05), minutes=1.0)
    steps = np.diff([p.first_index for _, p in decoded(found, Segment.PELVIS)])
    assert np.all(steps % 12 == 0)
    assert np.mean(steps > 12) == pytest.approx(0.05, abs=0.025)
    assert run.duration_s > 60.0


def test_an_outage_is_silent_and_on_record():
    _, found = heard(Radio(outages=(Outage(Segment.RIGHT_THIGH, 30.0, 36.0),)))
    times = np.array([arrival for arrival, _ in decoded(found, Segment.RIGHT_THIGH)])
    assert not np.any((times > 30.3) & (times < 36.0))
    states = [
        (r.state, r.segment)
        for r in found
        if isinstance(r, Link) and r.arrival_ns > 1e9 and r.state != "battery"
    ]
    assert states == [("down", Segment.RIGHT_THIGH), ("up", Segment.RIGHT_THIGH)]


def test_a_reboot_starts_index_and_tick_anew_in_a_new_epoch():
    _, found = heard(Radio(reboots=(Reboot(Segment.PELVIS, 30.0),)))
    packets = [p for _, p in decoded(found, Segment.PELVIS)]
    first = next(k for k, p in enumerate(packets) if p.epoch == 1)
    assert {p.epoch for p in packets[:first]} == {0}
    assert {p.epoch for p in packets[first:]} == {1}
    assert packets[first].first_index == 0
    assert packets[first].tick < 32768


def test_the_watch_speaks_once_a_second_and_poses_on_request():
    run, found = heard(has_poses=True)
    speeds = [r for r in found if isinstance(r, Speed)]
    assert len(speeds) == int(run.duration_s)
    running = [s.speed_m_s for s in speeds if 45.0 < s.t_s < 60.0]
    assert np.mean(running) == pytest.approx(3.0, rel=0.05)
    assert [p.kind for p in found if isinstance(p, Pose)] == ["standing", "movement"]


def test_a_perfect_radio_loses_and_delays_nothing_more_than_it_must():
    plan = easy_run(0.2).without_errors()
    found = list(records(simulate(replace(plan, has_watch=False), 1)))
    assert not any(isinstance(r, Speed) for r in found)
    assert len(decoded(found, Segment.PELVIS)) == int(plan.duration_s * 208.0) // 12
