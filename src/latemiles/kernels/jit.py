"""``njit`` of our kernels: numba's, which is imported only where a kernel has to be compiled.

The first program after a change of the sources compiles with numba and leaves the machine code behind
(``kernels.ready``). Programs after it begin with ``Kernel``, which runs that code, and go to numba for what
is not there. With the compiler switched off, or anywhere else than in a cache of ours, numba's own decorator
is used at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any, Final

from numpy import ndarray

from latemiles.kernels.ready import kind_of, load, place, text_of

__all__ = ["Kernel", "is_compiled", "is_ready", "njit", "settled", "when_compiling"]

_NUMBA: Final = {"_nrt": False}
"""Options of all kernels. They allocate nothing and give no array back, so that nobody has to count who holds
which one; numba does it for every view of an array, with instructions that cost more than the view."""
_TEACHERS: Final[list[str]] = []
"""Modules that teach the compiler something, to be imported before it is asked."""


@functools.cache
def is_ready() -> bool:
    """Whether kernels of these sources were compiled before, so that numba may not be needed."""
    folder = place()
    return folder is not None and folder.exists()


@functools.cache
def is_compiled() -> bool:
    """Whether kernels are compiled; with the compiler switched off they are plain functions."""
    return is_ready() or not compiler().config.DISABLE_JIT


def when_compiling(module: str) -> None:
    """Let a module teach the compiler before it compiles anything."""
    _TEACHERS.append(module)
    if not is_ready():
        import_module(module)


@functools.cache
def compiler() -> Any:
    """Import numba, with our cache."""
    import numba

    from latemiles.kernels.cache import use_kernel_cache

    use_kernel_cache()
    return numba


def njit(**options: Any) -> Callable[[Any], Any]:
    """As numba's decorator of that name."""
    if is_ready():
        return lambda function: Kernel(function, options)
    return compiler().njit(**_NUMBA, **options)  # type: ignore[no-any-return]


def settled(kernel: Any, *arguments: Any) -> Any:
    """What to call in place of a kernel where all arguments to come are of the kinds of these.

    Nobody looks at them any more, which in a tick of a live run takes longer than the work.
    """
    return kernel.code_of(arguments) if isinstance(kernel, Kernel) else kernel


class Kernel:
    """A kernel whose code may be ready; numba takes it for one of its own.

    Parameters
    ----------
    function : callable
        As it is written in Python.
    options : dict
        Of numba's decorator.
    """

    def __init__(self, function: Any, options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._options = options
        self._codes: dict[Any, Any] = {}
        """What to call for each kind of arguments that came so far."""
        self._ready: dict[str, Any] = {}
        """The same, once for all that ready code takes alike."""

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        return self.code_of(arguments)(*arguments)

    def code_of(self, arguments: tuple[Any, ...]) -> Any:
        """What runs for arguments of these kinds."""
        # Arrays are told apart here and not in a function: there are up to sixteen of them in a call.
        seen = tuple(
            [(a.dtype, a.ndim, a.flags.num) if type(a) is ndarray else kind_of(a) for a in arguments]
        )
        code = self._codes.get(seen)
        if code is None:
            code = self._codes[seen] = self._found(tuple(map(kind_of, arguments)))
        return code

    def _found(self, kinds: tuple[Any, ...]) -> Any:
        try:
            text = text_of(kinds)
        except KeyError:
            return self.dispatcher
        if text not in self._ready:
            found = load(f"{self.py_func.__module__}.{self.py_func.__qualname__}", text)
            self._ready[text] = found or self.dispatcher
        return self._ready[text]

    @cached_property
    def dispatcher(self) -> Any:
        """The kernel as numba has it."""
        numba = compiler()
        for module in _TEACHERS:
            import_module(module)
        return numba.njit(**_NUMBA, **self._options)(self.py_func)

    @property
    def _numba_type_(self) -> Any:
        """What numba asks for where a kernel that it compiles calls this one."""
        from numba import types

        return types.Dispatcher(self.dispatcher)
