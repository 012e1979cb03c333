"""A simulated run as a host hears it: notifications with their delays, losses and clocks, and the watch."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.sensors.drivers import latemiles_v1
from latemiles.signals.records import Link, Packet, Pose, Record, RunHeader, SensorInfo, Speed
from latemiles.sim.runner import SensorChunk, SimulatedRun, SimulatedSensor

__all__ = ["header", "records"]

F8 = NDArray[np.float64]
B1 = NDArray[np.bool_]

_CHUNK_S = 30.0
_BATTERY_EVERY_S = 60.0
_BATTERY_LIFE_S = 12 * 3600.0
_NOTICE_S = 0.7
"""Time until the host's stack notices that a link is gone, s."""
_STALL_S = 0.2
_REBOOT_S = 2.0
_WATCH_DELAY_S = 0.3


def header(
    run: SimulatedRun, run_id: str = "simulated", *, started_utc_ns: int = 0, notes: str = ""
) -> RunHeader:
    """First record of a simulated run.

    Parameters
    ----------
    run : SimulatedRun
        The run.
    run_id : str
        Its name.
    started_utc_ns : int
        Wall clock of session time zero; 0 where it shall have none.
    notes : str
        Free words.
    """
    errors = run.plan.sensors.errors
    acc = errors.acc_range if np.isfinite(errors.acc_range) else latemiles_v1.ACC_RANGE_M_S2
    gyr = errors.gyr_range if np.isfinite(errors.gyr_range) else latemiles_v1.GYR_RANGE_RAD_S
    sensors = tuple(
        SensorInfo(
            segment=sensor.segment,
            driver=latemiles_v1.NAME,
            rate_hz=run.plan.sensors.rate_hz,
            serial=sensor.serial,
            acc_range_m_s2=acc,
            gyr_range_rad_s=gyr,
            firmware="simulated",
        )
        for sensor in run.sensors
    )
    return RunHeader(
        run=run_id,
        started_utc_ns=started_utc_ns,
        sensors=sensors,
        source="simulated",
        notes=notes,
        extra={"seed": str(run.seed)},
    )


def records(run: SimulatedRun, head: RunHeader | None = None, *, has_poses: bool = False) -> Iterator[Record]:
    """All that a host hears of a run, in order of arrival, made as it is asked for.

    Parameters
    ----------
    run : SimulatedRun
        The run.
    head : RunHeader, optional
        The first record; None makes one.
    has_poses : bool
        Whether the standing and the squats were asked for and so are on record.

    Yields
    ------
    Record
        RunHeader, then Link, Packet, Speed and Pose.
    """
    head = header(run) if head is None else head
    yield head
    senders = [
        _Sender(run, sensor, head.sensors[k], np.random.default_rng([run.seed, 7919, k]))
        for k, sensor in enumerate(run.sensors)
    ]
    side = _others(run, has_poses)
    waiting: list[tuple[int, int, Record]] = [(r.arrival_ns, k, r) for k, r in enumerate(side)]
    heapq.heapify(waiting)
    number = len(side)
    end = 0.0
    for chunk in run.chunks(_CHUNK_S):
        end += _CHUNK_S
        for sender, samples in zip(senders, chunk, strict=True):
            for packet in sender.send(samples):
                heapq.heappush(waiting, (packet.arrival_ns, number, packet))
                number += 1
        # What the next chunk holds cannot arrive before it was measured.
        while waiting and waiting[0][0] < end * 1e9:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _ns(t_s: float) -> int:
    return round(t_s * 1e9)


def _others(run: SimulatedRun, has_poses: bool) -> list[Link | Speed | Pose]:
    """Everything but packets, unsorted."""
    found: list[Link | Speed | Pose] = []
    radio = run.plan.radio
    for k, sensor in enumerate(run.sensors):
        segment = sensor.segment
        for t in np.arange(0.0, run.duration_s, _BATTERY_EVERY_S):
            state = "up" if t == 0.0 else "battery"
            percent = float(np.floor(97.0 - 3.0 * k - 100.0 * t / _BATTERY_LIFE_S))
            found.append(Link(_ns(t), segment, state, battery_percent=percent))
        breaks = [(o.start_s, o.end_s, "out of range") for o in radio.outages if o.segment is segment]
        breaks += [
            (r.t_s, r.t_s + _REBOOT_S, "sensor started over") for r in radio.reboots if r.segment is segment
        ]
        for start, end, why in breaks:
            found.append(Link(_ns(min(start + _NOTICE_S, end)), segment, "down", why))
            found.append(Link(_ns(end), segment, "up"))
    if run.plan.has_watch:
        for t, speed, grade, distance, heart in zip(*run.watch(), strict=True):
            found.append(
                Speed(
                    _ns(t + _WATCH_DELAY_S),
                    float(t),
                    speed_m_s=float(speed),
                    grade=float(grade),
                    distance_m=float(distance),
                    heart_rate_bpm=float(heart),
                    source="simulated watch",
                )
            )
    if has_poses:
        for kind, windows in (("standing", run.truth.standing[:1]), ("movement", run.truth.movement[:1])):
            found += [Pose(_ns(b), kind, a, b) for a, b in windows]
    return found


@dataclass(slots=True)
class _Sender:
    """One sensor's firmware and its radio: samples in, notifications with arrival times out."""

    run: SimulatedRun
    sensor: SimulatedSensor
    info: SensorInfo
    rng: np.random.Generator
    epoch: int = 0
    first_index: int = 0
    """Index of the sample that the present epoch began with."""
    started_s: float = 0.0
    """Session time at which the tick of the present epoch was zero."""
    last_arrival_s: float = 0.0
    counts: NDArray[np.int16] | None = None
    t_s: F8 | None = None
    index: int = 0
    """Index of the first sample held back."""

    def __post_init__(self) -> None:
        self.started_s = -self.sensor.tick_offset_s

    def send(self, chunk: SensorChunk) -> Iterator[Packet]:
        """Frames of a chunk; what does not fill a frame waits for the next chunk."""
        counts = latemiles_v1.counts_from_si(
            chunk.acc, chunk.gyr, acc_range=self.info.acc_range_m_s2, gyr_range=self.info.gyr_range_rad_s
        )
        t = chunk.t_s
        if self.counts is None or self.t_s is None:
            self.index = chunk.first_index
        else:
            counts, t = np.concatenate([self.counts, counts]), np.concatenate([self.t_s, t])
        size = self.run.plan.radio.samples_per_packet
        frames = len(t) // size
        starts = np.arange(frames) * size
        is_heard = self._heard(t[starts], t[starts + size - 1])
        arrivals = self._arrivals(t[starts + size - 1])
        whole = counts[: frames * size].reshape(frames, -1)
        is_clipped = ((whole == 32767) | (whole == -32768)).any(axis=1)
        for k in range(frames):
            first = self.index + k * size
            self._maybe_reboot(t[k * size], first)
            if is_heard[k]:
                flags = latemiles_v1.CLIPPED if is_clipped[k] else 0
                payload = self._frame(counts[k * size : (k + 1) * size], float(t[k * size]), first, flags)
                yield Packet(_ns(arrivals[k]), self.sensor.segment, payload)
        self.counts, self.t_s = counts[frames * size :], t[frames * size :]
        self.index += frames * size

    def _frame(self, block: NDArray[np.int16], t_s: float, index: int, flags: int) -> bytes:
        device_s = (t_s - self.started_s) * (1.0 + self.sensor.skew)
        return latemiles_v1.encode(
            block,
            first_index=index - self.first_index,
            tick=int(device_s * latemiles_v1.TICK_HZ),
            epoch=self.epoch,
            flags=flags,
        )

    def _maybe_reboot(self, t_s: float, index: int) -> None:
        done = self.epoch
        times = sorted(r.t_s for r in self.run.plan.radio.reboots if r.segment is self.sensor.segment)
        if done < len(times) and t_s >= times[done] + _REBOOT_S:
            self.epoch, self.first_index, self.started_s = done + 1, index, t_s - 0.25

    def _heard(self, first_s: F8, last_s: F8) -> B1:
        radio = self.run.plan.radio
        heard: B1 = self.rng.random(len(first_s)) >= radio.loss_share
        for outage in radio.outages:
            if outage.segment is self.sensor.segment:
                heard &= (last_s < outage.start_s) | (first_s >= outage.end_s)
        for reboot in radio.reboots:
            if reboot.segment is self.sensor.segment:
                heard &= (last_s < reboot.t_s) | (first_s >= reboot.t_s + _REBOOT_S)
        return heard

    def _arrivals(self, last_s: F8) -> F8:
        """When frames whose last sample was taken at ``last_s`` reach the host: late, not early, in order."""
        radio, n = self.run.plan.radio, len(last_s)
        ready = last_s + radio.delay_s
        phase = self.sensor.segment.lane * radio.interval_s / 3.0
        event = np.ceil((ready - phase) / radio.interval_s)
        repeats = (
            self.rng.geometric(1.0 - radio.retry_share, n) - 1 if radio.retry_share > 0.0 else np.zeros(n)
        )
        stall = (self.rng.random(n) < radio.stall_share) * self.rng.random(n) * _STALL_S
        sent = phase + (event + repeats) * radio.interval_s + stall + 200e-6 * self.rng.random(n)
        arrivals = np.maximum.accumulate(np.maximum(sent, self.last_arrival_s + 1e-6))
        if n:
            self.last_arrival_s = float(arrivals[-1])
        return np.asarray(arrivals, dtype=np.float64)
