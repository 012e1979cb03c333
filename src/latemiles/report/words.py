"""Sentences made of numbers. No cause, no injury, no advice; verdicts only in the words of ``VERDICTS``."""

from __future__ import annotations

import math
from typing import Final

from latemiles.metrics.catalogue import metric
from latemiles.metrics.sides import may_be_exchanged
from latemiles.report.numbers import (
    count,
    degrees,
    listed,
    magnitude,
    percent,
    plural,
    signed,
)
from latemiles.report.page import LEAST_STRIDES, Page, Shown, shown_of
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.results import Ensemble
from latemiles.trends.params import key_parts

__all__ = [
    "MOSTLY_HEARD",
    "adjusted_for",
    "filler",
    "headline",
    "lead",
    "metric_words",
    "start_words",
    "what_is_missing",
]


MOSTLY_HEARD: Final = 0.9
"""A sensor that was heard for less of the run is named in the answer."""
_FROM: Final = {
    Segment.LEFT_THIGH: "the left hip's angles are",
    Segment.RIGHT_THIGH: "the right hip's angles are",
}


def metric_words(key: str) -> str:
    """The catalogue's label of a form-drift key, with its side and with ``(estimate)`` where it is one."""
    column, side = key_parts(key)
    entry = metric(column)
    words = f"{entry.label} (estimate)" if entry.estimate else entry.label
    return words if side == "both" else f"{words}, {side.replace('_', ' ')}"


def adjusted_for(page: Page) -> list[str]:
    """What the change was adjusted for, in words."""
    if page.tilt is None or page.tilt.adjusted is None:
        return []
    return list(page.tilt.adjusted.covariates)


def start_words(page: Page) -> str:
    """``minutes 3 to 10``: when the start was measured."""
    if page.tilt is None or not math.isfinite(page.tilt.baseline_window_s[0]):
        return ""
    low, high = page.tilt.baseline_window_s
    return f"minutes {low / 60.0:.0f} to {high / 60.0:.0f}"


def headline(page: Page) -> tuple[str, str, str]:
    """The answer as (before, what changed, after); the middle is empty where nothing is beyond the band."""
    missing = _not_measured(page)
    if missing or page.shown is None:
        return missing, "", ""
    shown = page.shown
    way = "forward" if shown.change >= 0.0 else "back"
    if shown.is_change:
        lean = "Your pelvis tipped " if shown.verdict == "clear change" else "Your pelvis likely tipped "
        return lean, f"{degrees(shown.change)} further {way}", f" {_since(page)}."
    if shown.verdict == "cannot separate":
        verb = "rose" if shown.raw_change >= 0.0 else "fell"
        what = f"Tilt {verb} {degrees(shown.raw_change)} while {_speed_clause(page)}"
        return f"{what}; this run cannot tell the two apart.", "", ""
    if shown.verdict == "slip":
        return f"{_slip_clause(page)}; this run cannot tell that from a change of tilt.", "", ""
    return f"No change beyond {degrees(shown.detectable)} in {page.axis.length}.", "", ""


def lead(page: Page) -> list[tuple[str, str, str]]:
    """The sentences under the headline, each as (before, the verdict word in bold or nothing, after)."""
    if not page.measured or page.shown is None:
        silent = [*_silent(page), *_zero(page)] if page.heard(Segment.PELVIS) else []
        return [("", "", sentence) for sentence in (*silent, *what_is_missing(page))]
    sentences = [_verdict_sentence(page.shown)]
    more = (_speed_sentence(page), _slips_sentence(page), _drop_sentence(page), _others(page))
    sentences += [("", "", s) for s in (*_silent(page), *_zero(page), *more) if s]
    return sentences


def what_is_missing(page: Page) -> list[str]:
    """What is missing for a comparison, and what would fill it."""
    if page.strides == 0:
        return ["Strides are found from both thighs while running or walking."]
    if not page.heard(Segment.PELVIS):
        return ["The pelvis sensor fills this. The rest of the page shows what the thighs told."]
    if page.analysis.quality.calibration is None:
        return ["Standing still for some seconds and three squats before the run fill this."]
    if page.running_strides == 0:
        walked = ["Medians of the walking strides are in the table."] if page.analysis.splits else []
        return [*walked, "A run fills the comparison."]
    if _fewest(page) >= LEAST_STRIDES:
        return [
            "The strides were found, but their tilt was not.",
            "A run with the pelvis sensor heard fills this.",
        ]
    return [
        f"The start and the late part need {LEAST_STRIDES} steady strides of a leg each.",
        "About 15 minutes of steady running fill this.",
    ]


def _fewest(page: Page) -> int:
    """Strides of a leg in the shorter of the two parts that would be compared."""
    steady = page.analysis.quality.strides_used // 2
    if page.tilt is None:
        return steady
    fewest = min(page.tilt.strides_baseline, page.tilt.strides_late)
    # Before the start can be placed at all, what there is counts towards it.
    return fewest or min(steady, LEAST_STRIDES - 1)


def _not_measured(page: Page) -> str:
    if page.strides == 0:
        return f"No strides found in {page.axis.length}."
    if not page.heard(Segment.PELVIS):
        return "No tilt in this run: the pelvis sensor was not heard."
    if page.analysis.quality.calibration is None:
        return "No tilt in this run: how the sensors sit was not found."
    if page.running_strides == 0:
        return f"A walk of {page.axis.length}: no running strides to compare."
    if page.measured:
        return ""
    found = _fewest(page)
    if found < LEAST_STRIDES:
        there = plural(found, "stride")
        return f"Too short to compare end with start: {there} of a leg, {LEAST_STRIDES} needed."
    return "Too little of the pelvis was heard to compare."


def _since(page: Page) -> str:
    tilt = page.tilt
    if tilt is not None and tilt.change_point_s is not None:
        return f"from {page.axis.place(tilt.change_point_s)}"
    return late_words(page)


def _speed_share(page: Page) -> float:
    return (page.speed_late - page.speed_start) / page.speed_start if page.speed_start > 0.0 else math.nan


def _speed_clause(page: Page) -> str:
    share = _speed_share(page)
    if share < 0.0:
        return "you slowed"
    return "you sped up" if share > 0.0 else "your speed changed"


def _slip_clause(page: Page) -> str:
    slips = page.pelvis_slips_s()
    if not slips:
        return "A sensor moved on the body"
    return f"The pelvis sensor moved at {page.axis.place(slips[0])}"


def _interval(shown: Shown) -> str:
    """``1.6 to 2.6`` where both ends point the way of the change, else with signs."""
    if shown.low * shown.high > 0.0:
        ends = sorted((abs(shown.low), abs(shown.high)))
        return f"{magnitude(ends[0])} to {magnitude(ends[1])}"
    return f"{signed(shown.low)} to {signed(shown.high)}"


def _verdict_sentence(shown: Shown) -> tuple[str, str, str]:
    detect = magnitude(shown.detectable)
    if shown.is_change:
        after = f": the 95% interval is {_interval(shown)} degrees, and this run could detect {detect}."
        return "That is a ", shown.verdict, after
    kind = "adjusted, " if shown.adjusted and shown.verdict == "cannot separate" else ""
    span = f"{signed(shown.low)} to {signed(shown.high)}"
    after = f": {kind}{signed(shown.change)} degrees, 95% interval {span}; this run could detect {detect}."
    return "That reads ", shown.verdict, after


def _speed_sentence(page: Page) -> str:
    if page.shown is None:
        return ""
    if not page.shown.adjusted:
        return _why_raw(page)
    names = adjusted_for(page)
    share, hidden = _speed_share(page), page.shown.hidden
    made = f"made about {degrees(hidden)} of the raw change"
    effect = f"hid about {degrees(hidden)} of it" if hidden > 0.0 else made
    if page.shown.verdict == "cannot separate":
        return f"{listed(names).capitalize()} moved with time, so their part cannot be taken off."
    if abs(hidden) < 0.1:
        return f"{listed(names).capitalize()} made under 0.1 degrees of difference."
    if math.isfinite(share) and abs(share) >= 0.005 and names[:1] == ["speed"]:
        verb = "slowed" if share < 0.0 else "sped up"
        rest = f"; with {listed(names[1:])} this" if names[1:] else ", which"
        return f"You also {verb} by {percent(abs(share))}{rest} {effect}."
    return f"{listed(names).capitalize()} {effect}."


def _why_raw(page: Page) -> str:
    if not page.has_speed:
        return "No speed source was heard, so the change is raw."
    return "The change is raw: it could not be adjusted for speed."


def _slips_sentence(page: Page) -> str:
    """That the pelvis sensor slipped, where the headline does not say so already."""
    slips = [s for s in page.analysis.quality.slips if s.segment is Segment.PELVIS]
    if not slips or page.verdict == "slip":
        return ""
    left = sum(r.share for r in page.tilt.rivals if r.name == "slip") if page.tilt is not None else 0.0
    rest = f"; {degrees(left)} of that may be in the change" if abs(left) >= 0.05 else ", which was taken off"
    if len(slips) > 1:
        return f"The pelvis sensor slipped {count(len(slips))} times{rest}."
    by, place = degrees(math.degrees(slips[0].angle_rad)), page.axis.place(slips[0].t_s)
    return f"The pelvis sensor slipped by {by} at {place}{rest}."


def _drop_sentence(page: Page) -> str:
    drop = page.drop
    if drop is None:
        return ""
    if not drop.beyond:
        return "The difference in pelvic drop between the legs stayed inside its band."
    more, less = ("right", "left") if drop.shown.change > 0.0 else ("left", "right")
    return f"The pelvic drop over your {more} leg grew {degrees(drop.shown.change)} against your {less}."


def _silent(page: Page) -> list[str]:
    """A sensor that was not heard, or not for all of the run: what is missing for it."""
    sentences = []
    for segment in SEGMENTS:
        share = page.heard_share(segment)
        what = _FROM.get(segment, "tilt is")
        if not page.heard(segment):
            sentences.append(f"The {segment.label} sensor was not heard, so {what} missing.")
        elif share < MOSTLY_HEARD:
            heard = f"The {segment.label} sensor was heard for {percent(share)} of the run"
            sentences.append(f"{heard}; {what} missing for the rest.")
    pelvis, *thighs = SEGMENTS
    if page.heard(pelvis) and not any(page.heard(thigh) for thigh in thighs):
        sentences.append("Left and right are told from the pelvis alone and may be exchanged.")
    if may_be_exchanged(page.analysis.strides):
        sentences.append(
            "The thigh sensors may be on each other's legs, and left and right exchanged; see the notes."
        )
    return sentences


def _zero(page: Page) -> list[str]:
    """That the runner did not stand still, and what zero is without it."""
    if page.analysis.reference != "baseline":
        return []
    return [f"No quiet stance was found, so zero is {page.reference_words}."]


def _others(page: Page) -> str:
    # The tilt's own features move with its mean, and the legs' drop with their difference: no second finding.
    told: tuple[str, ...] = ("pelvic_tilt", "pelvic_drop")
    if page.drop is not None and page.drop.beyond:
        told += ("pelvic_obliquity",)
    others = [d for d in page.analysis.form_drift.values() if not d.metric.startswith(told)]
    if not others:
        return ""
    beyond = [d for d in others if shown_of(d).is_change]
    if not beyond:
        missing = any(not math.isfinite(shown_of(d).change) for d in others)
        return f"Nothing else {'that was measured ' if missing else ''}left its band."
    if len(beyond) > 2:
        return f"Of {count(len(others))} other measures, {len(beyond)} left their band; some may by chance."
    names = listed([metric_words(d.metric) for d in beyond])
    return f"Of the rest, {names} left {'its' if len(beyond) == 1 else 'their'} band."


def basis_words(page: Page) -> str:
    """``smoothed`` or ``causal``, and what that means."""
    if page.analysis.basis == "smoothed":
        return "smoothed (each moment also knows what came after)"
    if page.analysis.basis == "causal":
        return "causal (each moment knows only what came before)"
    return page.analysis.basis


def filler(page: Page) -> str:
    """What would fill a place that stayed empty: the sensor, a stance, a run or a longer one."""
    if not page.heard(Segment.PELVIS):
        return "The pelvis sensor fills this."
    if page.analysis.quality.calibration is None:
        return "A quiet stance and squats fill this."
    return "A run fills this." if page.running_strides == 0 else "A longer run fills this."


def what_would_fill(page: Page, *, narrow: bool) -> str:
    """One line in an empty chart: what is missing and what would fill it."""
    if not page.heard(Segment.PELVIS):
        return "pelvis not heard" if narrow else "Pelvis sensor not heard; it fills this chart."
    if page.analysis.quality.calibration is None:
        return "mounting not found" if narrow else "Mounting not found; a quiet stance and squats fill this."
    if page.running_strides == 0:
        return "no running found" if narrow else "No running strides; a run fills this chart."
    if _fewest(page) >= LEAST_STRIDES:
        return "tilt not measured" if narrow else "Tilt not measured; a run with the pelvis heard fills this."
    if narrow:
        return "too short to compare"
    return "Too short to compare; about 15 minutes of steady running fill this chart."


def chart_sentence(page: Page) -> str:
    """What the chart of the tilt shows, for who cannot see it."""
    start = f"Pelvic tilt against your start, by {page.axis.unit.one}. "
    if page.shown is None or not page.measured:
        return start + "".join(headline(page))
    shown = page.shown
    kind = "adjusted" if shown.adjusted else "raw"
    way = "forward" if shown.change >= 0.0 else "back"
    return (
        f"{start}Late part {degrees(shown.change)} {way}, {kind}: {shown.verdict}. "
        f"The grey band is {degrees(shown.detectable)} to each side."
    )


def part_words(page: Page, part: Ensemble) -> str:
    """Where one part of the run lay: ``miles 0.4 to 1.3``, or minutes."""
    axis = page.axis
    return f"{axis.unit.many} {axis.number(part.start_s)} to {axis.number(part.end_s)}"


def late_words(page: Page) -> str:
    """``in the late miles``, or ``late in the run`` without a distance."""
    return f"in the late {page.axis.unit.many}" if page.axis.has_distance else "late in the run"
