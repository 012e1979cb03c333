"""What the report says in words: the answer of each kind of run, and the rules of its language."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from latemiles.errors import ConfigError
from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.metrics.table import StrideTable
from latemiles.report.axis import run_axis
from latemiles.report.numbers import MINUS, clock, lasting, listed, magnitude, pace, percent, plural, signed
from latemiles.report.page import TILT, Page, build_page
from latemiles.report.splits import split_rows
from latemiles.report.views import asymmetry, measures, rivals, trust
from latemiles.report.words import headline, lead, metric_words
from latemiles.signals.frames import Segment
from latemiles.signals.results import VERDICTS
from reference.made_up_analysis import PLANS, empty_run, made_up_run

NAMES = [name for name in PLANS if name != "four_hours"]


def page_of(name: str, units: str = "mile") -> Page:
    return build_page(empty_run() if name == "empty" else made_up_run(name), units)


def sentences_of(page: Page) -> list[str]:
    return ["".join(headline(page)), *("".join(s) for s in lead(page))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("half_marathon", r"Your pelvis tipped 2\.\d degrees further forward from mile 7\.3\."),
        ("likely", r"Your pelvis likely tipped 1\.\d degrees further forward from mile 7\.3\."),
        ("backwards", r"Your pelvis tipped 1\.\d degrees further back from mile 7\.\d\."),
        ("no_change", r"No change beyond 0\.8 degrees in 13\.1 miles\."),
        ("small", r"No change beyond 0\.8 degrees in 13\.1 miles\."),
        ("short_run", r"Too short to compare end with start: \d+ strides of a leg, 300 needed\."),
        ("walk", r"A walk of 1\.6 miles: no running strides to compare\."),
        ("no_pelvis", r"No tilt in this run: the pelvis sensor was not heard\."),
        ("slip", r"The pelvis sensor moved at mile 7\.\d; this run cannot tell that from a change of tilt\."),
        (
            "cannot_separate",
            r"Tilt rose 1\.\d degrees while you slowed; this run cannot tell the two apart\.",
        ),
        ("on_the_spot", r"No change beyond 0\.8 degrees in 31 minutes\."),
        ("raw_change", r"Your pelvis tipped 2\.\d degrees further forward from minute 33\."),
        ("empty", r"No strides found in 25 seconds\."),
    ],
)
def test_the_headline_answers_each_kind_of_run(name: str, expected: str) -> None:
    assert re.fullmatch(expected, "".join(headline(page_of(name))))


@pytest.mark.parametrize("name", [*NAMES, "empty"])
def test_every_sentence_of_the_answer_is_short_and_calm(name: str) -> None:
    for units in ("mile", "metric"):
        for sentence in sentences_of(page_of(name, units)):
            assert len(sentence.split()) <= 20, sentence
            assert "!" not in sentence
            assert not re.search(r"injur|risk|should|weak|bad|wrong|normal|score|nan|None", sentence), (
                sentence
            )
            assert not re.search(r"(?<![\w])-\d", sentence), f"a hyphen for a minus: {sentence}"


@pytest.mark.parametrize("name", NAMES)
def test_a_verdict_is_shown_in_the_agreed_words_only(name: str) -> None:
    page = page_of(name)
    assert page.verdict in VERDICTS
    bold = [verdict for _, verdict, _ in lead(page) if verdict]
    assert bold == ([page.verdict] if page.measured else [])


def test_a_slip_is_named_in_the_answer_also_where_it_was_taken_off() -> None:
    run = made_up_run("half_marathon")
    told = " ".join(sentences_of(build_page(run, "mile")))
    assert "The pelvis sensor slipped by 1.2 degrees at mile 10.5; 0.6 degrees of that may be" in told
    tilt = run.form_drift[TILT]
    clean = replace(tilt, rivals=tuple(replace(r, share=0.0) if r.name == "slip" else r for r in tilt.rivals))
    taken_off = replace(run, form_drift={**run.form_drift, TILT: clean})
    assert "at mile 10.5, which was taken off." in " ".join(sentences_of(build_page(taken_off, "mile")))
    assert "slipped" not in " ".join(sentences_of(page_of("no_change")))


def test_each_usual_explanation_is_named_whether_it_matters_or_not() -> None:
    quiet, raw = rivals.render(page_of("no_change")), rivals.render(page_of("raw_change"))
    for name in ("speed", "grade", "cadence", "slip", "camber"):
        assert f"<span>{name}</span>" in quiet
    assert "No slip of the pelvis sensor was found." in quiet
    assert "No source was heard; what another pace made is not known." in raw


def test_only_a_change_beyond_the_band_is_set_apart_in_the_headline() -> None:
    for name in NAMES:
        page = page_of(name)
        changed = page.verdict in ("likely change", "clear change") and page.measured
        assert bool(headline(page)[1]) is changed


def test_the_lead_says_what_speed_hid_and_that_a_raw_change_is_raw() -> None:
    assert "You also slowed by 4%" in " ".join(sentences_of(page_of("half_marathon")))
    assert re.search(r"hid about 0\.\d degrees of it", " ".join(sentences_of(page_of("half_marathon"))))
    assert re.search(
        r"made about 0\.\d degrees of the raw change", " ".join(sentences_of(page_of("backwards")))
    )
    assert "No speed source was heard, so the change is raw." in sentences_of(page_of("raw_change"))


def test_the_asymmetry_names_the_standing_leg() -> None:
    words = " ".join(sentences_of(page_of("half_marathon")))
    assert re.search(r"The pelvic drop over your right leg grew 1\.\d degrees against your left\.", words)


def test_an_estimate_is_called_one() -> None:
    for column in ("contact_time_s", "flight_time_s", "duty_factor"):
        assert "(estimate)" in metric_words(column)
    assert "(estimate)" not in metric_words("pelvic_tilt_mean_deg")
    assert metric_words("pelvic_drop_excursion_deg_right_minus_left").endswith("right minus left")


def test_numbers_carry_a_true_minus_and_no_sign_on_zero() -> None:
    assert signed(-0.44) == f"{MINUS}0.4"
    assert signed(-0.04) == "0.0"
    assert signed(2.06) == "+2.1"
    assert magnitude(-2.06) == "2.1"
    assert signed(math.nan) == "\u2013"
    assert magnitude(math.nan) == "\u2013"
    assert clock(6362.0) == "1:46:02"
    assert clock(math.nan) == "\u2013"
    assert pace(3.33, 1609.344) == "8:03"
    assert pace(0.0, 1000.0) == "\u2013"
    assert plural(1, "gap") == "1 gap"
    assert plural(1200, "stride") == "1,200 strides"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_a_share_is_never_all_or_nothing_by_rounding() -> None:
    assert percent(0.9999) == "99%"
    assert percent(0.0001) == "1%"
    assert percent(1.0) == "100%"
    assert percent(0.0) == "0%"


def test_unknown_units_are_refused_with_advice() -> None:
    with pytest.raises(ConfigError, match="choose 'metric' or 'mile'"):
        page_of("walk", "furlong")


def test_a_mounting_that_was_not_found_is_not_blamed_on_the_radio() -> None:
    run = made_up_run("short_run")
    page = build_page(replace(run, quality=replace(run.quality, calibration=None)), "mile")
    assert "".join(headline(page)) == "No tilt in this run: how the sensors sit was not found."


def test_a_thigh_that_was_not_heard_is_named_in_the_answer() -> None:
    told = sentences_of(page_of("no_thigh"))
    assert "The left thigh sensor was not heard, so the left hip's angles are missing." in told
    assert not any("was heard for" in s for s in sentences_of(page_of("half_marathon")))


def test_the_answer_says_that_a_pelvis_alone_may_exchange_left_and_right() -> None:
    run = made_up_run("half_marathon")
    sensors = tuple(
        replace(s, samples=0) if s.segment is not Segment.PELVIS else s for s in run.quality.sensors
    )
    alone = build_page(replace(run, quality=replace(run.quality, sensors=sensors)), "mile")
    said = "Left and right are told from the pelvis alone and may be exchanged."
    assert said in sentences_of(alone)
    assert said not in sentences_of(page_of("no_thigh"))
    assert said not in sentences_of(page_of("half_marathon"))


def test_the_answer_says_that_the_thigh_sensors_may_be_on_each_others_legs() -> None:
    run = made_up_run("half_marathon")
    values = run.strides.values.copy()
    for angle in ("hip_adduction", "pelvic_drop"):
        values[:, COLUMN_INDEX[f"{angle}_ic_deg"]] = 5.0
        values[:, COLUMN_INDEX[f"{angle}_midstance_deg"]] = 2.0
    crossed = replace(run, strides=StrideTable(run.strides.lanes, values, run.strides["quality"]))
    said = "The thigh sensors may be on each other's legs, and left and right exchanged; see the notes."
    assert said in sentences_of(build_page(crossed, "mile"))
    assert said not in sentences_of(page_of("half_marathon"))


def test_a_thigh_that_died_on_the_way_is_not_said_to_have_been_heard_to_the_end() -> None:
    run = made_up_run("half_marathon")
    sensors = tuple(
        replace(s, samples=s.samples // 4, expected=s.samples // 4, missing_s=0.75 * run.quality.duration_s)
        if s.segment is Segment.RIGHT_THIGH
        else s
        for s in run.quality.sensors
    )
    page = build_page(replace(run, quality=replace(run.quality, sensors=sensors)), "mile")
    told = sentences_of(page)
    heard = "The right thigh sensor was heard for 25% of the run"
    assert f"{heard}; the right hip's angles are missing for the rest." in told
    assert ">25." in trust.render(page)


def test_a_run_without_a_quiet_stance_says_what_zero_is() -> None:
    told = sentences_of(page_of("no_standing"))
    assert "No quiet stance was found, so zero is the mean of your start." in told
    assert not any("quiet stance" in s for s in sentences_of(page_of("half_marathon")))


def test_a_measure_without_a_number_is_named_below_the_table_and_no_row_of_dashes() -> None:
    html = measures.render(page_of("no_thigh"))
    assert not re.search(r"<td[^>]*>\u2013</td><td[^>]*>\u2013</td>", html)
    assert "Not compared: " in html
    assert "The left thigh sensor was not heard for long enough." in html
    assert "Hip measures without a side rest on the right leg alone." in html
    assert "Not compared" not in measures.render(page_of("half_marathon"))


def test_a_walk_shows_the_medians_of_its_walking_strides() -> None:
    page = page_of("walk")
    rows = split_rows(page)
    assert all(row.strides_used == 0 for row in rows)
    t_s, cadence = page.analysis.strides["t_ic_s"], page.analysis.strides["cadence_spm"]
    for row in rows:
        inside = (t_s >= row.start_s) & (t_s < row.end_s)
        assert row.cadence_spm == pytest.approx(np.nanmedian(cadence[inside]))
        assert math.isfinite(row.tilt_level_deg)


def test_what_lasts_long_is_told_in_minutes() -> None:
    assert [lasting(s) for s in (76.04, 99.4, 1039.0, math.nan)] == ["76 s", "99 s", "17 min", "\u2013"]
    assert lasting(0.14, 1) == "0.1 s"


def test_an_empty_place_names_what_would_fill_it() -> None:
    fills = {
        "no_pelvis": "The pelvis sensor fills this.",
        "walk": "A run fills this.",
        "short_run": "A longer run",
    }
    for name, words in fills.items():
        page = page_of(name)
        for view in (rivals, measures):
            assert words in view.render(page)
    # A short run has enough strides for a line of right against left; a walk and a silent pelvis have none.
    for name in ("no_pelvis", "walk"):
        assert fills[name] in asymmetry.render(page_of(name))
    assert "Too few" not in asymmetry.render(page_of("short_run"))
    assert 'class="c-line"' in asymmetry.render(page_of("short_run"))


def test_a_way_of_a_few_steps_is_told_in_minutes() -> None:
    run, context = empty_run(), made_up_run("short_run").context
    t_s = np.linspace(0.0, run.quality.duration_s, len(context.t_s))
    for metres, told in ((66.0, "25 seconds"), (660.0, "0.4 miles")):
        way = replace(context, t_s=t_s, distance_m=np.linspace(0.0, metres, len(t_s)))
        assert run_axis(run, way, "mile").length == told
