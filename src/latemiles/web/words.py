"""The coach's one sentence, true on its own, and what it must be read with."""

from __future__ import annotations

import math
from typing import Any

from latemiles.web.run_clock import UNITS

__all__ = ["headline"]


def headline(state: dict[str, Any]) -> list[str]:
    """The sentence and its small print for a state of ``LiveView``."""
    tilt, word = state["tilt"], state["word"]
    if word == "learning":
        return ["Measuring the start", _ready(tilt["ready_in_s"])]
    if word == "sensor":
        reason = tilt["words"]
        last = tilt["last_good"]
        seen = f"last good {_change(last['value'])} {last['way']}, {last['age_s']:.0f} s ago" if last else ""
        return [reason[0].upper() + reason[1:], seen]
    interval = f"95% interval {_signed(tilt['low'])} to {_signed(tilt['high'])}"
    band = f"can detect {tilt['band']:.1f}°" if tilt["band"] is not None else ""
    raw = "" if state["clock"]["pace_s"] is not None else "raw, no speed source"
    if word == "steady":
        return ["No change of tilt beyond the band", "; ".join(filter(None, [interval, band, raw]))]
    if word == "watch" and tilt["verdict"] == "cannot separate":
        return ["Tilt and pace move together", "this run cannot tell the two apart"]
    if word == "watch":
        return [
            f"Tilt may be moving {tilt['way']}",
            "; ".join(filter(None, [interval, band, "not sure yet", raw])),
        ]
    way = "forward" if tilt["way"] == "forward" else "back"
    details = [_noticed(state), interval, band, raw]
    return [
        f"Tilt is {_change(tilt['value'])} further {way} than at the start",
        "; ".join(filter(None, details)),
    ]


def _noticed(state: dict[str, Any]) -> str:
    noticed, clock = state["noticed"], state["clock"]
    if noticed is None:
        return ""
    if noticed["d"] is None:
        return f"noticed {(state['t'] - noticed['t']) / 60:.0f} min ago"
    return f"noticed at {clock['unit']} {noticed['d'] / UNITS[clock['unit']]:.1f}"


def _ready(ready_in_s: float | None) -> str:
    if ready_in_s is None:
        return "ready ten minutes after the run begins"
    return f"ready in about {math.ceil(ready_in_s / 60)} min" if ready_in_s > 0 else "ready soon"


def _change(value: float) -> str:
    return f"{abs(value):.1f}°"


def _signed(value: float | None) -> str:
    if value is None:
        return "–"  # noqa: RUF001 - an unknown is a dash
    text = f"{abs(value):.1f}"
    return text if text == "0.0" else ("+" if value > 0 else "−") + text  # noqa: RUF001 - the true minus
