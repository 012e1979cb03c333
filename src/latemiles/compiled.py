"""Where compiled kernels are kept, so that an edited kernel is never served from an old compilation.

numba checks only the file of the function it compiles, not the files of the kernels it calls; a cache
folder named by the hash of all kernel sources cannot go stale. Programs call ``use_fresh_cache`` before
numba is imported; a library import leaves the place to its user, and `kernels.cache` sees to it that what is
there is not stale either.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

__all__ = ["source_hash", "use_fresh_cache"]


@cache
def source_hash() -> str:
    """Short hash of every source file that can hold a compiled kernel."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).resolve().parent / "kernels").rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def use_fresh_cache(folder: Path) -> bool:
    """Point numba at a cache below ``folder`` that belongs to these sources and these flags.

    Parameters
    ----------
    folder : Path
        Where caches may be kept. A folder that the user chose in ``NUMBA_CACHE_DIR`` is respected.

    Returns
    -------
    bool
        Whether the cache is empty, so that the first use will compile.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return not Path(os.environ["NUMBA_CACHE_DIR"]).exists()
    flags = "bounds" if os.environ.get("NUMBA_BOUNDSCHECK") == "1" else "plain"
    place = folder / f"{source_hash()}-{flags}"
    os.environ["NUMBA_CACHE_DIR"] = str(place)
    return not place.exists()
