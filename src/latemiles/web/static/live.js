/* The page's line to the server: whole log first, then what is added; comes back by itself.
   Numbers are shown at most every 2 s, whatever arrives. */
"use strict";
window.latemiles = window.latemiles || {};
latemiles.live = (show) => {
  const REFRESH_MS = 2000, FIRST_RETRY_MS = 300, LONGEST_RETRY_MS = 4000, LOST_AFTER_MS = 5000;
  const view = { state: null, log: [], runs: [], marks: false, lostMs: 0 };
  let run = new URLSearchParams(location.search).get("run");
  let retryMs = FIRST_RETRY_MS, shownAt = -Infinity, timer = 0, droppedAt = performance.now(), socket = null;

  function draw() {
    clearTimeout(timer);
    timer = 0;
    shownAt = performance.now();
    show(view);
  }
  function due() {
    const wait = REFRESH_MS - (performance.now() - shownAt);
    if (wait <= 0) draw();
    else if (!timer) timer = setTimeout(draw, wait);
  }
  function take(message) {
    const isNew = !view.state || message.state.run !== view.state.run;
    if (message.from === 0) view.log = message.log;
    else if (message.from !== view.log.length) return false;
    else for (const entry of message.log) view.log.push(entry);
    const wordChanged = isNew || message.state.word !== view.state.word;
    Object.assign(view, { state: message.state, runs: message.runs || [], marks: Boolean(message.marks) });
    if (wordChanged || view.lostMs) { view.lostMs = 0; draw(); } else due();
    return true;
  }
  function connect() {
    const asked = run === null ? "" : `?run=${encodeURIComponent(run)}`;
    const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws${asked}`);
    socket = mine;
    mine.onopen = () => { retryMs = FIRST_RETRY_MS; droppedAt = null; };
    /* A hole in the log: come back for the whole of it. */
    mine.onmessage = (event) => { if (socket === mine && !take(JSON.parse(event.data))) mine.close(); };
    mine.onclose = () => {
      /* Another run was chosen meanwhile. */
      if (socket !== mine) return;
      droppedAt = droppedAt ?? performance.now();
      setTimeout(connect, retryMs);
      retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
    };
  }
  function select(name) {
    if (name === run || (run === null && view.state && view.state.run === name)) return;
    run = name;
    history.replaceState(null, "", `?${new URLSearchParams([...new URLSearchParams(location.search)].filter(([k]) => k !== "run").concat([["run", name]]))}`);
    const old = socket;
    connect();
    if (old) old.close();
  }
  /* A run that is named goes on, or is over and lies in the store. */
  async function open(name) {
    const now = await fetch(`/api/state?run=${encodeURIComponent(name)}`).catch(() => null);
    if (!now || !now.ok || (await now.json()).state) { live(); return; }
    const answer = await fetch(`/api/runs/${name.split("/").map(encodeURIComponent).join("/")}`);
    if (answer.ok) take(await answer.json());
  }
  function live() {
    connect();
    /* A number that nobody refreshes must not look alive. */
    setInterval(() => {
      const lostMs = droppedAt === null ? 0 : performance.now() - droppedAt;
      if (view.state && !view.state.ended && lostMs > LOST_AFTER_MS) { view.lostMs = lostMs; due(); }
    }, 1000);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) draw(); });
  draw();
  if (run === null) live();
  else open(run);
  return { view, select, run: () => (view.state ? view.state.run : run) };
};

/* Night or light: asked for in the address, else as the system is set. */
latemiles.theme = (dark) => {
  const asked = new URLSearchParams(location.search).get("theme"), system = matchMedia("(prefers-color-scheme: dark)");
  const set = () => { document.documentElement.dataset.theme = asked || (system.matches ? dark : "light"); };
  system.addEventListener("change", set);
  set();
};
