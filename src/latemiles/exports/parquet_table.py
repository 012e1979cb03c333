"""Parquet, through pyarrow: one row a stride or a sample, with units and signs in the file's own metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from latemiles.exports.format import ANGLES, STRIDES, Format
from latemiles.exports.pieces import pieces
from latemiles.metrics.catalogue import COLUMNS, metric
from latemiles.optional import needed
from latemiles.report.files import ANGLE_COLUMNS

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["PARQUET"]

_WORDS: Final = {
    "side": "leg whose initial contact starts the stride",
    "quality": "sum of StrideQuality bits",
}
_WHOLE: Final = frozenset({"index", "quality"})


def _write(analysis: Analysis, path: Path, rows: str) -> None:
    pa = needed("pyarrow", "pyarrow", "Parquet")
    parquet = needed("pyarrow.parquet", "pyarrow", "Parquet")
    schema = _angle_schema(pa) if rows == ANGLES else _stride_schema(pa)
    schema = schema.with_metadata({"latemiles": json.dumps(_facts(analysis))})
    batches = (
        _angle_batches(pa, analysis, schema) if rows == ANGLES else _stride_batches(pa, analysis, schema)
    )
    with parquet.ParquetWriter(str(path), schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def _facts(analysis: Analysis) -> dict[str, Any]:
    header = analysis.header
    return {
        "run": header.run,
        "athlete": header.athlete,
        "started_utc_ns": header.started_utc_ns,
        "basis": analysis.basis,
        "reference": analysis.reference,
        "provenance": analysis.provenance,
    }


def _stride_schema(pa: Any) -> Any:
    def field(name: str) -> Any:
        if name in _WORDS:
            kind = pa.int64() if name in _WHOLE else pa.string()
            return pa.field(name, kind, metadata={"definition": _WORDS[name]})
        entry = metric(name)
        about = {"unit": entry.unit, "definition": entry.definition, "sign": entry.sign}
        return pa.field(name, pa.int64() if name in _WHOLE else pa.float64(), metadata=about)

    return pa.schema([field(name) for name in COLUMNS])


def _stride_batches(pa: Any, analysis: Analysis, schema: Any) -> Iterator[Any]:
    arrays = []
    for name in COLUMNS:
        values = analysis.strides[name]
        if name == "index":
            values = values.astype(np.int64)
        # A null where the value is missing: the format's own word for it.
        arrays.append(pa.array(values, type=schema.field(name).type, from_pandas=True))
    yield pa.record_batch(arrays, schema=schema)


def _angle_schema(pa: Any) -> Any:
    return pa.schema(
        [
            pa.field(name, pa.float64(), metadata={"unit": "s" if name == "t_s" else "deg"})
            for name in ANGLE_COLUMNS
        ]
    )


def _angle_batches(pa: Any, analysis: Analysis, schema: Any) -> Iterator[Any]:
    for piece in pieces(analysis):
        degrees = np.degrees(np.concatenate([piece.pelvis, piece.hip_left, piece.hip_right], axis=1))
        columns = [piece.t, *degrees.T]
        yield pa.record_batch([pa.array(c, from_pandas=True) for c in columns], schema=schema)


PARQUET: Final = Format(
    "parquet", ".parquet", "columnar table, units and signs inside", _write, (STRIDES, ANGLES)
)
