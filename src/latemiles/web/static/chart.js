/* The chart of a run: rows of angles on one degree scale and strips under them, over one x axis.
   Takes plain numbers and gives SVG text, so that it serves a live page and a file with its data inside alike.

   run: {
     rows: [{title, detail, reach: [low, high] degrees, ofThigh, lines: [line]}],     line: see below
     strips: [{title, unit, span, upsideDown, zero, missing, points: [[x, value]], now: text}],
     x: {max, step, unit, smooth, now},  gaps: [{from, to, side}],  slips: [{x, side}],  told: x or null,
     start: [from, to] or null
   }
   line: {side: "both" | "left" | "right", points: [[x, value]], start, band, bandFrom, wasBand,
          change, beyond, heard}   with x in the axis' unit and values in degrees. */
"use strict";
window.latemiles = window.latemiles || {};
latemiles.chart = (() => {
  const { known, signed, DASH } = latemiles.words;
  const { r1, disc, diamond, text, hatch, clamp } = latemiles.shapes;
  const TOP = 20, ROW_GAP = 6, AXIS = 26, STRIP_GAP = 8, NARROW = 700;
  /* On a phone a row's words stand above it, not beside it. */
  const WIDE_PLACE = { narrow: false, left: 190, right: 198, head: 0, strip: 40 }, NARROW_PLACE = { narrow: true, left: 34, right: 8, head: 44, strip: 62 };
  const COLOUR = { both: "var(--ink)", left: "var(--left)", right: "var(--right)" };

  const linear = (d0, d1, r0, r1) => (v) => r0 + ((v - d0) / (d1 - d0)) * (r1 - r0);
  const median = (values) => {
    const sorted = values.filter(known).sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : NaN;
  };

  /* Pieces between which no line may be drawn: a gap lies between, or far more than the usual step. */
  function pieces(points, gaps) {
    const steps = points.slice(1).map((p, k) => p[0] - points[k][0]), usual = median(steps);
    const out = [];
    let piece = [];
    points.forEach((p, k) => {
      if (k && (steps[k - 1] > 4 * usual || gaps.some((g) => g.from < p[0] && g.to > points[k - 1][0]))) {
        out.push(piece);
        piece = [];
      }
      piece.push(p);
    });
    if (piece.length) out.push(piece);
    return out;
  }

  /* A Gaussian smoother within one piece; it never looks across a gap. */
  function smooth(piece, width) {
    let first = 0;
    return piece.map(([x]) => {
      while (piece[first][0] < x - 2.5 * width) first += 1;
      let sum = 0, weight = 0;
      for (let k = first; k < piece.length && piece[k][0] <= x + 2.5 * width; k += 1) {
        const w = Math.exp(-(((piece[k][0] - x) / width) ** 2));
        sum += w * piece[k][1];
        weight += w;
      }
      return [x, sum / weight];
    });
  }

  const path = (points, X, Y) => points.map((p, k) => `${k ? "L" : "M"}${r1(X(p[0]))} ${r1(Y(p[1]))}`).join("");
  const dots = (points, X, Y) => points.map((p) => `M${r1(X(p[0]))} ${r1(Y(p[1]))}h0`).join("");

  /* Widened in whole degrees if the run needs it, so that a range does not follow its own noise. */
  function reach(row) {
    let [low, high] = row.reach;
    for (const line of row.lines) {
      const base = known(line.start) ? line.start : median(line.points.map((p) => p[1]));
      const sorted = line.points.map((p) => p[1] - base).sort((a, b) => a - b), n = sorted.length;
      const band = known(line.band) ? line.band : 0;
      const least = n ? sorted[Math.floor(0.02 * n)] : 0, most = n ? sorted[Math.ceil(0.98 * n) - 1] : 0;
      low = clamp(Math.min(low, Math.floor(Math.min(least, -band) - 0.1)), -12, low);
      high = clamp(Math.max(high, Math.ceil(Math.max(most, band) + 0.1)), high, 12);
    }
    return [low, high];
  }

  function bandOf(lines, X, Y, x0, x1, max) {
    const widest = lines.filter((l) => known(l.band)).sort((a, b) => b.band - a.band)[0];
    if (!widest) return "";
    const part = (from, to, band) => {
      const a = r1(X(from)), b = r1(X(to)), top = r1(Y(band)), bottom = r1(Y(-band));
      return `<rect x="${a}" y="${top}" width="${r1(b - a)}" height="${r1(bottom - top)}" class="band"/><path d="M${a} ${top}H${b}M${a} ${bottom}H${b}" class="edge"/>`;
    };
    if (known(widest.bandFrom) && known(widest.wasBand) && widest.wasBand < widest.band)
      return part(0, widest.bandFrom, widest.wasBand) + part(widest.bandFrom, max, widest.band);
    return part(0, max, widest.band);
  }

  function lineOf(line, place) {
    const { X, Y, run, clip } = place, colour = COLOUR[line.side];
    const base = known(line.start) ? line.start : median(line.points.map((p) => p[1]));
    const points = line.points.map(([x, v]) => [x, v - base]);
    const gaps = run.gaps.filter((g) => g.side === "pelvis" || g.side === line.side);
    const faint = line.side === "both" ? "stroke:var(--dot);stroke-width:2.3" : `stroke:${colour};stroke-width:1.9;opacity:.5`;
    let out = `<g clip-path="url(#${clip})"><path d="${dots(points, X, Y)}" class="dots" style="${faint}"/>`;
    const smoothed = pieces(points, gaps).map((piece) => smooth(piece, run.x.smooth));
    for (const even of smoothed) out += `<path d="${path(even, X, Y)}" class="line" style="stroke:${colour};stroke-width:${line.side === "both" ? 2.25 : 2}"/>`;
    if (line.side === "both" && line.beyond && known(line.band)) {
      /* Only what lies beyond the band without a way back, and only while the word stands. */
      const inside = smoothed.flat().filter((p) => Math.abs(p[1]) <= line.band), since = inside.length ? inside[inside.length - 1][0] : -1;
      for (const even of smoothed) {
        const beyond = even.filter((p) => p[0] > since);
        if (beyond.length > 1) out += `<path d="${path(beyond, X, Y)}" class="line" style="stroke:var(--change);stroke-width:3"/>`;
      }
    }
    const end = smoothed.length ? smoothed[smoothed.length - 1].slice(-1)[0] : null;
    out += "</g>";
    if (!end) return out;
    const x = X(end[0]), y = clamp(Y(end[1]), place.top + 4, place.bottom - 4);
    if (!line.heard) return out + `<path d="M${r1(x + 3)} ${r1(y - 5)}l9 10m0 -10l-9 10" style="stroke:${colour};stroke-width:2.25;fill:none"/>`;
    const at = X(run.x.now);
    return out + (line.side === "right" ? diamond(at, y, 6) : disc(at, y, 4.5, line.side === "left" ? "left" : line.beyond ? "change" : "ink"));
  }

  const worth = (line, whole) =>
    !line.heard ? line.missing || "not heard" : !known(line.start) ? "start not measured" : !known(line.band) ? "band not known" : line.beyond ? `beyond${whole}` : `inside${whole}`;
  const value = (line) => (line.heard && known(line.change) ? `${signed(line.change)}°` : DASH);

  /* Above the row: its name, and under that the value of each line. */
  function headOf(row, top, width) {
    const step = (width - 34) / 2;
    let out = text(0, top + 14, row.title, "title ink halo") + text(width, top + 14, row.detail, "halo", "end");
    row.lines.forEach((line, k) => {
      const x = k * (step + 34), loud = line.beyond ? `${line.side === "both" ? "change" : line.side} heavy` : "ink";
      const mark = line.side === "left" ? disc(x + 5, top + 30, 4.5) : line.side === "right" ? diamond(x + 5, top + 30, 6) : "";
      const from = x + (mark ? 18 : 0);
      out += mark + text(from, top + 35, value(line), `mid halo ${loud}`) + text(from + (value(line) === DASH ? 18 : 56), top + 34, worth(line, row.lines.length === 1 ? " the band" : ""), "halo");
    });
    return out;
  }

  function valuesOf(row, x, middle) {
    if (row.lines.length === 1) {
      const line = row.lines[0];
      return text(x + 18, middle + 2, value(line), `big ${line.beyond ? "change heavy" : "ink"}`) + text(x + 18, middle + 20, worth(line, " the band"));
    }
    return row.lines.map((line, k) => {
      const y = middle - 4 + 23 * k;
      const mark = line.side === "left" ? disc(x + 23, y - 5, 4.5) : diamond(x + 23, y - 5, 6);
      const place = value(line) === DASH ? 56 : 98;
      return mark + text(x + 36, y, value(line), `mid ${line.beyond ? `${line.side} heavy` : "ink"}`) + text(x + place, y - 1, worth(line, ""));
    }).join("");
  }

  function rowOf(row, k, place) {
    const { X, Y, x0, x1, top, bottom, run, low, high } = place, zero = r1(Y(0)), middle = (top + bottom) / 2;
    let out = bandOf(row.lines, X, Y, x0, x1, run.x.max) + `<path d="M${x0} ${zero}H${x1}" class="zero"/>`;
    if (run.start) {
      const a = r1(X(run.start[0])), b = r1(X(run.start[1]));
      out += `<path d="M${a} ${zero - 4}v8M${b} ${zero - 4}v8M${a} ${zero}H${b}" class="start"/>`;
    }
    if (!place.narrow) out += text(0, zero - 2, row.title, "title ink") + text(0, zero + 15, row.detail);
    for (let v = Math.ceil(low / 2) * 2; v <= high; v += 2) {
      if (k === 0 || v === 0) out += text(x0 - 8, Y(v) + 4, v === 0 ? "0" : signed(v, 0) + (v + 2 > high ? "°" : ""), "", "end");
      if (v !== 0) out += `<path d="M${x0 - 6} ${r1(Y(v))}h6" class="tick"/>`;
    }
    for (const line of row.lines) out += lineOf(line, place);
    return place.narrow ? out : out + valuesOf(row, x1, zero);
  }

  /* A strip that has no source keeps its place and says what is missing. */
  function stripOf(strip, top, place) {
    const { X, x0, x1, run, narrow } = place, mid = median(strip.points.map((p) => p[1]));
    const high = narrow ? 24 : 3, low = place.strip - 2, has = known(mid);
    const end = narrow ? text(0, top + 16, strip.title, "ink-2 halo") + (has ? text(x1, top + 16, `${strip.now} ${strip.unit}`, "ink halo", "end") : text(x1, top + 16, strip.missing, "halo", "end"))
      : text(0, top + 24, strip.title, "ink-2") + (has ? text(x1 + 18, top + 25, strip.now, "mid ink") + text(x1 + 74, top + 24, strip.unit) : text(x1 + 18, top + 25, DASH, "mid ink") + text(x1 + 40, top + 24, strip.missing));
    if (!has) return end;
    const flip = strip.upsideDown ? -1 : 1, middle = strip.zero ? 0 : mid;
    const reached = strip.points.map((p) => Math.abs(p[1] - middle)).sort((a, b) => a - b)[Math.floor(0.98 * strip.points.length)] || 0;
    const span = Math.max(strip.span, reached);
    const Y = linear(middle - flip * span, middle + flip * span, top + low, top + high);
    let out = strip.zero ? `<path d="M${x0} ${r1(Y(0))}H${x1}" class="grid"/>` : "";
    for (const piece of pieces(strip.points, [])) {
      const even = smooth(piece, run.x.smooth / 3).map(([x, v]) => [x, clamp(v, middle - span, middle + span)]);
      if (strip.zero && even.length > 1) out += `<path d="${path(even, X, Y)}L${r1(X(even[even.length - 1][0]))} ${r1(Y(0))}H${r1(X(even[0][0]))}Z" class="fill"/>`;
      out += `<path d="${path(even, X, Y)}" class="strip"/>`;
    }
    return out + end;
  }

  /* Words above the chart keep clear of each other: the later and more important one wins. */
  function heads(list) {
    const kept = [];
    for (const head of list) if (kept.every((other) => Math.abs(other.x - head.x) > 34)) kept.push(head);
    return kept.map((h) => text(h.x, 12, h.words, h.cls || "", "middle")).join("");
  }

  function draw(run, width, height) {
    const shape = width < NARROW ? NARROW_PLACE : WIDE_PLACE, x0 = shape.left, x1 = width - shape.right, X = linear(0, run.x.max, x0, x1);
    const strips = run.strips.length * (shape.strip + STRIP_GAP), chartBottom = height - strips - AXIS;
    let step = run.x.step;
    while (((x1 - x0) * step) / run.x.max < 20) step *= 2;
    const reaches = run.rows.map(reach), degrees = reaches.reduce((sum, [low, high]) => sum + high - low, 0);
    const pixels = (chartBottom - TOP - (ROW_GAP + shape.head) * run.rows.length + ROW_GAP) / degrees;
    let out = `<defs>${hatch("gap")}`, body = "", over = "", y = TOP;
    let thighTop = TOP;
    run.rows.forEach((row, k) => {
      y += shape.head;
      if (!row.ofThigh) thighTop = y + (reaches[k][1] - reaches[k][0]) * pixels + ROW_GAP;
      const [low, high] = reaches[k], bottom = y + (high - low) * pixels;
      out += `<clipPath id="row${k}"><rect x="${x0}" y="${r1(y)}" width="${r1(x1 - x0)}" height="${r1(bottom - y)}"/></clipPath>`;
      const place = { ...shape, X, Y: linear(low, high, bottom, y), x0, x1, top: y, bottom, run, low, high, clip: `row${k}` };
      body += rowOf(row, k, place);
      if (shape.narrow) over += headOf(row, y - shape.head, x1);
      y = bottom + ROW_GAP;
    });
    out += "</defs>";
    for (let v = 0; v <= run.x.max; v += step) out += `<path d="M${r1(X(v))} ${TOP}V${height}" class="grid"/>`;
    const rowsBottom = y - ROW_GAP;
    /* Gaps lie over bands, under the words; a gap keeps its true width but is never thinner than can be seen. */
    const hatches = run.gaps.filter((g) => g.side === "pelvis").map((g) => {
      const a = X(g.from), w = Math.max(2, X(g.to) - a);
      return `<rect x="${r1(a)}" y="${TOP}" width="${r1(w)}" height="${r1(rowsBottom - TOP)}" class="paper"/><rect x="${r1(a)}" y="${TOP}" width="${r1(w)}" height="${r1(rowsBottom - TOP)}" fill="url(#gap)"/>`;
    }).join("");
    const down = (x, cls, to = rowsBottom, from = TOP) => `<path d="M${r1(X(x))} ${r1(from)}V${r1(to)}" class="${cls}"/>`;
    /* A thigh's clip has nothing to do with the pelvis' rows. */
    let marks = run.slips.map((s) => down(s.x, "slip", rowsBottom, s.side === "pelvis" ? TOP : thighTop)).join("");
    if (known(run.told)) marks += down(run.told, "told");
    if (known(run.x.now)) marks += down(run.x.now, "now", height);
    const tops = [];
    if (known(run.x.now)) tops.push({ x: X(run.x.now), words: "now", cls: "ink bold" });
    if (known(run.told)) tops.push({ x: X(run.told), words: run.toldWords, cls: "change bold" });
    for (const s of run.slips) if (s.side === "pelvis") tops.push({ x: X(s.x), words: "slip" });
    for (const g of run.gaps) if (g.told && g.side === "pelvis") tops.push({ x: X((g.from + g.to) / 2), words: "gap" });
    if (run.start) tops.push({ x: X((run.start[0] + run.start[1]) / 2), words: "start" });
    let axis = text(shape.narrow ? 0 : x0 - 12, rowsBottom + 18, run.x.unit, "ink-2", shape.narrow ? "start" : "end");
    if (!shape.narrow) axis += text(0, rowsBottom + 18, "same scale in all rows");
    for (let v = shape.narrow ? step : 0; v <= run.x.max; v += step) axis += text(X(v), rowsBottom + 18, String(v), "ink-2", "middle");
    const under = run.strips.map((strip, k) => stripOf(strip, chartBottom + AXIS + k * (shape.strip + STRIP_GAP), { ...shape, X, x0, x1, run })).join("");
    return `<svg width="${width}" height="${height}" role="img" aria-label="${run.label}">${out}${body}${hatches}${marks}${heads(tops)}<g class="over">${over}</g>${axis}${under}</svg>`;
  }

  /* Height that a narrow chart wants: it is scrolled through. */
  const height = (run, width, room) => (width < NARROW ? TOP + AXIS + run.rows.length * (NARROW_PLACE.head + ROW_GAP + 78) + run.strips.length * (NARROW_PLACE.strip + STRIP_GAP) : room);
  return { draw, height, linear, median, pieces, smooth };
})();
