"""Strides that are wrong and not marked, after all that can happen to sensors on a run.

    python benchmarks/robustness.py [SEEDS] [FIRST_SEED] [KIND ...]   default: 12, 0, every kind of damage

Simulated runs of two minutes and a half, each another runner. Counted are angles of used strides that are off
by more than 3 degrees (hip rotation: 6) without a mark, the strides that are used, of those that there truly
were, and of these the hips whose rotation is marked as uncertain. See ``tests/reference/damage.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from latemiles.analysis import analyze
from latemiles.signals.quality import StrideQuality
from reference.damage import DAMAGE, damaged, silent


def main(seeds: int, first: int, kinds: Sequence[str]) -> None:
    """Print a row a kind of damage."""
    print(f"{'':<20}{'wrong':>8}{'runs':>6}{'used':>8}{'unsure':>8}   worst, deg")
    total = 0
    for kind in kinds:
        count, runs, used, true, unsure, worst = 0, 0, 0, 0, 0.0, 0.0
        for seed in range(first, first + seeds):
            run, streams = damaged(kind, seed)
            analysis = analyze(streams)
            wrong, kept, there = silent(run, analysis)
            count, runs, used, true = count + len(wrong), runs + bool(wrong), used + kept, true + there
            marked = (analysis.strides["quality"] & int(StrideQuality.HEADING_UNCERTAIN)) != 0
            unsure += float(np.mean(marked)) / seeds if len(marked) else 0.0
            worst = max([worst, *(abs(error) for _, _, error in wrong)])
        total += count
        print(f"{kind:<20}{count:>8}{runs:>6}{used / true:>8.1%}{unsure:>8.1%}{worst:>9.1f}", flush=True)
    print(f"in all {total} angles of strides")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 12, int(given[1]) if len(given) > 1 else 0, given[2:] or list(DAMAGE))
