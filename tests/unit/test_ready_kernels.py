"""Kernels that were compiled before run without numba, and never from code that is not theirs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "latemiles"
PARTS = ("__init__", "cache", "jit", "ready")
CALLEE = """from latemiles.kernels.jit import njit

@njit(cache=True)
def callee(x):
    return {factor} * x
"""
CALLER = """from latemiles.kernels.jit import njit
from latemiles.kernels.a_callee import callee

@njit(cache=True)
def total(values, pair):
    sum = 0.0
    for k in range(values.shape[0]):
        sum += callee(values[k])
    return sum + pair[0], pair[1]

@njit(cache=True)
def share(a, b):
    return a / b

@njit(cache=True)
def mark(records, place):
    records[place].count += 1
    return records[place].height
"""
ASK = """
import json, sys
import numpy as np
from latemiles.kernels.a_caller import mark, share, total
said = {ask}
print(json.dumps([said, "numba" in sys.modules]))
"""
TOTAL = "total(np.arange(4.0), (1.0, 2))"
SHARE = "share(1.0, 4.0)"


@pytest.fixture
def kernels(tmp_path):
    """Our caching round a few kernels."""
    folder = tmp_path / "latemiles" / "kernels"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    for name in ("compiled.py", *(f"kernels/{part}.py" for part in PARTS)):
        shutil.copy(SOURCE / name, folder.parent / name)
    (folder / "a_callee.py").write_text(CALLEE.format(factor=1.0))
    (folder / "a_caller.py").write_text(CALLER)
    return folder


def said(kernels: Path, ask: str, **settings: str) -> list[object]:
    """What a fresh process makes of an expression, and whether it needed numba."""
    folder = kernels.parents[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(ask=ask)],
        env={
            **kept,
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": str(folder / "cache"),
            **settings,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    answer: list[object] = json.loads(done.stdout)
    return answer


@pytest.mark.timeout(240)
def test_a_kernel_that_was_compiled_before_runs_without_numba(kernels):
    assert said(kernels, TOTAL) == [[7.0, 2], True]
    assert said(kernels, TOTAL) == [[7.0, 2], False]


@pytest.mark.timeout(240)
def test_a_changed_callee_in_another_file_is_compiled_anew(kernels):
    assert said(kernels, TOTAL) == [[7.0, 2], True]
    (kernels / "a_callee.py").write_text(CALLEE.format(factor=2.0))
    assert said(kernels, TOTAL) == [[13.0, 2], True]
    assert said(kernels, TOTAL) == [[13.0, 2], False]


@pytest.mark.timeout(240)
def test_arguments_of_another_kind_go_to_numba_and_are_ready_the_next_time(kernels):
    kinds = (
        "total(np.arange(4), (1.0, 2)), total(np.arange(8.0)[::2], (1.0, 2)), "
        "total(np.broadcast_to(1.0, 3), (True, 2)), total(np.arange(4.0), (np.float64(1.0), np.int64(2)))"
    )
    answers = [[7.0, 2], [13.0, 2], [4.0, 2], [7.0, 2]]
    assert said(kernels, TOTAL) == [[7.0, 2], True]
    assert said(kernels, kinds) == [answers, True]
    assert said(kernels, kinds) == [answers, False]


@pytest.mark.timeout(240)
def test_records_and_what_is_written_to_them_are_the_same_without_numba(kernels):
    ask = (
        "(lambda a: [mark(a, 1), mark(a, 1), mark(a[::2], 0), a.tolist()])"
        "(np.array([(1, 2.0), (3, 4.0), (5, 6.0)], dtype=[('count', 'i8'), ('height', 'f8')]))"
    )
    answer = [4.0, 4.0, 2.0, [[2, 2.0], [5, 4.0], [5, 6.0]]]
    assert said(kernels, ask) == [answer, True]
    assert said(kernels, ask) == [answer, False]


@pytest.mark.timeout(240)
def test_an_error_in_ready_code_is_the_one_that_numba_raises(kernels):
    assert said(kernels, SHARE) == [0.25, True]
    with pytest.raises(subprocess.CalledProcessError) as failed:
        said(kernels, "share(1.0, 0.0)")
    assert failed.value.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"


@pytest.mark.timeout(240)
def test_with_any_other_setting_of_numba_its_own_code_is_run(kernels):
    assert said(kernels, SHARE) == [0.25, True]
    assert said(kernels, SHARE, NUMBA_BOUNDSCHECK="1") == [0.25, True]
    (kernels.parents[1] / ".numba_config.yaml").write_text("opt: 1\n")
    assert said(kernels, SHARE) == [0.25, True]


@pytest.mark.timeout(240)
def test_a_ready_kernel_is_called_by_one_that_numba_compiles_now(kernels):
    assert said(kernels, TOTAL) == [[7.0, 2], True]
    assert said(kernels, "total(np.arange(4.0, dtype=np.float32), (1.0, 2))") == [[7.0, 2], True]


@pytest.mark.timeout(240)
def test_code_of_a_version_of_numba_that_is_not_known_is_left_to_numba(kernels):
    ready = kernels / "ready.py"
    ready.write_text(ready.read_text().replace('"version": "0.68.', '"version": "0.1.'))
    assert said(kernels, SHARE) == [0.25, True]
    assert said(kernels, SHARE) == [0.25, True]
