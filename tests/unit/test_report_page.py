"""The page as markup: complete, self-contained, and honest about what is missing."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from latemiles.analysis_result import ContextTrack
from latemiles.report import render_report, summary_dict
from latemiles.report.page import build_page
from latemiles.report.svg import Scale, pieces, smooth
from latemiles.report.views import VIEWS, drift
from latemiles.report.views.drift import tilt_series, value_range
from latemiles.signals.frames import Segment
from latemiles.signals.results import Rival
from latemiles.trends.asymmetry import Asymmetries
from latemiles.trends.form_drift import FormDrifts
from reference.made_up_analysis import PLANS, Plan, empty_run, made_up, made_up_run

NAMES = [*PLANS, "empty"]
NAN = math.nan
DISCLAIMER = (
    "<b>Measures movement for training. Not a medical device, not a diagnosis.</b> "
    "Pain, numbness, or a sudden change: see a clinician."
)


class Outline(HTMLParser):
    """Tags in order; fails on tags that do not close."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.images: list[dict[str, str | None]] = []
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if found.get("role") == "img":
            self.images.append(found)
        self.urls += [v for k, v in attrs if k in ("src", "href", "xlink:href", "data") and v]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def run_of(name: str):
    return empty_run() if name == "empty" else made_up_run(name)


def outline(html: str) -> Outline:
    reader = Outline()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("name", NAMES)
def test_every_run_gets_a_whole_page(name: str) -> None:
    html = render_report(run_of(name), units="mile")
    found = outline(html)
    assert DISCLAIMER in html
    assert found.headings[0] == 1
    assert set(found.headings[1:]) == {2}
    assert len(found.headings) == 1 + 6, "each section keeps its place"
    assert all(len((image["aria-label"] or "").split()) >= 3 for image in found.images)
    assert not re.search(
        r"\bnan\b|\binf\b|>None<|\{\w+\}", re.sub(r"<style>.*?</style>", "", html, flags=re.S)
    )
    assert not re.search(r"\d{9,}\.?\d*e[+-]|e\+\d\d", html)
    assert len(html) < 3_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_page_asks_nothing_of_the_network(name: str) -> None:
    html = render_report(run_of(name))
    assert outline(html).urls == ["data:,"]
    assert "<script" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_words_from_outside_cannot_become_markup() -> None:
    run = made_up_run("half_marathon")
    nasty = '<img src=x onerror="alert(1)">&\''
    quality = replace(run.quality, notes=(nasty,), marks=(replace(run.quality.marks[0], label=nasty),))
    header = replace(run.header, athlete=nasty, run=nasty, source=nasty, notes=nasty)
    html = render_report(replace(run, quality=quality, header=header, provenance={nasty: nasty}))
    assert "<img" not in html
    outline(html)


def test_each_view_can_be_drawn_alone() -> None:
    page = build_page(made_up_run("half_marathon"), "mile")
    names = [*VIEWS]
    assert (names[0], names[-1]) == ("top", "footer")
    for name, view in VIEWS.items():
        markup = view(page)
        outline(markup)
        assert markup, name


def test_an_estimate_stays_beside_contact() -> None:
    assert "contact, ms<br>estimate" in render_report(made_up_run("half_marathon"))


def test_reference_and_basis_are_stated() -> None:
    assert "relative to your standing pose; smoothed" in render_report(made_up_run("no_change"))
    run = replace(made_up_run("no_standing"), basis="causal")
    html = render_report(run)
    assert "relative to the mean of your start; causal" in html
    assert "No standing pose was found." in html
    assert "not found; zero is your start, minutes 3 to 10" in html


def test_a_silent_thigh_leaves_its_panels_in_place() -> None:
    html = render_report(made_up_run("no_thigh"))
    assert html.count(">left thigh not heard<") == 3
    assert "The left thigh sensor was not heard" in html


def test_raw_and_adjusted_are_both_drawn_and_raw_alone_is_dashed() -> None:
    both = render_report(made_up_run("half_marathon"))
    assert 'class="c-raw"' in both
    assert "raw +" in both
    alone = render_report(made_up_run("raw_change"))
    assert 'class="c-raw"' not in alone
    assert 'class="c-change dashed"' in alone


def test_nothing_is_coloured_inside_the_band() -> None:
    for name in ("no_change", "small", "on_the_spot", "too_short", "walk", "cannot_separate", "slip"):
        body = re.sub(r"<style>.*?</style>", "", render_report(made_up_run(name)), flags=re.S)
        drift = body.split("<!-- drift -->")[1].split("<!-- splits -->")[0]
        assert "c-change" not in drift, name
        assert "f-change" not in drift, name
        assert "t-change" not in drift, name
        assert "<em>" not in body, name


def test_the_line_stops_at_a_gap_and_the_gap_is_hatched_over_its_width() -> None:
    run = made_up(Plan(gap_s=(4190.0, 4266.0)))
    page = build_page(run, "mile")
    series = tilt_series(page)
    assert series is not None
    assert page.tilt is not None
    before = series.piece[page.tilt.medians_t_s < 4190.0]
    after = series.piece[page.tilt.medians_t_s > 4266.0]
    assert before.max() < after.min()
    html = render_report(run, units="mile")
    assert 'fill="url(#h-w)"' in html
    assert "gap, 76 s" in html


def test_the_smoother_never_looks_across_a_break() -> None:
    t = np.arange(100.0)
    values = np.where(t < 50.0, 0.0, 10.0)
    piece = pieces(t, [49.5])
    smoothed = smooth(t, values, 5.0, piece)
    assert np.allclose(smoothed, values)
    assert pieces(np.array([0.0, 9.0, 18.0, 90.0, 99.0]), []).tolist() == [0, 0, 0, 1, 1]


def test_the_smoother_keeps_unknown_points_unknown() -> None:
    t = np.arange(20.0)
    values = np.ones(20)
    values[7] = np.nan
    smoothed = smooth(t, values, 3.0, np.zeros(20, dtype=np.int64))
    assert np.isnan(smoothed[7])
    assert np.allclose(np.delete(smoothed, 7), 1.0)


def test_a_scale_maps_ends_to_ends() -> None:
    scale = Scale(-1.0, 3.0, 100.0, 0.0)
    assert scale(-1.0) == 100.0
    assert scale(3.0) == 0.0
    assert scale.many(np.array([1.0, np.nan]))[0] == 50.0


def test_the_chart_of_the_tilt_widens_for_a_large_change() -> None:
    page = build_page(made_up(Plan(tilt_change=6.0)), "mile")
    low, high = value_range(page, tilt_series(page))
    assert low == pytest.approx(-1.6)
    assert high >= 6.5
    assert high - 3.1 == pytest.approx(round(high - 3.1))


def test_places_are_in_the_chosen_unit_and_in_minutes_without_a_distance() -> None:
    run = made_up_run("half_marathon")
    assert build_page(run, "mile").axis.length == "12.9 miles"
    assert build_page(run, "metric").axis.place(3540.0) == "kilometre 11.7"
    assert build_page(made_up_run("on_the_spot"), "mile").axis.place(600.0) == "minute 10"


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_is_plain_json_with_the_numbers_of_the_page(name: str) -> None:
    run = run_of(name)
    summary = summary_dict(run, units="mile")
    again = json.loads(json.dumps(summary, allow_nan=False))
    assert again == summary
    assert summary["schema"] == "latemiles/summary/1"
    html = render_report(run, units="mile")
    assert summary["answer"]["headline"] in re.sub("</?em>", "", html.split("<h1>")[1].split("</h1>")[0])
    for figure in summary["answer"]["figures"]:
        assert f"<b>{figure['figure']}</b>" in html
    assert len(summary["splits"]["rows"]) == len(run.splits)
    assert all(s["segment"] in tuple(Segment) for s in summary["quality"]["sensors"])


def test_a_missing_number_is_null_in_the_summary_and_a_dash_on_the_page() -> None:
    run = made_up_run("short_run")
    summary = summary_dict(run)
    assert summary["form_drift"]["pelvic_tilt_mean_deg"]["change"] is None
    assert "<b>\u2013</b>not measured" in render_report(run)


def test_findings_that_are_worked_out_when_asked_for_are_drawn_alike() -> None:
    run = made_up_run("half_marathon")
    grade = (run.context.t_s, run.context.grade)
    lazy = replace(
        run,
        form_drift=FormDrifts(run.strides, grade=grade, slips=run.quality.slips),
        asymmetry=Asymmetries(run.strides, calibration=run.quality.calibration),
    )
    html = render_report(lazy, units="mile")
    outline(html)
    summary = summary_dict(lazy, units="mile")
    json.dumps(summary, allow_nan=False)
    assert re.match(r"Your pelvis tipped \d\.\d degrees further forward", summary["answer"]["headline"])
    assert set(summary["form_drift"]) == set(lazy.form_drift)
    assert not re.search(r">[^<]*(?<![\w])-\d[^<]*<", html.split("</style>")[1]), "a hyphen for a minus"


def test_the_smoother_follows_a_slope_to_the_end_of_its_piece() -> None:
    t = np.linspace(0.0, 1.0, 30)
    smoothed = smooth(t, 3.0 * t, 0.3, np.zeros(30, dtype=np.int64))
    assert np.allclose(smoothed, 3.0 * t)
    alone = smooth(np.array([0.5]), np.array([2.0]), 0.3, np.zeros(1, dtype=np.int64))
    assert alone.tolist() == [2.0]


def test_no_word_of_the_tilts_chart_is_crossed_by_the_line_of_the_change() -> None:
    run = made_up_run("half_marathon")
    tilt = run.form_drift["pelvic_tilt_mean_deg"]
    for minutes in (2.0, 6.0, 9.0, 12.0, 25.0):
        moved = replace(tilt, change_point_s=60.0 * minutes)
        drifts = run.form_drift | {"pelvic_tilt_mean_deg": moved}
        html = drift.render(build_page(replace(run, form_drift=drifts), "mile")).split("</svg>")[0]
        (line,) = (float(x) for x in re.findall(r'<path d="M([\d.]+) [^"]*" class="c-since"', html))
        told = r'<text x="([\d.]+)"[^>]*?(text-anchor="middle")?>(your start,|minutes [^<]+|too small[^<]+)<'
        for x, anchor, words in re.findall(told, html):
            width = 6.0 * len(words)
            left = float(x) - (0.5 * width if anchor else 0.0)
            assert not left < line < left + width, (minutes, words)
            is_far = minutes == 25.0 and words.startswith(("your", "minutes"))
            assert not is_far or float(x) < line, "the start is named where it is"
            assert not is_far or float(x) < 160.0


def test_the_words_of_the_band_stand_clear_of_a_line_that_passes_them() -> None:
    run = made_up_run("half_marathon")
    tilt = run.form_drift["pelvic_tilt_mean_deg"]
    bump = 2.5 * np.exp(-(((tilt.medians_t_s - 420.0) / 240.0) ** 2))
    moved = replace(tilt, medians=tilt.medians + bump, adjusted=None)
    page = build_page(replace(run, form_drift=run.form_drift | {"pelvic_tilt_mean_deg": moved}), "mile")
    html = drift.render(page).split("</svg>")[0]
    ((x, foot, words),) = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>(too small[^<]+)<', html)
    curve = [
        (float(px), float(py))
        for path in re.findall(r'<path d="M([^"]+)" class="c-(?:raw-alone|change dashed)"', html)
        for px, py in re.findall(r"([\d.]+) ([\d.]+)", path)
    ]
    assert any(float(foot) - 10.0 < py < float(foot) for _, py in curve), "a line that passes their height"
    right = float(x) + 6.0 * len(words)
    assert not [at for at in curve if float(x) < at[0] < right and float(foot) - 10.0 < at[1] < float(foot)]


BROKEN = {
    "no interval": lambda d: replace(d, interval=(NAN, NAN), adjusted=None),
    "no detectable change": lambda d: replace(d, detectable_change=NAN, adjusted=None),
    "a change point without interval": lambda d: replace(d, change_point_interval_s=None),
    "a change point at the very start": lambda d: replace(d, change_point_s=0.0),
    "a change point at the very end": lambda d: replace(d, change_point_s=6359.0),
    "no late part": lambda d: replace(d, change=NAN, verdict="too short", adjusted=None),
    "a single median": lambda d: replace(
        d, medians=d.medians[:1], medians_t_s=d.medians_t_s[:1], adjusted=None
    ),
    "no medians": lambda d: replace(d, medians=d.medians[:0], medians_t_s=d.medians_t_s[:0], adjusted=None),
    "only NaN": lambda d: replace(d, medians=d.medians * NAN, adjusted=None),
    "a huge change": lambda d: replace(d, change=40.0, interval=(38.0, 42.0), adjusted=None),
    "rivals beyond measure": lambda d: replace(d, rivals=(Rival("speed", -25.0, "A <b>lot</b>."),)),
}


@pytest.mark.parametrize("damage", list(BROKEN))
def test_an_unusual_finding_still_makes_a_whole_page(damage: str) -> None:
    run = made_up_run("half_marathon")
    name = "pelvic_tilt_mean_deg"
    run = replace(run, form_drift=run.form_drift | {name: BROKEN[damage](run.form_drift[name])})
    html = render_report(run, units="mile")
    outline(html)
    assert not re.search(r"\bnan\b|\binf\b", html.split("</style>")[1])
    json.dumps(summary_dict(run), allow_nan=False)


def test_sources_that_come_late_and_in_pieces_are_put_in_order() -> None:
    run = made_up_run("half_marathon")
    c = run.context
    order = np.random.default_rng(3).permutation(len(c.t_s))
    # A foot pod gives speed, a watch the rest, each on its own lines.
    pod = np.arange(len(c.t_s)) % 2 == 0
    track = ContextTrack(
        c.t_s[order],
        np.where(pod, c.speed_m_s, np.nan)[order],
        np.where(pod, np.nan, c.grade)[order],
        np.where(pod, np.nan, c.distance_m)[order],
        np.where(pod, np.nan, c.heart_rate_bpm)[order],
    )
    plain, mixed = build_page(run, "mile"), build_page(replace(run, context=track), "mile")
    assert mixed.axis.length == plain.axis.length
    assert mixed.axis.place(3540.0) == plain.axis.place(3540.0)
    climb, usual = mixed.elevation(), plain.elevation()
    assert climb is not None
    assert usual is not None
    assert np.ptp(climb[1]) == pytest.approx(np.ptp(usual[1]), rel=0.02)
    outline(render_report(replace(run, context=track), units="mile"))


def test_a_part_of_the_stride_that_is_not_known_is_left_blank() -> None:
    run = made_up_run("half_marathon")
    first, last = run.ensembles
    tilt = last.mean_deg["pelvic_tilt"].copy()
    tilt[30:50] = np.nan
    last = replace(
        last, mean_deg={"pelvic_tilt": tilt}, sd_deg={"pelvic_tilt": tilt * 0.1}, toe_off_percent={}
    )
    for parts in ((first, last), (last,), (replace(first, strides=0),), ()):
        html = render_report(replace(run, ensembles=parts))
        outline(html)
        assert not re.search(r"\bnan\b|\binf\b", html.split("</style>")[1])
