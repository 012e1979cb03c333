"""Compiled kernels on disk that notice when a kernel they call has changed.

numba stamps a cached function with the hash of its own file, and puts the code of the functions it calls into
it: a caller would go on with the old code of a callee in another file. Here every kernel's stamp is the hash
of all kernels' sources, wherever numba keeps its cache.

And before numba takes anything from a cache it gets ready to compile: it loads all that it knows how to
translate, and scipy with it, for most of a second. Code that is compiled already needs none of it; should a
kernel not be in the cache after all, numba's compiler gets ready by itself. A kernel's bitcode is parsed only
when a caller is compiled into which it goes, and seldom is one; its code is run as it is.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from llvmlite import binding
from numba import config, types
from numba.core import caching, codegen, dispatcher
from numba.core.runtime.nrt import rtsys
from numba.np.numpy_support import as_dtype

from latemiles.compiled import source_hash
from latemiles.kernels import ready

__all__ = ["KernelCache", "KernelLocator", "use_kernel_cache"]

KERNELS: Final = Path(__file__).resolve().parent
USUAL: Final = (
    "UserProvidedCacheLocator",
    "InTreeCacheLocator",
    "UserWideCacheLocator",
    "IPythonCacheLocator",
    "ZipCacheLocator",
)
"""numba's own locators, in its order."""
CALLED_FROM_PYTHON: Final = "_ZN7cpython"
"""How the mangled name begins of a function that Python calls."""


@cache
def is_ours(py_file: str) -> bool:
    """Whether a source file holds kernels of ours."""
    return KERNELS in Path(py_file).resolve().parents


class KernelLocator:
    """Finds the place that numba would take, and stamps what is there by the sources of all kernels."""

    _kinds: ClassVar[dict[str, Any]] = {}
    """numba's locator of each file of kernels."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """The locator of a kernel of ours; None for anybody else's function, which numba then sees to."""
        if not is_ours(py_file):
            return None
        known = cls._kinds.get(py_file)
        if known is not None:
            # The next function of a file: numba would try again, by a new file, whether it may write there.
            locator = known(py_func, py_file)
            locator.get_source_stamp = source_hash
            return locator
        for name in USUAL:
            locator = getattr(caching, name).from_function(py_func, py_file)
            if locator is not None:
                cls._kinds[py_file] = type(locator)
                locator.get_source_stamp = source_hash
                return locator
        return None


class LoadedLibrary(codegen.JITCodeLibrary):
    """Compiled code from the cache."""

    _bitcode: bytes = b""
    _code: bytes = b""

    @classmethod
    def _unserialize(cls, generator: Any, state: Any) -> Any:
        name, kind, data = state
        if kind != "object":
            return super()._unserialize(generator, state)
        self = cls(generator, name)
        self._code, self._bitcode = data
        self.enable_object_caching()
        self._set_compiled_object(self._code)
        self._finalize_final_module()
        return self

    def _get_compiled_object(self) -> bytes:
        # numba's own forgets it once it is linked.
        return self._code

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None and self._bitcode:
            self._shared_module = binding.parse_bitcode(self._bitcode)
            self._codegen._engine._load_defined_symbols(self._shared_module)
        return super()._get_module_for_linking()

    def get_pointer_to_function(self, name: str) -> Any:
        """Address of a function, 0 if there is none; every kernel has the one that Python calls."""
        if name.startswith(CALLED_FROM_PYTHON):
            return self._codegen._engine.get_function_address(name)
        self._get_module_for_linking()
        return super().get_pointer_to_function(name)


class KernelCache(caching.FunctionCache):
    """numba's cache of one function; takes a kernel of ours from disk without getting ready to compile."""

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        if is_ours(py_func.__code__.co_filename):
            # numba looks at its stamp only after it has read the index, and an index names types that other
            # sources may not have any more. What comes before the index says first whether it may be read.
            self._cache_file._version += f" {source_hash()}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is cached for these types of arguments, or None."""
        if not is_ours(self._py_func.__code__.co_filename):
            return super().load_overload(sig, target_context)
        # Of all that numba would get ready, compiled code calls only its reference counting.
        rtsys.initialize(target_context)
        generator = target_context.codegen()
        generator._library_class = LoadedLibrary
        try:
            with self._guard_against_spurious_io_errors():
                found = self._load_overload(sig, target_context)
        finally:
            # numba compiles and loads one at a time; what it compiles is of its own kind.
            del generator._library_class
        if found is not None:
            self._make_ready(sig, found)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Put what was compiled into the cache, and its code where it is ready without numba."""
        super().save_overload(sig, data)
        if is_ours(self._py_func.__code__.co_filename):
            self._make_ready(sig, data)

    def _make_ready(self, sig: Any, compiled: Any) -> None:
        described = compiled.fndesc
        if compiled.environment.consts:
            # Objects of Python that the code asks for by number, which nobody else would know.
            return
        try:
            kinds = _text_of_types(sig)
        except KeyError:
            return
        name = f"{self._py_func.__module__}.{self._py_func.__qualname__}"
        symbols = (described.llvm_cpython_wrapper_name, described.env_name)
        ready.keep(name, kinds, symbols, compiled.library._get_compiled_object())


def _text_of_types(kinds: Any) -> str:
    return f"({','.join([_text_of_type(kind) for kind in kinds])})"


def _text_of_type(kind: Any) -> str:
    """What ``ready.text_of`` calls an argument of a type of numba's."""
    if isinstance(kind, types.Array):
        dtype = np.dtype(as_dtype(kind.dtype))
        return ready.array_text(dtype, kind.ndim, kind.layout, is_sound=kind.aligned, writes=kind.mutable)
    if isinstance(kind, types.Record):
        return ready.record_text(np.dtype(as_dtype(kind)))
    if isinstance(kind, types.BaseTuple) and not isinstance(kind, types.BaseNamedTuple):
        return _text_of_types(kind)
    return {types.int64: "i", types.float64: "f", types.boolean: "b", types.none: "n"}[kind]


def use_kernel_cache() -> None:
    """Let numba keep functions in ``KernelCache`` and ask ``KernelLocator`` first where.

    A choice of locators that is the user's is respected.
    """
    setattr(dispatcher, "FunctionCache", KernelCache)  # noqa: B010 - imported there by name
    if not getattr(config, "CACHE_LOCATOR_CLASSES", ""):
        chosen = ",".join((f"{__name__}.{KernelLocator.__name__}", *USUAL))
        setattr(config, "CACHE_LOCATOR_CLASSES", chosen)  # noqa: B010 - numba makes its settings when imported
