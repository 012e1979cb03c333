"""What kernels call of lanes, as Python does it with one lane; ``lanes_llvm`` tells the compiler of more."""

from __future__ import annotations

from typing import Final

from latemiles.kernels.jit import is_compiled

__all__ = [
    "LANES",
    "all_of",
    "along",
    "any_of",
    "ask_for",
    "bits_of",
    "fields",
    "gather",
    "gather_four",
    "gather_three",
    "ladder",
    "least_of",
    "mask_of",
    "most_of",
    "row",
    "scatter",
    "scatter_four",
    "select",
    "set_row",
    "sum_of",
]


LANES: Final = 4 if is_compiled() else 1
"""Sensors side by side."""


def select(where, a, b):
    """Take ``a`` in the lanes where it is so and ``b`` in the others."""
    return a if where else b


def any_of(where):
    """Whether it is so in a lane."""
    return bool(where)


def all_of(where):
    """Whether it is so in every lane."""
    return bool(where)


def bits_of(where):
    """Give a mask as bits of a whole number, lane 0 the lowest."""
    return int(where)


def mask_of(bits):
    """Give bits of a whole number as a mask."""
    return bits != 0


def sum_of(value):
    """Add all lanes up, in pairs."""
    return value


def least_of(value):
    """Lowest of all lanes."""
    return value


def most_of(value):
    """Highest of all lanes."""
    return value


def along(values, k):
    """As many of the ``values`` (n,) as there are lanes, from place ``k`` on."""
    return values[k]


def gather(array, group, i, j):
    """Element (i, j) of each sensor of a group of ``array`` (sensors, n, m)."""
    return array[group, i, j]


def scatter(array, group, i, j, value):
    """Write element (i, j) of each sensor of a group of ``array`` (sensors, n, m)."""
    array[group, i, j] = value


def ask_for(array, group, i):
    """Have the processor fetch sample i of each sensor of a group of ``array`` (sensors, n, m) from afar."""


def gather_four(array, group, i):
    """Elements (i, 0) to (i, 3) of each sensor of a group of ``array`` (sensors, n, 4)."""
    return array[group, i, 0], array[group, i, 1], array[group, i, 2], array[group, i, 3]


def gather_three(array, group, i):
    """Elements (i, 0) to (i, 2) of each sensor of a group of ``array`` (sensors, n, 3)."""
    return array[group, i, 0], array[group, i, 1], array[group, i, 2]


def scatter_four(array, group, i, a, b, c, d):
    """Write elements (i, 0) to (i, 3) of each sensor of a group of ``array`` (sensors, n, 4)."""
    array[group, i, 0], array[group, i, 1], array[group, i, 2], array[group, i, 3] = a, b, c, d


def fields(groups, group, record):
    """Group of ``pack`` with the fields of its record: a dtype of 8-byte floats and arrays of them."""
    return groups[group, : record.itemsize // 8, 0].view(record)[0]


def ladder():
    """Number of each lane: 0, 1, 2 and so on."""
    return 0.0


def row(groups, group, word):
    """One word of all sensors of a group."""
    return groups[group, word, 0]


def set_row(groups, group, word, value):
    """Write one word of all sensors of a group."""
    groups[group, word, 0] = value
