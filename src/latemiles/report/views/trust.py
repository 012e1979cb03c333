"""How far to trust the page: what was heard, what was left out, and how the sensors were calibrated."""

from __future__ import annotations

import math
from collections.abc import Callable

from latemiles.report import ground
from latemiles.report.numbers import DASH, count, lasting, listed, magnitude, percent, plural, true_minus
from latemiles.report.page import Page
from latemiles.report.svg import esc, hatch, rect, svg, text
from latemiles.report.words import basis_words, start_words
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.results import SensorQuality

__all__ = ["particulars", "render"]


def render(page: Page) -> str:
    """Notes a reader must see, a bar a sensor, and the particulars."""
    notes = "".join(f"<li>{esc(true_minus(note))}</li>" for note in page.analysis.quality.notes)
    rows = "".join(
        f"<div><dt>{esc(name)}</dt><dd>{esc(words)}</dd></div>" for name, words in particulars(page)
    )
    sub = (
        "The bars show what was heard of each sensor. Hip internal rotation is the least certain of the nine "
        "angles; read only its shape."
    )
    return (
        f'<section><h2>How far to trust this</h2><p class="sub">{sub}</p>'
        f"{f'<ul class=notes>{notes}</ul>' if notes else ''}"
        f'<figure class="fig">{_bars(page, narrow=False)}{_bars(page, narrow=True)}</figure>'
        f'<dl class="trust">{rows}</dl></section>'
    )


def _short(segment: Segment) -> str:
    return {"left_thigh": "left", "right_thigh": "right"}.get(segment.value, segment.value)


def _bars(page: Page, *, narrow: bool) -> str:
    width = 320.0 if narrow else 820.0
    left, right = (48.0, 244.0) if narrow else (58.0, 712.0)
    f = ground.frame(page.axis, left, right, (6.0, 64.0), narrow=narrow, name="q-n" if narrow else "q-w")
    body = hatch(f.name)
    for row, segment in enumerate(SEGMENTS):
        top = f.top + 22.0 * row
        heard = page.heard(segment)
        body += rect(left, top, right, top + 14.0, "f-heard") if heard else ""
        spans = [(f.at(g.t_s), f.at(g.end_s)) for g in page.analysis.quality.gaps if g.segment == segment]
        for a, b in ground.merged(spans if heard else [(left, right)], 1.0):
            b = max(b, a + 1.5)
            body += rect(a, top - 1.0, b, top + 15.0, "f-paper") + rect(
                a, top, b, top + 14.0, "", f"url(#{f.name})"
            )
        body += text(left - 8.0, top + 12.0, _short(segment), "t-2 s13", "end")
        share = page.heard_share(segment)
        words = percent(share, 1) if heard else "not heard"
        body += text(right + 12.0, top + 12.0, words, "t-2 s13")
    end = f.top + 22.0 * len(SEGMENTS)
    label = "Heard of each sensor: " + listed(
        [f"{s.label} {percent(page.heard_share(s), 1)}" for s in SEGMENTS]
    )
    return svg(
        width,
        end + 22.0,
        body + ground.mile_words(f, end + 14.0),
        label + ".",
        "narrow" if narrow else "wide",
    )


def particulars(page: Page) -> list[tuple[str, str]]:
    """(name, words) of each, in the order shown."""
    rows = [
        ("strides left out", _left_out(page)),
        ("not heard", _not_heard(page)),
        ("gaps", _gaps(page)),
        ("slips", _slips(page)),
        ("standing pose", _standing(page)),
        ("calibration", _movement(page)),
        ("zero and basis", f"relative to {page.reference_words}; {basis_words(page)}"),
        ("clipped samples", _per_sensor(page, _clipped)),
        ("rate", _per_sensor(page, lambda s: f"{magnitude(s.rate_hz, 2)} Hz")),
        ("packets late by", _clocks(page)),
        ("speed and grade", _sources(page)),
        ("activity", _activity(page)),
    ]
    if page.analysis.quality.marks:
        rows.append(
            ("marks", "; ".join(f"{page.axis.place(m.t_s)}: {m.label}" for m in page.analysis.quality.marks))
        )
    if page.analysis.header.notes:
        rows.append(("notes of the run", page.analysis.header.notes))
    return rows


def _left_out(page: Page) -> str:
    quality = page.analysis.quality
    total = quality.strides - quality.strides_used
    if total <= 0:
        return f"none of {count(quality.strides)}"
    reasons = [
        f"{count(n)} {why}" for why, n in sorted(quality.left_out.items(), key=lambda item: -item[1]) if n
    ]
    words = f"{count(total)} of {count(quality.strides)}" + (f": {', '.join(reasons)}" if reasons else "")
    # A stride with two reasons counts in both.
    return words + ("; some for two reasons" if sum(quality.left_out.values()) > total else "")


def _per_sensor(page: Page, words: Callable[[SensorQuality], str]) -> str:
    sensors = page.analysis.quality.sensors
    found = [f"{_short(s.segment)} {words(s) if s.samples else DASH}" for s in sensors]
    return ", ".join(found) if found else "no sensor was heard"


def _not_heard(page: Page) -> str:
    sensors = page.analysis.quality.sensors
    if sensors and all(s.samples and s.missing_s < 0.05 for s in sensors):
        return "nothing was missed"
    return _per_sensor(page, lambda s: lasting(s.missing_s, 1))


def _clipped(sensor: SensorQuality) -> str:
    if sensor.clipped_samples == 0:
        return "0"
    return percent(sensor.clipped_samples / max(sensor.samples, 1), 2)


def _gaps(page: Page) -> str:
    gaps = page.analysis.quality.gaps
    if not gaps:
        return "none"
    longest = max(gaps, key=lambda g: g.end_s - g.t_s)
    where = f"{longest.segment.label}, {page.axis.place(longest.t_s)}"
    return f"{plural(len(gaps), 'gap')}; the longest {lasting(longest.end_s - longest.t_s, 1)}, {where}"


def _slips(page: Page) -> str:
    slips = page.analysis.quality.slips
    if not slips:
        return "none found"
    return "; ".join(
        f"{s.segment.label}, {page.axis.place(s.t_s)}: {magnitude(math.degrees(s.angle_rad))}\u00b0"
        for s in slips
    )


def _standing(page: Page) -> str:
    found = page.analysis.quality.calibration
    if found is not None and found.reference == "standing" and not math.isfinite(found.standing_start_s):
        return "held before the run"
    if found is None:
        return "not found"
    if not math.isfinite(found.standing_start_s):
        zero = start_words(page)
        return "not found; zero is your start" + (f", {zero}" if zero else "")
    lasted = found.standing_end_s - found.standing_start_s
    lean = math.degrees(found.obliquity_uncertainty_rad)
    sure = f"; side-to-side zero within {magnitude(lean)}\u00b0 (1 SD)" if math.isfinite(lean) else ""
    return f"found, {magnitude(lasted)} s{sure}"


def _movement(page: Page) -> str:
    found = page.analysis.quality.calibration
    if found is None:
        return "not found; angles are not known"
    source = "a calibration movement" if found.axes_from == "movement" else "the running itself"
    repeats = [
        f"{_short(segment)} {magnitude(math.degrees(r))}\u00b0"
        for segment, r in zip(SEGMENTS, found.residual_rad, strict=False)
        if math.isfinite(r)
    ]
    return f"axes from {source}" + (f"; repeats within {', '.join(repeats)}" if repeats else "")


def _clocks(page: Page) -> str:
    known = [s for s in page.analysis.quality.sensors if math.isfinite(s.clock_residual_ms)]
    if not known:
        return "time came with the samples"
    return (
        ", ".join(f"{_short(s.segment)} {magnitude(s.clock_residual_ms)}" for s in known)
        + " ms or less, 95%; the clock fit takes it off"
    )


def _sources(page: Page) -> str:
    heard = [name for name, has in (("speed", page.has_speed), ("grade", page.has_grade)) if has]
    absent = [name for name, has in (("speed", page.has_speed), ("grade", page.has_grade)) if not has]
    words = [f"{listed(heard)} heard"] if heard else []
    words += [f"no {' and no '.join(absent)} source"] if absent else []
    return "; ".join(words)


def _activity(page: Page) -> str:
    activities = page.analysis.quality.activities
    total: dict[str, float] = {}
    ends = [a.t_s for a in activities[1:]] + [page.analysis.quality.duration_s]
    for activity, end in zip(activities, ends, strict=True) if activities else ():
        total[activity.activity] = total.get(activity.activity, 0.0) + max(0.0, end - activity.t_s)
    if not total:
        return DASH
    longest = sorted(total.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {magnitude(s / 60.0)} min" for name, s in longest if s >= 3.0)
