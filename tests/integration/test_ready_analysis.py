"""A second analysis runs from code that lies ready, and numba's own code says the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from latemiles.recording.writer import RecordingWriter
from latemiles.session.home import Home
from latemiles.sim.packets import header, records
from latemiles.sim.plan import easy_run
from latemiles.sim.runner import simulate

ANALYSE = """
import hashlib, sys
from pathlib import Path
from latemiles.compiled import use_fresh_cache
use_fresh_cache(Path(sys.argv[1]))
import latemiles as lm
a = lm.analyze(sys.argv[2])
digest = hashlib.sha256()
for part in (a.t, a.pelvis, a.hip_left, a.hip_right, a.strides.values, *a.orientation.values()):
    digest.update(part.tobytes())
print(len(a.strides), digest.hexdigest(), "numba" in sys.modules)
"""


@pytest.mark.timeout(900)
def test_a_warm_analysis_needs_no_numba_and_gives_the_same_bytes(tmp_path):
    run = simulate(easy_run(1.5), 11)
    head = header(run, "warm")
    path = tmp_path / "warm.mcap"
    with RecordingWriter(path, head) as writer:
        for record in records(run, head):
            if record is not head:
                writer.append(record)

    def analysed(**settings: str) -> list[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
        command = [sys.executable, "-c", ANALYSE, str(Home.find().numba_cache), str(path)]
        done = subprocess.run(
            command, env={**kept, **settings}, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    first, again = analysed(), analysed()
    assert int(again[0]) > 80
    assert again == [*first[:2], "False"]
    assert analysed(NUMBA_NUM_THREADS="1") == [*first[:2], "True"]
