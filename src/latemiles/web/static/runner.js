/* The runner's page: one second to look. Each part is drawn again only when what it shows has changed. */
"use strict";
(() => {
  const { DASH, known, fixed, clock, age } = latemiles.words;
  const { WORDS, r1, state: shape, disc, diamond, text, hatch, clamp } = latemiles.shapes;
  const $ = (id) => document.getElementById(id);
  const drawn = {};
  const put = (id, markup) => { if (drawn[id] !== markup) { drawn[id] = markup; $(id).innerHTML = markup; } };
  const say = (id, words) => { if ($(id).textContent !== words) $(id).textContent = words; };
  const WIDTH = 350;

  /* System fonts differ in width: a word or number that would leave its place is set smaller as a whole. */
  function fit(id, words, size, room) {
    if (drawn[id] === words) return;
    drawn[id] = words;
    const element = $(id);
    element.textContent = words;
    element.style.fontSize = "";
    const width = element.offsetWidth;
    if (width > room) element.style.fontSize = `${Math.floor((size * room) / width)}px`;
  }

  function rail(word) {
    let out = `<svg width="${WIDTH}" height="34">`;
    WORDS.forEach((name, k) => {
      const x = 14 + k * 107.3, here = name === word || (name === "sensor" && word === "lost");
      out += `<g opacity="${here ? 1 : 0.62}">${shape(name, x, 17, here ? 13 : 8, here, "currentColor")}</g>`;
      if (k < 3) out += `<path d="M${x + 24} 17H${x + 83}" style="stroke:currentColor;stroke-width:1.5;opacity:.5"/>`;
    });
    return out + "</svg>";
  }

  function arrow(word, way) {
    if (!way) return "";
    const colour = word === "drifting" ? "var(--change)" : "var(--ink)";
    return `<svg width="72" height="38" viewBox="-36 -19 72 38"><path ${way === "back" ? 'transform="scale(-1 1)"' : ""} d="M-34 -7H4V-17L33 0L4 17V7H-34Z" style="fill:${word === "drifting" ? colour : "none"};stroke:${colour};stroke-width:3;stroke-linejoin:round"/></svg>`;
  }

  function gauge(tilt, word) {
    const X = (v) => ((clamp(v, -3, 3) + 3) / 6) * WIDTH, top = 16, base = 42, band = tilt.band;
    const hasBand = known(band) && word !== "learning";
    const label = known(tilt.value)
      ? `Change ${tilt.value.toFixed(1)} degrees, forward is plus; smallest detectable change ${fixed(band)} degrees`
      : "Change not known";
    let out = `<svg width="${WIDTH}" height="62" role="img" aria-label="${label}"><defs>${hatch("last")}</defs>`;
    if (hasBand)
      out += `<rect x="${X(-band)}" y="${top}" width="${X(band) - X(-band)}" height="26" style="fill:var(--band)"/><path d="M${X(-band)} ${top}v26M${X(band)} ${top}v26" style="stroke:var(--band-edge);stroke-width:2"/>`;
    out += `<path d="M0 ${base}H${WIDTH}${[-3, -2, -1, 1, 2, 3].map((v) => `M${X(v)} ${base - 4}v4`).join("")}" style="stroke:var(--ink-3);stroke-width:1.5;fill:none"/>`;
    out += `<path d="M${X(0)} ${base - 7}v7" style="stroke:var(--ink-2);stroke-width:2"/>`;
    out += text(0, 59, "back", "ink-2") + text(X(0), 59, hasBand ? "too small to tell" : "band not known yet", "ink-2", "middle") + text(WIDTH, 59, "forward", "ink-2", "end");
    if (known(tilt.value)) {
      const x = clamp(X(tilt.value), 3.5, WIDTH - 3.5), colour = word === "drifting" ? "var(--change)" : "var(--ink)";
      if (known(tilt.low) && known(tilt.high)) out += `<path d="M${X(tilt.low)} 29H${X(tilt.high)}" style="stroke:${colour};stroke-width:5"/>`;
      out += `<path d="M${x} 10V${base}" style="stroke:var(--paper);stroke-width:11"/><path d="M${x} 8V${base}" style="stroke:${colour};stroke-width:7"/>`;
    } else if (tilt.last_good && known(tilt.low) && known(tilt.high)) {
      const x = X(tilt.last_good.value);
      out += `<rect x="${X(tilt.low)}" y="${top}" width="${X(tilt.high) - X(tilt.low)}" height="26" fill="url(#last)"/><path d="M${x} 10V${base}" style="stroke:var(--ink-3);stroke-width:2;stroke-dasharray:4 3"/>`;
    }
    return out + "</svg>";
  }

  function dropWords(left, right, doubted) {
    if (doubted) return ["sides swapped?", true];
    if (!known(left.start) || !known(right.start)) return ["no start yet", false];
    const more = (name, side) => `${name} ${fixed(side.now - side.start)}° ${side.now > side.start ? "more" : "less"}`;
    if (left.beyond && right.beyond) return ["both have changed", true];
    if (right.beyond) return [more("right", right), true];
    if (left.beyond) return [more("left", left), true];
    return ["as at the start", false];
  }

  function drop({ left, right, words: missing, doubted }) {
    const C = WIDTH / 2, scale = C / 9, y = 31, h = 20;
    const length = (v) => clamp(v, 0, 9) * scale;
    let out = `<svg width="${WIDTH}" height="106" role="img" aria-label="Pelvic drop over the left leg ${fixed(left.now)}, over the right leg ${fixed(right.now)} degrees">`;
    out += disc(7, 11, 7) + text(20, 17, "left", "name ink-2") + text(C, 17, "drop over each leg", "ink-2", "middle") + text(WIDTH - 20, 17, "right", "name ink-2", "end") + diamond(WIDTH - 7, 11, 8);
    if (!known(left.now) && !known(right.now))
      return out + `<path d="M0 ${y + h / 2}H${WIDTH}" style="stroke:var(--band-edge);stroke-width:2;stroke-dasharray:4 6"/><path d="M${C} ${y - 5}v30" style="stroke:var(--ink);stroke-width:2"/>` + text(C, 84, missing, "says ink-2", "middle") + "</svg>";
    if (known(left.now)) out += `<rect x="${r1(C - length(left.now))}" y="${y}" width="${r1(Math.max(0, length(left.now) - 1.5))}" height="${h}" class="left"/>`;
    if (known(right.now)) out += `<rect x="${C + 1.5}" y="${y}" width="${r1(Math.max(0, length(right.now) - 1.5))}" height="${h}" class="right"/>`;
    for (const [side, sign] of [[left, -1], [right, 1]]) {
      if (!known(side.start)) continue;
      const x = r1(C + sign * length(side.start));
      out += `<path d="M${x} ${y - 5}v30" style="stroke:var(--paper);stroke-width:6"/><path d="M${x} ${y - 5}v30" style="stroke:var(--ink);stroke-width:2.5"/>`;
    }
    out += text(0, 86, `${fixed(left.now)}${known(left.now) ? "°" : ""}`, `value ink${left.beyond ? " heavy" : ""}`) + text(WIDTH, 86, `${fixed(right.now)}${known(right.now) ? "°" : ""}`, `value ink${right.beyond ? " heavy" : ""}`, "end");
    const [words, heavy] = dropWords(left, right, doubted);
    out += text(C, 80, words, heavy ? "says ink bold" : "says ink-2", "middle");
    return out + `<path d="M${C} ${y - 5}v30" style="stroke:var(--ink);stroke-width:2"/></svg>`;
  }

  /* Ring: battery. Centred disc: good. Disc out of its ring: slipped. Bar through it: lost. Two arrows: may be on
     the other leg. */
  function sensors(list) {
    let out = `<svg width="${WIDTH}" height="52" role="img" aria-label="${list.map((s) => `${s.name} ${s.words}`).join(", ")}">`;
    list.forEach((sensor, k) => {
      const x = [15, 135, 255][k], y = 24, around = 2 * Math.PI * 15, loud = ["lost", "slipped", "doubted"].includes(sensor.status);
      out += `<circle cx="${x}" cy="${y}" r="15" style="fill:none;stroke:var(--line);stroke-width:4"/>`;
      if (known(sensor.battery)) out += `<circle cx="${x}" cy="${y}" r="15" transform="rotate(-90 ${x} ${y})" style="fill:none;stroke:var(--ink);stroke-width:4;stroke-dasharray:${r1(around * sensor.battery)} ${r1(around)}"/>`;
      if (sensor.status === "good") out += disc(x, y, 7.5, "ink");
      if (sensor.status === "slipped") out += `<circle cx="${x}" cy="${y}" r="6.5" style="fill:none;stroke:var(--ink-3);stroke-width:1.5;stroke-dasharray:2 2"/><circle cx="${x - 9}" cy="${y + 9}" r="7.5" style="fill:var(--ink);stroke:var(--paper);stroke-width:2"/>`;
      if (sensor.status === "doubted") out += `<path d="M${x - 8} ${y - 4}H${x + 6}M${x + 2} ${y - 8}l5 4l-5 4M${x + 8} ${y + 5}H${x - 6}M${x - 2} ${y + 1}l-5 4l5 4" style="fill:none;stroke:var(--ink);stroke-width:2.5"/>`;
      if (sensor.status === "lost") out += `<path d="M${x - 14} ${y + 14}L${x + 14} ${y - 14}" style="stroke:var(--paper);stroke-width:9"/><path d="M${x - 13} ${y + 13}L${x + 13} ${y - 13}" style="stroke:var(--ink);stroke-width:4"/>`;
      const weight = loud ? "ink bold" : "ink-2";
      /* Longer words are set closer, so that they keep clear of the next ring in any font. */
      const closer = sensor.words.length < (loud ? 8 : 9) ? "" : ' textLength="70" lengthAdjust="spacingAndGlyphs"';
      out += text(x + 22, 20, sensor.name, weight) + text(x + 22, 39, sensor.words, loud ? "ink bold" : "", "start", closer);
    });
    return out + "</svg>";
  }

  function note(tilt, word) {
    if (word === "waiting") return "no run yet";
    if (word === "learning") return tilt.ready_in_s === null ? "ready 10 min\nafter you start" : tilt.ready_in_s > 0 ? `ready in\nabout ${Math.ceil(tilt.ready_in_s / 60)} min` : "ready soon";
    return tilt.last_good ? `last good\n${fixed(tilt.last_good.value)}° ${tilt.last_good.way}\n${age(tilt.last_good.age_s)} ago` : "";
  }

  const NOTHING = { now: null, start: null, band: null, beyond: false };
  const SENSORS = ["left", "pelvis", "right"].map((name) => ({ name, status: "unknown", words: DASH, battery: null }));
  const WAITING = {
    word: "waiting", sensors: SENSORS, drop: { left: NOTHING, right: NOTHING, words: "no drop yet" },
    tilt: { value: null, low: null, high: null, band: null, way: "", words: "waiting for a run", last_good: null },
    clock: { unit: "mile", run_s: null, distance: null, pace_s: null, split: { number: 1, by_distance: true, elapsed_s: null } },
  };
  const WEIGHT = { steady: "light", watch: "middle", drifting: "heavy" };

  /* The page has lost its server: the last number with its age, never as if it were now. */
  function lost(state, lostMs) {
    const tilt = state.tilt, seen = tilt.last_good;
    const last = seen ? { ...seen, age_s: seen.age_s + lostMs / 1000 } : known(tilt.value) ? { value: tilt.value, way: tilt.value > 0 ? "forward" : "back", age_s: lostMs / 1000 } : null;
    const silent = state.sensors.map((s) => ({ ...s, status: "unknown", words: DASH }));
    const clock = { ...WAITING.clock, unit: state.clock.unit, split: { ...state.clock.split, elapsed_s: null } };
    return { ...state, word: "lost", clock, sensors: silent, drop: { left: NOTHING, right: NOTHING, words: DASH }, tilt: { ...tilt, value: null, way: "", words: "page not connected", last_good: last } };
  }

  function show(view) {
    const state = view.state === null ? WAITING : view.lostMs ? lost(view.state, view.lostMs) : view.state;
    if (view.state && !view.lostMs && !state.ended) latemiles.cue.look(state.word, state.tilt);
    const { word, tilt, clock: run } = state, root = $("runner"), shown = known(tilt.value);
    root.dataset.word = word;
    root.toggleAttribute("data-hatched", word === "sensor" || word === "lost");
    root.dataset.weight = shown ? WEIGHT[word] || "light" : "none";
    fit("word", word, 80, WIDTH);
    put("rail", rail(word));
    fit("digits", shown ? fixed(tilt.value) : "", 196, 290);
    $("degree").hidden = !shown;
    say("note", shown ? "" : note(tilt, word));
    put("arrow", arrow(word, shown ? tilt.way : ""));
    $("arrow").hidden = !shown || !tilt.way;
    say("way-words", tilt.words);
    put("gauge", gauge(tilt, word));
    put("drop", drop(state.drop));
    put("sensors", sensors(state.sensors));
    say("pace-label", `pace, min a ${run.unit}`);
    say("pace", clock(run.pace_s));
    say("split-label", `${run.split.by_distance ? run.unit : "split"} ${run.split.number} so far`);
    say("split", clock(run.split.elapsed_s));
    say("run-label", state.ended ? "ended" : "run");
    say("time", clock(run.run_s));
    say("unit", run.unit);
    say("distance", fixed(run.distance));
  }

  const scale = () => { $("runner").style.zoom = Math.min(innerWidth / 390, innerHeight / 844); };
  addEventListener("resize", scale);
  scale();
  latemiles.theme("night");
  latemiles.cue.attach($("cue"));
  latemiles.live(show);
})();
