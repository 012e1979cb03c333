"""Angles of a run a piece at a time, so that hours of them are never in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["Piece", "known_span", "pieces", "rate_of"]

F8 = NDArray[np.float64]

PIECE: Final = 32_768
"""Samples in a piece: less than three minutes, a few megabytes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive samples of the grid."""

    first: int
    """Index of its first sample in the run."""
    t: F8
    """(k,) session time, s."""
    pelvis: F8
    """(k, 3) rad: tilt, obliquity, rotation."""
    hip_left: F8
    """(k, 3) rad: flexion, adduction, internal rotation."""
    hip_right: F8
    """(k, 3) rad: flexion, adduction, internal rotation."""


def pieces(analysis: Analysis, span: slice | None = None) -> Iterator[Piece]:
    """The angles of a run in order.

    Parameters
    ----------
    analysis : Analysis
        A run whose angles were kept.
    span : slice, optional
        The samples that are wanted; all by default.
    """
    start, stop, _ = (span or slice(None)).indices(len(analysis.t))
    for at in range(start, stop, PIECE):
        here = slice(at, min(at + PIECE, stop))
        yield Piece(
            at,
            np.asarray(analysis.t[here]),
            np.asarray(analysis.pelvis[here]),
            np.asarray(analysis.hip_left[here]),
            np.asarray(analysis.hip_right[here]),
        )


def known_span(analysis: Analysis) -> slice:
    """From the first to the last sample of which any angle is known.

    Raises
    ------
    InputError
        If no angle is known at all.
    """
    first, last = -1, -1
    for piece in pieces(analysis):
        every = np.concatenate([piece.pelvis, piece.hip_left, piece.hip_right], axis=1)
        known = np.flatnonzero(np.isfinite(every).any(axis=1))
        if known.size:
            first = piece.first + int(known[0]) if first < 0 else first
            last = piece.first + int(known[-1])
    if first < 0:
        raise InputError(
            "a run with angles",
            "one of which no angle is known",
            "Look at its report: it says which sensor was missing, or why the mounting was not found.",
        )
    return slice(first, last + 1)


def rate_of(analysis: Analysis) -> float:
    """Samples a second of the grid; NaN for a run of fewer than two samples."""
    n = len(analysis.t)
    return float((n - 1) / (analysis.t[n - 1] - analysis.t[0])) if n > 1 else float("nan")
