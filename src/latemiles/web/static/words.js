/* Numbers as people read them. No unit is ever left to guess. */
"use strict";
window.latemiles = window.latemiles || {};
latemiles.words = (() => {
  const MINUS = "\u2212", DASH = "\u2013";
  const known = (v) => v !== null && v !== undefined && Number.isFinite(v);
  const fixed = (v, digits = 1) => (known(v) ? Math.abs(v).toFixed(digits) : DASH);
  /* A change carries its sign, a true minus; what rounds to zero carries none. */
  const signed = (v, digits = 1) => {
    if (!known(v)) return DASH;
    const text = Math.abs(v).toFixed(digits);
    return (Number(text) === 0 ? "" : v > 0 ? "+" : MINUS) + text;
  };
  const clock = (seconds) => {
    if (!known(seconds)) return DASH;
    const s = Math.max(0, Math.floor(seconds)), two = (n) => String(n).padStart(2, "0");
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
  };
  const age = (seconds) => (seconds < 100 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);
  const safe = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  return { DASH, known, fixed, signed, clock, age, safe };
})();
