/* A sound or a voice for those who do not look: on entering `drifting` only, then silent for five minutes.
   Off unless it was asked for. It says what is measured and gives no advice. */
"use strict";
window.latemiles = window.latemiles || {};
latemiles.cue = (() => {
  const MODES = ["off", "beep", "voice"], SILENT_MS = 300000, KEY = "latemiles.cue";
  const LABELS = { off: "sound off", beep: "sound: beep", voice: "sound: voice" };
  let mode = "off", audio = null, before = null, playedAt = -Infinity;

  /* A browser may refuse to keep anything; then the choice lasts as long as the page. */
  function kept(value) {
    try {
      if (value !== undefined) localStorage.setItem(KEY, value);
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }
  /* Sound may only begin once the page was touched. */
  function unlock() {
    if (mode !== "beep") return;
    audio = audio || new AudioContext();
    if (audio.state === "suspended") audio.resume();
  }
  function tone(at, hertz) {
    const voice = audio.createOscillator(), loud = audio.createGain();
    voice.frequency.value = hertz;
    loud.gain.setValueAtTime(0, at);
    loud.gain.linearRampToValueAtTime(0.5, at + 0.02);
    loud.gain.linearRampToValueAtTime(0, at + 0.22);
    voice.connect(loud).connect(audio.destination);
    voice.start(at);
    voice.stop(at + 0.25);
  }
  function play(tilt) {
    if (navigator.vibrate) navigator.vibrate([180, 90, 180]);
    if (mode === "voice") {
      speechSynthesis.speak(new SpeechSynthesisUtterance(`Tilt ${Math.abs(tilt.value).toFixed(1)} degrees ${tilt.way}`));
      return;
    }
    unlock();
    tone(audio.currentTime + 0.05, 660);
    tone(audio.currentTime + 0.35, tilt.way === "back" ? 495 : 880);
  }
  /* `sensor` between two looks at the same drift is no new one; a page that opens in one says nothing. */
  function look(word, tilt) {
    if (word === "sensor" || word === before) return;
    const entered = word === "drifting" && before !== null, now = performance.now();
    before = word;
    if (!entered || mode === "off" || now - playedAt < SILENT_MS) return;
    playedAt = now;
    play(tilt);
  }
  function attach(button) {
    const asked = new URLSearchParams(location.search).get("cue") || kept();
    const set = (next) => {
      mode = MODES.includes(next) ? next : "off";
      button.textContent = LABELS[mode];
    };
    set(asked);
    button.addEventListener("click", () => {
      set(MODES[(MODES.indexOf(mode) + 1) % MODES.length]);
      kept(mode);
      unlock();
    });
    addEventListener("pointerdown", unlock);
  }
  return { attach, look };
})();
