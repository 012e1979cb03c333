"""The lower edge of a cloud of points, and a line through knots: the two tools of the clock."""

from __future__ import annotations

from latemiles.kernels.jit import njit

__all__ = ["line_slope", "lower_line", "offset_at", "segment_at"]


@njit(cache=True)
def lower_line(x, y, first, n, stack):
    """Edge of the lower convex hull below the mean of x: the line under all points nearest to them.

    Points are taken from the rings x, y: n of them, the oldest at ``first``, in order of x. ``stack`` is
    scratch of at least n integers. Returns the mean of x, the line's height there and its slope (0 for a
    single point). The line that is below all points and minimises the sum of distances is this edge.
    """
    size = x.shape[0]
    mean = 0.0
    top = 0
    for k in range(n):
        j = (first + k) % size
        mean += x[j]
        while top >= 2:
            a = stack[top - 2]
            b = stack[top - 1]
            if (y[b] - y[a]) * (x[j] - x[a]) < (y[j] - y[a]) * (x[b] - x[a]):
                break
            top -= 1
        stack[top] = j
        top += 1
    mean /= n
    if top == 1:
        return mean, y[stack[0]], 0.0
    e = 1
    while e < top - 1 and x[stack[e]] < mean:
        e += 1
    a = stack[e - 1]
    b = stack[e]
    run = x[b] - x[a]
    slope = (y[b] - y[a]) / run if run > 0.0 else 0.0
    return mean, y[a] + slope * (mean - x[a]), slope


@njit(cache=True, forceinline=True)
def segment_at(x, knot_x, first, n):
    """Places in the ring of the knots around device time x; the same one twice past either end."""
    size = knot_x.shape[0]
    low = first % size
    high = (first + n - 1) % size
    if x <= knot_x[low]:
        return low, low
    if x >= knot_x[high]:
        return high, high
    # The newest segment is nearly always the right one; older ones by bisection.
    i, j = 0, n - 1
    if knot_x[(first + n - 2) % size] <= x:
        i = n - 2
    while j - i > 1:
        m = (i + j) // 2
        if knot_x[(first + m) % size] <= x:
            i = m
        else:
            j = m
    return (first + i) % size, (first + j) % size


@njit(cache=True, forceinline=True)
def line_slope(knot_x, knot_y, a, b, slope):
    """Slope of the line from knot a to knot b; ``slope`` if they are one."""
    run = knot_x[b] - knot_x[a]
    return (knot_y[b] - knot_y[a]) / run if run > 0.0 else slope


@njit(cache=True, forceinline=True)
def offset_at(x, knot_x, knot_y, first, n, slope):
    """Offset at device time x on the knots (a ring from ``first``); past either end along ``slope``."""
    a, b = segment_at(x, knot_x, first, n)
    return knot_y[a] + line_slope(knot_x, knot_y, a, b, slope) * (x - knot_x[a])
