"""Files of other systems: what is in them comes through to the bit, what is wrong with them is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from latemiles.errors import (
    ConfigError,
    InputError,
    LatemilesError,
    RecordingError,
    ShapeError,
    TimeOrderError,
    UnitError,
)
from latemiles.recording.importers import import_file, import_to_recording
from latemiles.recording.importers.csv_samples import COLUMNS
from latemiles.recording.reader import Recording
from latemiles.recording.verify import verify
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import SensorInfo

F8 = NDArray[np.float64]
HEADER = ",".join(COLUMNS)
RATE_HZ = 100.0


def walk(n: int = 400, seed: int = 3) -> dict[Segment, ImuStream]:
    """Numbers of the size that a walk has, without any meaning."""
    rng = np.random.default_rng(seed)
    return {
        segment: ImuStream(
            np.arange(n) / RATE_HZ + 1e-4 * k,
            rng.normal([0.0, 0.0, 9.81], 1.5, (n, 3)),
            rng.normal(0.0, 1.0, (n, 3)),
        )
        for k, segment in enumerate(SEGMENTS)
    }


def rows_of(streams: dict[Segment, ImuStream]) -> list[str]:
    out = []
    for segment, s in streams.items():
        table = np.column_stack([s.t, s.acc, s.gyr])
        out += [f"{segment}," + ",".join(map(repr, map(float, row))) for row in table]
    return out


def csv_file(folder: Path, rows: list[str], header: str = HEADER) -> Path:
    path = folder / "walk.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def npz_file(folder: Path, **arrays: object) -> Path:
    path = folder / "walk.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def equal(a: dict[Segment, ImuStream], b: dict[Segment, ImuStream]) -> bool:
    return a.keys() == b.keys() and all(
        np.array_equal(getattr(a[s], x), getattr(b[s], x), equal_nan=True)
        for s in a
        for x in ("t", "acc", "gyr")
    )


def refused(format_name: str, path: Path, kind: type[LatemilesError], *words: str) -> None:
    with pytest.raises(kind) as caught:
        import_file(format_name, path)
    text = str(caught.value)
    assert type(caught.value) is kind
    assert "\n" not in text
    assert text.endswith(".")
    for word in (*words, path.name):
        assert word in text


def test_csv_goes_through_a_recording_to_the_bit(tmp_path: Path) -> None:
    streams = walk()
    streams[Segment.PELVIS].acc[5:9] = np.nan
    path = csv_file(tmp_path, rows_of(streams))
    read, header = import_file("csv", path, athlete="ann")
    assert equal(read, streams)
    assert (header.athlete, header.run, header.source) == ("ann", "walk", "imported from walk.csv")
    out = import_to_recording("csv", path, tmp_path / "walk.mcap", athlete="ann")
    with Recording.open(out) as recording:
        assert equal(recording.streams(), streams)
        # NaN ranges: equal as text, not as numbers.
        assert repr(recording.header) == repr(header)
    report = verify(out)
    assert report.ok
    assert {s: c.samples for s, c in report.samples.items()} == dict.fromkeys(SEGMENTS, 400)


def test_rows_may_be_mixed_columns_reordered_and_cells_empty(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        [
            "0,pelvis,x,1,2,3,4,5,6",
            "0.5,left_thigh,x,,,,4,5,6",
            "",
            "0.01, pelvis ,x,nan,2,3,4,5,6",
        ],
        header="\ufefft_s,segment,comment," + ",".join(COLUMNS[2:]),
    )
    streams, _ = import_file("csv", path)
    assert streams[Segment.PELVIS].t.tolist() == [0.0, 0.01]
    assert np.isnan(streams[Segment.LEFT_THIGH].acc).all()
    assert streams[Segment.LEFT_THIGH].gyr.tolist() == [[4.0, 5.0, 6.0]]


def test_one_sensor_may_be_missing(tmp_path: Path) -> None:
    streams = walk()
    del streams[Segment.LEFT_THIGH]
    assert equal(import_file("csv", csv_file(tmp_path, rows_of(streams)))[0], streams)


GOOD = "pelvis,{t},0,0,9.81,0,0,0"
BAD_CSV: list[tuple[str, str, type[LatemilesError], tuple[str, ...]]] = [
    ("empty", "", InputError, ("empty file",)),
    ("header only", HEADER + "\n", InputError, ("no rows",)),
    ("missing column", HEADER.replace(",gyr_z_rad_s", "") + "\n", InputError, ("gyr_z_rad_s",)),
    ("acc in g", HEADER.replace("m_s2", "g") + "\n", UnitError, ("acc_x_g", "9.80665")),
    ("gyr in deg", HEADER.replace("rad_s", "deg_s") + "\n", UnitError, ("gyr_x_deg_s", "pi / 180")),
    ("t in ms", HEADER.replace("t_s", "t_ms") + "\n", UnitError, ("t_ms",)),
    ("semicolons", HEADER.replace(",", ";") + "\n", InputError, ("commas",)),
    (
        "a letter",
        f"{HEADER}\n{GOOD}\npelvis,0.01,0,abc,9.81,0,0,0\n",
        InputError,
        ("'abc'", "line 3", "acc_y"),
    ),
    ("no time", f"{HEADER}\npelvis,,0,0,9.81,0,0,0\n", InputError, ("t_s", "line 2")),
    ("nan time", f"{HEADER}\npelvis,nan,0,0,9.81,0,0,0\n", TimeOrderError, ("line 2",)),
    ("short row", f"{HEADER}\npelvis,0,0,0\n", InputError, ("line 2",)),
    ("a segment", f"{HEADER}\nshank,0,0,0,9.81,0,0,0\n", InputError, ("'shank'", "line 2", "left_thigh")),
    ("infinity", f"{HEADER}\npelvis,0,inf,0,9.81,0,0,0\n", InputError, ("infinity",)),
    ("prose", "Dear runner,\nhere is my file.\n", InputError, ("Dear runner",)),
    ("one quote", f'{HEADER}\n"pelvis,' + "0,0\n" * 40_000, InputError, ("line",)),
]


@pytest.mark.parametrize(("text", "kind", "words"), [b[1:] for b in BAD_CSV], ids=[b[0] for b in BAD_CSV])
def test_a_bad_csv_is_refused_in_one_line(
    tmp_path: Path, text: str, kind: type[LatemilesError], words: tuple[str, ...]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text.replace("{t}", "0"))
    refused("csv", path, kind, *words)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(bytes(range(256)) * 10)
    refused("csv", path, InputError, "UTF-8")


@pytest.mark.parametrize(("time", "advice"), [("0.015", "Sort the rows"), ("0.02", "Drop the repeated")])
def test_rows_out_of_order_are_named_by_line(tmp_path: Path, time: str, advice: str) -> None:
    rows = [GOOD.format(t=t) for t in ("0", "0.01", "0.02", time, "0.03")]
    refused("csv", csv_file(tmp_path, rows), TimeOrderError, "lines 5 and 4", advice)


WRONG_UNITS: list[tuple[str, Callable[[ImuStream], ImuStream], str]] = [
    ("g", lambda s: ImuStream(s.t, s.acc / 9.80665, s.gyr), "m/s^2"),
    ("mg", lambda s: ImuStream(s.t, s.acc / 9.80665e-3, s.gyr), "m/s^2"),
    ("deg/s", lambda s: ImuStream(s.t, s.acc, np.rad2deg(s.gyr)), "rad/s"),
    ("ms", lambda s: ImuStream(s.t * 1e3, s.acc, s.gyr), "1000"),
    ("us", lambda s: ImuStream(s.t * 1e6, s.acc, s.gyr), "times in s"),
]


@pytest.mark.parametrize(("wrong", "word"), [w[1:] for w in WRONG_UNITS], ids=[w[0] for w in WRONG_UNITS])
def test_numbers_that_cannot_be_in_their_unit_are_refused(
    tmp_path: Path, wrong: Callable[[ImuStream], ImuStream], word: str
) -> None:
    streams = walk()
    streams[Segment.RIGHT_THIGH] = wrong(streams[Segment.RIGHT_THIGH])
    refused("csv", csv_file(tmp_path, rows_of(streams)), UnitError, word, "right_thigh")


def test_times_counted_from_1970_begin_at_the_run(tmp_path: Path) -> None:
    streams = {segment: ImuStream(s.t + 1_700_000_000.25, s.acc, s.gyr) for segment, s in walk().items()}
    read, header = import_file("csv", csv_file(tmp_path, rows_of(streams)))
    assert header.started_utc_ns == 1_700_000_000_000_000_000
    assert header.extra["time_shift_s"] == "1700000000"
    assert np.array_equal(read[Segment.PELVIS].t + 1_700_000_000, streams[Segment.PELVIS].t)


def test_times_below_zero_begin_above(tmp_path: Path) -> None:
    streams = {segment: ImuStream(s.t - 1.5, s.acc, s.gyr) for segment, s in walk().items()}
    read, header = import_file("csv", csv_file(tmp_path, rows_of(streams)))
    assert (read[Segment.PELVIS].t[0], header.started_utc_ns) == (0.5, 0)


def test_npz_goes_through_a_recording_to_the_bit(tmp_path: Path) -> None:
    s = walk()[Segment.PELVIS]
    path = npz_file(
        tmp_path, t=s.t, acc_pelvis=s.acc, gyr_pelvis=s.gyr, t_left_thigh=s.t[:50] + 0.003,
        acc_left_thigh=s.acc[:50].astype(np.float32), gyr_left_thigh=s.gyr[:50], note=np.array("hello"),
    )  # fmt: skip
    streams, _ = import_file("npz", path)
    assert set(streams) == {Segment.PELVIS, Segment.LEFT_THIGH}
    assert np.array_equal(streams[Segment.LEFT_THIGH].t, s.t[:50] + 0.003)
    out = import_to_recording("npz", path, tmp_path / "a.mcap")
    assert equal(Recording.open(out).streams(), streams)


@pytest.mark.parametrize("name", ["jogging_on_the_spot", "walking_with_turns"])
def test_real_people_go_through_a_recording_to_the_bit(name: str, data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / f"{name}.npz"
    streams, header = import_file("npz", path)
    assert len(header.sensors) == 3
    assert all(isinstance(s, SensorInfo) and abs(s.rate_hz - 100.0) < 1e-6 for s in header.sensors)
    out = import_to_recording("npz", path, tmp_path / "a.mcap")
    assert equal(Recording.open(out).streams(), streams)
    assert all(not np.isnan(s.acc).any() for s in streams.values())


def test_bad_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    s = walk()[Segment.PELVIS]
    refused("npz", npz_file(tmp_path, t=s.t, a=s.acc), InputError, "acc_<segment>")
    refused("npz", npz_file(tmp_path), InputError, "no keys")
    refused("npz", npz_file(tmp_path, t=s.t, acc_pelvis=s.acc), InputError, "no gyr_pelvis")
    refused("npz", npz_file(tmp_path, acc_pelvis=s.acc, gyr_pelvis=s.gyr), InputError, "no t")
    pelvis = {"acc_pelvis": s.acc, "gyr_pelvis": s.gyr}
    refused("npz", npz_file(tmp_path, t=s.t, **(pelvis | {"gyr_pelvis": s.gyr.T})), ShapeError, "Transpose")
    refused("npz", npz_file(tmp_path, t=s.t[:-1], **pelvis), ShapeError, "pelvis")
    refused("npz", npz_file(tmp_path, t=s.t[::-1], **pelvis), TimeOrderError, "Sort")
    refused("npz", npz_file(tmp_path, t=np.array(["a"] * 400), **pelvis), InputError, "numbers in t")
    refused("npz", npz_file(tmp_path, t=np.array([None] * 400), **pelvis), InputError, "pickled")
    refused(
        "npz", npz_file(tmp_path, t=s.t[:0], acc_pelvis=s.acc[:0], gyr_pelvis=s.gyr[:0]), InputError, "none"
    )
    refused("npz", npz_file(tmp_path, t=s.t, **(pelvis | {"acc_pelvis": s.acc / 9.81})), UnitError, "m/s^2")


@pytest.mark.parametrize("content", [b"", b"segment,t_s\n", b"PK\x03\x04 no more", bytes(1000)])
def test_bytes_that_are_no_archive_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    refused("npz", path, InputError)


def test_a_damaged_archive_is_refused_wherever_the_damage_is(tmp_path: Path) -> None:
    s = walk(20)[Segment.PELVIS]
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, t=s.t, acc_pelvis=s.acc, gyr_pelvis=s.gyr)
    data = path.read_bytes()
    for place in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            import_file("npz", path)
        except LatemilesError as error:
            assert "\n" not in str(error)  # noqa: PT017 (most bytes raise, a few do not matter)
        path.write_bytes(data[:place])
        with pytest.raises(InputError):
            import_file("npz", path)


def test_a_single_array_is_not_an_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    refused("npz", tmp_path / "a.npy", InputError, "single array")


def test_an_unknown_format_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="csv, dot, npz") as caught:
        import_file("xlsx", tmp_path / "a.xlsx")
    assert caught.value.exit_status == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for format_name in ("csv", "npz"):
        with pytest.raises(RecordingError, match="no such file"):
            import_file(format_name, tmp_path / "none")


def test_a_failed_import_leaves_nothing_behind_and_overwrites_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.mcap"
    with pytest.raises(TimeOrderError):
        import_to_recording("csv", csv_file(tmp_path, [GOOD.format(t=t) for t in (1, 0)]), out)
    assert not out.exists()
    out.write_text("mine")
    with pytest.raises(RecordingError, match="never overwritten"):
        import_to_recording("csv", csv_file(tmp_path, [GOOD.format(t=0)]), out)
    assert out.read_text() == "mine"
