"""Machine code of kernels on disk that runs without numba, which takes most of a second to import.

numba keeps what it compiles as object code among pickles of its own types. Beside its cache the same object
code lies here, one file for every kernel and every kind of arguments, with the names of two symbols before
it: the function that Python calls, and the variable that points to its environment. LLVM links it and numba's
helpers in C make a function of it, exactly as numba does for code from its cache
(``numba.core.cpu.CPUContext.get_executable``).

What is ready belongs to one set of kernel sources, versions, processor and kinds of arguments, all of which
name its folder and its file; what is found under that name is right, and what is not found numba makes.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from threading import RLock
from typing import Any, Final

import numpy as np

from latemiles.compiled import source_hash

__all__ = ["array_text", "keep", "kind_of", "load", "place", "record_text", "text_of"]

CACHE: Final = "NUMBA_CACHE_DIR"
CONTIGUOUS, FORTRAN, ALIGNED, WRITEABLE = 1, 2, 256, 1024
"""Bits of ``ndarray.flags.num``."""
KNOWN: Final = '"version": "0.68.'
"""As numba's own file says it: the versions whose helpers these are. Code of another one may ask for more
than ``_Linker`` knows, which LLVM answers by ending the program."""
_FLAGS: Final = CONTIGUOUS | FORTRAN | ALIGNED | WRITEABLE
_PLAIN: Final = {
    int: "i",
    np.int64: "i",
    float: "f",
    np.float64: "f",
    bool: "b",
    np.bool_: "b",
    type(None): "n",
}
"""Letters of plain arguments; numba takes Python's numbers and numpy's alike."""


def kind_of(value: object) -> Any:
    """What numba would tell apart of an argument, to be looked up quickly; ``text_of`` spells it out."""
    kind = type(value)
    if kind is np.ndarray:
        return value.dtype, value.ndim, value.flags.num & _FLAGS  # type: ignore[attr-defined]
    if kind is tuple:
        return tuple(map(kind_of, value))  # type: ignore[call-overload]
    if kind is np.void or kind is np.record:
        return np.void, value.dtype  # type: ignore[attr-defined]
    return kind


def text_of(kind: Any) -> str:
    """A kind of argument in letters.

    Raises
    ------
    KeyError
        For a kind that no kernel of ours takes from ready code.
    """
    if not isinstance(kind, tuple):
        return _PLAIN[kind]
    if len(kind) == 3 and isinstance(kind[0], np.dtype):
        dtype, ndim, flags = kind
        layout = "C" if flags & CONTIGUOUS else "F" if flags & FORTRAN else "A"
        return array_text(dtype, ndim, layout, is_sound=bool(flags & ALIGNED), writes=bool(flags & WRITEABLE))
    if len(kind) == 2 and kind[0] is np.void:
        return record_text(kind[1])
    return f"({','.join(map(text_of, kind))})"


def array_text(dtype: np.dtype[Any], ndim: int, layout: str, *, is_sound: bool, writes: bool) -> str:
    """Letters of an array; see ``text_of``."""
    # Of a record numba never counts on its lying where the processor would like it.
    if not is_sound and dtype.names is None:
        raise KeyError(dtype)
    return f"{_dtype_text(dtype)}[{ndim}{layout}{'w' if writes else 'r'}]"


def record_text(dtype: np.dtype[Any]) -> str:
    """Letters of one record of an array; see ``text_of``."""
    return f"record {_dtype_text(dtype)}"


def _dtype_text(dtype: np.dtype[Any]) -> str:
    return dtype.str if dtype.names is None else repr(dtype.descr)


@cache
def place() -> Path | None:
    """Where ready code of these sources belongs; None where numba's cache is anywhere but in a folder told.

    With any other setting of numba's, and of another version, its code may be another, and numba alone knows.
    """
    told = {name for name in os.environ if name.startswith("NUMBA_")}
    if told != {CACHE} or Path(".numba_config.yaml").exists():
        return None
    digest = hashlib.sha256(f"{source_hash()} {sys.version} {np.__version__}".encode())
    for package in ("numba", "llvmlite"):
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            return None
        version = (Path(spec.origin).parent / "_version.py").read_bytes()
        if package == "numba" and KNOWN.encode() not in version:
            return None
        digest.update(version)
    return Path(os.environ[CACHE]) / f"ready-{digest.hexdigest()[:16]}"


def load(name: str, kinds: str) -> Any:
    """The function of a kernel for these kinds of arguments, or None where it is not ready."""
    folder = place()
    if folder is None:
        return None
    with _LOCK, suppress(FileNotFoundError):
        linker = _linker()
        return linker.function(name, (folder / linker.file_name(name, kinds)).read_bytes())
    return None


def keep(name: str, kinds: str, symbols: tuple[str, str], code: bytes) -> None:
    """Put a kernel's object code where ``load`` finds it; a folder that cannot be written is left alone.

    Parameters
    ----------
    name, kinds : str
        The kernel, and its kinds of arguments as ``text_of`` spells them.
    symbols : tuple of str
        The function that Python calls, and the variable of its environment.
    code : bytes
    """
    folder = place()
    if folder is None:
        return
    with _LOCK:
        path = folder / _linker().file_name(name, kinds)
    if path.exists():
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: others may be reading.
        with tempfile.TemporaryDirectory(dir=folder) as inside:
            whole = Path(inside) / path.name
            whole.write_bytes(json.dumps(symbols).encode() + b"\n" + code)
            os.replace(whole, path)


_LOCK: Final = RLock()


class _Linker:
    """LLVM's linker with all that compiled kernels call."""

    def __init__(self) -> None:
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        helpers, runtime = _extension("numba._helperlib"), _extension("numba.core.runtime._nrt_python")
        self._functions = _extension("numba._dynfunc")
        runtime.memsys_use_cpython_allocator()
        symbols = {f"numba_{k}": v for m in (helpers, self._functions) for k, v in m.c_helpers.items()}
        symbols |= {k if k[0] == "_" else f"NRT_{k}": v for k, v in runtime.c_helpers.items()}
        symbols |= {k: helpers.c_helpers[k] for k in _MATH}
        symbols["_Py_NoneStruct"] = id(None)
        symbols |= {f"PyExc_{e.__name__}": id(e) for e in _exceptions()}
        for symbol, address in symbols.items():
            binding.add_symbol(symbol, address)
        machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(jit=True)
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
        self._object_of = binding.ObjectFileRef.from_data
        self._processor = f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
        self._kept: list[Any] = []

    def file_name(self, name: str, kinds: str) -> str:
        """Name of the file of a kernel for some kinds of arguments, on this processor."""
        return f"{name}-{hashlib.sha256(f'{kinds} {self._processor}'.encode()).hexdigest()[:16]}"

    def function(self, name: str, data: bytes) -> Any:
        """What Python calls of a kernel, from the bytes of its file."""
        symbols, _, code = data.partition(b"\n")
        wrapper, variable = json.loads(symbols)
        self._engine.add_object_file(self._object_of(code))
        self._engine.finalize_object()
        module, _, short = name.rpartition(".")
        environment = self._functions.Environment(vars(sys.modules[module]))
        self._kept.append(environment)
        at = self._engine.get_global_value_address(variable)
        ctypes.c_void_p.from_address(at).value = id(environment)
        address = self._engine.get_function_address(wrapper)
        return self._functions.make_function(sys.modules[module], short, name, address, environment, (self,))


_MATH: Final = (
    *(
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "ceil",
        "cos",
        "cosh",
        "exp",
        "expm1",
        "fabs",
    ),
    *(
        "floor",
        "fmod",
        "log",
        "log10",
        "log1p",
        "pow",
        "round",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "trunc",
    ),
)
"""What numba takes from the C library that Python itself runs on, for numbers of 8 bytes."""


@cache
def _linker() -> _Linker:
    return _Linker()


def _exceptions() -> list[type[BaseException]]:
    import builtins

    return [e for e in vars(builtins).values() if isinstance(e, type) and issubclass(e, BaseException)]


def _extension(name: str) -> Any:
    """A module in C of numba's, without the Python around it."""
    if name in sys.modules:
        return sys.modules[name]
    package, *parts = name.split(".")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    stem = Path(spec.origin).parent.joinpath(*parts)
    path = next(p for s in EXTENSION_SUFFIXES if (p := stem.with_name(stem.name + s)).exists())
    spec = spec_from_loader(name, ExtensionFileLoader(name, str(path)))
    if spec is None:
        raise ModuleNotFoundError(name)
    module = module_from_spec(spec)
    # Python has put it among the loaded ones; numba, should it come after all, finds its own way to it.
    sys.modules.pop(name, None)
    return module
