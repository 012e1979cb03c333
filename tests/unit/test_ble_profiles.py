"""Standard profiles against bytes from the specification and against the package bluetooth-sig."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.errors import PacketError
from latemiles.sensors.pods import KINDS
from latemiles.sensors.profiles import device, heart_rate, running_speed_cadence, treadmill

MODULES = [heart_rate, running_speed_cadence, treadmill]


def test_a_foot_pods_bytes_become_speed_cadence_stride_and_distance():
    said = running_speed_cadence.decode(bytes.fromhex("07 0003 55 7800 10270000".replace(" ", "")))
    assert said == (3.0, 85.0, 1.2, 1000.0, True)
    assert math.isnan(running_speed_cadence.decode(bytes.fromhex("00000355")).distance_m)


@pytest.mark.parametrize(
    ("sent", "is_running", "steps"),
    [(85, True, 170.0), (171, True, 171.0), (110, False, None), (0, True, None)],
)
def test_a_foot_pods_cadence_is_told_in_steps_of_both_feet_while_running(sent, is_running, steps):
    said = running_speed_cadence.RunningSpeed(3.0, float(sent), is_running=is_running)
    payload = running_speed_cadence.encode(said)
    record = KINDS["foot_pod"].read(payload, 1_000_000_000, "pod")
    assert math.isnan(record.cadence_spm) if steps is None else record.cadence_spm == steps


def test_a_treadmills_speed_is_there_when_its_flag_is_not():
    said = treadmill.decode(bytes.fromhex("0c00 a005 e80300 1900 0000".replace(" ", "")))
    assert said.speed_m_s == pytest.approx(4.0)
    assert said.distance_m == 1000.0
    assert said.grade == pytest.approx(0.025)
    assert math.isnan(said.heart_rate_bpm)
    rest = treadmill.decode(bytes.fromhex("0101 96".replace(" ", "")))
    assert math.isnan(rest.speed_m_s)
    assert rest.heart_rate_bpm == 150.0


def test_a_heart_rate_is_read_narrow_and_wide_and_off_the_skin():
    assert heart_rate.decode(bytes.fromhex("0096")) == (150.0, ())
    assert heart_rate.decode(bytes.fromhex("119600" + "0004" + "0002")) == (150.0, (1.0, 0.5))
    assert math.isnan(heart_rate.decode(bytes.fromhex("0496")).bpm)


def test_a_battery_is_at_most_full_and_strings_lose_their_padding():
    assert device.battery_percent(b"\x57") == 87.0
    assert device.battery_percent(b"\xff") == 100.0
    assert device.text(b"Sensor 1  \0\0") == "Sensor 1"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__.rsplit(".", 1)[-1])
@given(payload=st.binary(max_size=40))
def test_random_bytes_raise_a_packet_error_and_nothing_else(module, payload):
    try:
        module.decode(payload)
    except PacketError:
        return


@settings(deadline=None)  # the oracle is slow to import
@given(
    speed=st.integers(0, 2000),
    cadence=st.integers(0, 255),
    distance=st.none() | st.integers(0, 10_000_000),
)
def test_a_foot_pod_agrees_with_bluetooth_sig(speed, cadence, distance):
    oracle = pytest.importorskip("bluetooth_sig.gatt.characteristics").RSCMeasurementCharacteristic()
    value = running_speed_cadence.RunningSpeed(
        speed / 256.0, float(cadence), distance_m=math.nan if distance is None else distance / 10.0
    )
    payload = running_speed_cadence.encode(value)
    theirs = oracle.parse_value(bytearray(payload))
    ours = running_speed_cadence.decode(payload)
    assert ours.speed_m_s == pytest.approx(theirs.instantaneous_speed)
    assert ours.cadence_per_min == theirs.instantaneous_cadence
    assert theirs.total_distance is None or ours.distance_m == pytest.approx(theirs.total_distance)
    assert (distance is None) == math.isnan(ours.distance_m)


@settings(deadline=None)  # the oracle is slow to import
@given(
    speed=st.none() | st.integers(0, 3000),
    distance=st.none() | st.integers(0, 0xFFFFFF),
    incline=st.none() | st.integers(-300, 300),
    heart=st.none() | st.integers(1, 220),
)
def test_a_treadmill_agrees_with_bluetooth_sig(speed, distance, incline, heart):
    oracle = pytest.importorskip("bluetooth_sig.gatt.characteristics").TreadmillDataCharacteristic()
    value = treadmill.Treadmill(
        math.nan if speed is None else speed / 360.0,
        math.nan if distance is None else float(distance),
        math.nan if incline is None else incline / 1000.0,
        math.nan if heart is None else float(heart),
    )
    theirs = oracle.parse_value(bytearray(treadmill.encode(value)))
    ours = treadmill.decode(treadmill.encode(value))
    if speed is not None:
        assert ours.speed_m_s * 3.6 == pytest.approx(theirs.instantaneous_speed)
    if distance is not None:
        assert ours.distance_m == theirs.total_distance
    if incline is not None:
        assert ours.grade * 100.0 == pytest.approx(theirs.inclination)
    if heart is not None:
        assert ours.heart_rate_bpm == theirs.heart_rate


@settings(deadline=None)  # the oracle is slow to import
@given(bpm=st.integers(1, 255), beats=st.lists(st.integers(200, 2000), max_size=4))
def test_a_heart_rate_agrees_with_bluetooth_sig(bpm, beats):
    oracle = pytest.importorskip("bluetooth_sig.gatt.characteristics").HeartRateMeasurementCharacteristic()
    payload = heart_rate.encode(heart_rate.HeartRate(float(bpm), tuple(b / 1024.0 for b in beats)))
    theirs = oracle.parse_value(bytearray(payload))
    ours = heart_rate.decode(payload)
    assert ours.bpm == theirs.heart_rate
    assert ours.intervals_s == pytest.approx(tuple(theirs.rr_intervals))


def test_every_kind_of_pod_has_a_service_of_its_own():
    assert len({kind.service for kind in KINDS.values()}) == len(KINDS)
