"""What was heard of each sensor, counted as it goes through the pipeline."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.intake import Intake
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.quality import SampleQuality
from latemiles.signals.results import SensorQuality

__all__ = ["Tally"]

_GAP: Final = int(SampleQuality.GAP)


class Tally:
    """Counts grid samples that can be used, and asks decoders and clocks for the rest.

    Parameters
    ----------
    intake : Intake
    rate_hz : float
        Of the grid.
    """

    def __init__(self, intake: Intake, rate_hz: float) -> None:
        self._intake = intake
        self._rate_hz = rate_hz
        self._counts: NDArray[np.int64] = np.zeros((2, len(SEGMENTS)), dtype=np.int64)
        """Grid samples of each lane that lie in gaps or cannot be used, and those that can."""

    def count(self, quality: NDArray[np.int64]) -> None:
        """Count samples (lanes, k); the orientation stage also finds what is no measurement."""
        missing = np.array([np.count_nonzero(lane) for lane in quality & _GAP])
        self._counts[0] += missing
        self._counts[1] += quality.shape[1] - missing

    @property
    def useless(self) -> frozenset[Segment]:
        """Sensors that gave no usable sample."""
        return frozenset(s for s in self._intake.clocks if self._counts[1, s.lane] == 0)

    @property
    def bad_packets(self) -> dict[Segment, int]:
        """Packets of each sensor that did not follow its protocol."""
        return {segment: decoder.damaged for segment, decoder in self._intake.decoders.items()}

    @property
    def stuck_s(self) -> dict[Segment, float]:
        """For how long each sensor only repeated one value, s."""
        return {s: d.stuck_samples / self._intake.clocks[s].rate_hz for s, d in self._intake.decoders.items()}

    def sensor_quality(self) -> tuple[SensorQuality, ...]:
        """What was heard of each sensor, in lane order."""
        return tuple(
            SensorQuality(
                segment=segment,
                samples=clock.samples,
                expected=clock.expected,
                rate_hz=clock.rate_hz,
                missing_s=float(self._counts[0, segment.lane]) / self._rate_hz,
                clipped_samples=self._clipped(segment),
                clock_residual_ms=clock.residual_ms,
            )
            for segment, clock in sorted(self._intake.clocks.items(), key=lambda item: item[0].lane)
        )

    def _clipped(self, segment: Segment) -> int:
        decoder = self._intake.decoders[segment]
        return decoder.clipped_acc + decoder.clipped_gyr

    def save(self) -> bytes:
        """State as bytes."""
        return self._counts.tobytes()

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave."""
        self._counts = np.frombuffer(state, dtype=np.int64).reshape(2, -1).copy()
