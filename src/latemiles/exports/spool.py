"""Keeps the angles of a run in a temporary file while it is analysed."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis
    from latemiles.signals.blocks import AngleBlock, GridBlock, OrientationBlock

__all__ = ["AngleSpool"]

F8 = NDArray[np.float64]

COLUMNS: Final = 9


class AngleSpool:
    """Sees the angles go by and writes them down: 72 bytes a sample, none of it in memory.

    Use it as a context; the file goes with it, and the arrays of ``filled`` with the file.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="latemiles-")  # noqa: SIM115  closed by __exit__
        self._first: int | None = None
        self._n = 0
        self._rate_hz = 1.0

    def samples(self, _grid: GridBlock, _orient: OrientationBlock) -> None:
        """See samples; they are not kept."""

    def angles(self, block: AngleBlock) -> None:
        """See angles."""
        if self._first is None:
            self._first, self._rate_hz = block.first, block.rate_hz
        rows = np.concatenate([block.pelvis, block.hip[0], block.hip[1]], axis=1)
        self._file.write(np.ascontiguousarray(rows, dtype=np.float64).tobytes())
        self._n += len(rows)

    def filled(self, analysis: Analysis) -> Analysis:
        """The same analysis with the angles that were seen.

        Parameters
        ----------
        analysis : Analysis
            Of the pass that this object watched.

        Returns
        -------
        Analysis
            Its angles are read from the file where they are looked at.
        """
        if self._n == 0:
            return analysis
        self._file.flush()
        rows: F8 = np.memmap(self._file, dtype=np.float64, mode="r", shape=(self._n, COLUMNS))
        t = ((self._first or 0) + np.arange(self._n)) / self._rate_hz
        return replace(analysis, t=t, pelvis=rows[:, :3], hip_left=rows[:, 3:6], hip_right=rows[:, 6:])

    def __enter__(self) -> AngleSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
