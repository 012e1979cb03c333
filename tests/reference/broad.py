"""The BROAD trials at hand (Laidig et al. 2021, CC BY 4.0), read in place."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

TRIALS = ("02_undisturbed_slow_rotation_B", "16_undisturbed_fast_translation_B", "24_disturbed_tapping_A")


class Trial(NamedTuple):
    """One sensor moved by hand under optical tracking."""

    gyr: np.ndarray
    acc: np.ndarray
    rate_hz: float
    truth: np.ndarray
    """(n, 4) optical quaternion, sensor to earth; NaN where it was not seen."""
    moves: np.ndarray
    """(n,) what is scored."""


def broad_trial(folder: Path, name: str) -> Trial:
    """Load one trial from the shared data folder."""
    with np.load(folder / "broad" / f"{name}.npz") as d:
        gyr, acc, truth = (np.asarray(d[k], dtype=np.float64) for k in ("gyr", "acc", "opt_quat"))
        return Trial(gyr, acc, float(d["rate_hz"]), truth, np.asarray(d["movement"], dtype=bool))
