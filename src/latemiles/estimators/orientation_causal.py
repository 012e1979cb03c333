"""The causal basis: a filter a sensor, all of them in one call."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy import ascontiguousarray, empty
from numpy.typing import NDArray

from latemiles.errors import ShapeError
from latemiles.estimators.course import Course
from latemiles.estimators.orientation_params import OrientationParams, check_rate, coefficients
from latemiles.kernels.course import aim
from latemiles.kernels.jit import settled
from latemiles.kernels.lanes import pack, unpack
from latemiles.kernels.orientation import run
from latemiles.kernels.orientation_state import STATE, new_state
from latemiles.kernels.record import as_state

__all__ = ["CausalLanes", "LaneOutput"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


UNTOLD: Final = np.empty((2, 0))
"""Of a push that is told no speed."""


LaneOutput = tuple[F8, F8, I8, I8]
"""Orientation, bias, rest and quality bits of k samples of each lane, as in an ``OrientationBlock``."""

FLOAT: Final = np.dtype(np.float64)
WHOLE: Final = np.dtype(np.int64)


class CausalLanes:
    """The causal filter for several sensors at one rate, without knowledge of grid or time."""

    __slots__ = ("_coefficients", "_groups", "_lanes", "_run", "_shape", "_shapes")

    def __init__(self, rate_hz: float, lanes: int, params: OrientationParams) -> None:
        self._coefficients = coefficients(params, check_rate(rate_hz, params)).reshape(1)
        self._lanes = lanes
        self._groups = pack(new_state(lanes, self._coefficients), self._coefficients)
        self._run: Any = None
        self._shape: tuple[int, ...] = ()
        """Of the quality bits that came last;"""
        self._shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        """of the quaternions and biases that go with them."""

    @property
    def states(self) -> NDArray[Any]:
        """A record of ``STATE`` for each sensor; a copy."""
        states: NDArray[Any] = unpack(self._groups, STATE, self._lanes)
        return states

    def push(self, gyr: F8, acc: F8, quality: I8, course: Course | None = None) -> LaneOutput:
        """Take (lanes, k, 3) rates and forces and (lanes, k) quality bits through the filter."""
        # A tick is over in microseconds, and half of that is what is done once: there is little of it here.
        gyr, acc = ascontiguousarray(gyr, FLOAT), ascontiguousarray(acc, FLOAT)
        quality = ascontiguousarray(quality, WHOLE)
        shape = quality.shape
        if shape != self._shape:
            self._shape, self._shapes = shape, ((*shape, 4), (*shape, 3))
        of_quat, of_bias = self._shapes
        quat, bias = empty(of_quat), empty(of_bias)
        rest, quality_out = empty(shape, WHOLE), empty(shape, WHOLE)
        told = UNTOLD if course is None else np.array((course.pace_m_s, course.gained_m_s))
        step = self._run
        if step is None:
            step = settled(run, self._groups, gyr, acc, quality, told, quat, bias, rest, quality_out)
            self._run = step
        step(self._groups, gyr, acc, quality, told, quat, bias, rest, quality_out)
        return quat, bias, rest, quality_out

    def aim(self, ahead: F8) -> None:
        """Hear of the forward axes (lanes, 3)."""
        states = as_state(self.states)
        aim(states, ahead)
        self._groups = pack(states, self._coefficients)

    def save(self) -> bytes:
        """Return the state as bytes."""
        return self.states.tobytes()

    def load(self, saved: bytes) -> None:
        """Continue from bytes of ``save``."""
        size = self._lanes * STATE.itemsize
        if len(saved) != size:
            raise ShapeError(
                f"a saved orientation state of {size} bytes",
                f"{len(saved)} bytes",
                "Restore only what the same version saved with the same number of sensors.",
            )
        self._groups = pack(np.frombuffer(saved, dtype=STATE), self._coefficients)
