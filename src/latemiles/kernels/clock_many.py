"""The clock of one sensor over many packets at once."""

from __future__ import annotations

from latemiles.kernels.clock import FIT_KNOT, RESTARTED, clock_push
from latemiles.kernels.jit import njit

__all__ = ["clock_push_many"]


@njit(cache=True)
def clock_push_many(
    state, first, row, count, epoch, index, tick, is_resent, arrival, known, known_first, t_out, keep_out
):
    """Session times of many packets' samples: ``clock_push`` for one after the other.

    Parameters
    ----------
    state : array of CLOCK_STATE, shape (1,)
        Changed in place.
    first, row : int
        Packet to begin with, and the row of its first sample in ``t_out`` and ``keep_out``.
    count, epoch, index, tick, is_resent, arrival : arrays, shape (m,)
        Of each packet, as for ``clock_push``; a packet of no samples is passed over.
    known, known_first : arrays
        As for ``clock_push``.
    t_out, keep_out : float64 and int64 arrays, shape (N,)
        Get the times of all samples, and 1 for a new sample, 0 for one that was heard before.

    Returns
    -------
    packet, row : int
        Where to go on: after a packet that gave RESTARTED or FIT_KNOT, which the caller must see, or at
        the end.
    status : int
        Of the last packet.
    before : float
        Session time of the sample before that packet, s.
    """
    s = state[0]
    before = s.last_t
    for p in range(first, count.shape[0]):
        n = count[p]
        if n == 0:
            continue
        before = s.last_t
        times, keep = t_out[row : row + n], keep_out[row : row + n]
        kept, status = clock_push(
            state,
            epoch[p],
            index[p],
            tick[p],
            n,
            is_resent[p],
            arrival[p],
            known,
            known_first,
            times,
            keep,
        )
        if kept == 0:
            for i in range(n):
                keep[i] = 0
        row += n
        if status & (RESTARTED | FIT_KNOT):
            return p + 1, row, status, before
    return count.shape[0], row, 0, before
