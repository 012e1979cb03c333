"""What every registered driver must do: golden bytes, damage, capabilities."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.errors import ConfigError, PacketError
from latemiles.sensors.drivers import dot, latemiles_v1, metamotion, movesense, polar, samples, witmotion
from latemiles.sensors.drivers.bundle import bundled
from latemiles.sensors.registry import DRIVERS, driver_for, driver_named
from latemiles.signals.frames import Segment
from latemiles.signals.packets import DecodedPacket
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import SensorInfo

GOLDEN = {
    # version 1 live, 2 samples, gap + clipped, epoch 7, index 0x01020304, tick 0xfffffff0,
    # then 1000 -1000 1 | 2048 -2048 0 and 32767 0 0 | 0 0 -32768
    latemiles_v1.NAME: bytes.fromhex(
        "10020307 04030201 f0ffffff e80318fc0100 000800f80000 ff7f00000000 000000000080".replace(" ", "")
    ),
    samples.NAME: b"LMS1" + struct.pack("<I14d", 2, *range(1, 15)),
    movesense.NAME: struct.pack("<BBI6f", 2, 99, 1234, *range(6)),
    polar.NAME: bundled(
        [
            bytes.fromhex("0200943577000000000 1f7ffffffe703f8fffeffe503".replace(" ", "")),
            bytes.fromhex("05009435770000000080eaff08000d000301df00"),
        ]
    ),
    dot.NAME: bytes.fromhex("d8052244af9640406b2aa7405add14c0") + struct.pack("<3f", 1.0, 2.0, 3.0),
    witmotion.NAME: bytes.fromhex("556135ff59ff0a08000000000000b9fc00000000"),
    metamotion.NAME: bundled([bytes.fromhex("030416c494a22ad0"), bytes.fromhex("13053e43ff7f0080")]),
}


def decoded(name: str) -> DecodedPacket:
    return driver_named(name).decode(GOLDEN[name])


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_every_driver_has_a_golden_payload_and_bears_its_name(name):
    assert name in GOLDEN
    assert driver_named(name).name == name


def test_the_own_frame_decodes_to_the_values_of_its_bytes():
    p = decoded(latemiles_v1.NAME)
    assert (p.first_index, p.tick, p.epoch) == (0x01020304, 0xFFFFFFF0, 7)
    assert p.has_gap_before
    assert not p.is_resent
    assert not p.is_marked
    step_acc, step_gyr = 16.0 * 9.80665 / 32768.0, np.radians(2000.0) / 32768.0
    np.testing.assert_allclose(p.gyr[0], np.array([1000, -1000, 1]) * step_gyr, rtol=1e-14)
    np.testing.assert_allclose(p.acc[0], np.array([2048, -2048, 0]) * step_acc, rtol=1e-14)
    assert list(p.flags) == [0, SampleQuality.ACC_CLIPPED | SampleQuality.GYR_CLIPPED]


def test_packed_samples_decode_to_the_values_of_their_bytes():
    p = decoded(samples.NAME)
    np.testing.assert_array_equal(p.t_s, [1.0, 8.0])
    np.testing.assert_array_equal(p.acc, [[2.0, 3.0, 4.0], [9.0, 10.0, 11.0]])
    np.testing.assert_array_equal(p.gyr, [[5.0, 6.0, 7.0], [12.0, 13.0, 14.0]])


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_shapes_and_types_are_those_of_the_flow(name):
    p = decoded(name)
    k = len(p.acc)
    assert p.acc.shape == p.gyr.shape == (k, 3)
    assert p.flags.shape == (k,)
    assert p.acc.dtype == p.gyr.dtype == np.float64
    assert p.flags.dtype == np.int64
    assert p.acc.flags.c_contiguous
    assert p.gyr.flags.c_contiguous


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_capabilities_agree_with_what_is_decoded(name):
    driver, p = driver_named(name), decoded(name)
    can = driver.capabilities
    assert can.has_index == (p.first_index is not None)
    assert can.has_device_time == (p.tick is not None)
    if can.has_device_time:
        assert can.tick_hz == p.tick_hz
        assert 0 <= p.tick < 2**can.tick_bits


@pytest.mark.parametrize("name", sorted(DRIVERS))
@given(payload=st.binary(max_size=300))
def test_random_bytes_raise_a_packet_error_and_nothing_else(name, payload):
    driver = driver_named(name)
    try:
        p = driver.decode(payload)
    except PacketError:
        return
    assert len(p.acc) >= 1


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_a_golden_payload_cut_or_grown_anywhere_is_refused(name):
    driver, golden = driver_named(name), GOLDEN[name]
    for length in range(len(golden)):
        with pytest.raises(PacketError):
            driver.decode(golden[:length])
    with pytest.raises(PacketError):
        driver.decode(golden + b"\0")


@pytest.mark.parametrize("name", sorted(DRIVERS))
@given(position=st.integers(0, 400), value=st.integers(0, 255))
def test_a_changed_byte_never_raises_anything_but_a_packet_error(name, position, value):
    damaged = bytearray(GOLDEN[name])
    damaged[position % len(damaged)] = value
    with contextlib.suppress(PacketError):
        driver_named(name).decode(bytes(damaged))


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_decoding_leaves_no_state_behind(name):
    driver = driver_named(name)
    first, second = driver.decode(GOLDEN[name]), driver.decode(GOLDEN[name])
    np.testing.assert_array_equal(first.acc, second.acc)
    np.testing.assert_array_equal(first.flags, second.flags)


def test_an_unknown_driver_is_named_with_those_that_exist():
    info = SensorInfo(Segment.PELVIS, driver="abacus", rate_hz=100.0)
    with pytest.raises(ConfigError, match="latemiles-v1"):
        driver_for(info)


def test_a_driver_takes_its_full_scale_from_the_recording():
    info = SensorInfo(
        Segment.PELVIS, latemiles_v1.NAME, 208.0, acc_range_m_s2=8 * 9.80665, gyr_range_rad_s=np.pi
    )
    p = driver_for(info).decode(GOLDEN[latemiles_v1.NAME])
    assert p.acc[0, 0] == pytest.approx(0.5 * 9.80665)
    assert p.gyr[0, 0] == pytest.approx(np.pi * 1000 / 32768)
