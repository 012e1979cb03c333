"""Bytes of many packets, and of the messages that hold them, to numbers."""

from __future__ import annotations

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.signals.quality import SampleQuality

__all__ = ["MESSAGE", "scan_messages", "scan_records", "survey", "unpack_counts", "unpack_heads"]

MESSAGE = 5
"""Opcode of an MCAP message."""
RECORD_HEAD = 9
MESSAGE_HEAD = 22
"""Bytes of the heads of an MCAP record and of a message in it."""

_ACC_CLIPPED = int(SampleQuality.ACC_CLIPPED)
_GYR_CLIPPED = int(SampleQuality.GYR_CLIPPED)


@njit(cache=True)
def _unsigned(data, at, size):
    """Little-endian number of ``size`` bytes; of eight bytes a huge one comes out negative."""
    value = 0
    for k in range(size - 1, -1, -1):
        value = (value << 8) | int(data[at + k])
    return value


@njit(cache=True)
def scan_records(data, opcode, start, stop):
    """Records of an MCAP file that lie whole in a block of it which begins with one.

    Parameters
    ----------
    data : uint8 array, shape (n,)
    opcode, start, stop : int64 arrays, shape (m,)
        Out: kind of each, and where its content begins and ends.

    Returns
    -------
    count : int
        Records found, up to the first that is damaged or not whole.
    at : int
        Where the last one ends.
    """
    count, at, size = 0, 0, data.shape[0]
    while count < opcode.shape[0] and size - at >= RECORD_HEAD and data[at] != 0:
        length = _unsigned(data, at + 1, 8)
        if length < 0 or length > size - at - RECORD_HEAD:
            break
        opcode[count] = data[at]
        start[count] = at + RECORD_HEAD
        at += RECORD_HEAD + length
        stop[count] = at
        count += 1
    return count, at


@njit(cache=True)
def scan_messages(data, at, channel, sequence, log_time, start, stop):
    """Heads of the messages from byte ``at`` on, up to a record of another kind.

    Parameters
    ----------
    data : uint8 array, shape (n,)
        Records of an MCAP chunk.
    at : int
        Where a record begins.
    channel, sequence, log_time, start, stop : int64 arrays, shape (m,)
        Out: of each message its channel, running number, time, and where its content begins and ends.

    Returns
    -------
    count : int
        Messages found.
    at : int
        Where the first record that is no message begins, or the first that is damaged, or the end.
    """
    count = 0
    size = data.shape[0]
    while count < channel.shape[0] and size - at >= RECORD_HEAD + MESSAGE_HEAD and data[at] == MESSAGE:
        length = _unsigned(data, at + 1, 8)
        body = at + RECORD_HEAD
        if length < MESSAGE_HEAD or length > size - body:
            break
        channel[count] = _unsigned(data, body, 2)
        sequence[count] = _unsigned(data, body + 2, 4)
        log_time[count] = _unsigned(data, body + 6, 8)
        start[count] = body + MESSAGE_HEAD
        at = body + length
        stop[count] = at
        count += 1
    return count, at


@njit(cache=True)
def unpack_counts(data, start, count, acc_scale, gyr_scale, acc, gyr, flags):
    """Samples of many frames: six 16-bit counts each, gyr x y z, acc x y z.

    Parameters
    ----------
    data : uint8 array
        Holds the frames.
    start, count : int64 arrays, shape (m,)
        Where each frame's first sample begins, and how many it has.
    acc_scale, gyr_scale : float
        m/s^2 and rad/s a count.
    acc, gyr : float64 arrays, shape (N, 3)
        Out.
    flags : int64 array, shape (N,)
        Out: SampleQuality bits of counts at their limit.
    """
    row = 0
    for p in range(start.shape[0]):
        at, n = start[p], count[p]
        # They lie at any byte, the lower one first, as in all processors that this runs on.
        counts = data[at : at + 12 * n].view(np.int16)
        for i in range(n):
            bits = 0
            for c in range(3):
                turn, force = int(counts[6 * i + c]), int(counts[6 * i + 3 + c])
                gyr[row, c] = turn * gyr_scale
                acc[row, c] = force * acc_scale
                if turn == 32767 or turn == -32768:
                    bits |= _GYR_CLIPPED
                if force == 32767 or force == -32768:
                    bits |= _ACC_CLIPPED
            flags[row] = bits
            row += 1


@njit(cache=True)
def survey(acc, gyr):
    """What tells at a glance that nothing is wrong with samples (n, 3) each, n >= 1.

    Returns
    -------
    tuple of float, float, int
        Greatest size of a component of ``acc`` and of ``gyr``, missing ones left out, and how many samples
        equal the one before in all of ``acc`` or all of ``gyr``.
    """
    most_acc, most_gyr, same = 0.0, 0.0, 0
    for i in range(acc.shape[0]):
        for c in range(3):
            force, turn = abs(acc[i, c]), abs(gyr[i, c])
            most_acc = force if force > most_acc else most_acc
            most_gyr = turn if turn > most_gyr else most_gyr
        # One component first: of a sensor that moves hardly a sample is left.
        if i > 0:
            rate, force = gyr[i, 0] == gyr[i - 1, 0], acc[i, 0] == acc[i - 1, 0]
            if rate or force:
                for c in range(1, 3):
                    rate = rate and gyr[i, c] == gyr[i - 1, c]
                    force = force and acc[i, c] == acc[i - 1, c]
                same += rate or force
    return most_acc, most_gyr, same


@njit(cache=True)
def unpack_heads(data, start, stop, version, most, with_tail, out):
    """Heads of many frames of 12 bytes and 12 a sample.

    A head holds version and kind, number of samples, flags, epoch, index and tick (32 bits each).

    Parameters
    ----------
    data : uint8 array
        Holds the frames.
    start, stop : int64 arrays, shape (m,)
        Where each begins and ends.
    version, most : int
        Version that is understood, and most samples in a frame.
    with_tail : int
        Highest kind; its frames have two bytes more.
    out : int64 array, shape (6, m)
        Out: samples (0 in a frame that does not follow this), kind, flags, epoch, index, tick; zeros in a
        frame that is shorter than a head.
    """
    for p in range(start.shape[0]):
        a, size = start[p], stop[p] - start[p]
        for k in range(6):
            out[k, p] = 0
        if size < 12:
            continue
        n, kind = int(data[a + 1]), int(data[a]) & 15
        is_sound = int(data[a]) >> 4 == version and kind <= with_tail and 1 <= n <= most
        if is_sound and size == 12 + 12 * n + (2 if kind == with_tail else 0):
            out[0, p] = n
        out[1, p] = kind
        out[2, p] = data[a + 2]
        out[3, p] = data[a + 3]
        out[4, p] = _unsigned(data, a + 4, 4)
        out[5, p] = _unsigned(data, a + 8, 4)
