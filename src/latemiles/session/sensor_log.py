"""What a sensor wrote to its flash while no host heard it, as recordings: one for each of its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from latemiles.recording.writer import RecordingWriter
from latemiles.sensors import about, protocol
from latemiles.sensors.about import Info
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.flash_log import Page
from latemiles.sensors.protocol import FrameHead, Start
from latemiles.signals.frames import Segment
from latemiles.signals.records import Packet, RunHeader, SensorInfo

__all__ = ["log_recordings"]

_WRAP: Final = 1 << 32
_HALF: Final = 1 << 31
_NS: Final = 1_000_000_000
_NOTES: Final = (
    "Read from the sensor's flash log: only what no host heard, on the sensor's own clock. The log does not "
    "say which ranges were set; those of this program are assumed."
)


def log_recordings(pages: Sequence[Page], info: Info, segment: Segment, folder: Path) -> list[Path]:
    """Write the pages of a log into recordings.

    Parameters
    ----------
    pages : sequence of Page
        Whole pages, in the order of their numbers.
    info : Info
        Of the sensor.
    segment : Segment
        Where it sits.
    folder : Path
        Where the recordings go; one that exists is left alone and another name is taken.

    Returns
    -------
    list of Path
        The recordings, oldest session first.

    Raises
    ------
    RecordingError
        If one cannot be written.
    """
    sessions: dict[int, list[Page]] = {}
    for page in pages:
        sessions.setdefault(page.session, []).append(page)
    return [_written(found, info, segment, folder) for found in sessions.values()]


def _written(pages: list[Page], info: Info, segment: Segment, folder: Path) -> Path:
    heads = [head for page in pages if (head := protocol.frame_head(page.frame)) is not None]
    times_s = _seconds(heads)
    serial = about.serial_text(info.serial)
    stem, number = f"log-{serial[-4:]}-{pages[0].session:08x}", 1
    while (path := folder / f"{stem}{f'-{number}' if number > 1 else ''}.mcap").exists():
        number += 1
    rate_hz, start = _rate(heads, info), Start()
    # A page is written when its last sample has been taken.
    told = next((k for k, page in enumerate(pages) if page.utc_s), None)
    began_s = pages[told].utc_s - times_s[told] if told is not None else 0.0
    sensor = SensorInfo(
        segment=segment,
        driver=latemiles_v1.NAME,
        rate_hz=rate_hz,
        serial=serial,
        acc_range_m_s2=start.acc_range_g * latemiles_v1.ACC_RANGE_M_S2 / 16.0,
        gyr_range_rad_s=start.gyr_range_dps * latemiles_v1.GYR_RANGE_RAD_S / 2000.0,
        firmware=info.firmware_text,
    )
    header = RunHeader(
        run=path.stem,
        started_utc_ns=max(0, round(began_s)) * _NS,
        sensors=(sensor,),
        source="flash log of a sensor",
        notes=_NOTES,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with RecordingWriter(path, header) as writer:
        for page, head, t_s in zip(pages, heads, times_s, strict=True):
            # Nobody heard it, so that it has no time of arrival: when its last sample had been taken.
            writer.append(Packet(round((t_s + head.n / rate_hz) * 1e9), segment, page.frame))
    return path


def _seconds(heads: list[FrameHead]) -> list[float]:
    """Time of each frame's first sample on the sensor's clock, s since the first; ticks wrap."""
    ticks, at = [0], 0
    for before, head in pairwise(heads):
        at += (head.tick - before.tick + _HALF) % _WRAP - _HALF
        ticks.append(at)
    return [tick / latemiles_v1.TICK_HZ for tick in ticks]


def _rate(heads: list[FrameHead], info: Info) -> float:
    """The offered rate that is nearest to that of the samples."""
    steps = [
        head.n * latemiles_v1.TICK_HZ / ((after.tick - head.tick) % _WRAP)
        for head, after in pairwise(heads)
        if after.first == head.first + head.n and after.tick != head.tick
    ]
    offered = info.rates_hz or (Start().rate_hz,)
    return float(min(offered, key=lambda rate: abs(rate - median(steps)))) if steps else float(offered[-1])
