"""The smoothed basis: a forward filter and, over a window, a backward pass; bounded memory and lag."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ShapeError
from latemiles.estimators.course import Course
from latemiles.estimators.orientation_params import OrientationParams, check_rate, coefficients
from latemiles.kernels.course import aim
from latemiles.kernels.lanes import LANES
from latemiles.kernels.orientation_epochs import (
    SMOOTHER,
    SMOOTHER_COEFFICIENTS,
    close_open,
    forward,
    new_smoother,
)
from latemiles.kernels.orientation_kalman import EPOCH, N, backward
from latemiles.kernels.orientation_render import render, rest_from_its_start

__all__ = ["SmoothedBlock", "SmoothedLanes"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

SEGMENT_S: Final = 60
"""s; so much becomes final at once."""
LOOKAHEAD_S: Final = SEGMENT_S
"""s; so much of the future a sample knows at least. Tilt errors are correlated over some 10 s."""
UNTOLD: Final = np.empty((2, 0))
"""Of a push that is told no speed."""


@dataclass(frozen=True, slots=True)
class SmootherParams:
    """What the smoother takes for granted of sensors and people, SI units."""

    epoch: float = 1.0
    """s; a bias moves little in it, and a stride or a step averages out."""
    tilt_init: float = math.radians(10.0)
    """rad; after levelling by the mean force of one or two epochs."""
    velocity_init: float = 3.0
    """m/s; against the mean of the person's velocity."""
    tilt_noise: float = math.radians(0.25)
    """rad per root s; the white noise of a gyroscope is 0.01 deg, its scale, cross-axis and vibration errors
    in motion are more. With the velocity's two it sets the bandwidth, that of a low-pass of 3 s; half and
    double change the inclination error by 2 % on hand-held (BROAD) and by 1 % on simulated running data."""
    force_noise: float = 0.01
    """m/s per root s; ten times an accelerometer's white noise, for vibration."""
    bias_tau: float = 5000.0
    """s; makes the bias wander by 0.1 deg/s in 100 s, as in the causal filter, but not away."""
    velocity_sigma: float = 0.3
    """m/s; how far a body part's velocity is from its mean,"""
    velocity_tau: float = 0.5
    """s; and for how long."""
    velocity_sigma_rest: float = 0.03
    """m/s; sway in quiet standing."""
    acc_clip: float = 0.1
    """m/s; what a clipped sample may hide: 20 m/s^2 over 5 ms."""
    gyr_clip: float = math.radians(1.0)
    """rad; what a clipped sample may hide: 200 deg/s over 5 ms."""


class SmoothedBlock(NamedTuple):
    """Samples that became final, with what came in for them."""

    gyr: F8
    acc: F8
    quality: I8
    quat: F8
    gyr_bias: F8
    rest: I8
    quality_out: I8


class _Segment:
    """Samples that become final together, with what the forward filter says of them."""

    __slots__ = ("acc", "gyr", "quality", "quat", "rest")

    def __init__(self, lanes: int, k: int) -> None:
        self.gyr: F8 = np.empty((lanes, k, 3))
        self.acc: F8 = np.empty((lanes, k, 3))
        self.quality: I8 = np.empty((lanes, k), dtype=np.int64)
        self.quat: F8 = np.empty((lanes, k, 4))
        self.rest: F8 = np.empty((lanes, k, 1))

    def arrays(self) -> list[NDArray[Any]]:
        """All of them; the second axis is time."""
        return [self.gyr, self.acc, self.quality, self.quat, self.rest]

    def start(self, k: int) -> _Segment:
        """Copy of the first k samples."""
        part = _Segment(self.quality.shape[0], k)
        for old, new in zip(self.arrays(), part.arrays(), strict=True):
            new[:] = old[:, :k]
        return part


class SmoothedLanes:
    """Fixed-lag smoother for several sensors at one rate; memory is bounded by its window of two minutes.

    Two segments are held: the one that fills, and the one before it, which becomes final when it has.

    Parameters
    ----------
    rate_hz : float
    lanes : int
    params : OrientationParams
        The causal filter's; rest detection and the bias's statistics are taken from it.
    """

    __slots__ = (
        "_adjoint",
        "_base",
        "_before",
        "_coefficients",
        "_counts",
        "_epochs",
        "_fill",
        "_groups",
        "_heading",
        "_now",
        "_rest_samples",
        "_segment",
        "_smooth",
        "_states",
    )

    def __init__(self, rate_hz: float, lanes: int, params: OrientationParams) -> None:
        rate_hz = check_rate(rate_hz, params)
        co = smoother_coefficients(params, SmootherParams(), rate_hz)
        self._coefficients = co
        per_epoch = int(co["epoch_samples"])
        self._segment = round(SEGMENT_S / (per_epoch / rate_hz)) * per_epoch
        self._rest_samples = math.ceil(params.rest_min * rate_hz)
        # An epoch ends at its time or at a long hole, and both take samples; two may be open or straddle.
        most = 2 * self._segment // min(per_epoch, int(co["hold_samples"]) + 2) + 3
        self._states: NDArray[Any] = new_smoother(lanes, co)
        self._groups = np.zeros((1, SMOOTHER.itemsize // 8, LANES))
        self._epochs: NDArray[Any] = np.zeros((lanes, most), dtype=EPOCH)
        self._counts = np.zeros(lanes, dtype=np.int64)
        self._heading = np.zeros(lanes)
        self._smooth = np.zeros((most, N))
        self._adjoint = np.zeros((2, N))
        self._before = _Segment(lanes, 0)
        self._now = _Segment(lanes, self._segment)
        self._base = 0
        """Number of the first sample of ``_now``."""
        self._fill = 0
        """Samples in it."""

    def aim(self, ahead: F8) -> None:
        """Hear of the forward axes (lanes, 3)."""
        aim(self._states, ahead)

    def push(self, gyr: F8, acc: F8, quality: I8, course: Course | None = None) -> SmoothedBlock:
        """Take (lanes, k, 3) rates and forces and (lanes, k) quality bits; return what became final."""
        ready = []
        k = quality.shape[1]
        told = UNTOLD if course is None else np.array((course.pace_m_s, course.gained_m_s))
        at = 0
        while at < k:
            take = min(k - at, self._segment - self._fill)
            old, new = self._fill, self._fill + take
            now = self._now
            now.gyr[:, old:new] = gyr[:, at : at + take]
            now.acc[:, old:new] = acc[:, at : at + take]
            now.quality[:, old:new] = quality[:, at : at + take]
            forward(
                self._states,
                self._states.view(np.float64).reshape(len(self._states), -1),
                self._groups,
                self._coefficients[()],
                now.gyr,
                now.acc,
                now.quality,
                np.ascontiguousarray(told[:, at : at + take]),
                self._base,
                self._base + old,
                self._base + new,
                self._before.quat,
                now.quat,
                now.rest,
                self._epochs,
                self._counts,
            )
            self._fill = new
            at += take
            if new == self._segment:
                if self._before.quality.size:
                    ready.append(self._final(self._before, self._base - self._segment, now))
                self._before, self._now = now, _Segment(len(self._states), self._segment)
                self._base += self._segment
                self._fill = 0
        return self._joined(ready)

    def finish(self) -> SmoothedBlock:
        """Return all that is held back."""
        stop = self._base + self._fill
        close_open(
            self._states,
            self._coefficients[()],
            self._base,
            self._before.quat,
            self._now.quat,
            self._epochs,
            self._counts,
            stop,
        )
        ready = []
        last = self._now.start(self._fill)
        none = _Segment(len(self._states), 0)
        if self._before.quality.size:
            ready.append(self._final(self._before, self._base - self._segment, last))
        if self._fill:
            ready.append(self._final(last, self._base, none))
        self._base, self._fill, self._before = stop, 0, none
        return self._joined(ready)

    def _final(self, part: _Segment, first: int, after: _Segment) -> SmoothedBlock:
        """Smooth a segment whose first sample has this number; nothing of it is held afterwards."""
        lanes, k = part.quality.shape
        bias, rest = np.empty((lanes, k, 3)), np.empty((lanes, k), dtype=np.int64)
        quality = part.quality.copy()
        for lane in range(lanes):
            count = int(self._counts[lane])
            quat = part.quat[lane].reshape(k, 1, 4)
            backward(self._epochs[lane], count, self._smooth, self._adjoint)
            done, self._heading[lane] = render(
                self._epochs[lane],
                count,
                self._coefficients[()],
                self._smooth,
                self._heading[lane],
                first,
                quat,
                bias[lane].reshape(k, 1, 3),
                quality[lane],
            )
            rest_from_its_start(part.rest[lane], after.rest[lane], self._rest_samples, quat, rest[lane])
            self._epochs[lane, : count - done] = self._epochs[lane, done:count].copy()
            self._counts[lane] = count - done
        return SmoothedBlock(part.gyr, part.acc, part.quality, part.quat, bias, rest, quality)

    def _joined(self, blocks: list[SmoothedBlock]) -> SmoothedBlock:
        lanes = self._counts.size
        if len(blocks) == 1:
            return blocks[0]
        if blocks:
            return SmoothedBlock(*(np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True)))
        none, flags = np.empty((lanes, 0, 3)), np.empty((lanes, 0), dtype=np.int64)
        return SmoothedBlock(none, none, flags, np.empty((lanes, 0, 4)), none, flags, flags)

    def _parts(self) -> list[NDArray[Any]]:
        """All that is held of samples."""
        return self._before.arrays() + [x[:, : self._fill] for x in self._now.arrays()]

    def save(self) -> bytes:
        """Return the state as bytes; what is held back is part of it."""
        out = io.BytesIO()
        before = self._before.quality.shape[1]
        out.write(np.array([self._base, self._fill, before, *self._counts], dtype=np.int64).tobytes())
        out.write(self._heading.tobytes())
        out.write(self._states.tobytes())
        for lane, count in enumerate(self._counts):
            out.write(self._epochs[lane, :count].tobytes())
        for part in self._parts():
            out.write(part.tobytes())
        return out.getvalue()

    def load(self, saved: bytes) -> None:
        """Continue from bytes of ``save``.

        Raises
        ------
        ShapeError
            If the bytes are not a state of a smoother with the same settings.
        """
        lanes = self._counts.size
        wrong = ShapeError(
            f"a saved smoother of {lanes} sensors",
            f"{len(saved)} bytes that are none",
            "Restore only what the same version saved with the same settings.",
        )
        source = io.BytesIO(saved)

        def read(shape: tuple[int, ...], dtype: object) -> NDArray[Any]:
            kind = np.dtype(dtype)  # type: ignore[call-overload]
            size = math.prod(shape) * kind.itemsize
            part = source.read(size)
            if len(part) != size:
                raise wrong
            return np.frombuffer(part, dtype=kind).reshape(shape)

        base, fill, before, *counts = (int(x) for x in read((3 + lanes,), np.int64))
        most = self._epochs.shape[1]
        is_ours = before in (0, self._segment) and 0 <= fill < self._segment and base >= before
        if not (is_ours and all(0 <= c <= most for c in counts)):
            raise wrong
        heading = read((lanes,), np.float64).copy()
        states = read((lanes,), SMOOTHER).copy()
        epochs = [read((c,), EPOCH) for c in counts]
        held, now = _Segment(lanes, before), _Segment(lanes, self._segment)
        for part in held.arrays() + [x[:, :fill] for x in now.arrays()]:
            part[:] = read(part.shape, part.dtype)
        if source.read(1):
            raise wrong
        self._base, self._fill, self._before, self._now = base, fill, held, now
        self._heading, self._states = heading, states
        self._counts[:] = counts
        for lane, kept in enumerate(epochs):
            self._epochs[lane, : counts[lane]] = kept


def smoother_coefficients(params: OrientationParams, own: SmootherParams, rate_hz: float) -> NDArray[Any]:
    """Coefficients of the kernels: a zero-dimensional array of ``SMOOTHER_COEFFICIENTS``."""
    causal = coefficients(params, rate_hz)
    co = np.zeros((), dtype=SMOOTHER_COEFFICIENTS)
    for name in set(causal.dtype.names or ()) & set(co.dtype.names or ()):
        co[name] = causal[name]
    co["tilt_init"] = own.tilt_init**2
    co["velocity_init"] = own.velocity_init**2
    co["bias_init"] = params.bias_sigma_init**2
    co["tilt_noise"] = own.tilt_noise**2
    co["force_noise"] = own.force_noise**2
    co["bias_tau"] = own.bias_tau
    co["velocity_spread"] = own.velocity_sigma**2 * own.velocity_tau
    co["velocity_spread_rest"] = own.velocity_sigma_rest**2 * own.velocity_tau
    # The causal filter's weight of a sample at rest, as a density over time.
    co["rate_spread_rest"] = 1.0 / (rate_hz * float(causal["weight_rest"]))
    co["acc_clip_noise"] = own.acc_clip**2
    co["gyr_clip_noise"] = own.gyr_clip**2
    co["settling"] = params.force_tau
    co["epoch_samples"] = max(1, round(own.epoch * rate_hz))
    return co
