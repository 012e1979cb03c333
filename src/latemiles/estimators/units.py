"""Whether numbers can be the rates and forces of a sensor on a person."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import UnitError

__all__ = ["check_units"]

F8 = NDArray[np.float64]

MEDIAN_FORCE: Final = (3.0, 90.0)
"""m/s^2; the median |acc| of any second or more of a person's life lies between, sprints included (a thigh
at 5.6 m/s has 41); data in g (1), mg (1000) and raw counts do not."""
BUSY_RATE: Final = 35.0
"""rad/s; not one percent of the samples of a body segment lie above (2000 deg/s), jogging in deg/s does."""
STRETCHES: Final = 40
STRETCH: Final = 256
"""How many stretches of a long stream are looked at for its units, and samples of each."""


def check_units(gyr: F8, acc: F8, rate_hz: float) -> None:
    """Refuse arrays (n, 3) that cannot be rad/s and m/s^2 of a sensor on a person.

    Decided on medians over at least a second of good samples, so that impacts, holes and clipping do not
    matter; shorter arrays pass. Of long ones stretches all over them are looked at.

    Raises
    ------
    UnitError
        With what the numbers look like.
    """
    if gyr.shape[0] > 2 * STRETCHES * STRETCH:
        starts = np.linspace(0, gyr.shape[0] - STRETCH, STRETCHES).astype(np.int64)
        some = (starts[:, np.newaxis] + np.arange(STRETCH)).ravel()
        sizes = _good_sizes(gyr[some], acc[some])
        # Where little of it can be used, every sample counts.
        rates, forces = sizes if sizes[0].size > some.size // 2 else _good_sizes(gyr, acc)
    else:
        rates, forces = _good_sizes(gyr, acc)
    if rates.size < rate_hz:
        return
    force = float(np.median(forces))
    if not MEDIAN_FORCE[0] <= force <= MEDIAN_FORCE[1]:
        raise UnitError(
            "acc in m/s^2, about 9.81 at rest",
            f"a median |acc| of {force:.3g}",
            "Convert acc to m/s^2: times 9.81 if it is in g.",
        )
    rate = float(np.percentile(rates, 99.0))
    if rate > BUSY_RATE:
        raise UnitError(
            "gyr in rad/s, below 35 nearly always",
            f"|gyr| above {rate:.3g} in one percent of the samples",
            "Convert gyr to rad/s: times pi / 180 if it is in deg/s.",
        )


def _good_sizes(gyr: F8, acc: F8) -> tuple[F8, F8]:
    """Lengths of rate and force of the samples that can be used."""
    # NaN fails the comparison; beyond a million it is garbage in any unit.
    with np.errstate(over="ignore", invalid="ignore"):
        rates, forces = (np.sqrt(np.einsum("ij,ij->i", x, x)) for x in (gyr, acc))
        good = (rates < 1e6) & (forces < 1e6) & (forces > 0.0)
    return rates[good], forces[good]
