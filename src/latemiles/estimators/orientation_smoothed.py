"""The smoothed basis: a forward filter and, over a window, a backward pass; bounded memory and lag."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ShapeError
from latemiles.estimators.course import Course
from latemiles.estimators.orientation_params import OrientationParams, check_rate, coefficients
from latemiles.kernels.course import aim
from latemiles.kernels.lanes import pack, unpack
from latemiles.kernels.orientation_epochs import close_open, take_in
from latemiles.kernels.orientation_kalman import EPOCH, N
from latemiles.kernels.orientation_parts import PART_WORDS, PARTS
from latemiles.kernels.orientation_render import finish
from latemiles.kernels.orientation_rest import REST
from latemiles.kernels.orientation_smoother import (
    SMOOTHER,
    SMOOTHER_COEFFICIENTS,
    Samples,
    new_smoother,
)

__all__ = ["SmoothedBlock", "SmoothedLanes"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

SEGMENT_S: Final = 60
"""s; so much becomes final at once."""
LOOKAHEAD_S: Final = SEGMENT_S
"""s; so much of the future a sample knows at least. Tilt errors are correlated over some 10 s."""


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


def _room(lanes: int, k: int, told: F8) -> Samples:
    """Make room for k samples that come in."""
    return _beside(
        np.empty((lanes, k, 3)), np.empty((lanes, k, 3)), np.empty((lanes, k), dtype=np.int64), told
    )


def _beside(gyr: F8, acc: F8, quality: I8, told: F8) -> Samples:
    """Make room for what the filter says of samples."""
    shape = quality.shape
    return Samples(gyr, acc, quality, told, np.empty((*shape, 4)), np.empty(shape, dtype=np.int8))


def _start(part: Samples, fill: int, done: int) -> list[NDArray[Any]]:
    """Give of samples those that came in, and of what the filter says those that it has taken."""
    return [x[:, :fill] for x in part[:4]] + [x[:, :done] for x in part[4:]]


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
        "_base",
        "_before",
        "_coefficients",
        "_counts",
        "_done",
        "_epochs",
        "_fill",
        "_heading",
        "_now",
        "_parts",
        "_rest",
        "_rest_samples",
        "_segment",
        "_states",
        "_told",
        "_work",
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
        self._rest = pack(np.zeros(lanes, dtype=REST), np.zeros(1, dtype=REST))
        self._parts = np.zeros((PARTS, 1, PART_WORDS))
        self._epochs: NDArray[Any] = np.zeros((lanes, most), dtype=EPOCH)
        self._counts = np.zeros(lanes, dtype=np.int64)
        self._heading = np.zeros(lanes)
        self._work = np.zeros((most + 2, N))
        self._told = np.empty((2, self._segment))
        """Of the segment that fills: nobody asks afterwards."""
        self._before = self._nothing()
        self._now = self._nothing()
        self._base = 0
        """Number of the first sample of ``_now``."""
        self._fill = 0
        """Samples in it,"""
        self._done = 0
        """and how many of them the forward filter has taken, by whole seconds: none is final before."""

    def aim(self, ahead: F8) -> None:
        """Hear of the forward axes (lanes, 3)."""
        if not np.array_equal(self._states["ahead"], np.nan_to_num(ahead)):
            self._flush()
            aim(self._states, ahead)

    def _nothing(self) -> Samples:
        return _room(self._counts.size, 0, self._told)

    @property
    def segment(self) -> int:
        """Samples that become final at once."""
        return self._segment

    def push(self, gyr: F8, acc: F8, quality: I8, course: Course | None = None) -> list[SmoothedBlock]:
        """Take (lanes, k, 3) rates and forces and (lanes, k) quality bits; return what became final.

        Arrays that are a whole segment are not copied: they are held, and given back when it is final.
        """
        ready: list[SmoothedBlock] = []
        k = quality.shape[1]
        kinds = (np.float64, np.float64, np.int64)
        whole = [np.ascontiguousarray(x, kind) for x, kind in zip((gyr, acc, quality), kinds, strict=True)]
        at = 0
        while at < k:
            take = min(k - at, self._segment - self._fill)
            self._tell(course, at, take)
            is_held = self._fill == 0 and self._begin([x[:, at : at + take] for x in whole])
            self._fill += take
            self._go_forward(whole, -1 if is_held else at, self._fill - take)
            at += take
            if self._fill == self._segment:
                if self._before.quality.size:
                    ready.append(self._final(self._before, self._base - self._segment, self._now))
                self._before, self._now = self._now, self._nothing()
                self._base += self._segment
                self._fill = self._done = 0
        return ready

    def _begin(self, new: list[NDArray[Any]]) -> bool:
        """Begin a segment with these samples; say whether they are all of it and are held as they lie."""
        # Not before they come: what became final last may have been given back by its user.
        is_held = new[0].shape[1] == self._segment and all(x.flags.carray for x in new)
        if is_held:
            gyr, acc, quality = new
            self._now = _beside(gyr, acc, quality, self._told)
        else:
            self._now = _room(self._counts.size, self._segment, self._told)
        return is_held

    def _tell(self, course: Course | None, at: int, take: int) -> None:
        """Write down what is told of the samples to come."""
        told = self._told[:, self._fill : self._fill + take]
        if course is None:
            told[:] = math.nan
        else:
            told[0] = course.pace_m_s[at : at + take]
            told[1] = course.gained_m_s[at : at + take]

    def _go_forward(self, new: Sequence[NDArray[Any]], at: int, first: int, *, flush: bool = False) -> None:
        """Take samples from ``first`` on in, rows of ``new``, and whole seconds through the filter."""
        base = self._base
        done = take_in(
            self._states,
            self._rest,
            self._coefficients[()],
            self._parts,
            *new,
            at,
            tuple(self._now),
            self._before.quat,
            base,
            base + self._done,
            base + first,
            base + self._fill,
            flush,
            self._epochs,
            self._counts,
        )
        self._done = done - base

    def _flush(self) -> None:
        """Take all that has come in through the forward filter."""
        self._go_forward(self._now[:3], -1, self._done, flush=True)

    def finish(self) -> Iterator[SmoothedBlock]:
        """Give all that is held back, a segment at a time."""
        self._flush()
        stop = self._base + self._fill
        close_open(
            self._states,
            self._coefficients[()],
            tuple(self._now),
            self._before.quat,
            self._base,
            self._epochs,
            self._counts,
            stop,
        )
        none = self._nothing()
        # Kernels take whole arrays.
        last = Samples(*(np.ascontiguousarray(x) for x in _start(self._now, self._fill, self._done)))
        before, base = self._before, self._base
        self._base, self._fill, self._done, self._before, self._now = stop, 0, 0, none, none
        if before.quality.size:
            yield self._final(before, base - self._segment, last)
            del before
        if last.quality.size:
            yield self._final(last, base, none)

    def _final(self, part: Samples, first: int, after: Samples) -> SmoothedBlock:
        """Smooth a segment whose first sample has this number; nothing of it is held afterwards."""
        lanes, k = part.quality.shape
        bias = np.empty((lanes, k, 3))
        rest, quality = np.empty((lanes, k), dtype=np.int64), np.empty((lanes, k), dtype=np.int64)
        finish(
            self._epochs,
            self._counts,
            self._coefficients[()],
            self._work,
            self._heading,
            first,
            tuple(part),
            tuple(after),
            self._rest_samples,
            bias,
            rest,
            quality,
        )
        return SmoothedBlock(part.gyr, part.acc, part.quality, part.quat, bias, rest, quality)

    def _held(self) -> list[NDArray[Any]]:
        """All that is held of samples."""
        before = self._before
        return [*before[:3], *before[4:], *_start(self._now, self._fill, self._done)]

    def save(self) -> bytes:
        """Return the state as bytes; what is held back is part of it."""
        out = io.BytesIO()
        before = self._before.quality.shape[1]
        out.write(
            np.array([self._base, self._fill, self._done, before, *self._counts], dtype=np.int64).tobytes()
        )
        out.write(self._heading.tobytes())
        out.write(self._states.tobytes())
        out.write(unpack(self._rest, REST, self._counts.size).tobytes())
        for lane, count in enumerate(self._counts):
            out.write(self._epochs[lane, :count].tobytes())
        for part in self._held():
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

        base, fill, done, before, *counts = (int(x) for x in read((4 + lanes,), np.int64))
        most = self._epochs.shape[1]
        is_ours = before in (0, self._segment) and 0 <= done <= fill < self._segment and base >= before
        if not (is_ours and all(0 <= c <= most for c in counts)):
            raise wrong
        heading = read((lanes,), np.float64).copy()
        states = read((lanes,), SMOOTHER).copy()
        rest = pack(read((lanes,), REST), np.zeros(1, dtype=REST))
        epochs = [read((c,), EPOCH) for c in counts]
        told = np.empty((2, self._segment))
        held, now = _room(lanes, before, told), _room(lanes, self._segment if fill else 0, told)
        for part in [*held[:3], *held[4:], *_start(now, fill, done)]:
            part[:] = read(part.shape, part.dtype)
        if source.read(1):
            raise wrong
        self._told = told
        self._base, self._fill, self._done, self._before, self._now = base, fill, done, held, now
        self._heading, self._states, self._rest = heading, states, rest
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
