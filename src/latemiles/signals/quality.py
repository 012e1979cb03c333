"""Quality bits: why a number is missing or weak. Missing is NaN plus a bit, never zero."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["SampleQuality", "StrideQuality"]


class SampleQuality(IntFlag):
    """Bits of one sensor's sample on the common grid, and of the angles made from it."""

    GOOD = 0
    GAP = 1
    """Nothing was heard here; the sample is NaN."""
    BRIDGED = 2
    """A short hole, bridged from its two ends; with GAP, one that only the orientation saw filled."""
    ACC_CLIPPED = 4
    """The accelerometer was at its limit."""
    GYR_CLIPPED = 8
    """The gyroscope was at its limit."""
    SETTLING = 16
    """The orientation has not settled since the start or a gap, or its up leans off the mean force."""
    UNCALIBRATED = 32
    """The way the sensor sits on the body is not known yet; angles are NaN."""
    HEADING_UNCERTAIN = 64
    """Pelvis and thigh headings disagree; adduction and internal rotation are weak."""
    BEND = 128
    """The runner turns; without speed, inclination leans by up to 2 degrees."""
    SLIPPED = 256
    """The sensor moved on the body and is not re-anchored yet."""


class StrideQuality(IntFlag):
    """Bits of one stride row (column ``quality``).

    NOT_RUNNING, TURN, UNSTEADY, SETTLING, SLIPPED and LOW_CONFIDENCE leave a stride out of form drift
    (``metrics.table.EXCLUDING``); with the others its numbers are used where they are finite.
    """

    GOOD = 0
    GAP = 1
    """A sensor was not heard during the stride; the angles it feeds are NaN."""
    BRIDGED = 2
    """A short hole was bridged."""
    CLIPPED = 4
    """A sensor was at its limit."""
    SETTLING = 8
    """An orientation had not settled, or its up leaned off the mean force."""
    UNCALIBRATED = 16
    """Angles are NaN: the mounting is not known."""
    NOT_RUNNING = 32
    """A walking stride."""
    TURN = 64
    """The runner turned."""
    UNSTEADY = 128
    """Starting, stopping or changing speed: stride time far from its neighbours."""
    NO_TOE_OFF = 256
    """Toe-off was not found; contact time and stance features are NaN."""
    LOW_CONFIDENCE = 512
    """Initial contact is uncertain."""
    SLIPPED = 1024
    """The clip moved during the stride."""
    HEADING_UNCERTAIN = 2048
    """Hip adduction and rotation are weak."""
    WARM_UP = 4096
    """Before the baseline window; kept, not used."""
    NOT_OFFERED = 8192
    """A sensor cannot give what some columns need (too slow, no clock); those are NaN all run long."""
