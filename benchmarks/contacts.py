"""Initial contact and toe-off against the truth: speeds, rates, running, walking.

    python benchmarks/contacts.py [MINUTES] [SEEDS]      default: 1.5 and 3

``simulated``: the synthetic runner, whose contacts and toe-offs are known to the sample. ``real motion``:
streams on RBDS001's kinematics, whose simulated impacts begin at touchdowns that are known as exactly.
Errors in ms, found less true; a contact is missed if none of its side lies within 60 ms, extra if it belongs
to no true one, and of the wrong side if only the other foot's contact is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from goals import tell
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from latemiles.analysis import analyze
from latemiles.analysis_result import Analysis
from latemiles.signals.frames import SIDES
from latemiles.sim.plan import Phase, RunnerPlan, Sensors
from latemiles.sim.runner import simulate
from reference.rbds import has_rbds, rbds_session

F8 = NDArray[np.float64]
NEAR_S = 0.06
SLOW_HZ = 100.0
BEFORE = (Phase("standing", 8.0), Phase("squats", 10.0), Phase("standing", 4.0))


@dataclass
class Score:
    """Errors of one kind of event, s, and what went wrong."""

    off: list[F8] = field(default_factory=list)
    true: int = 0
    wrong_side: int = 0
    extra: int = 0

    def add(self, found: dict[int, F8], true: dict[int, F8], window: tuple[float, float]) -> None:
        """Compare the events of one run, by lane."""
        for lane, times in true.items():
            inside = times[(times > window[0]) & (times < window[1])]
            own, other = found[lane], found[1 - lane]
            off = _nearest(own, inside)
            near = np.abs(off) < NEAR_S
            self.off.append(off[near])
            self.true += len(inside)
            self.wrong_side += int(np.sum(~near & (np.abs(_nearest(other, inside)) < NEAR_S)))
            ours = own[(own > window[0] + 0.5) & (own < window[1] - 0.5)]
            self.extra += int(np.sum(np.abs(_nearest(times, ours)) >= NEAR_S))

    @property
    def p95_ms(self) -> float:
        """95th percentile of the size of the errors, ms."""
        return 1e3 * float(np.percentile(np.abs(np.concatenate(self.off)), 95)) if self.off else np.nan

    def line(self) -> str:
        """Median, 95th percentile of the size, counts."""
        off = 1e3 * np.concatenate(self.off) if self.off else np.empty(0)
        missed = self.true - len(off) - self.wrong_side
        if not len(off):
            return f"{'':>8}{'':>8}{self.true:>8}{missed:>8}{self.wrong_side:>7}{self.extra:>7}"
        middle, p95 = np.median(off), self.p95_ms
        return f"{middle:>8.1f}{p95:>8.1f}{self.true:>8}{missed:>8}{self.wrong_side:>7}{self.extra:>7}"


def _nearest(found: F8, times: F8) -> F8:
    """For each time, the nearest found one less it; infinite if there is none."""
    if not len(found):
        return np.full(len(times), np.inf)
    at = np.clip(np.searchsorted(found, times), 1, max(1, len(found) - 1))
    both = np.stack([found[at - 1], found[np.minimum(at, len(found) - 1)]]) - times
    nearest: F8 = np.take_along_axis(both, np.argmin(np.abs(both), axis=0)[None], axis=0)[0]
    return nearest


def by_lane(analysis: Analysis, kind: str) -> dict[int, F8]:
    """Times of one kind of event, by side."""
    e = analysis.events
    return {side.lane: e.t_s[(e.kind == kind) & (e.side == side.value)] for side in SIDES}


def simulated(seed: int, rate_hz: float, kind: str, speed: float, minutes: float) -> tuple[Score, Score]:
    """Initial contacts and toe-offs of one synthetic runner."""
    phases = (*BEFORE, Phase(kind, 60.0 * minutes, speed), Phase("standing", 4.0))
    plan = RunnerPlan(
        phases,
        waveforms=("rbds", "ric")[seed % 2],
        step_asymmetry=0.01 * (seed % 3 - 1),
        sensors=replace(Sensors(), rate_hz=rate_hz),
    )
    run = simulate(plan, 900 + seed)
    analysis = analyze(run.streams())
    window = 26.0, run.duration_s - 8.0
    scores = Score(), Score()
    for score, event, name in zip(
        scores, ("initial_contact", "toe_off"), ("contact_s", "toe_off_s"), strict=True
    ):
        true = {side.lane: getattr(run.timeline.feet[side], name) for side in SIDES}
        score.add(by_lane(analysis, event), true, window)
    return scores


def real_motion(seed: int, rate_hz: float, trial: str) -> tuple[Score, Score]:
    """The same on real kinematics; toe-off is not known there."""
    session = rbds_session(trial, seed=seed, rate_hz=rate_hz)
    score = Score()
    true = {side.lane: session.contacts_s[side] for side in SIDES}
    window = session.running[0] + 1.0, session.running[1] - 1.0
    score.add(by_lane(analyze(session.by_name), "initial_contact"), true, window)
    return score, Score()


def merged(scores: Iterable[Score]) -> Score:
    """All runs of a row."""
    total = Score()
    for score in scores:
        total.off += score.off
        total.true += score.true
        total.wrong_side += score.wrong_side
        total.extra += score.extra
    return total


def main(minutes: float, seeds: int) -> None:
    """Print two rows a condition: initial contact and toe-off."""
    print("errors in ms: median, 95th percentile of the size; events: true, missed, of the wrong side, extra")
    head = f"{'median':>8}{'p95':>8}{'true':>8}{'missed':>8}{'wrong':>7}{'extra':>7}"
    print(f"{'':<36}{'':<17}{head}")
    rows = [
        (f"simulated, {kind} {speed} m/s", simulated, rate, (kind, speed, minutes))
        for rate in (52.0, 100.0, 200.0, 208.0)
        for kind, speed in (("running", 2.5), ("running", 3.2), ("running", 4.2), ("walking", 1.4))
    ]
    if has_rbds():
        rows += [
            (f"real motion, {trial}", real_motion, rate, (trial,))
            for rate in (52.0, 100.0, 200.0, 208.0)
            for trial in ("2.5ms", "3.5ms")
        ]
    worst: dict[str, tuple[float, str]] = {}
    wrong = 0
    with ProcessPoolExecutor(2) as pool:
        jobs = [
            (label, rate, [pool.submit(work, seed, rate, *rest) for seed in range(seeds)])
            for label, work, rate, rest in rows
        ]
        for label, rate, waiting in jobs:
            both = [job.result() for job in waiting]
            for event, scores in zip(("initial contact", "toe-off"), zip(*both, strict=True), strict=True):
                total = merged(scores)
                if total.true:
                    print(f"{label:<30}{rate:>4.0f} Hz {event:<16}{total.line()}", flush=True)
                    if event == "initial contact" and "running" in label + "running" * ("real" in label):
                        kind, wrong = label.split()[0].strip(","), wrong + total.wrong_side
                        # Half a sample of 52 Hz is 10 ms: a goal of its own.
                        kind += "_slow" if rate < SLOW_HZ else ""
                        found = total.p95_ms, f"{label}, {rate:.0f} Hz"
                        worst[kind] = max(worst.get(kind, found), found)
    for kind, (p95, where) in worst.items():
        tell(f"contact_p95_{kind}", p95, where)
    tell("contact_wrong_side", wrong)


if __name__ == "__main__":
    given = [float(x) for x in sys.argv[1:]]
    main(given[0] if given else 1.5, int(given[1]) if len(given) > 1 else 3)
