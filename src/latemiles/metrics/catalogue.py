"""Every column of a stride row, in order: the one list that tables, pages, sinks and docs are made from.

A new metric is one function in its family's module and one ``Metric`` in that module's ``METRICS``.
"""

from __future__ import annotations

from typing import Final

from latemiles.errors import UnknownName
from latemiles.metrics import angles, drop, harmonic, pelvis_motion, temporal
from latemiles.metrics.metric import Metric
from latemiles.metrics.needs import Need

__all__ = ["CATALOGUE", "COLUMNS", "COLUMN_INDEX", "NUMERIC_COLUMNS", "blanked", "metric"]

CATALOGUE: Final[tuple[Metric, ...]] = (
    *temporal.METRICS,
    *angles.METRICS,
    *drop.METRICS,
    *harmonic.METRICS,
    *pelvis_motion.METRICS,
)
"""One entry a numeric column, in the order of ``Stride.values``."""

NUMERIC_COLUMNS: Final[tuple[str, ...]] = tuple(m.name for m in CATALOGUE)
"""Names of ``Stride.values``."""

COLUMNS: Final[tuple[str, ...]] = ("side", *NUMERIC_COLUMNS, "quality")
"""Names of a stride row as written to files."""

COLUMN_INDEX: Final[dict[str, int]] = {name: k for k, name in enumerate(NUMERIC_COLUMNS)}
"""Place of a numeric column in ``Stride.values``."""


def blanked(lacking: Need) -> tuple[Metric, ...]:
    """The columns that sensors leave blank which lack something."""
    return tuple(m for m in CATALOGUE if m.needs & lacking)


def metric(name: str) -> Metric:
    """The catalogue's entry of one column.

    Parameters
    ----------
    name : str
        Column name.

    Raises
    ------
    UnknownName
        If there is no such numeric column.
    """
    try:
        return CATALOGUE[COLUMN_INDEX[name]]
    except KeyError:
        raise UnknownName(
            "a numeric column of a stride row",
            f"'{name}'",
            "The columns are listed in docs/metrics.md and in metrics.catalogue.NUMERIC_COLUMNS.",
        ) from None
