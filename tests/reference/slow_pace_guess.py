"""Slow, obvious twin of ``kernels.pace_guess``: all whole pieces at once, with numpy."""

from __future__ import annotations

import numpy as np

from latemiles.kernels import pace_guess as k


def guess_pace(first, piece, gyr, acc):
    """Speed (k,) at samples (k, 3) of a stream that begins with sample ``first``, in the first piece."""
    rows = np.concatenate([np.full((first % piece, 6), np.nan), np.concatenate([gyr, acc], axis=1)])
    whole = len(rows) // piece
    features = judged(rows[: whole * piece].reshape(whole, piece, 6))
    features = np.concatenate([np.full((k.HELD - 1, 3), np.nan), features])
    guesses = np.concatenate([np.zeros(k.EVEN + 1), guessed(features, whole)])
    even = np.lib.stride_tricks.sliding_window_view(guesses, k.EVEN).mean(axis=1)
    share = np.arange(1, piece + 1) / piece
    speed = (even[:-1, None] + share * np.diff(even)[:, None]).reshape(-1)[first % piece : len(rows)]
    return np.where(speed > 0.0, speed, np.nan)


def judged(pieces):
    """Rate of turning, mean size of the force and mean of its square, (m, 3), of pieces (m, n, 6)."""
    mean, zero, out = pieces.mean(axis=1), np.zeros(3), []
    size = np.linalg.norm(pieces[:, :, 3:], axis=2)
    for i, (gyr, acc) in enumerate(zip(mean[:, :3], mean[:, 3:], strict=True)):
        if size[i].var() < k.QUIET_M_S2**2 and np.linalg.norm(gyr) < k.ZERO_RAD_S:
            zero = gyr
        up = acc / np.maximum(np.linalg.norm(acc), k.SMALLEST_M_S2)
        out.append([(gyr - zero) @ up, size[i].mean(), (size[i] ** 2).mean()])
    return np.array(out).reshape(-1, 3)


def guessed(features, whole):
    """Speed after each whole piece."""
    out = np.empty(whole)
    for i in range(whole):
        last = features[i : i + k.HELD]
        turn = last[:, 0] @ k.TURN_WEIGHTS
        mean, square = last[-k.BOUNCE :, 1:].mean(axis=0)
        bounce = np.sqrt(np.maximum(square - mean**2, 0.0))
        beyond = np.maximum(turn**2 - k.IDLE_RAD_S**2, 0.0)
        runs = np.clip((bounce - k.WALK_M_S2) / (k.RUN_M_S2 - k.WALK_M_S2), 0.0, 1.0)
        speed = np.clip(k.USUAL_M_S + k.GAIN_PER_S * (bounce - k.USUAL_M_S2), k.LEAST_M_S, k.MOST_M_S)
        out[i] = beyond / (beyond + k.IDLE_RAD_S**2) * runs * speed
    return out
