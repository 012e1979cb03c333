/* The shapes that stand for state and side: the same in every view. */
"use strict";
window.latemiles = window.latemiles || {};
latemiles.shapes = (() => {
  const WORDS = ["steady", "watch", "drifting", "sensor"];
  const COLOUR = { steady: "var(--steady)", watch: "var(--watch-mark)", drifting: "var(--change)", sensor: "var(--sensor-mark)" };
  const r1 = (v) => Math.round(v * 10) / 10;

  function state(word, x, y, r, filled, colour) {
    const style = `stroke:${colour};stroke-width:2;stroke-linejoin:round;fill:${filled ? colour : "none"}`;
    if (word === "steady") return `<circle cx="${x}" cy="${y}" r="${r}" style="${style}"/>`;
    if (word === "watch")
      return `<path d="M${x} ${y - r}L${x + r * 1.08} ${y + r * 0.86}H${x - r * 1.08}Z" style="${style}"/>`;
    if (word === "drifting")
      return `<path d="M${x - r} ${y - r * 0.95}H${x + r * 0.1}L${x + r * 1.1} ${y}L${x + r * 0.1} ${y + r * 0.95}H${x - r}Z" style="${style}"/>`;
    const a = r * 0.8, w = filled ? r * 0.62 : 2;
    return `<path d="M${x - a} ${y - a}L${x + a} ${y + a}M${x + a} ${y - a}L${x - a} ${y + a}" style="stroke:${colour};stroke-width:${w};stroke-linecap:round;fill:none"/>`;
  }

  /* Left is a disc, right is a diamond, in every line and label. */
  const disc = (x, y, r, cls = "left") => `<circle cx="${r1(x)}" cy="${r1(y)}" r="${r}" class="${cls}"/>`;
  const diamond = (x, y, r, cls = "right") => `<path d="M${r1(x)} ${r1(y - r)}l${r} ${r}l${-r} ${r}l${-r} ${-r}z" class="${cls}"/>`;
  const text = (x, y, words, cls = "", anchor = "start", more = "") =>
    `<text x="${r1(x)}" y="${r1(y)}" class="${cls}" text-anchor="${anchor}"${more}>${words}</text>`;
  const hatch = (id) =>
    `<pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6" style="stroke:var(--sensor-hatch);stroke-width:2"/></pattern>`;
  const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
  return { WORDS, COLOUR, r1, state, disc, diamond, text, hatch, clamp };
})();
