"""Compiled kernels on disk that notice when a kernel they call has changed.

numba stamps a cached function with the hash of its own file, and puts the code of the functions it calls into
it: a caller would go on with the old code of a callee in another file. Here every kernel's stamp is the hash
of all kernels' sources, wherever numba keeps its cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from numba import config
from numba.core import caching

from latemiles.compiled import source_hash

__all__ = ["KernelLocator", "stamp_by_all_sources"]

KERNELS: Final = Path(__file__).resolve().parent
USUAL: Final = (
    "UserProvidedCacheLocator",
    "InTreeCacheLocator",
    "UserWideCacheLocator",
    "IPythonCacheLocator",
    "ZipCacheLocator",
)
"""numba's own locators, in its order."""


class KernelLocator:
    """Finds the place that numba would take, and stamps what is there by the sources of all kernels."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """The locator of a kernel of ours; None for anybody else's function, which numba then sees to."""
        if KERNELS not in Path(py_file).resolve().parents:
            return None
        for name in USUAL:
            locator = getattr(caching, name).from_function(py_func, py_file)
            if locator is not None:
                locator.get_source_stamp = source_hash
                return locator
        return None


def stamp_by_all_sources() -> None:
    """Let numba ask ``KernelLocator`` first; a choice of the user's is respected."""
    if not getattr(config, "CACHE_LOCATOR_CLASSES", ""):
        chosen = ",".join((f"{__name__}.{KernelLocator.__name__}", *USUAL))
        setattr(config, "CACHE_LOCATOR_CLASSES", chosen)  # noqa: B010 - numba makes its settings when imported
