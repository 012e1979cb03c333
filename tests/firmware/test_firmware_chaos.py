"""The firmware's own core through any mixture of what can happen to a radio: `make chaos` plays many."""

from __future__ import annotations

import os

import numpy as np
import pytest

from firmware.core_imu import maker
from latemiles.sensors.drivers.latemiles_v1 import counts_from_si
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Packet
from reference.radio_runs import DRIVER, Scene, act
from reference.storm import check_all_is_told, storm

SEEDS = range(1000, 1000 + int(os.environ.get("LATEMILES_CHAOS", "1")))


def check_every_sample_is_what_was_measured(made: Scene) -> None:
    """What comes twice is the same, and within an epoch the samples' own numbers go with their indexes."""
    for segment in SEGMENTS:
        heard: dict[int, dict[int, int]] = {}
        for record in made.heard:
            if isinstance(record, Packet) and record.segment is segment:
                p = DRIVER.decode(record.payload)
                counts = counts_from_si(p.acc, p.gyr).astype(np.int64)
                samples = heard.setdefault(p.epoch, {})
                for k, number in enumerate(counts[:, 0] + (counts[:, 1] << 15)):
                    assert samples.setdefault(p.first_index + k, int(number)) == number
        for samples in heard.values():
            index = np.array(sorted(samples))
            number = np.array([samples[k] for k in index])
            assert np.array_equal(index - index[0], number - number[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_radio_does_the_core_keeps_or_books_every_sample(seed, core_library):
    made = act(lambda: storm(seed, make_imu=maker(core_library)))
    check_all_is_told(made)
    check_every_sample_is_what_was_measured(made)
