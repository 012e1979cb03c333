"""State records that kernels can use whether they are compiled or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels.jit import is_compiled

__all__ = ["as_state"]


def as_state(state: NDArray[np.void]) -> NDArray[np.void]:
    """The same structured array in the form whose elements have their fields as attributes.

    Compiled kernels take fields of a plain array as attributes, and are called quickly with it. With the
    compiler switched off Python needs a record array for that; numba would take 20 us to type one a call.
    """
    return state if is_compiled() else state.view(np.recarray)
