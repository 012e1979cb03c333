"""Numbers as a person reads them: one decimal for degrees, a true minus sign, a dash for the unknown."""

from __future__ import annotations

import math
import re

__all__ = [
    "DASH",
    "MINUS",
    "clock",
    "count",
    "degrees",
    "lasting",
    "listed",
    "magnitude",
    "pace",
    "percent",
    "plural",
    "signed",
    "true_minus",
]

MINUS = "\u2212"
DASH = "\u2013"


def signed(value: float, decimals: int = 1) -> str:
    """``+2.1``, ``\u22120.4``, ``0.0`` without a sign when it rounds to zero, a dash when unknown."""
    if not math.isfinite(value):
        return DASH
    size = f"{abs(value):.{decimals}f}"
    if float(size) == 0.0:
        return size
    return ("+" if value > 0.0 else MINUS) + size


def magnitude(value: float, decimals: int = 1) -> str:
    """The size without a sign; a dash when unknown."""
    return f"{abs(value):.{decimals}f}" if math.isfinite(value) else DASH


def degrees(value: float) -> str:
    """A size in words: ``2.1 degrees``; ``1 degree`` never comes up with one decimal."""
    return f"{magnitude(value)} degrees"


def count(value: int) -> str:
    """``8,398``."""
    return f"{value:,d}"


def plural(value: int, noun: str) -> str:
    """``1 gap``, ``2 gaps``."""
    return f"{count(value)} {noun}" if value == 1 else f"{count(value)} {noun}s"


def true_minus(words: str) -> str:
    """Words from elsewhere with each hyphen that stands for a minus set right."""
    return re.sub(r"(?<!\w)-(?=\d)", MINUS, words)


def percent(share: float, decimals: int = 0) -> str:
    """``93%``, of a share from 0 to 1; never 100 or 0 by rounding alone."""
    if not math.isfinite(share):
        return DASH
    step = 10.0**-decimals
    value = round(100.0 * share, decimals)
    if share < 1.0 and value >= 100.0:
        value = 100.0 - step
    if share > 0.0 and value <= 0.0:
        value = step
    return f"{value:.{decimals}f}%"


def clock(seconds: float) -> str:
    """``1:46:02`` or ``8:06``; a dash when unknown."""
    if not math.isfinite(seconds):
        return DASH
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def lasting(seconds: float, decimals: int = 0) -> str:
    """How long something lasted: ``76 s``, and from 100 s on ``17 min``; a dash when unknown."""
    if not seconds >= 99.5:
        return f"{seconds:.{decimals}f} s" if math.isfinite(seconds) else DASH
    return f"{seconds / 60.0:.{decimals}f} min"


def pace(speed_m_s: float, metres: float) -> str:
    """Time for ``metres`` at this speed, ``8:06``; a dash when standing or unknown."""
    if not math.isfinite(speed_m_s) or speed_m_s < 0.3:
        return DASH
    return clock(metres / speed_m_s)


def listed(items: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]
