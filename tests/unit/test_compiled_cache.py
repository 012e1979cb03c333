"""A cached kernel never runs the old code of a kernel it calls."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "latemiles"
CALLEE = """from latemiles.kernels.jit import njit

@njit(cache=True)
def callee():
    return {value}
"""
CALLER = """from latemiles.kernels.jit import njit
from latemiles.kernels.a_callee import callee

@njit(cache=True)
def caller():
    return 10.0 * callee()
"""
ASK = """
from {package}.a_caller import caller
print(caller(), sum(caller.stats.cache_hits.values()))
"""


def said(folder: Path, package: str = "latemiles.kernels", ask: str = ASK) -> list[float]:
    """What the caller gives in a fresh process, and whether it came from the cache."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
    done = subprocess.run(
        [sys.executable, "-c", ask.format(package=package)],
        env={**kept, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(word) for word in done.stdout.split()]


def small_package(folder):
    """Our caching round two kernels, one of which calls the other; where the kernels are."""
    package = folder / "latemiles"
    kernels = package / "kernels"
    kernels.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for name in ("compiled.py", *(f"kernels/{part}.py" for part in ("__init__", "cache", "jit", "ready"))):
        shutil.copy(SOURCE / name, package / name)
    (kernels / "a_callee.py").write_text(CALLEE.format(value=1.0))
    (kernels / "a_caller.py").write_text(CALLER)
    return kernels


@pytest.mark.timeout(240)
def test_a_changed_callee_in_another_file_reaches_its_cached_caller(tmp_path):
    kernels = small_package(tmp_path)
    assert said(tmp_path) == [10.0, 0.0]
    assert said(tmp_path) == [10.0, 1.0]
    (kernels / "a_callee.py").write_text(CALLEE.format(value=2.0))
    assert said(tmp_path) == [20.0, 0.0]


@pytest.mark.timeout(240)
def test_functions_of_others_are_cached_as_numba_does(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "__init__.py").write_text("")
    callee, caller = (
        text.replace("latemiles.kernels.jit", "numba") for text in (CALLEE.format(value=1.0), CALLER)
    )
    (other / "a_callee.py").write_text(callee)
    (other / "a_caller.py").write_text(
        "import sys\n"
        f"sys.path.append({str(SOURCE.parent)!r})\n"
        "import latemiles.kernels.lanes\n" + caller.replace("latemiles.kernels.a_callee", "other.a_callee")
    )
    assert said(tmp_path, "other") == [10.0, 0.0]
    assert said(tmp_path, "other") == [10.0, 1.0]
    assert list((other / "__pycache__").glob("a_caller.caller*.nbi"))


READY = """
import sys
from {package}.a_caller import caller
print(caller(), int("scipy.linalg" in sys.modules or "numba.np.arraymath" in sys.modules))
from {package}.a_late import late
print(late(3.0), late(3))
"""


@pytest.mark.timeout(240)
def test_a_cached_kernel_loads_without_the_compiler_which_is_there_when_it_is_needed(tmp_path):
    kernels = small_package(tmp_path)
    (kernels / "a_late.py").write_text(
        "import math\nfrom latemiles.kernels.jit import njit\n"
        "from latemiles.kernels.a_callee import callee\n\n"
        "@njit(cache=True)\ndef late(x):\n    return callee() + math.sqrt(x * x)\n"
    )
    assert said(tmp_path) == [10.0, 0.0]
    assert said(tmp_path, ask=READY) == [10.0, 0.0, 4.0, 4.0]


@pytest.mark.timeout(240)
def test_an_index_that_names_types_of_other_sources_is_not_read(tmp_path):
    kernels = small_package(tmp_path)
    assert said(tmp_path) == [10.0, 0.0]
    indexes = list((kernels / "__pycache__").glob("a_c*.nbi"))
    assert len(indexes) == 2
    for index in indexes:
        index.write_bytes(pickle.dumps(numba.__version__) + b"clatemiles.kernels.gone\nKind\n.")
    assert said(tmp_path) == [10.0, 0.0]
    assert said(tmp_path) == [10.0, 1.0]
