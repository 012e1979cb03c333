"""The terminal's view of a live run: three sensor lines, the change of tilt, way, what is being written."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.metrics.sides import LIVE_WORDS
from latemiles.signals.events import (
    CalibrationFound,
    DriftUpdate,
    Event,
    LinkChanged,
    PoseRefused,
    Slip,
    Stride,
    ThighsDoubted,
)
from latemiles.signals.frames import Segment

if TYPE_CHECKING:
    from rich.console import Console

    from latemiles.session.connect import Reception
    from latemiles.session.live import LiveSession

__all__ = ["Guide", "TerminalView"]

REFRESH_S: Final = 0.5
_TILT: Final = "pelvic_tilt_mean_deg"
_DISTANCE: Final = NUMERIC_COLUMNS.index("distance_m")


@dataclass(slots=True)
class Guide:
    """What a person is asked to do at the start, in session seconds."""

    standing_s: tuple[float, float] = (3.0, 11.0)
    movement_s: tuple[float, float] = (14.0, 26.0)

    def words(self, t_s: float) -> str:
        """What to do now; empty when the calibration is over."""
        if t_s < self.standing_s[0]:
            return f"Stand still in {self.standing_s[0] - t_s:.0f} s: feet under the hips, look ahead."
        if t_s < self.standing_s[1]:
            return f"Stand still ... {self.standing_s[1] - t_s:.0f}"
        if t_s < self.movement_s[0]:
            return "Now three squats, slowly, knees forward."
        if t_s < self.movement_s[1]:
            return f"Three squats ... {self.movement_s[1] - t_s:.0f}"
        return ""


@dataclass(slots=True)
class TerminalView:
    """A sink of the session that also draws itself.

    Parameters
    ----------
    reception : Reception
        Whose links are shown.
    writing : sequence of str
        What is written where, a line each.
    guide : Guide or None
        Of the calibration.
    """

    reception: Reception
    writing: Sequence[str]
    guide: Guide | None = None
    change: DriftUpdate | None = None
    distance_m: float = math.nan
    strides: int = 0
    calibrated: str = "not yet"
    slips: list[str] = field(default_factory=list)
    stuck: dict[Segment, str] = field(default_factory=dict)
    """Sensors that hang, and what to do about it."""
    sides: str = ""
    """What to look at if the thigh sensors may be on each other's legs."""

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        for event in events:
            match event:
                case DriftUpdate() if event.metric == _TILT:
                    self.change = event
                case Stride():
                    self.strides += 1
                    if math.isfinite(event.values[_DISTANCE]):
                        self.distance_m = event.values[_DISTANCE]
                case CalibrationFound():
                    self.calibrated = f"from {event.reference} and {event.axes_from}"
                case LinkChanged(state="stuck"):
                    self.stuck[event.segment] = event.detail
                case LinkChanged():
                    self.stuck.pop(event.segment, None)
                case PoseRefused():
                    self.calibrated = f"no: the {event.kind} was none, because {event.reason}"
                case ThighsDoubted():
                    self.sides = LIVE_WORDS
                case Slip():
                    self.slips.append(f"{event.segment.label} slipped")

    def finish(self) -> None:
        """The run is over."""

    async def draw(self, session: LiveSession, console: Console) -> None:
        """Draw until cancelled."""
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(self.look(session.heard_ns * 1e-9), refresh=True)
                await asyncio.sleep(REFRESH_S)

    def look(self, t_s: float) -> Group:
        """The view at a session time: a line a sensor, then the run, one thing a line."""
        table = Table(box=None, pad_edge=False)
        for name in ("sensor", "battery", "signal", "loss", "link"):
            table.add_column(name, justify="left" if name in ("sensor", "link") else "right")
        for segment, link in self.reception.links.items():
            table.add_row(*self._line(segment), Text(link.view.state))
        for pod in self.reception.pods:
            table.add_row(pod.kind.label, "", "", "", Text(pod.state))
        way = (
            f"{self.distance_m / 1000.0:.2f} km"
            if math.isfinite(self.distance_m)
            else "distance not known (no foot pod, no watch)"
        )
        lines = [
            "",
            f"{int(t_s) // 60}:{int(t_s) % 60:02d}, {self.strides} strides, {way}",
            self._tilt(),
            f"calibrated {self.calibrated}",
            *self._notes(t_s),
        ]
        return Group(table, *(Text(line) for line in lines))

    def _line(self, segment: Segment) -> tuple[str, str, str, str]:
        link = self.reception.links[segment]
        view, book = link.view, link.book
        battery = f"{view.battery_percent:.0f} %" if math.isfinite(view.battery_percent) else "-"
        taken = book.next_index or 0
        lost = book.missing_samples + book.given_up
        loss = f"{100.0 * lost / taken:.2f} %" if taken else "-"
        return segment.label, battery, f"{view.rssi} dBm" if view.rssi else "-", loss

    def _tilt(self) -> str:
        d = self.change
        if d is None or not math.isfinite(d.change):
            return "tilt: still learning how this run began"
        return f"tilt {d.change:+.1f} deg ({d.low:+.1f} to {d.high:+.1f}) since the start: {d.verdict}"

    def _notes(self, t_s: float) -> list[str]:
        notes = [*self.slips[-1:], *filter(None, [self.sides])]
        notes += [f"{segment.label} {words}" for segment, words in self.stuck.items()]
        if self.reception.trouble is not None and not any(
            link.view.state == "linked" for link in self.reception.links.values()
        ):
            notes.append(str(self.reception.trouble))
        if self.guide is not None and (words := self.guide.words(t_s)):
            notes.insert(0, words)
        notes += ["", *self.writing, "Ctrl-C ends the run."]
        return notes
