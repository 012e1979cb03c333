"""Samples for virtual sensors, in the order of their taking: from a simulated runner or a recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.sensors.drivers import latemiles_v1
from latemiles.signals.blocks import ImuStream
from latemiles.sim.runner import SimulatedRun

__all__ = ["Samples", "from_run", "from_stream", "index_pattern"]

F8 = NDArray[np.float64]

_CHUNK_S = 30.0


class Samples(NamedTuple):
    """Some samples of one sensor."""

    first_index: int
    """Counts all that the sensor took; a jump is a hole in what is known."""
    t_s: F8
    """(k,) when they are taken, s of the world; strictly increasing."""
    counts: NDArray[np.int16]
    """(k, 6) gyr x y z, acc x y z."""


def from_run(run: SimulatedRun, *, acc_range: float, gyr_range: float) -> list[Iterator[Samples]]:
    """One feed a sensor of a simulated run; chunks are made when the first sensor needs them.

    Parameters
    ----------
    run : SimulatedRun
        The run.
    acc_range, gyr_range : float
        Full scale, m/s^2 and rad/s.
    """
    chunks = run.chunks(_CHUNK_S)
    waiting: list[list[Samples]] = [[] for _ in run.sensors]

    def feed(lane: int) -> Iterator[Samples]:
        while True:
            if not waiting[lane]:
                made = next(chunks, None)
                if made is None:
                    return
                for queue, chunk in zip(waiting, made, strict=True):
                    counts = latemiles_v1.counts_from_si(
                        chunk.acc, chunk.gyr, acc_range=acc_range, gyr_range=gyr_range
                    )
                    queue.append(Samples(chunk.first_index, chunk.t_s, counts))
            yield waiting[lane].pop(0)

    return [feed(lane) for lane in range(len(run.sensors))]


def from_stream(
    stream: ImuStream, rate_hz: float, *, acc_range: float, gyr_range: float
) -> Iterator[Samples]:
    """Feed of a recorded stream; where it has a hole, indexes are skipped.

    Parameters
    ----------
    stream : ImuStream
        Session time and SI values; NaN rows are holes too.
    rate_hz : float
        Nominal rate: says how many samples a hole held.
    acc_range, gyr_range : float
        Full scale, m/s^2 and rad/s.
    """
    good = np.isfinite(stream.acc).all(axis=1) & np.isfinite(stream.gyr).all(axis=1)
    t = np.asarray(stream.t, dtype=np.float64)[good]
    if not len(t):
        return
    counts = latemiles_v1.counts_from_si(
        stream.acc[good], stream.gyr[good], acc_range=acc_range, gyr_range=gyr_range
    )
    steps = np.maximum(1, np.rint(np.diff(t) * rate_hz)).astype(np.int64)
    # Jitter of one step is no hole.
    steps[steps < 3] = 1
    index = np.concatenate([[0], np.cumsum(steps)])
    for part in np.split(np.arange(len(t)), np.flatnonzero(steps > 1) + 1):
        yield Samples(int(index[part[0]]), t[part], counts[part])


def index_pattern(rate_hz: float, duration_s: float, *, skew: float = 0.0) -> Iterator[Samples]:
    """Samples that tell their own index, for tests of the road they take.

    Parameters
    ----------
    rate_hz : float
        Nominal rate.
    duration_s : float
        Length.
    skew : float
        The sample clock is fast by this share.
    """
    n, size = round(duration_s * rate_hz), 4096
    for first in range(0, n, size):
        index = np.arange(first, min(first + size, n))
        counts = np.empty((len(index), 6), dtype=np.int16)
        counts[:, 0] = index & 0x7FFF
        counts[:, 1] = index >> 15
        counts[:, 2:5] = 0
        counts[:, 5] = 2048
        yield Samples(first, index / (rate_hz * (1.0 + skew)), counts)
