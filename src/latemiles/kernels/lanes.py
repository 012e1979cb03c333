"""Numbers of several sensors side by side: the lanes of one vector register, one lane a sensor.

A filter does the same with every sensor, so its kernel is written once, for one sensor, and its numbers are
vectors: ``+ - * /``, comparisons, ``abs``, ``min``, ``max``, ``math.sqrt``, ``cos`` and ``sin`` act on each
lane by itself. numba knows no such numbers; ``lanes_llvm`` and ``lanes_memory`` teach it. LLVM makes one
instruction of each where the processor has registers of four doubles (AVX), two or more where it has not.
Nothing is contracted or reordered: every lane is what IEEE arithmetic makes of its own numbers, whatever its
neighbours are and whichever processor it is.

A comparison gives a mask, and where lanes go different ways both are worked out and ``select`` takes each
lane's own; ``any_of`` and ``all_of`` spare the way that no lane goes. With the compiler switched off there is
one lane and it is a plain number (``lanes_plain``); compiled kernels of plain numbers can call functions
written for either.

State of ``LANES`` sensors is a group: word after word of their records, each word a row of lanes; ``fields``
gives a group the fields of its record. In a group that is not full the lanes behind the last sensor mirror
it, in state, in what ``gather`` reads and in what ``scatter`` writes.
"""

from __future__ import annotations

import numpy as np

from latemiles.kernels.jit import njit, when_compiling
from latemiles.kernels.lanes_plain import (
    LANES,
    all_of,
    along,
    any_of,
    ask_for,
    bits_of,
    fields,
    gather,
    gather_four,
    gather_three,
    ladder,
    least_of,
    mask_of,
    most_of,
    row,
    scatter,
    scatter_four,
    select,
    set_row,
    sum_of,
)

__all__ = [
    "LANES",
    "all_of",
    "along",
    "any_of",
    "ask_for",
    "bits_of",
    "enter",
    "fields",
    "gather",
    "gather_four",
    "gather_three",
    "keep",
    "ladder",
    "least_of",
    "leave",
    "mask_of",
    "most_of",
    "pack",
    "put_back",
    "scatter",
    "scatter_four",
    "select",
    "sum_of",
    "unpack",
]

when_compiling("latemiles.kernels.lanes_memory")


@njit(cache=True)
def keep(groups, group, spare):
    """Copy a group to group ``spare``."""
    for word in range(groups.shape[1]):
        set_row(groups, spare, word, row(groups, group, word))


@njit(cache=True)
def put_back(groups, group, spare, changed):
    """Give the lanes that are not ``changed`` the words that ``keep`` copied."""
    for word in range(groups.shape[1]):
        old = row(groups, spare, word)
        set_row(groups, group, word, select(changed, row(groups, group, word), old))


@njit(cache=True)
def enter(flat, groups, group):
    """Copy a group's records, words of ``flat`` (sensors, words), into the first of ``groups``."""
    for word in range(flat.shape[1]):
        for k in range(LANES):
            groups[0, word, k] = flat[min(group * LANES + k, flat.shape[0] - 1), word]


@njit(cache=True)
def leave(flat, groups, group):
    """Copy them back."""
    for k in range(min(LANES, flat.shape[0] - group * LANES)):
        for word in range(flat.shape[1]):
            flat[group * LANES + k, word] = groups[0, word, k]


def pack(records, constants):
    """Make groups of records (sensors,); then come one for ``keep`` and one with constants in every lane.

    Parameters
    ----------
    records : array, shape (sensors,)
        Of a dtype of 8-byte floats.
    constants : array, shape (1,)
        The same, and not longer.

    Returns
    -------
    groups : float64 array, shape (groups + 2, words, LANES)
    """
    count = -(-len(records) // LANES)
    words = records.dtype.itemsize // 8
    mirrored = records[np.minimum(np.arange(count * LANES), len(records) - 1)]
    groups = np.zeros((count + 2, words, LANES))
    groups[:count] = mirrored.view(np.float64).reshape(count, LANES, words).transpose(0, 2, 1)
    values = constants.view(np.float64)
    groups[-1, : len(values)] = values[:, np.newaxis]
    return groups


def unpack(groups, record, sensors):
    """Return the records (sensors,) that ``pack`` made groups of."""
    words = np.ascontiguousarray(groups[:-2].transpose(0, 2, 1))
    return words.view(record).reshape(-1)[:sensors]
