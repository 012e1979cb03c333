"""Write docs/metrics.md from the metric catalogue; with ``--check`` only say whether it is up to date."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from latemiles.metrics.angles import PEAK
from latemiles.metrics.catalogue import CATALOGUE
from latemiles.metrics.metric import Metric
from latemiles.metrics.table import EXCLUDING, REASONS
from latemiles.signals.quality import StrideQuality
from latemiles.trends.params import HEADLINE, change_floor

TARGET = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

HEAD = """\
# Metrics

Generated from `latemiles.metrics.catalogue` by `scripts/generate_metrics_doc.py`; do not edit.

One row a stride: from an initial contact to the next of the same foot. Missing is NaN (an empty field in
files) with a bit in `quality`. Signs are those of docs/conventions.md. Values at an event are read between
samples, at the time of the event; stance is initial contact to toe-off, mid-stance half of it.

*Estimate*: contact, flight and duty come from sensors on pelvis and thighs, not from the foot.
*Offset-free*: a constant error of a sensor's mounting does not change it; such numbers compare between days
and between legs, the others only within a run.
*Mirror*: what swapping the runner's left and right does to the value (the row's `side` swaps as well).
*SD*: usual scatter from one stride to the next. For the mean of an angle it is measured on treadmill
running; for instants and ranges it is 1.4 times that, and for the rest an assumption. It sets where the
estimate of a runner's slow wander starts, nothing else.
*Needs*: what the sensors must give. `100 Hz`: that many samples a second of every sensor, or near it;
`a clock`: time or a counter in every sensor. Where they do not, the column is blank all run long, bit 8192 is
set, and the run says why. [sensors.md](sensors.md) has what each family gives.
*Floor*: the smallest change that form drift ever calls.
"""

FAMILIES = {
    "temporal": "Time, distance and speed",
    "angles": "Angles",
    "drop": "Drop, free of offset",
    "harmonic": "Asymmetry between steps, from the pelvis alone",
    "pelvis_motion": "Movement of the pelvis",
}


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else ""


def _row(metric: Metric) -> str:
    marks = []
    if metric.estimate:
        marks.append("estimate")
    if metric.offset_free and metric.family != "temporal":
        marks.append("offset-free")
    if metric.mirror < 0:
        marks.append("mirror: changes sign")
    floor = _number(change_floor(metric.name)) if math.isfinite(metric.stride_sd) else ""
    cells = (
        f"`{metric.name}`",
        metric.unit,
        f"{metric.label[0].upper()}{metric.label[1:]}. {metric.definition} {metric.sign}".strip(),
        "; ".join(marks),
        metric.needs.words,
        _number(metric.stride_sd),
        floor,
    )
    return "| " + " | ".join(cells) + " |"


def document() -> Iterator[str]:
    """Lines of the page."""
    yield HEAD
    yield "`side` is `left` or `right`: the leg whose initial contact starts the stride, the stance leg.\n"
    for family, title in FAMILIES.items():
        yield f"## {title}\n"
        yield "| column | unit | what it is | marks | needs | SD | floor |"
        yield "|---|---|---|---|---|---|---|"
        yield from (_row(metric) for metric in CATALOGUE if metric.family == family)
        yield ""
    yield "## The peak in stance\n"
    yield "| angle | `stance_peak` is the |"
    yield "|---|---|"
    yield from (f"| {angle} | {words} |" for angle, words in PEAK.items())
    yield ""
    yield "## Quality bits\n"
    yield "`quality` is a sum of these. A stride with a bit marked *left out* is kept in the table and not"
    yield "used for form drift; the others say why single numbers are NaN or a little weaker.\n"
    yield "| bit | name | meaning | form drift |"
    yield "|---|---|---|---|"
    for bit in StrideQuality:
        use = "left out" if bit & EXCLUDING else "used where there is a number"
        yield f"| {bit.value} | {bit.name} | {REASONS[bit]} | {use} |"
    yield ""
    yield "## Headline\n"
    yield "Named before any run was looked at; every other column must pass a stricter rule to be called a"
    yield "change. `_left`, `_right` and `_right_minus_left` after a column choose the legs.\n"
    yield from (f"- `{key}`" for key in HEADLINE)


def main() -> int:
    """Write or check the page; exit status 1 where it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the page is out of date")
    text = "\n".join(document()) + "\n"
    if not parser.parse_args().check:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/metrics.md is out of date. Run: python scripts/generate_metrics_doc.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
