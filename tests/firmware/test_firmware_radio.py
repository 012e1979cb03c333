"""The firmware's core behind a GATT server on the virtual radio, heard by the real bleak client."""

from __future__ import annotations

import numpy as np
import pytest

from firmware.core_imu import maker
from firmware.host_core import Library
from latemiles.signals.frames import SEGMENTS
from reference.radio_runs import RATE_HZ, Scene, act, scene

PELVIS, LEFT, RIGHT = SEGMENTS


def test_three_cores_stream_and_come_back_whole(core_library: Library) -> None:
    async def play() -> Scene:
        async with scene(60.0, make_imu=maker(core_library)) as made:
            await made.until(10.0)
            made.away(LEFT)
            await made.until(30.0)
            made.away(LEFT, is_away=False)
            await made.until(45.0)
        return made

    made = act(play)
    for segment in SEGMENTS:
        (heard,) = made.samples(segment).values()
        assert len(heard) > 44.0 * RATE_HZ
        assert len(made.missing(segment)) == 0
