"""Arrays in flight between the stages of the pipeline: blocks of consecutive samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ShapeError, TimeOrderError
from latemiles.signals.frames import Segment

__all__ = ["AngleBlock", "GridBlock", "GridPart", "ImuStream", "OrientationBlock", "SampleBlock", "joined"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


class ImuStream:
    """One sensor's samples, whole: what ``analyze`` takes.

    Parameters
    ----------
    t : array, shape (n,)
        Sample times, s, strictly increasing; need not be uniform.
    acc : array, shape (n, 3)
        Specific force, m/s^2, sensor frame: +9.81 along up at rest. NaN marks a missing sample.
    gyr : array, shape (n, 3)
        Angular rate, rad/s, sensor frame. NaN marks a missing sample.

    Raises
    ------
    ShapeError
        If the three do not belong together.
    TimeOrderError
        If the time does not strictly increase or is not finite.
    """

    __slots__ = ("acc", "gyr", "t")

    def __init__(self, t: object, acc: object, gyr: object) -> None:
        try:
            self.t: F8 = np.ascontiguousarray(t, dtype=np.float64)
            self.acc: F8 = np.ascontiguousarray(acc, dtype=np.float64)
            self.gyr: F8 = np.ascontiguousarray(gyr, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ShapeError(
                "t (n,), acc (n, 3) and gyr (n, 3) as arrays of numbers", str(error), "Hand in plain arrays."
            ) from error
        n = self.t.shape[0] if self.t.ndim == 1 else -1
        for name, value, want in (("t", self.t, (n,)), ("acc", self.acc, (n, 3)), ("gyr", self.gyr, (n, 3))):
            if n < 0 or value.shape != want:
                raise ShapeError(
                    "t (n,), acc (n, 3) and gyr (n, 3) of one length",
                    f"{name} of shape {value.shape} with t of shape {self.t.shape}",
                    "Hand in one row a sample, with x, y, z as columns.",
                )
        if not np.all(np.isfinite(self.t)):
            raise TimeOrderError(
                "finite time stamps",
                "NaN or infinity in t",
                "Drop those rows, or mark their acc and gyr as NaN.",
            )
        steps = np.diff(self.t)
        if np.any(steps <= 0.0):
            k = int(np.argmax(steps <= 0.0))
            advice = "Sort the rows by time and drop repeated ones."
            if getattr(t, "dtype", None) in (np.float32, np.float16):
                advice = f"{advice} {getattr(t, 'dtype', '')} cannot tell late times apart: use float64."
            raise TimeOrderError(
                "strictly increasing time stamps",
                f"t[{k + 1}] = {self.t[k + 1]:.6f} s after t[{k}] = {self.t[k]:.6f} s",
                advice,
            )


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """Decoded samples of one sensor, in its own time, in order of arrival."""

    segment: Segment
    t_s: F8
    """(k,) session time, s (after the clock stage)."""
    acc: F8
    """(k, 3) m/s^2, sensor frame."""
    gyr: F8
    """(k, 3) rad/s, sensor frame."""
    flags: I8
    """(k,) SampleQuality bits (clipping)."""


class GridBlock(NamedTuple):
    """Samples of all lanes on the common grid: sample k lies at ``(first + k) / rate_hz`` session seconds."""

    first: int
    """Grid index of the first sample."""
    rate_hz: float
    acc: F8
    """(lanes, k, 3) m/s^2, sensor frame; NaN in a gap. Lane order: signals.frames.SEGMENTS."""
    gyr: F8
    """(lanes, k, 3) rad/s, sensor frame; mean rate over the interval that ends at the sample."""
    quality: I8
    """(lanes, k) SampleQuality bits."""

    def part(self, start: int, stop: int) -> GridBlock:
        """Samples ``start`` to ``stop`` of the block, in one piece of memory."""
        if start == 0 and stop == self.quality.shape[1]:
            return self
        return self.view(start, stop).whole()

    def view(self, start: int, stop: int) -> GridBlock:
        """Samples ``start`` to ``stop`` of the block, where they lie."""
        here = slice(start, stop)
        part = GridPart(
            self.first + start, self.rate_hz, self.acc[:, here], self.gyr[:, here], self.quality[:, here]
        )
        part.of = self.of if isinstance(self, GridPart) else self
        return part

    def whole(self) -> GridBlock:
        """The same samples in one piece of memory; not copied if they lie so."""
        if self.acc.flags.c_contiguous and self.gyr.flags.c_contiguous and self.quality.flags.c_contiguous:
            return self
        acc, gyr = np.ascontiguousarray(self.acc), np.ascontiguousarray(self.gyr)
        return GridBlock(self.first, self.rate_hz, acc, gyr, np.ascontiguousarray(self.quality))


class GridPart(GridBlock):
    """Samples of a block where they lie; who replaces an array of it gets a block like any other."""

    of: GridBlock | None = None
    """The block that owns the memory."""


def joined(parts: Sequence[GridBlock]) -> GridBlock:
    """Blocks that follow on each other as one; not copied if they lie side by side."""
    first = parts[0]
    if len(parts) == 1:
        return first
    room = first.of if isinstance(first, GridPart) else None
    if room is not None and all(isinstance(part, GridPart) and part.of is room for part in parts):
        start = first.first - room.first
        return room.view(start, start + sum(part.quality.shape[1] for part in parts))
    acc, gyr, quality = (np.concatenate([part[c] for part in parts], axis=1) for c in (2, 3, 4))
    return GridBlock(first.first, first.rate_hz, acc, gyr, quality)


class OrientationBlock(NamedTuple):
    """Sensor orientation on the common grid."""

    first: int
    rate_hz: float
    quat: F8
    """(lanes, k, 4) sensor to earth, heading of each lane arbitrary; NaN in a gap."""
    gyr_bias: F8
    """(lanes, k, 3) rad/s, sensor frame."""
    rest: I8
    """(lanes, k) 1 where the sensor rests."""
    quality: I8
    """(lanes, k) SampleQuality bits."""


class AngleBlock(NamedTuple):
    """Segment angles on the common grid; NaN where not known, with the reason in ``quality``."""

    first: int
    rate_hz: float
    pelvis: F8
    """(k, 3) rad: tilt, obliquity, rotation."""
    hip: F8
    """(2, k, 3) rad, left then right: flexion, adduction, internal rotation."""
    force_up: F8
    """(lanes, k) vertical specific force, earth frame, m/s^2 (9.81 at rest)."""
    force_horizontal: F8
    """(k, 2) pelvis specific force forward and to the left in the progression frame, m/s^2."""
    quality: I8
    """(lanes, k) SampleQuality bits."""
