"""Runs as files of other programs; a new format is one file here and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from latemiles.exports.bids import BIDS
from latemiles.exports.c3d import C3D
from latemiles.exports.csv_table import CSV
from latemiles.exports.fit import FIT
from latemiles.exports.format import ANGLES, STRIDES, Format
from latemiles.exports.opensim import MOT, STO
from latemiles.exports.parquet_table import PARQUET

__all__ = ["ANGLES", "FORMATS", "STRIDES", "Format"]

FORMATS: Final[Mapping[str, Format]] = {
    format_.name: format_
    for format_ in (
        CSV,
        PARQUET,
        FIT,
        MOT,
        STO,
        C3D,
        BIDS,
    )
}
"""Every format by its name."""
