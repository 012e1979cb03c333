"""Orientation of each sensor from its gyroscope and accelerometer; heading arbitrary, no magnetometer.

``orientation`` takes a whole array, ``OrientationFilter`` a stream of one sensor and ``OrientationStage``
the grid blocks of the pipeline. All three run the same kernels and give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError, ShapeError, TimeOrderError, UnitError
from latemiles.estimators.course import Course
from latemiles.estimators.orientation_causal import CausalLanes
from latemiles.estimators.orientation_params import OrientationParams
from latemiles.estimators.orientation_smoothed import SmoothedBlock, SmoothedLanes
from latemiles.estimators.units import check_units
from latemiles.signals.blocks import GridBlock, OrientationBlock
from latemiles.signals.frames import GRAVITY_M_S2

__all__ = [
    "Orientation",
    "OrientationFilter",
    "OrientationParams",
    "OrientationStage",
    "orientation",
]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

BASES: Final = ("causal", "smoothed")
PIECE_S: Final = 10.0
"""So much of a whole stream goes through the causal filter at once, s; it fits into a near cache."""

REST_FORCE: Final = (0.8 * GRAVITY_M_S2, 1.2 * GRAVITY_M_S2)
"""m/s^2; |acc| at rest. Twenty percent is five times the worst scale error of consumer parts."""


class Orientation(NamedTuple):
    """Orientation of one sensor over time."""

    quat: F8
    """(n, 4) sensor to earth, w x y z, earth z up, heading arbitrary; NaN where the sample was missing."""
    gyr_bias: F8
    """(n, 3) rad/s, sensor frame; where samples were missing it is held (causal) or NaN (smoothed)."""
    rest: NDArray[np.bool_]
    """(n,) whether the sensor lay or hung still."""


def orientation(
    gyr: object,
    acc: object,
    rate_hz: float,
    *,
    basis: str = "causal",
    params: OrientationParams | None = None,
) -> Orientation:
    """Orientation of one sensor, sample by sample.

    Parameters
    ----------
    gyr : array, shape (n, 3)
        Angular rate, rad/s, sensor frame; each the mean over the interval that ends at its sample.
    acc : array, shape (n, 3)
        Specific force, m/s^2, sensor frame: +9.81 along up at rest.
    rate_hz : float
        Samples a second, uniform.
    basis : {"causal", "smoothed"}
        Whether a sample may only know what came before it, or also about two minutes of what comes after.
    params : OrientationParams, optional

    Returns
    -------
    Orientation
        A sample with NaN, infinity or all-zero ``acc`` is a hole: NaN comes out and the filter waits.

    Raises
    ------
    ShapeError
        If the arrays are not (n, 3) of one length.
    UnitError
        If acc cannot be m/s^2 or gyr cannot be rad/s.
    InputError
        If the basis is unknown.
    ConfigError
        If the rate cannot be used.
    """
    gyr, acc = _pair(gyr, acc)
    stage = OrientationStage(rate_hz, lanes=1, basis=basis, params=params)
    check_units(gyr, acc, rate_hz)
    n = gyr.shape[0]
    grid = GridBlock(0, float(rate_hz), acc[np.newaxis], gyr[np.newaxis], np.zeros((1, n), dtype=np.int64))
    quat, bias, rest = np.empty((n, 4)), np.empty((n, 3)), np.empty(n, dtype=np.bool_)
    at = 0
    for out in _pieces(stage, grid):
        part = slice(at, at + out.quality.shape[1])
        quat[part], bias[part], rest[part] = out.quat[0], out.gyr_bias[0], out.rest[0]
        at = part.stop
    resting_force = np.linalg.norm(acc[rest], axis=1)
    if resting_force.size >= rate_hz and not REST_FORCE[0] <= np.median(resting_force) <= REST_FORCE[1]:
        raise UnitError(
            "|acc| near 9.81 m/s^2 at rest",
            f"a median of {np.median(resting_force):.3g} over {resting_force.size / rate_hz:.0f} s of rest",
            "Convert acc to m/s^2 (times 9.81 if it is in g) and check the sensor's scale.",
        )
    return Orientation(quat, bias, rest)


def _pieces(stage: OrientationStage, grid: GridBlock) -> Iterator[OrientationBlock]:
    """What a stage says of a whole stream, while it is still in a near cache."""
    n = grid.quality.shape[1]
    for start in range(0, n, stage.piece):
        yield stage.push(grid.part(start, min(n, start + stage.piece)))[1]
    for _, out in stage.drain():
        yield out


class OrientationFilter:
    """Orientation of one sensor as its samples come in, causal.

    Parameters
    ----------
    rate_hz : float
        Samples a second, uniform.
    params : OrientationParams, optional

    Raises
    ------
    ConfigError
        If the rate cannot be used.
    """

    __slots__ = ("_lanes",)

    def __init__(self, rate_hz: float, params: OrientationParams | None = None) -> None:
        self._lanes = CausalLanes(rate_hz, 1, params or OrientationParams())

    def update(self, gyr: object, acc: object) -> F8:
        """Take samples (k, 3), or one of shape (3,), and return sensor to earth, (k, 4).

        Units, frames and holes as in ``orientation``; units are not checked here, since one sample cannot
        tell. However the stream is cut into calls, the bytes are the same.

        Raises
        ------
        ShapeError
            If the arrays do not match.
        """
        gyr, acc = _pair(np.atleast_2d(np.asarray(gyr)), np.atleast_2d(np.asarray(acc)))
        quality = np.zeros((1, gyr.shape[0]), dtype=np.int64)
        quat: F8 = self._lanes.push(gyr[np.newaxis], acc[np.newaxis], quality)[0][0]
        return quat

    @property
    def gyr_bias(self) -> F8:
        """Bias of the gyroscope as now known, (3,) rad/s, sensor frame."""
        bias: F8 = np.array(self._lanes.states["bias"][0])
        return bias

    @property
    def rest(self) -> bool:
        """Whether the sensor is at rest."""
        return bool(self._lanes.states["rest"][0] == 1)

    @property
    def state(self) -> bytes:
        """All that the filter knows; setting it continues a stream that another filter began.

        Setting raises ``ShapeError`` if the bytes are not a state of this version's filter.
        """
        return self._lanes.save()

    @state.setter
    def state(self, saved: bytes) -> None:
        self._lanes.load(saved)


class OrientationStage:
    """Pipeline stage: grid samples in, the same samples with orientation out; all lanes in one call.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid.
    lanes : int
    basis : {"causal", "smoothed"}
        In the smoothed basis samples become final a minute at a time, one to two minutes late; ``push``
        then often returns no samples.
    params : OrientationParams, optional

    Raises
    ------
    InputError
        If the basis is unknown.
    ConfigError
        If the rate cannot be used.
    """

    __slots__ = ("_filter", "_next", "_ready", "lanes", "rate_hz")

    def __init__(
        self,
        rate_hz: float,
        *,
        lanes: int = 3,
        basis: str = "causal",
        params: OrientationParams | None = None,
    ) -> None:
        if basis not in BASES:
            raise InputError("a basis of 'causal' or 'smoothed'", repr(basis), "Choose one of the two.")
        params = params or OrientationParams()
        self._filter: CausalLanes | SmoothedLanes = (
            CausalLanes(rate_hz, lanes, params)
            if basis == "causal"
            else SmoothedLanes(rate_hz, lanes, params)
        )
        self.rate_hz = float(rate_hz)
        self.lanes = lanes
        self._next: int | None = None
        self._ready = 0

    def aim(self, ahead: F8) -> None:
        """Hear which way the segments face: holds from the next sample on.

        Parameters
        ----------
        ahead : float64 array, shape (lanes, 3)
            Forward axis of each segment in its sensor's axes; NaN while unknown.

        Raises
        ------
        ShapeError
            If there is not one axis a lane.
        """
        if ahead.shape != (self.lanes, 3):
            raise ShapeError(f"axes ({self.lanes}, 3)", f"{ahead.shape}", "Hand in one row a sensor.")
        self._filter.aim(np.ascontiguousarray(ahead, dtype=np.float64))

    @property
    def piece(self) -> int:
        """Samples that are best pushed at once, where all of them are there."""
        if isinstance(self._filter, SmoothedLanes):
            return self._filter.segment
        return max(1, round(PIECE_S * self.rate_hz))

    def push(self, grid: GridBlock, course: Course | None = None) -> tuple[GridBlock, OrientationBlock]:
        """Take the next samples of the grid; return those that are ready, the same in both blocks.

        With ``course`` and after ``aim`` the runner's own acceleration, in bends and where speed changes,
        is taken off the specific force; without either this is a filter that is told nothing.

        Quality bits gain GAP where a sample cannot be used, and SETTLING where gravity is not known well
        yet: for three seconds after the start or a long hole in the causal basis, and on islands shorter
        than that in the smoothed one.

        Raises
        ------
        ShapeError
            If the block has another number of lanes or its arrays do not match.
        TimeOrderError
            If the block does not follow on the last one.
        """
        k = grid.quality.shape[-1]
        if grid.acc.shape != (self.lanes, k, 3) or grid.gyr.shape != grid.acc.shape:
            raise ShapeError(
                f"acc and gyr of shape ({self.lanes}, {k}, 3)",
                f"{grid.acc.shape} and {grid.gyr.shape}",
                "Hand in one row a sensor, in lane order.",
            )
        if self._next is None:
            self._ready = grid.first
        elif grid.first != self._next:
            raise TimeOrderError(
                f"a block that starts at grid sample {self._next}",
                f"one that starts at {grid.first}",
                "Fill what is missing with NaN; the grid has no holes.",
            )
        if course is not None and course.pace_m_s.shape != (k,):
            raise ShapeError(f"a course of {k} samples", f"{course.pace_m_s.shape}", "Cut it like the grid.")
        self._next = grid.first + k
        if isinstance(self._filter, SmoothedLanes):
            ready = self._filter.push(grid.gyr, grid.acc, grid.quality, course)
            return self._final(_joined(ready, self.lanes))
        self._ready = self._next
        out = self._filter.push(grid.gyr, grid.acc, grid.quality, course)
        return grid, OrientationBlock(grid.first, self.rate_hz, *out)

    def finish(self) -> tuple[GridBlock, OrientationBlock]:
        """Return what is still held back, after the last push."""
        held = list(self._filter.finish()) if isinstance(self._filter, SmoothedLanes) else []
        return self._final(_joined(held, self.lanes))

    def drain(self) -> Iterator[tuple[GridBlock, OrientationBlock]]:
        """Give what ``finish`` returns in pieces: nobody has to hold or copy all of it."""
        if isinstance(self._filter, SmoothedLanes):
            yield from map(self._final, self._filter.finish())

    def _final(self, b: SmoothedBlock) -> tuple[GridBlock, OrientationBlock]:
        first = self._ready
        self._ready += b.quality.shape[1]
        return (
            GridBlock(first, self.rate_hz, b.acc, b.gyr, b.quality),
            OrientationBlock(first, self.rate_hz, b.quat, b.gyr_bias, b.rest, b.quality_out),
        )

    def save(self) -> bytes:
        """Return the state as bytes."""
        indices = np.array([-1 if self._next is None else self._next, self._ready], dtype=np.int64)
        return indices.tobytes() + self._filter.save()

    def load(self, saved: bytes) -> None:
        """Continue from bytes of ``save`` of a stage with the same settings.

        Raises
        ------
        ShapeError
            If the bytes are not such a state.
        """
        self._filter.load(saved[16:])
        following, self._ready = (int(x) for x in np.frombuffer(saved[:16], dtype=np.int64))
        self._next = None if following < 0 else following


def _joined(blocks: list[SmoothedBlock], lanes: int) -> SmoothedBlock:
    if len(blocks) == 1:
        return blocks[0]
    if blocks:
        # One after another, and what is joined is let go: the next one finds memory that is at hand.
        parts = [list(block) for block in blocks]
        blocks.clear()
        return SmoothedBlock(
            *(np.concatenate([part.pop(0) for part in parts], axis=1) for _ in SmoothedBlock._fields)
        )
    none, flags = np.empty((lanes, 0, 3)), np.empty((lanes, 0), dtype=np.int64)
    return SmoothedBlock(none, none, flags, np.empty((lanes, 0, 4)), none, flags, flags)


def _pair(gyr: object, acc: object) -> tuple[F8, F8]:
    try:
        pair = np.ascontiguousarray(gyr, dtype=np.float64), np.ascontiguousarray(acc, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError("gyr and acc as arrays of numbers", str(error), "Hand in (n, 3) arrays.") from error
    if pair[0].ndim != 2 or pair[0].shape[1] != 3 or pair[0].shape != pair[1].shape:
        raise ShapeError(
            "gyr and acc of shape (n, 3), one row a sample",
            f"gyr {pair[0].shape} and acc {pair[1].shape}",
            "Put x, y, z in the columns and cut both to one length.",
        )
    return pair
