"""The causal basis: a filter a sensor, all of them in one call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ShapeError
from latemiles.estimators.course import Course, no_course
from latemiles.estimators.orientation_params import OrientationParams, check_rate, coefficients
from latemiles.kernels.course import aim
from latemiles.kernels.orientation import STATE, new_state, run

__all__ = ["CausalLanes", "LaneOutput"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


class LaneOutput(NamedTuple):
    """What the kernel says of k samples of each lane: the arrays of an ``OrientationBlock``."""

    quat: F8
    gyr_bias: F8
    rest: I8
    quality: I8


class CausalLanes:
    """The causal filter for several sensors at one rate, without knowledge of grid or time."""

    __slots__ = ("_coefficients", "_untold", "states")

    def __init__(self, rate_hz: float, lanes: int, params: OrientationParams) -> None:
        # An array of one: numba takes several microseconds to see what a single record is.
        self._coefficients = coefficients(params, check_rate(rate_hz, params)).reshape(1)
        self._untold = no_course(0)
        """The course of the last push that was told none: pushes are mostly of one length."""
        self.states: NDArray[Any] = new_state(lanes, self._coefficients)

    def push(self, gyr: F8, acc: F8, quality: I8, course: Course | None = None) -> LaneOutput:
        """Take (lanes, k, 3) rates and forces and (lanes, k) quality bits through the filter."""
        lanes, k = quality.shape
        if course is None:
            if len(self._untold.pace_m_s) != k:
                self._untold = no_course(k)
            course = self._untold
        out = LaneOutput(
            np.empty((lanes, k, 4)),
            np.empty((lanes, k, 3)),
            np.empty((lanes, k), dtype=np.int64),
            np.empty((lanes, k), dtype=np.int64),
        )
        run(
            self.states,
            self._coefficients,
            np.ascontiguousarray(gyr),
            np.ascontiguousarray(acc),
            np.ascontiguousarray(quality),
            course.pace_m_s,
            course.gained_m_s,
            *out,
        )
        return out

    def aim(self, ahead: F8) -> None:
        """Hear of the forward axes (lanes, 3)."""
        aim(self.states, ahead)

    def save(self) -> bytes:
        """Return the state as bytes."""
        return self.states.tobytes()

    def load(self, saved: bytes) -> None:
        """Continue from bytes of ``save``."""
        if len(saved) != self.states.nbytes:
            raise ShapeError(
                f"a saved orientation state of {self.states.nbytes} bytes",
                f"{len(saved)} bytes",
                "Restore only what the same version saved with the same number of sensors.",
            )
        self.states = np.frombuffer(saved, dtype=STATE).copy()
