"""From events to what the live page shows. Pure: its time is the time of the events.

The page receives a *state*, small and replaced whole, and a *log*, append-only, which holds all that the
charts draw. A page that comes late gets the whole log and then what is added to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.metrics.sides import LIVE_WORDS
from latemiles.signals.events import (
    Activity,
    CalibrationFound,
    DriftUpdate,
    Event,
    Gap,
    LinkChanged,
    LiveState,
    Marked,
    Slip,
    Split,
    Stride,
    ThighsDoubted,
)
from latemiles.signals.frames import Segment, Side
from latemiles.signals.records import Record, Speed
from latemiles.web.conditions import Conditions
from latemiles.web.medians import BLOCK, ROWS, RowTracker, usable
from latemiles.web.run_clock import RunClock
from latemiles.web.sensor_state import BODY_ORDER, SensorState
from latemiles.web.state_word import LOOK_S, WordKeeper, wanted_word
from latemiles.web.tilt import TiltShown
from latemiles.web.words import headline

__all__ = ["LiveView"]

_TILT = "pelvic_tilt_mean_deg"
_THIGHS = (Segment.LEFT_THIGH, Segment.RIGHT_THIGH)
_DROP_DEAD_BAND_DEG = 0.2
_LOOKS_BEYOND = 2
_SHORTEST_GAP_TOLD_S = 5.0
"""Shorter gaps are hatched, not listed."""
_LONGEST_JUMP_S = 600.0
"""Looks are not made up for a longer silence than this, such as a pause in a recording."""
_FRESH_STILL_S = 3.0
"""An older still of the posture is not drawn as if it were now."""


class LiveView:
    """The live page's knowledge of one run.

    Parameters
    ----------
    run, athlete : str
        Whose run it is.
    unit : str
        ``mile`` or ``km``.
    baseline_s : tuple of float
        Window of the runner's start, s after the run began.
    """

    def __init__(
        self,
        run: str = "",
        athlete: str = "",
        *,
        unit: str = "mile",
        baseline_s: tuple[float, float] = (180.0, 600.0),
    ) -> None:
        self.run, self.athlete = run, athlete
        self.log: list[dict[str, Any]] = []
        """Append-only: points, gaps, slips, marks, splits, in order."""
        self._baseline_s = baseline_s
        self._clock = RunClock(unit)
        self._words = WordKeeper()
        self._tilt = TiltShown()
        self._rows = {row.name: RowTracker(row) for row in ROWS}
        self._sensors = {segment: SensorState(segment) for segment in BODY_ORDER}
        self._conditions = Conditions()
        self._newest_still: LiveState | None = None
        self._bands: dict[str, float] = {}
        self._drop_shown: dict[str, float] = {}
        self._now_s = -math.inf
        self._next_look_s = -math.inf
        self._strides_in_baseline = 0
        self._noticed: dict[str, Any] | None = None
        self._start_window: dict[str, Any] | None = None
        self._beyond_looks: dict[str, int] = {}
        self._ended = False
        self._state: dict[str, Any] = self._seen(0.0)
        self._take: dict[type[Any], Callable[[Any], None]] = {
            Stride: self._stride,
            DriftUpdate: self._drift,
            LiveState: self._still,
            Gap: self._gap,
            LinkChanged: self._link,
            Slip: self._slip,
            ThighsDoubted: self._doubted,
            Split: self._split,
            CalibrationFound: self._calibrated,
            Activity: self._activity,
            Marked: self._marked,
        }

    def push(self, events: Iterable[Event]) -> bool:
        """Take events in order; True if a new look was taken, so that ``state`` may be sent.

        How the events are cut into calls changes nothing.
        """
        looked = False
        for event in events:
            t_s = event.end_s if isinstance(event, Gap) else event.t_s
            if not math.isfinite(t_s):
                continue
            looked = self._advance(t_s) or looked
            if (take := self._take.get(type(event))) is not None:
                take(event)
        return looked

    def hear(self, record: Record) -> None:
        """Take what no event tells: grade and heart rate."""
        if isinstance(record, Speed):
            for name, t_s, value in self._conditions.tell(record):
                self.log.append(self._point(name, t_s, self._clock.place(t_s), value))

    def finish(self) -> None:
        """Take a last look when the run is over."""
        self._ended = True
        if math.isfinite(self._now_s):
            self._state = self._seen(self._now_s)

    def notice(self, t_s: float, words: str) -> None:
        """List what a person should know about the session itself, such as a server that refuses."""
        self._add("notice", t_s, words=words)

    def state(self) -> dict[str, Any]:
        """The state as of the last look; plain values, None where missing."""
        return self._state

    # Time

    def _advance(self, t_s: float) -> bool:
        if not math.isfinite(self._next_look_s) or t_s - self._next_look_s > _LONGEST_JUMP_S:
            self._next_look_s = t_s
        looked = False
        while self._next_look_s <= t_s:
            self._look(self._next_look_s)
            self._next_look_s += LOOK_S
            looked = True
        self._now_s = max(self._now_s, t_s)
        return looked

    def _look(self, t_s: float) -> None:
        reason = self._pelvis_reason(t_s)
        self._tilt.refuse_if(reason, t_s)
        wanted = wanted_word(self._tilt.update, self._tilt.band)
        changed = self._words.look(t_s, "sensor" if reason else wanted)
        self._tilt.look(t_s, moved=changed)
        if self._words.word == "drifting" and self._noticed is None:
            self._noticed = {"t": t_s, "d": self._clock.place(t_s)}
            self._add("change", t_s, words="Tilt change noticed")
        for name, row in self._rows.items():
            beyond = not self._silence(row, t_s) and abs(self._change(row, t_s)) > self._band(row)
            self._beyond_looks[name] = self._beyond_looks.get(name, 0) + 1 if beyond else 0
        self._state = self._seen(t_s)

    def _pelvis_reason(self, t_s: float) -> str:
        """Why the tilt cannot be told; empty when it can."""
        pelvis = self._sensors[Segment.PELVIS]
        if math.isfinite(pelvis.slip_s):
            return "clip moved"
        if math.isfinite(pelvis.lost_since(t_s)):
            return "pelvis not heard"
        return "clip moved" if self._tilt.is_slip else ""

    # Events

    def _stride(self, stride: Stride) -> None:
        distance_m = stride.values[COLUMN_INDEX["distance_m"]]
        self._clock.begin(stride.t_s)
        self._clock.stride(stride, distance_m, stride.values[COLUMN_INDEX["speed_m_s"]])
        self._hear(stride)
        if not usable(stride):
            return
        since_s = stride.t_s - self._clock.start_s
        in_baseline = self._baseline_s[0] <= since_s <= self._baseline_s[1]
        self._strides_in_baseline += in_baseline
        for name, row in self._rows.items():
            point = row.push(stride, distance_m, in_baseline)
            if point is not None:
                t_s, d, value = point
                self.log.append(self._point(name, t_s, d if math.isfinite(d) else None, value))

    @staticmethod
    def _point(row: str, t_s: float, place: float | None, value: float) -> dict[str, Any]:
        d = None if place is None else round(place, 1)
        return {"k": "point", "row": row, "t": round(t_s, 2), "d": d, "v": round(value, 3)}

    def _hear(self, stride: Stride) -> None:
        # A stored run has no stills; its strides say as well what was heard.
        if math.isfinite(stride.values[COLUMN_INDEX[_TILT]]):
            self._sensors[Segment.PELVIS].heard_at(stride.t_s)
        if math.isfinite(stride.values[COLUMN_INDEX["hip_flexion_ic_deg"]]):
            thigh = Segment.LEFT_THIGH if stride.side is Side.LEFT else Segment.RIGHT_THIGH
            self._sensors[thigh].heard_at(stride.t_s)

    def _drift(self, update: DriftUpdate) -> None:
        if math.isfinite(update.detectable_change):
            self._bands[update.metric] = update.detectable_change
        if update.verdict != "slip":
            # Form drift has tied the level after a slip to the one before.
            seats = _THIGHS if update.metric.startswith("hip_") else (Segment.PELVIS,)
            for segment in seats:
                self._sensors[segment].zeroed(update.t_s)
        if update.metric != _TILT:
            return
        self._tilt.take(update)
        if self._tilt.is_known and math.isnan(self._rows["tilt"].start):
            for row in self._rows.values():
                row.freeze()
            begin, end = (self._clock.start_s + s for s in self._baseline_s)
            places = {"d": self._clock.place(begin), "end_d": self._clock.place(end)}
            self._start_window = {"t": begin, "end": end, **places}
            words = f"Start measured, {self._strides_in_baseline} strides"
            self._add("start", update.t_s, words=words)

    def _still(self, still: LiveState) -> None:
        self._newest_still = still
        for sensor in self._sensors.values():
            sensor.still(still)

    def _gap(self, gap: Gap) -> None:
        sensor = self._sensors.get(gap.segment)
        if sensor is None:
            return
        sensor.gap(gap)
        length_s = gap.end_s - gap.t_s
        told = length_s >= _SHORTEST_GAP_TOLD_S
        words = f"{_named(gap.segment)} not heard, {length_s:.0f} s" if told else ""
        end = {"end": round(gap.end_s, 2), "end_d": self._clock.place(gap.end_s)}
        self._add("gap", gap.t_s, segment=sensor.name, words=words, **end)

    def _link(self, link: LinkChanged) -> None:
        if (sensor := self._sensors.get(link.segment)) is not None:
            sensor.link(link)
            if link.state == "stuck":
                self._add("notice", link.t_s, words=f"{_named(link.segment)} {link.detail}")

    def _slip(self, slip: Slip) -> None:
        sensor = self._sensors.get(slip.segment)
        if sensor is None:
            return
        sensor.slip(slip)
        if slip.segment is Segment.PELVIS:
            self._tilt.slipped()
        words = f"{_named(slip.segment)} clip moved {math.degrees(slip.angle_rad):.1f}°"
        self._add("slip", slip.t_s, segment=sensor.name, words=words)

    def _doubted(self, doubt: ThighsDoubted) -> None:
        for segment in _THIGHS:
            self._sensors[segment].is_doubted = True
        self._add("sides", doubt.t_s, words=LIVE_WORDS)

    def _split(self, split: Split) -> None:
        self._clock.split(split)
        self._add("split", split.t_s, index=split.index)

    def _calibrated(self, calibration: CalibrationFound) -> None:
        for sensor in self._sensors.values():
            sensor.zeroed(calibration.t_s)

    def _activity(self, activity: Activity) -> None:
        if activity.activity == "running":
            self._clock.begin(activity.t_s)

    def _marked(self, mark: Marked) -> None:
        self._add("mark", mark.t_s, words=mark.label or "Mark")

    def _add(self, kind: str, t_s: float, **more: Any) -> None:
        self.log.append({"k": kind, "t": round(t_s, 2), "d": self._clock.place(t_s), **more})

    # What is seen

    def _seen(self, t_s: float) -> dict[str, Any]:
        reason = self._pelvis_reason(t_s)
        state: dict[str, Any] = {
            "schema": 1,
            "run": self.run,
            "athlete": self.athlete,
            "t": t_s,
            "ended": self._ended,
            "word": self._words.word,
            "tilt": self._tilt.state(t_s, self._words.word, reason, self._ready_in_s(t_s)),
            "clock": self._clock.state(t_s),
            "drop": self._drop(t_s, reason),
            "sensors": [sensor.state(t_s) for sensor in self._sensors.values()],
            "rows": {name: self._row(row, t_s) for name, row in self._rows.items()},
            "conditions": self._conditions.state(t_s),
            "posture": self._posture(t_s),
            "start": self._start_window,
            "noticed": self._noticed,
        }
        state["headline"] = headline(state)
        return state

    def _posture(self, t_s: float) -> dict[str, float | None] | None:
        """The newest still in degrees; None when there is none or it is old."""
        still = self._newest_still
        if still is None or self._ended or t_s - still.t_s > _FRESH_STILL_S:
            return None
        names = ("tilt", "obliquity", "flexion_left", "adduction_left", "flexion_right", "adduction_right")
        angles = (*still.pelvis[:2], *still.hip_left[:2], *still.hip_right[:2])
        return {name: _or_none(round(math.degrees(a), 1)) for name, a in zip(names, angles, strict=True)}

    def _ready_in_s(self, t_s: float) -> float | None:
        if math.isnan(self._clock.start_s):
            return None
        return max(0.0, self._clock.start_s + self._baseline_s[1] - t_s)

    def _band(self, row: RowTracker) -> float:
        """Band of a row; both sides of a pair have one, the wider."""
        if row.row.name == "tilt":
            return self._tilt.band
        if math.isnan(row.start):
            return math.nan
        pair = [r for r in self._rows.values() if r.row.column == row.row.column]
        told = [self._bands.get(key, math.nan) for r in pair for key in (r.row.key, r.row.column)]
        known = [b for b in told if math.isfinite(b)] or [r.band for r in pair if math.isfinite(r.band)]
        return max(known, default=math.nan)

    def _change(self, row: RowTracker, t_s: float) -> float:
        if row.row.name == "tilt" and math.isfinite(self._tilt.value):
            # One number for one thing: the row says what the runner's page says.
            return self._tilt.value if math.isfinite(row.now(t_s)) else math.nan
        return row.change(t_s)

    def _row(self, row: RowTracker, t_s: float) -> dict[str, Any]:
        beyond = self._beyond_looks.get(row.row.name, 0) >= _LOOKS_BEYOND
        if row.row.name == "tilt":
            beyond = self._words.word == "drifting"
        # Medians outlive their sensor by the length of their window: what is not heard has no value now.
        silence = self._silence(row, t_s)
        now = math.nan if silence else row.now(t_s)
        return {
            "now": _or_none(now),
            "change": None if silence else _or_none(self._change(row, t_s)),
            "start": _or_none(row.start),
            "band": _or_none(self._band(row)),
            "beyond": beyond and not silence,
            "missing": silence or ("" if math.isfinite(now) else "no strides now"),
        }

    def _silence(self, row: RowTracker, t_s: float) -> str:
        """Why a row of angles cannot be told now: its pelvis or its thigh; empty when it can."""
        if not row.row.angle:
            return ""
        if reason := self._pelvis_reason(t_s):
            return reason.removeprefix("pelvis ")
        if not row.row.column.startswith("hip_") or row.row.side is None:
            return ""
        thigh = self._sensors[Segment.LEFT_THIGH if row.row.side is Side.LEFT else Segment.RIGHT_THIGH]
        if math.isfinite(thigh.lost_since(t_s)):
            return "not heard"
        return "clip moved" if math.isfinite(thigh.slip_s) else ""

    def _drop(self, t_s: float, reason: str) -> dict[str, Any]:
        missing = (
            "no drop yet" if math.isnan(self._clock.start_s) or not self._drop_shown else "no strides now"
        )
        doubted = self._sensors[Segment.LEFT_THIGH].is_doubted
        sides: dict[str, Any] = {"words": "no pelvis signal" if reason else missing, "doubted": doubted}
        for side in ("left", "right"):
            row = self._rows[f"drop_{side}"]
            now, shown = row.now(t_s, BLOCK), self._drop_shown.get(side, math.nan)
            if reason:
                shown = math.nan
            elif not abs(now - shown) < _DROP_DEAD_BAND_DEG:
                shown = now
            if math.isfinite(shown) or side in self._drop_shown:
                self._drop_shown[side] = shown
            sides[side] = {
                "now": _or_none(shown),
                "start": _or_none(row.start),
                "band": _or_none(self._band(row)),
                "beyond": bool(abs(shown - row.start) > self._band(row)),
            }
        return sides


def _named(segment: Segment) -> str:
    return segment.label.capitalize()


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
