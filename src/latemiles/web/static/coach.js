/* The coach's page: the answer in a sentence, the chart as its evidence, sensors and marks beside it. */
"use strict";
(() => {
  const { DASH, known, fixed, signed, clock, safe } = latemiles.words;
  const { COLOUR, r1, clamp, state: shape, disc } = latemiles.shapes;
  const { draw, height } = latemiles.chart;
  const $ = (id) => document.getElementById(id);
  const METRES = { mile: 1609.344, km: 1000 }, PLURAL = { mile: "miles", km: "km" };
  const AXIS_ENDS = [3, 5, 8, 10, 14, 20, 27, 35, 43, 50, 70, 100, 150, 200, 300], SHOWN_MARKS = 60;
  const ROWS = [
    { title: "pelvic tilt", detail: "forward +", reach: [-2.4, 3], names: ["tilt"] },
    { title: "pelvic drop", detail: "by standing leg", reach: [-2.4, 2.4], names: ["drop_left", "drop_right"] },
    { title: "pelvic rotation", detail: "range each stride", reach: [-2.4, 2.4], names: ["rotation"] },
    { title: "hip flexion", detail: "at initial contact", reach: [-2.4, 2.4], ofThigh: true, names: ["flexion_left", "flexion_right"] },
    { title: "hip adduction", detail: "at mid-stance", reach: [-2.4, 2.4], ofThigh: true, names: ["adduction_left", "adduction_right"] },
    { title: "hip internal rotation", detail: "least certain of the six", reach: [-2.4, 2.4], ofThigh: true, names: ["internal_rotation_left", "internal_rotation_right"] },
  ];
  const HOW = {
    compared: "Median of the last 100 strides. Differences drawn 4 times larger.",
    live: "As it is now, in its true size; compared with the start once that is measured.",
    nothing: "Nothing heard yet. It is drawn once the sensors are.",
  };
  const side = (name) => (name.endsWith("_left") ? "left" : name.endsWith("_right") ? "right" : "both");
  const drawn = {};
  const put = (id, markup) => { if (drawn[id] !== markup) { drawn[id] = markup; $(id).innerHTML = markup; } };
  const say = (id, words) => { if ($(id).textContent !== words) $(id).textContent = words; };

  /* Points by row, kept as the log grows; a run in kilometres or minutes is only another x. */
  const kept = { log: null, seen: 0, points: {} };
  function gather(log) {
    if (kept.log !== log || kept.seen > log.length) Object.assign(kept, { log, seen: 0, points: {} });
    for (; kept.seen < log.length; kept.seen += 1) {
      const entry = log[kept.seen];
      if (entry.k === "point") (kept.points[entry.row] = kept.points[entry.row] || []).push(entry);
    }
  }

  function axisOf(state) {
    const run = state.clock;
    if (known(run.distance)) {
      const metres = METRES[run.unit], end = AXIS_ENDS.find((v) => v >= run.distance * 1.08) || Math.ceil(run.distance * 1.1);
      const of = (e, key = "d") => (known(e[key]) ? e[key] / metres : null);
      return { byDistance: true, of, max: end, step: end > 100 ? 20 : end > 43 ? 5 : end > 20 ? 2 : 1, unit: PLURAL[run.unit], smooth: 0.2 * (run.unit === "km" ? 1.6 : 1), now: run.distance, word: run.unit };
    }
    const begin = state.t - (run.run_s || 0), minutes = (run.run_s || 0) / 60;
    const end = [15, 30, 60, 90, 120, 180, 240, 360, 600].find((v) => v >= minutes * 1.08) || Math.ceil(minutes * 1.1);
    const of = (e, key = "d") => (((key === "end_d" ? e.end : e.t) - begin) / 60);
    return { byDistance: false, of, max: end, step: end > 180 ? 30 : end > 60 ? 15 : 5, unit: "min", smooth: 2, now: known(run.run_s) ? minutes : null, word: "minute" };
  }

  function chartOf(state, log) {
    const axis = axisOf(state), visible = (x) => known(x) && x >= 0;
    const events = (kind) => log.filter((e) => e.k === kind);
    const pointsOf = (name) => (kept.points[name] || []).map((e) => [axis.of(e), e.v]).filter((p) => visible(p[0]));
    const slips = events("slip").map((e) => ({ x: axis.of(e), side: e.segment })).filter((s) => visible(s.x));
    const gaps = events("gap").map((e) => ({ from: axis.of(e), to: axis.of(e, "end_d"), side: e.segment, told: Boolean(e.words) })).filter((g) => visible(g.from) && known(g.to));
    const told = events("change").map((e) => axis.of(e)).filter(visible)[0];
    const rows = ROWS.map((row) => ({
      ...row,
      lines: row.names.map((name) => {
        const now = state.rows[name], slip = name === "tilt" ? slips.find((s) => s.side === "pelvis") : undefined;
        return { ...now, side: side(name), points: pointsOf(name), heard: known(now.now), bandFrom: slip ? slip.x : null, wasBand: state.tilt.band_before_slip };
      }),
    }));
    const speed = pointsOf("speed").map(([x, v]) => [x, METRES[state.clock.unit] / v]);
    return {
      rows, gaps, slips, told: told ?? null, toldWords: known(told) ? told.toFixed(axis.byDistance ? 1 : 0) : "",
      x: axis, start: state.start ? [axis.of(state.start), axis.of({ ...state.start, t: state.start.end, d: state.start.end_d })] : null,
      label: safe(`${state.headline.join("; ")}. Six angles against the start, by ${axis.word}`),
      strips: [
        { title: "cadence", unit: "steps/min", span: 8, points: pointsOf("cadence"), now: fixed(state.rows.cadence.now, 0), missing: "no strides yet" },
        { title: "pace", unit: `min/${state.clock.unit}`, span: 75, upsideDown: true, points: speed, now: clock(state.clock.pace_s), missing: "no speed source" },
        { title: "grade", unit: "%", span: 3, zero: true, points: pointsOf("grade"), now: signed(state.conditions.grade), missing: "not told" },
        { title: "heart rate", unit: "beats/min", span: 25, points: pointsOf("heart_rate"), now: fixed(state.conditions.heart_rate, 0), missing: "not told" },
      ],
    };
  }

  /* Loss of the last five minutes, ten seconds a bar; a dot where nothing was lost. */
  function lately(bins) {
    const bars = bins.map((v, k) => (known(v) ? `M${r1(2 + 2.5 * k)} 13V${r1(12 - 10 * clamp(v / 0.2, 0, 1))}` : "")).join("");
    return `<svg width="76" height="15" aria-hidden="true"><path d="${bars}" class="loss"/></svg>`;
  }

  function sensorTable(sensors) {
    const percent = (v, digits) => (known(v) ? `${(100 * v).toFixed(digits)}%` : DASH);
    const rows = sensors.map((s) => {
      const loud = ["lost", "slipped", "doubted"].includes(s.status) ? ' class="loud"' : "";
      return `<tr><th scope="row"${loud}>${s.name}</th><td${loud}>${s.words}</td><td>${lately(s.lately)}</td><td>${percent(s.lost_share, 1)}</td><td>${percent(s.battery, 0)}</td></tr>`;
    });
    return `<table><thead><tr><th scope="col">sensor</th><th scope="col">link</th><th scope="col" colspan="2">lost, last 5 min</th><th scope="col">battery</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
  }

  const MARKS = {
    gap: '<path d="M-5 5L5 -5M-5 -1L-1 -5M1 5L5 1" style="stroke:var(--ink-2);stroke-width:1.5;fill:none"/>',
    slip: '<path d="M-6 3H0V-4H6" style="stroke:var(--ink-2);stroke-width:1.75;fill:none"/>',
    sides: '<path d="M-6 -3H5M2 -6L5 -3L2 0M6 4H-5M-2 1L-5 4L-2 7" style="stroke:var(--ink-2);stroke-width:1.75;fill:none"/>',
    change: '<path d="M-6 4H-1L5 -4" style="stroke:var(--change);stroke-width:2.25;fill:none"/>',
  };
  function markList(log, axis) {
    const shown = log.filter((e) => e.words && e.k !== "point").slice(-SHOWN_MARKS).reverse();
    return shown.map((e) => {
      const x = axis.of(e), place = known(x) ? Math.max(0, x).toFixed(axis.byDistance ? 1 : 0) : DASH;
      return `<li><span>${place}</span><svg width="14" height="18" viewBox="-7 -9 14 18" aria-hidden="true">${MARKS[e.k] || disc(0, 0, 3, "ink")}</svg><span>${safe(e.words)}</span></li>`;
    }).join("");
  }

  function figures({ rows, posture }) {
    const live = latemiles.figure.isLive(rows, posture);
    const heard = live
      ? { pelvis: true, left: known(posture.flexion_left), right: known(posture.flexion_right) }
      : { pelvis: known(rows.tilt.now) && known(rows.tilt.start), left: known(rows.flexion_left.now), right: known(rows.flexion_right.now) };
    const when = (words) => (live ? "now" : words);
    return `<div>${latemiles.figure.fromBehind(rows, heard, posture)}<p><b>from behind</b><br>${when("drop, right leg")}</p></div><div>${latemiles.figure.fromTheRight(rows, heard, posture)}<p><b>from the right</b><br>${when("initial contact")}</p></div>`;
  }

  /* Tabs stand in the order in which the runs came, and stay the same elements, so that the focus stays. */
  function tabs(runs, state, lostMs) {
    const box = $("who"), list = runs.length ? runs : [{ run: state.run, athlete: state.athlete, word: state.word, change: state.tilt.value, ended: state.ended }];
    while (box.children.length > list.length) box.lastElementChild.remove();
    while (box.children.length < list.length) box.append(document.createElement("button"));
    list.forEach((tab, k) => {
      const button = box.children[k], here = tab.run === state.run, word = lostMs ? "lost" : tab.ended ? "ended" : tab.word;
      const change = known(tab.change) && !lostMs ? `, ${signed(tab.change)}°` : "", icon = lostMs ? "sensor" : tab.word;
      const mark = COLOUR[icon] ? shape(icon, 0, 0, 9, true, COLOUR[icon]) : '<circle r="8" style="fill:none;stroke:var(--ink-3);stroke-width:1.5;stroke-dasharray:2 3"/>';
      const markup = `<svg width="26" height="26" viewBox="-13 -13 26 26" aria-hidden="true">${mark}</svg><span><b>${safe(tab.athlete || "runner")}</b>${here && lostMs ? "page not connected" : word}${change}</span>`;
      if (button.markup !== markup) { button.markup = markup; button.innerHTML = markup; }
      Object.assign(button, { type: "button", title: tab.run });
      button.dataset.run = tab.run;
      button.setAttribute("aria-current", here ? "true" : "false");
    });
    more();
  }
  /* Whoever is looked at is in sight; after that a hand may scroll. */
  let inSight = null;
  function keepInSight(run) {
    const button = $("who").querySelector('[aria-current="true"]');
    if (inSight === run || !button) return;
    inSight = run;
    button.scrollIntoView({ block: "nearest", inline: "nearest" });
    more();
  }
  const more = () => { const box = $("who"); box.toggleAttribute("data-more", box.scrollLeft + box.clientWidth < box.scrollWidth - 4); };
  $("who").addEventListener("scroll", more, { passive: true });

  let last = null;
  function show(view) {
    last = view;
    const { state, log, lostMs } = view;
    if (!state) {
      say("headline", "No run yet");
      say("small-print", "this page begins by itself when one does");
      return;
    }
    gather(log);
    tabs(view.runs, state, lostMs);
    say("said", `${state.athlete || "runner"}: ${lostMs ? "page not connected" : state.ended ? "ended" : state.word}`);
    say("run-label", state.ended ? "ended" : "run");
    say("time", clock(state.clock.run_s));
    say("unit", state.clock.unit);
    say("distance", fixed(state.clock.distance));
    keepInSight(state.run);
    say("headline", lostMs ? "The page is not connected" : state.headline[0]);
    say("small-print", lostMs ? `nothing heard for ${Math.round(lostMs / 1000)} s; what is below is older` : state.headline[1]);
    const chart = chartOf(state, log), box = $("score");
    const wide = box.clientWidth;
    if (wide > 0) put("score", draw(chart, wide, height(chart, wide, box.clientHeight - 12)));
    const compared = known(state.rows.tilt.start), live = latemiles.figure.isLive(state.rows, state.posture);
    say("posture", compared ? "Posture now, dashed: at the start" : "Posture now, start not measured");
    say("posture-how", HOW[compared ? "compared" : live ? "live" : "nothing"]);
    put("figure", figures(state));
    put("sensors", sensorTable(state.sensors));
    put("marks", markList(log, chart.x));
    if (!marking) { $("mark").disabled = !canMark(view); say("mark-words", canMark(view) ? MARK : state.ended || view.marks ? "The run is over" : "Marks are set at the gateway"); }
  }

  const MARK = "Mark this moment";
  const canMark = (view) => view.marks && Boolean(view.state) && !view.state.ended;
  let marking = 0;
  async function mark() {
    if (!canMark(page.view)) return;
    const answer = await fetch("/api/mark", { method: "POST", body: "" }).catch(() => null);
    say("mark-words", answer && answer.ok ? "Marked" : "Not marked: no run is going on");
    clearTimeout(marking);
    marking = setTimeout(() => { marking = 0; say("mark-words", MARK); }, 2000);
  }
  $("mark").addEventListener("click", mark);
  $("who").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) page.select(button.dataset.run);
  });
  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "m" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat) mark();
  });
  /* On a wall all is larger, not more. */
  const scale = () => {
    const zoom = Math.min(innerWidth / 1440, innerHeight / 900);
    document.documentElement.style.setProperty("--zoom", zoom > 1.2 ? zoom : 1);
    if (last) show(last);
  };
  addEventListener("resize", scale);
  latemiles.theme("dark");
  const page = latemiles.live(show);
  scale();
})();
