"""The committed recordings are what their maker and their sidecars say."""

import importlib.util
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from latemiles.recording.reader import Recording
from latemiles.sensors.registry import driver_for
from latemiles.signals.records import Packet
from latemiles.sim.packets import records
from latemiles.sim.runner import simulate

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "recordings"
SPEC = importlib.util.spec_from_file_location("make_recordings", ROOT / "scripts" / "make_recordings.py")
maker = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = maker  # dataclasses look their module up
SPEC.loader.exec_module(maker)


def test_every_simulated_recording_is_there_with_its_sidecar():
    for made in maker.MADE:
        assert (FOLDER / f"{made.name}.mcap").is_file()
        facts = tomllib.loads((FOLDER / f"{made.name}.toml").read_text())
        assert facts["seed"] == made.seed
        assert facts["duration_s"] == pytest.approx(made.plan.duration_s)


def test_together_they_stay_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.mcap")) < 3.2e6


@pytest.mark.parametrize("name", ["no_standing", "rough_radio"])
def test_making_a_recording_anew_gives_the_same_run(name):
    made = next(made for made in maker.MADE if made.name == name)
    with Recording.open(FOLDER / f"{name}.mcap") as recording:
        old = [r for r in recording.records() if isinstance(r, Packet)]
        header = recording.header
    new = [r for r in records(simulate(made.plan, made.seed)) if isinstance(r, Packet)]
    assert len(old) == len(new)
    drivers = {info.segment: driver_for(info) for info in header.sensors}
    for a, b in zip(old[::7], new[::7], strict=True):
        one, two = drivers[a.segment].decode(a.payload), drivers[b.segment].decode(b.payload)
        assert (a.segment, one.first_index, one.epoch) == (b.segment, two.first_index, two.epoch)
        assert abs(a.arrival_ns - b.arrival_ns) < 1000
        # Another processor's sine may round one count the other way.
        np.testing.assert_allclose(one.acc, two.acc, atol=0.006)
        np.testing.assert_allclose(one.gyr, two.gyr, atol=0.0013)
