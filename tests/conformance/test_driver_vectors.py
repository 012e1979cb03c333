"""Payloads of other makers' sensors: captured, from the makers' own tests, or built from their documents."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.errors import PacketError
from latemiles.sensors.drivers import dot, metamotion, movesense, polar, witmotion
from latemiles.sensors.drivers.bundle import bundled, unbundled
from latemiles.sensors.registry import driver_for
from latemiles.signals.frames import Segment
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import SensorInfo

G = 9.80665


def test_polar_raw_acceleration_of_the_makers_test():
    # polar-ble-sdk AccDataTest, frame type 1, first samples of 36.
    f = polar.frame(
        bytes.fromhex("02009435770000000001 f7ffffffe703 f8fffeffe503 f9ffffffe503".replace(" ", ""))
    )
    assert (f.kind, f.last_ns, f.is_milli_g) == (polar.ACC, 2_000_000_000, True)
    assert f.counts.tolist() == [[-9, -1, 999], [-8, -2, 997], [-7, -1, 997]]


def test_polar_compressed_turning_rate_of_the_makers_test():
    # polar-ble-sdk GyrDataTest.
    f = polar.frame(bytes.fromhex("05ffffffffffffff7f80eaff08000d000301df00"))
    assert (f.kind, f.last_ns) == (polar.GYR, 2**63 - 1)
    assert f.counts.tolist() == [[-22, 8, 13], [-23, 11, 16]]


def test_polar_compressed_frames_decode_whole(data_dir):
    vectors = json.loads((data_dir / "ble_vectors.json").read_text("utf-8"))
    (long,) = [v for v in vectors if v["device"] == "Polar PMD" and "10 bit" in v["mode"]]
    f = polar.frame(bytes.fromhex(long["hex"]))
    assert f.counts.tolist() == long["expect"]["raw"]


def polar_frame(kind, last_ns, counts):
    reference, rest = counts[0], np.diff(counts, axis=0)
    body = struct.pack("<3h", *reference)
    if len(rest):
        body += bytes((16, len(rest))) + rest.astype("<i2").tobytes()
    return struct.pack("<BQB", kind, last_ns, 0x80) + body


def test_polar_acceleration_is_taken_at_the_times_of_the_turning_rate():
    step = round(1e9 / 52.0)
    ramp = np.arange(8)[:, None] * np.array([[100, 0, 0]])
    acc = polar_frame(polar.ACC, 10**18 + 7 * step, ramp)
    gyr = polar_frame(polar.GYR, 10**18 + 6 * step + step // 2, np.full((6, 3), 1000))
    p = polar.Polar(52.0).decode(bundled([acc, gyr]))
    np.testing.assert_allclose(p.acc[:, 0], (np.arange(6) + 1.5) * 100 * 8.0 * G / 32768.0, rtol=1e-6)
    np.testing.assert_allclose(p.gyr, np.radians(1000 * 2000.0 / 32768.0), rtol=1e-12)
    assert p.tick == pytest.approx(10**18 + step + step // 2, abs=3)
    assert p.sample_ticks == pytest.approx(1e9 / 52.0)


@pytest.mark.parametrize(
    "frames",
    [
        [polar_frame(polar.ACC, 10**9, np.zeros((2, 3), int))],
        [
            polar_frame(polar.ACC, 10**9, np.zeros((2, 3), int)),
            polar_frame(polar.GYR, 9 * 10**9, np.zeros((2, 3), int)),
        ],
        [
            polar_frame(polar.ACC, 10**9, np.zeros((2, 3), int)),
            polar_frame(polar.GYR, 10**9, np.zeros((2, 3), int)),
            polar_frame(polar.GYR, 10**9 + 5, np.zeros((2, 3), int)),
        ],
    ],
    ids=["one kind", "far apart", "overlapping"],
)
def test_polar_bundles_that_do_not_fit_together_are_refused(frames):
    with pytest.raises(PacketError):
        polar.Polar().decode(bundled(frames))


def test_polar_requests_are_those_of_the_document():
    assert polar.start(polar.SDK_MODE) == bytes((2, 9))
    assert polar.stop(polar.ACC) == bytes((3, 2))
    assert polar.start(polar.GYR, rate_hz=52, full_scale=2000) == bytes.fromhex(
        "0205 00013400 01011000 0201d007 040103".replace(" ", "")
    )


WIT = [
    # github obedier/vib, WT901BLE68: first 16 of 20 bytes on the wire, the angles' end is filled with zeros.
    ("556135ff59ff0a08000000000000b9fc", (-0.09912, -0.08154, 1.00488), (0.0, 0.0, 0.0)),
    ("5561e403ebf43f007c0202ff330052fe", (0.48633, -1.38525, 0.03076), (38.8184, -15.5029, 3.1128)),
    ("556122ff3aff5b074300ffff02004bfe", (-0.1084, -0.09668, 0.91943), (4.0894, -0.061, 0.1221)),
]


@pytest.mark.parametrize(("payload", "acc_g", "gyr_dps"), WIT)
def test_captured_witmotion_frames_decode(payload, acc_g, gyr_dps):
    p = witmotion.WitMotion().decode(bytes.fromhex(payload) + bytes(4))
    np.testing.assert_allclose(p.acc[0] / G, acc_g, atol=1e-5)
    np.testing.assert_allclose(np.degrees(p.gyr[0]), gyr_dps, atol=1e-4)
    assert p.tick is None
    assert p.first_index is None


def test_witmotion_register_replies_are_passed_over_and_clipping_is_seen():
    sample = b"\x55\x61" + struct.pack("<9h", 32767, 0, 0, 0, -32768, 0, 0, 0, 0)
    reply = b"\x55\x71" + bytes(18)
    p = witmotion.WitMotion().decode(reply + sample)
    assert p.flags.tolist() == [SampleQuality.ACC_CLIPPED | SampleQuality.GYR_CLIPPED]
    with pytest.raises(PacketError, match="no sample"):
        witmotion.WitMotion().decode(reply)
    assert witmotion.set_rate(200)[1] == bytes.fromhex("ffaa030b00")
    with pytest.raises(PacketError, match="not on offer"):
        witmotion.set_rate(123)


@pytest.mark.parametrize(
    ("payload", "time_us", "acc"),
    [
        # Captured free acceleration: the same head as rate quantities, u32 and three floats.
        ("d8052244af9640406b2aa7405add14c0", 1143080408, (3.009197, 5.223928, -2.3260102)),
        ("f34622440da53c409c13a640f01009c0", 1143097075, (2.947574, 5.1898937, -2.1416588)),
    ],
)
def test_a_dots_time_and_floats_are_those_captured(payload, time_us, acc):
    p = dot.Dot().decode(bytes.fromhex(payload) + struct.pack("<3f", 90.0, 0.0, -45.0))
    assert p.tick == time_us
    np.testing.assert_allclose(p.acc[0], acc, rtol=1e-6)
    np.testing.assert_allclose(p.gyr[0], np.radians([90.0, 0.0, -45.0]), rtol=1e-6)
    padded = dot.Dot().decode(bytes.fromhex(payload) + bytes(24))
    assert padded.tick == time_us


def test_a_dots_messages_are_those_of_the_document():
    assert dot.start() == bytes((1, 1, 21))
    assert dot.stop() == bytes((1, 0, 21))
    assert dot.synchronize("D4:CA:6E:F1:69:3D") == bytes.fromhex("0207013d69f16ecad453")


def test_movesense_samples_are_planar_and_a_second_part_is_joined():
    acc, gyr = np.arange(12.0).reshape(4, 3), np.arange(12.0).reshape(4, 3) * 10.0
    whole = struct.pack("<BBI", 2, 99, 123456) + np.concatenate([acc, gyr]).astype("<f4").tobytes()
    first, second = whole[:70], bytes((3, 99)) + whole[70:]
    assert movesense.joined(first, second) == whole
    p = movesense.Movesense().decode(whole)
    np.testing.assert_allclose(p.acc, acc)
    np.testing.assert_allclose(np.degrees(p.gyr), gyr, rtol=1e-6)
    assert (p.tick, p.tick_hz) == (123456, 1000.0)
    with pytest.raises(PacketError):
        movesense.Movesense().decode(second)
    with pytest.raises(PacketError, match="references"):
        movesense.joined(first, bytes((3, 98)) + whole[70:])
    assert movesense.subscribe(104, 99) == b"\x01\x63/Meas/IMU6/104\0"


def test_metamotion_samples_of_the_makers_tests_decode():
    packed = bytes.fromhex("030562b7530de9fd16d04d0e57028affa1050a01")
    gyr = bytes.fromhex("1305") + np.zeros(9, "<i2").tobytes()
    p = metamotion.MetaMotion(acc_range=8 * G).decode(bundled([packed, gyr]))
    expected = [[-4.539, 0.833, -0.131], [-2.995, 0.894, 0.146], [-0.029, 0.352, 0.065]]
    np.testing.assert_allclose(p.acc / G, expected, atol=5e-4)
    single = metamotion.MetaMotion(acc_range=4 * G, gyr_range=np.radians(500.0))
    p = single.decode(bundled([bytes.fromhex("030416c494a22ad0"), bytes.fromhex("13053e43ff7f0080")]))
    np.testing.assert_allclose(p.acc[0] / G, [-1.872, -2.919, -1.495], atol=1e-3)
    np.testing.assert_allclose(np.degrees(p.gyr[0]), [262.409, 499.497, -499.512], atol=1e-3)
    with pytest.raises(PacketError, match="as many"):
        single.decode(bundled([bytes.fromhex("030416c494a22ad0")]))


def test_full_scales_come_from_the_recording():
    info = SensorInfo(Segment.PELVIS, "metamotion", 100.0, acc_range_m_s2=4 * G, gyr_range_rad_s=np.pi)
    p = driver_for(info).decode(
        bundled([bytes.fromhex("030416c494a22ad0"), bytes.fromhex("1305") + bytes(6)])
    )
    assert p.acc[0, 0] / G == pytest.approx(-1.872, abs=1e-3)
    assert driver_for(SensorInfo(Segment.PELVIS, "polar", 104.0)).rate_hz == 104.0


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_bundles_come_back_as_they_were(parts):
    assert unbundled(bundled(parts)) == parts


@pytest.mark.parametrize("maker", [polar.frame, metamotion.triples, unbundled])
@given(payload=st.binary(max_size=300))
def test_parts_of_drivers_raise_a_packet_error_and_nothing_else(maker, payload):
    try:
        maker(payload)
    except PacketError:
        return


@given(
    body=st.binary(min_size=6, max_size=200), last_ns=st.integers(0, 2**64 - 1), rate=st.floats(10.0, 500.0)
)
def test_any_bits_in_polar_frames_raise_a_packet_error_and_nothing_else(body, last_ns, rate):
    frames = [struct.pack("<BQB", kind, last_ns, 0x80) + body for kind in (polar.ACC, polar.GYR)]
    try:
        p = polar.Polar(rate).decode(bundled(frames))
    except PacketError:
        return
    assert np.isfinite(p.acc).all()
    assert len(p.acc) == len(p.gyr) == len(p.flags)
