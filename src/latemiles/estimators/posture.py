"""Posture: from sensor orientations to pelvis and hip angles.

The stage thins the streams to about 25 bins a second, and once a second, always at the same grid samples,
judges the gait, looks for a calibration, updates the relative headings and watches for slips. Between, each
sample is turned into angles with what is known. In the smoothed basis samples wait ``lag_s`` first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError, ShapeError, TimeOrderError
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.posture_buffers import Held, Samples, blank_angles, fill_angles
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.posture_seconds import Seconds
from latemiles.estimators.snapshot import pack, unpack
from latemiles.signals.blocks import AngleBlock, GridBlock, OrientationBlock
from latemiles.signals.events import Event
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Pose

__all__ = ["Calibration", "PostureParams", "PostureStage"]


_LANES: Final = len(SEGMENTS)
_SLOWEST_HZ: Final = 20.0
"""Slowest grid, Hz, at which a stride's second harmonic is still seen."""


def _unknown(t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full(len(t_s), np.nan)


class PostureStage:
    """Pipeline stage: grid samples with orientation in, angles out; each sample once and in order.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid.
    basis : {"causal", "smoothed"}
        Causal angles come at once, smoothed ones ``lag_s`` late.
    known : Calibration, optional
        What an earlier pass over the same recording found: holds from the first sample on.
    given : Calibration, optional
        What was found before the run, with the sensors where they are: holds until a movement says better.
    told : sequence of Pose
        Calibration poses held on request; others come by ``tell``. Not needed with ``known``.
    params : PostureParams, optional
    pace : callable, optional
        Speed over ground (m/s, NaN while unknown) at rising session times (n,), if the orientations account
        for it: gentle bends are then not marked.
    has_angles : bool
        Without, only the calibration and the events come out: what a first pass is after.

    Raises
    ------
    InputError
        If the basis is unknown or the rate too low.
    """

    def __init__(
        self,
        rate_hz: float,
        *,
        basis: str = "causal",
        known: Calibration | None = None,
        given: Calibration | None = None,
        told: Sequence[Pose] = (),
        params: PostureParams | None = None,
        pace: Callable[[NDArray[np.float64]], NDArray[np.float64]] = _unknown,
        has_angles: bool = True,
    ) -> None:
        if basis not in ("causal", "smoothed"):
            raise InputError("a basis of 'causal' or 'smoothed'", repr(basis), "Choose one of the two.")
        if not rate_hz >= _SLOWEST_HZ:
            raise InputError("a grid of 20 Hz or more", f"{rate_hz} Hz", "Use sensors of 50 Hz or more.")
        self.rate_hz = float(rate_hz)
        self._seconds = Seconds(
            rate_hz,
            basis == "smoothed",
            known,
            given,
            tuple(told),
            params or PostureParams(),
            pace,
            has_angles,
        )
        self._second = self._seconds.samples
        self._lag = self._seconds.lag
        self._held = Held(self._lag + 2, self._second) if self._lag else None
        self._has_angles = has_angles
        self._next = -1
        """Grid index of the sample expected next; -1 before the first."""
        self._emitted = 0
        self.taken = 0
        """Samples of the last push that were taken."""

    @property
    def calibration(self) -> Calibration | None:
        """What is known of the mounting; what a second pass is told. None while nothing is."""
        return self._seconds.calibration

    @property
    def mounts(self) -> NDArray[np.float64]:
        """How the sensors sit, (lanes, 4) as in ``Calibration``; NaN while unknown."""
        return self._seconds.mounts

    @property
    def is_over_ground(self) -> bool:
        """Whether the runner has run through a bend, as nobody does on a treadmill."""
        return self._seconds.is_over_ground

    @property
    def running_s(self) -> float:
        """For how long the runner ran so far, s."""
        return self._seconds.running_s

    def is_settled(self, lanes: Sequence[int]) -> bool:
        """Whether nothing that is still to come of these lanes can change ``calibration``, poses apart."""
        return self._seconds.is_settled(lanes)

    def tell(self, pose: Pose) -> None:
        """Hear of a calibration pose that was held on request, also during the run."""
        self._seconds.calibrator.tell(pose)

    def push(self, grid: GridBlock, orient: OrientationBlock) -> tuple[AngleBlock, list[Event]]:
        """Take the next samples, the same in both blocks; return angles that are ready, and events.

        Without angles the stage stops where it learns that a sensor sits otherwise, for orientations after
        that may be others then: ``taken`` says how many samples it took.

        Raises
        ------
        ShapeError
            If the blocks do not belong together.
        TimeOrderError
            If they do not follow on the last ones.
        """
        n = grid.quality.shape[1]
        self._check(grid, orient)
        if self._next < 0:
            self._next = self._emitted = grid.first
            self._seconds.begin(grid.first)
        quality = orient.quality | grid.quality
        angles = blank_angles(self._emitted, self._due(self._next + n), self.rate_hz)
        mounts = self._seconds.mounts
        self.taken = 0
        while self.taken < n and (self._has_angles or self._seconds.mounts is mounts):
            whole = self._at_once(n - self.taken)
            if whole:
                self._take_seconds(grid, orient, quality, whole, angles)
            else:
                self._take_some(grid, orient, quality, angles)
        if self._held is None:
            self._emitted = self._next
        return angles, self._seconds.take_events()

    def _at_once(self, count: int) -> int:
        """How many whole seconds of the next ``count`` samples can be taken in one call."""
        if count < self._second or self._next % self._second:
            return 0
        if self._held is None and self._has_angles:
            return 0
        if self._held is not None and self._emitted != self._next - self._lag * self._second:
            return 0
        return self._seconds.at_once(self._next, count // self._second)

    def _take_seconds(
        self,
        grid: GridBlock,
        orient: OrientationBlock,
        quality: NDArray[np.int64],
        whole: int,
        angles: AngleBlock,
    ) -> None:
        """Take up to ``whole`` seconds, and give those that lie as far back as the lag."""
        samples = (grid.acc, grid.gyr, orient.quat, quality)
        count, known = self._seconds.run(samples, self.taken, self._next, whole)
        if self._held is not None:
            self._held.release(self._emitted, known, angles)
            self._emitted += count * self._second
            self._held.put_seconds(self._next, self.taken, count, orient.quat, grid.acc, quality)
        self._next += count * self._second
        self.taken += count * self._second

    def _take_some(
        self, grid: GridBlock, orient: OrientationBlock, quality: NDArray[np.int64], angles: AngleBlock
    ) -> None:
        """Take samples up to the end of the present second or of the block."""
        stop = min(quality.shape[1], self.taken + self._second - self._next % self._second)
        part = Samples(self._next, orient.quat, grid.acc, quality, self.taken, stop)
        self._seconds.take(part, grid.gyr)
        if self._held is not None:
            self._held.put(part)
        elif self._has_angles:
            fill_angles(angles, part, *self._seconds.causal(part.first, len(part)))
        self._next += len(part)
        self.taken = stop
        if self._next % self._second == 0:
            self._seconds.decide(self._next)
            if self._held is not None:
                self._release(self._next - self._lag * self._second, angles)

    def finish(self) -> tuple[AngleBlock, list[Event]]:
        """Return what is still held back, and make the best of a calibration that was on its way."""
        if self._next < 0:
            return blank_angles(0, 0, self.rate_hz), []
        self._seconds.finish(self._next)
        angles = blank_angles(self._emitted, self._next - self._emitted, self.rate_hz)
        if self._held is not None:
            self._release(self._next, angles)
        return angles, self._seconds.take_events()

    def save(self) -> bytes:
        """Return the state as bytes."""
        plain, arrays = self._seconds.save()
        plain |= {"next": self._next, "emitted": self._emitted}
        if self._held is not None:
            arrays |= {
                "held_quat": self._held.quat,
                "held_acc": self._held.acc,
                "held_quality": self._held.quality,
            }
        return pack(plain, arrays)

    def load(self, saved: bytes) -> None:
        """Continue from bytes of ``save`` of a stage with the same settings.

        Raises
        ------
        InputError
            If the bytes are not such a state.
        """
        plain, arrays = unpack(saved)
        self._seconds.load(plain, arrays)
        self._next, self._emitted = plain["next"], plain["emitted"]
        if self._held is not None:
            self._held.quat[:] = arrays["held_quat"]
            self._held.acc[:] = arrays["held_acc"]
            self._held.quality[:] = arrays["held_quality"]

    def _check(self, grid: GridBlock, orient: OrientationBlock) -> None:
        n = grid.quality.shape[1]
        if grid.acc.shape != (_LANES, n, 3) or orient.quat.shape != (_LANES, n, 4):
            raise ShapeError(
                f"acc ({_LANES}, k, 3) and quat ({_LANES}, k, 4) of one length",
                f"{grid.acc.shape} and {orient.quat.shape}",
                "Hand in both blocks of one step of the orientation stage.",
            )
        if (self._next >= 0 and grid.first != self._next) or orient.first != grid.first:
            raise TimeOrderError(
                f"blocks that start at grid sample {max(self._next, 0)}",
                f"{grid.first} and {orient.first}",
                "Fill what is missing with NaN; the grid has no holes.",
            )

    def _due(self, stop: int) -> int:
        """How many angles are ready once the samples before ``stop`` are there."""
        if self._held is not None:
            stop = (stop // self._second - self._lag) * self._second
        return max(0, stop - self._emitted) if self._has_angles else 0

    def _release(self, stop: int, angles: AngleBlock) -> None:
        """Write angles of the held samples before ``stop``."""
        while self._held is not None and self._emitted < stop:
            end = min(stop, (self._emitted // self._second + 1) * self._second)
            part = self._held.get(self._emitted, end)
            fill_angles(angles, part, *self._seconds.smoothed(part.first, len(part)))
            self._emitted = end
