"""Strides as columns: what ``analyze`` gives as ``a.strides``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import EnvironmentMissing, ShapeError
from latemiles.metrics.catalogue import COLUMN_INDEX, COLUMNS, NUMERIC_COLUMNS, metric
from latemiles.signals.events import Stride
from latemiles.signals.frames import Side
from latemiles.signals.quality import StrideQuality

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXCLUDING", "REASONS", "StrideTable"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

EXCLUDING: Final = (
    StrideQuality.SETTLING
    | StrideQuality.NOT_RUNNING
    | StrideQuality.TURN
    | StrideQuality.UNSTEADY
    | StrideQuality.LOW_CONFIDENCE
    | StrideQuality.SLIPPED
    | StrideQuality.WARM_UP
)
"""Bits that leave a stride out of form drift altogether.

The others say why single numbers are NaN (``GAP``, ``UNCALIBRATED``, ``NO_TOE_OFF``) or a little weaker
(``BRIDGED``, ``CLIPPED``, ``HEADING_UNCERTAIN``): a run whose left thigh was never heard still has a pelvis.
"""

REASONS: Final = {
    StrideQuality.GAP: "a sensor was not heard",
    StrideQuality.BRIDGED: "a short hole was bridged",
    StrideQuality.CLIPPED: "a sensor was at its limit",
    StrideQuality.SETTLING: "the filter was settling",
    StrideQuality.UNCALIBRATED: "the mounting was not known yet",
    StrideQuality.NOT_RUNNING: "walking",
    StrideQuality.TURN: "turning",
    StrideQuality.UNSTEADY: "starting, stopping or changing pace",
    StrideQuality.NO_TOE_OFF: "toe-off was not found",
    StrideQuality.LOW_CONFIDENCE: "initial contact was uncertain",
    StrideQuality.SLIPPED: "a clip had slipped",
    StrideQuality.HEADING_UNCERTAIN: "hip rotation was uncertain",
    StrideQuality.WARM_UP: "warming up",
    StrideQuality.NOT_OFFERED: "some numbers are more than these sensors can give",
}
"""Each bit in words."""

DECIMALS: Final = {"deg": 3, "s": 4, "steps/min": 2, "m": 4, "m/s": 3, "m/s^2": 2}
"""Decimals in text files: finer than any figure is good for, coarser than a float's noise."""


class StrideTable:
    """A column store of strides.

    Parameters
    ----------
    sides : int64 array, shape (k,)
        0 left, 1 right.
    values : float64 array, shape (k, n_columns)
        Numeric columns in the catalogue's order; NaN is missing.
    quality : int64 array, shape (k,)
        StrideQuality bits.

    Raises
    ------
    ShapeError
        If the three do not belong together.
    """

    __slots__ = ("_quality", "_sides", "_values")

    def __init__(self, sides: I8, values: F8, quality: I8) -> None:
        k = sides.shape[0]
        if values.shape != (k, len(NUMERIC_COLUMNS)) or quality.shape != (k,):
            raise ShapeError(
                f"values ({k}, {len(NUMERIC_COLUMNS)}) and quality ({k},)",
                f"values {values.shape} and quality {quality.shape}",
                "Make the table with StrideTable.from_strides.",
            )
        # Column by column in memory: trends read single columns of long runs.
        self._values = np.asfortranarray(values, dtype=np.float64)
        self._sides = np.asarray(sides, dtype=np.int64)
        self._quality = np.asarray(quality, dtype=np.int64)

    @classmethod
    def from_strides(cls, strides: Sequence[Stride]) -> StrideTable:
        """Table of stride events, in their order."""
        k = len(strides)
        values = np.empty((k, len(NUMERIC_COLUMNS)))
        for row, stride in enumerate(strides):
            values[row] = stride.values
        sides = np.array([s.side.lane for s in strides], dtype=np.int64)
        quality = np.array([s.quality for s in strides], dtype=np.int64)
        return cls(sides, values, quality)

    def __len__(self) -> int:
        return int(self._sides.shape[0])

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Column by name, shape (k,): float64, but ``side`` as words and ``quality`` as int64."""
        if name == "side":
            return np.array([Side.LEFT.value, Side.RIGHT.value])[self._sides]
        if name == "quality":
            return self._quality
        if name in COLUMN_INDEX:
            return self._values[:, COLUMN_INDEX[name]]
        metric(name)  # raises with advice
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in COLUMNS

    def __iter__(self) -> Iterator[str]:
        return iter(COLUMNS)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in the order of interfaces.md."""
        return COLUMNS

    @property
    def lanes(self) -> I8:
        """Side of each stride as 0 left, 1 right, shape (k,)."""
        return self._sides

    @property
    def values(self) -> F8:
        """All numeric columns, shape (k, n_columns)."""
        return self._values

    @property
    def used(self) -> Flags:
        """Which strides form drift uses, shape (k,): none of the ``EXCLUDING`` bits."""
        return np.asarray((self._quality & int(EXCLUDING)) == 0)

    def used_for(self, name: str) -> Flags:
        """Which strides have a usable number in one column, shape (k,)."""
        return np.asarray(self.used & np.isfinite(self[name]))

    def left_out(self) -> dict[str, int]:
        """Reason in words to strides left out for it; a stride with two reasons counts in both."""
        counts = {
            words: int(np.count_nonzero(self._quality & int(bit)))
            for bit, words in REASONS.items()
            if bit & EXCLUDING
        }
        return {words: n for words, n in counts.items() if n}

    def select(self, keep: Flags | I8) -> StrideTable:
        """The strides at a mask or at indices."""
        return StrideTable(self._sides[keep], self._values[keep], self._quality[keep])

    def to_pandas(self) -> pd.DataFrame:
        """A pandas DataFrame of all columns.

        Raises
        ------
        EnvironmentMissing
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as problem:
            raise EnvironmentMissing(
                "pandas is not installed. Install it with: pip install 'latemiles[pandas]'"
            ) from problem
        return pd.DataFrame({name: self[name] for name in COLUMNS})

    def csv_lines(self) -> Iterator[str]:
        """Lines of a CSV file, header first, each ended by a newline; an empty field is a missing value."""
        yield ",".join(COLUMNS) + "\n"
        words = (Side.LEFT.value, Side.RIGHT.value)
        for row in range(len(self)):
            numbers = numeric_fields(self._values[row])
            yield ",".join((words[self._sides[row]], *numbers, str(self._quality[row]))) + "\n"


def numeric_fields(values: Iterable[float]) -> Iterator[str]:
    """Text of the numeric columns of one row, in order; empty where NaN."""
    for name, value in zip(NUMERIC_COLUMNS, values, strict=True):
        if not math.isfinite(value):
            yield ""
        elif name == "index":
            yield f"{value:.0f}"
        else:
            yield f"{value:.{DECIMALS.get(metric(name).unit, 4)}f}"
