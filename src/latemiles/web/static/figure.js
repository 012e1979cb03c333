/* Pelvis and thighs as a still of the last 100 strides, over the dashed outline of the start.
   Differences are drawn 4 times larger, and the page says so. */
"use strict";
window.latemiles = window.latemiles || {};
latemiles.figure = (() => {
  const { known } = latemiles.words;
  const { r1 } = latemiles.shapes;
  const LARGER = 4, WIDTH = 148, HEIGHT = 212, RAD = Math.PI / 180;
  const or = (v, otherwise) => (known(v) ? v : otherwise);
  const enlarged = (row, otherwise) => or(row.start, otherwise) + LARGER * or(row.change, 0);

  /* A tapering limb that hangs from (x, y); 0 is straight down, + swings to the right of the picture. */
  function limb(x, y, length, degrees, wide, narrow, cls) {
    const s = Math.sin(degrees * RAD), c = Math.cos(degrees * RAD), ex = x + s * length, ey = y + c * length;
    const p = (px, py, w) => `${r1(px + c * w)} ${r1(py - s * w)}`;
    return `<path class="${cls}" d="M${p(x, y, wide)}L${p(ex, ey, narrow)}A${narrow} ${narrow} 0 0 1 ${p(ex, ey, -narrow)}L${p(x, y, -wide)}A${wide} ${wide} 0 0 1 ${p(x, y, wide)}Z"/>`;
  }

  const WING = "M12 -22C17 -37 28 -46 42 -44C58 -41 66 -31 62 -21C58 -11 50 -4 50 6C51 17 52 27 46 38C42 46 33 46 29 38C25 30 18 24 5 27Z";
  const SACRUM = "M-10 -25C-4 -29 4 -29 10 -25C12 -14 16 -8 15 -1C12 7 6 13 0 17C-6 13 -12 7 -15 -1C-16 -8 -12 -14 -10 -25Z";
  const SACRUM_SIDE = "M-29 -30C-42 -27 -48 -9 -42 5C-38 14 -32 20 -28 18C-26 12 -31 5 -29 -3C-25 -4 -28 -9 -32 -16Z";
  const FRONT = "M-33 -15C-37 -28 -28 -41 -10 -45C10 -50 31 -44 36 -32C39 -24 32 -19 27 -13C22 -5 21 1 22 9C31 12 39 18 38 24C34 31 27 27 17 25C8 26 5 36 -4 40C-13 44 -19 38 -17 29C-15 20 -10 13 -12 3C-16 -5 -29 -6 -33 -15Z";

  /* Before there is a start to compare with, the newest still, in its true size. */
  const isLive = (rows, posture) => !known(rows.tilt.start) && Boolean(posture) && known(posture.tilt);

  function frame(label, body) {
    return `<svg width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${label}">${body}</svg>`;
  }

  function fromBehind(rows, heard, posture) {
    const live = isLive(rows, posture);
    const one = (obliquity, left, right, ghost) => {
      const cx = WIDTH / 2, cy = 58, turn = -obliquity * RAD;
      const at = (x, y) => [cx + x * Math.cos(turn) - y * Math.sin(turn), cy + x * Math.sin(turn) + y * Math.cos(turn)];
      const cls = (side) => (ghost ? "ghost" : `limb ${side}${heard[side] ? "" : " unheard"}`);
      const [lx, ly] = at(-40, 20), [rx, ry] = at(40, 20), [ax, ay] = at(-72, -28), [bx, by] = at(72, -28);
      let out = limb(lx, ly, 116, left, 13, 9, cls("left")) + limb(rx, ry, 116, -right, 13, 9, cls("right"));
      out += `<g transform="translate(${cx} ${cy}) rotate(${r1(-obliquity)}) scale(.95)" class="${ghost ? "ghost" : `bone${heard.pelvis ? "" : " unheard"}`}"><path d="${WING}"/><path d="${WING}" transform="scale(-1 1)"/><path d="${SACRUM}"/></g>`;
      return out + (heard.pelvis ? `<path d="M${r1(ax)} ${r1(ay)}L${r1(bx)} ${r1(by)}" class="${ghost ? "ghost" : `axis${rows.drop_right.beyond ? " beyond" : ""}`}"/>` : "");
    };
    const label = "Pelvis and thighs from behind";
    if (live) {
      const { obliquity: o } = posture, swing = (v, way) => or(v, 0) + way * or(o, 0);
      return frame(label, one(or(o, 0), swing(posture.adduction_left, 1), swing(posture.adduction_right, -1), false));
    }
    const start = [or(rows.drop_right.start, 0), or(rows.adduction_left.start, 3), or(rows.adduction_right.start, 3)];
    const now = [enlarged(rows.drop_right, 0), enlarged(rows.adduction_left, 3), enlarged(rows.adduction_right, 3)];
    return frame(label, one(...now, false) + (known(rows.drop_right.start) ? one(...start, true) : ""));
  }

  function fromTheRight(rows, heard, posture) {
    const one = (tilt, flexion, ghost) => {
      const cx = WIDTH / 2 - 8, cy = 60, turn = tilt * RAD;
      const at = (x, y) => [cx + x * Math.cos(turn) - y * Math.sin(turn), cy + x * Math.sin(turn) + y * Math.cos(turn)];
      const [hx, hy] = at(4, 14), [ax, ay] = at(-60, -24), [bx, by] = at(64, -24);
      let out = limb(hx, hy, 118, flexion, 15, 10, ghost ? "ghost" : `limb${heard.right ? "" : " unheard"}`);
      out += `<g transform="translate(${cx} ${cy}) rotate(${r1(tilt)})" class="${ghost ? "ghost" : `bone${heard.pelvis ? "" : " unheard"}`}"><path d="${SACRUM_SIDE}"/><path d="${FRONT}"/></g>`;
      return out + (heard.pelvis ? `<path d="M${r1(ax)} ${r1(ay)}L${r1(bx)} ${r1(by)}" class="${ghost ? "ghost" : `axis${rows.tilt.beyond ? " beyond" : ""}`}"/>` : "");
    };
    const label = "Pelvis and right thigh from the right";
    /* The thigh's lean in the picture is hip flexion less the pelvis' own tilt. */
    const lean = (tilt, flexion) => flexion - tilt;
    if (isLive(rows, posture)) return frame(label, one(posture.tilt, lean(posture.tilt, or(posture.flexion_right, 0)), false));
    const t0 = or(rows.tilt.start, 0), f0 = or(rows.flexion_right.start, 0), t1 = enlarged(rows.tilt, 0), f1 = enlarged(rows.flexion_right, 0);
    return frame(label, one(t1, lean(t1, f1), false) + (known(rows.tilt.start) ? one(t0, lean(t0, f0), true) : ""));
  }

  return { fromBehind, fromTheRight, isLive };
})();
