"""When a packet was taken by its sensor's own clock: index and tick of the packet as one smooth time."""

from __future__ import annotations

from typing import Final

from latemiles.kernels.jit import njit

__all__ = ["track", "unwrap"]

SMOOTHING_PACKETS: Final = 64
"""Memory of the index-to-tick filter: averages a tick of a millisecond, follows a warming oscillator."""


@njit(cache=True, forceinline=True)
def unwrap(s, tick):
    """Tick as a count that does not wrap, nearest to the last one."""
    if s.wrap <= 0 or s.packets == 0:
        return tick
    step = tick - s.tick
    if not 0 <= step < s.wrap // 2:
        step %= s.wrap
        if step >= s.wrap // 2:
            step -= s.wrap
    return s.tick + step


@njit(cache=True, forceinline=True)
def track(s, index, raw, has_tick):
    """Filter the packet's device time over the index; returns the device time of its first sample."""
    if not has_tick:
        return raw
    if s.packets == 0:
        return raw
    steps = index - s.device_index
    predicted = s.taken + s.period * steps
    error = raw - predicted
    if abs(error) > 1.5 * s.period + 2.0 * s.tick_s or steps > 4096:
        # A hole in which the sensor did not count, or a step of its clock: believe the tick.
        return raw
    k = float(min(s.packets, SMOOTHING_PACKETS))
    gain = 2.0 * (2.0 * k + 1.0) / ((k + 1.0) * (k + 2.0))
    gain_period = 6.0 / ((k + 1.0) * (k + 2.0))
    s.period += gain_period * error / steps
    return predicted + gain * error
