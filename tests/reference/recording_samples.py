"""Records for the tests of the recording: strategies, and one small run of known content."""

from __future__ import annotations

import math
import random
from dataclasses import asdict
from pathlib import Path

from hypothesis import strategies as st

from latemiles.recording.writer import RecordingWriter
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Gone, Link, Mark, Packet, Pose, Record, RunHeader, SensorInfo, Speed

ARRIVALS = st.integers(0, 2**63 - 1)
FLOATS = st.floats()
TEXTS = st.text(st.characters(), max_size=12)
SEGMENT = st.sampled_from(list(Segment))

SENSORS = st.builds(
    SensorInfo,
    segment=SEGMENT,
    driver=TEXTS,
    rate_hz=FLOATS,
    serial=TEXTS,
    acc_range_m_s2=FLOATS,
    gyr_range_rad_s=FLOATS,
    firmware=TEXTS,
)
HEADERS = st.builds(
    RunHeader,
    run=TEXTS,
    athlete=TEXTS,
    started_utc_ns=st.integers(),
    sensors=st.lists(SENSORS, max_size=3).map(tuple),
    source=TEXTS,
    software=TEXTS,
    notes=TEXTS,
    extra=st.dictionaries(TEXTS, TEXTS, max_size=3),
)
RECORDS = st.one_of(
    st.builds(Packet, ARRIVALS, SEGMENT, st.binary(max_size=300)),
    st.builds(Gone, ARRIVALS, SEGMENT, st.integers(), TEXTS),
    st.builds(Link, ARRIVALS, SEGMENT, TEXTS, TEXTS, FLOATS),
    st.builds(Mark, ARRIVALS, TEXTS),
    st.builds(Pose, ARRIVALS, TEXTS, FLOATS, FLOATS),
    st.builds(Speed, ARRIVALS, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, TEXTS),
)

HEADER = RunHeader(
    "run-1",
    "ann",
    1_800_000_000_000_000_000,
    tuple(SensorInfo(segment, "some-driver", 208.0) for segment in SEGMENTS),
    "test",
)


def same(a: Record, b: Record) -> bool:
    """Equal to the last bit, with NaN equal to NaN and 0.0 unlike -0.0."""
    return type(a) is type(b) and _bits(asdict(a)) == _bits(asdict(b))


def _bits(value: object) -> object:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else (value.hex(), math.copysign(1.0, value))
    if isinstance(value, dict):
        return {key: _bits(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bits(item) for item in value]
    return value


def some_run(duration_s: float = 3.0, seed: int = 7) -> list[Record]:
    """Packets of three sensors, 10 a second each, with a mark, a pose, a speed and a link change."""
    rng = random.Random(seed)
    out: list[Record] = []
    for k in range(round(duration_s * 10)):
        now = k * 100_000_000
        out.extend(
            Packet(now + lane * 1000, segment, rng.randbytes(40)) for lane, segment in enumerate(SEGMENTS)
        )
        if k == 5:
            out.append(Pose(now, "standing", 0.1, 0.4))
        if k == 12:
            out.append(Mark(now, "bridge"))
            out.append(Speed(now, 1.2, speed_m_s=3.1))
        if k == 14:
            out.append(Link(now, Segment.LEFT_THIGH, "battery", battery_percent=71.0))
    return out


def write(path: Path, records: list[Record], header: RunHeader = HEADER) -> Path:
    """A whole recording of these records."""
    with RecordingWriter(path, header) as writer:
        for record in records:
            writer.append(record)
    return path
