"""Recordings that DOT sensors made inside themselves: a folder of CSV files becomes one run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from latemiles.errors import InputError, LatemilesError, TimeOrderError
from latemiles.recording.importers import import_file, import_to_recording
from latemiles.recording.reader import Recording
from latemiles.signals.frames import SEGMENTS, Segment, quat_conj, quat_multiply, quat_rotate

F8 = NDArray[np.float64]
RATE_HZ = 120.0
WRAP = 1 << 32
NAMES = {Segment.PELVIS: "pelvis", Segment.LEFT_THIGH: "L-thigh", Segment.RIGHT_THIGH: "Right Thigh"}
RATES = "PacketCounter,SampleTimeFine,Euler_X,Euler_Y,Euler_Z,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z"


class Motion:
    """A sensor that turns to and fro: what it measures and how it is oriented."""

    def __init__(self, n: int = 240, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.gyr: F8 = np.cumsum(rng.normal(0.0, 0.4, (n, 3)), axis=0)
        self.quat: F8 = np.empty((n, 4))
        q = np.array([1.0, 0.0, 0.0, 0.0])
        for k, rate in enumerate(self.gyr):
            angle = float(np.linalg.norm(rate)) / RATE_HZ
            step = np.r_[np.cos(angle / 2.0), np.sin(angle / 2.0) * rate / np.linalg.norm(rate)]
            q = quat_multiply(q, step)
            self.quat[k] = q
        self.free: F8 = rng.normal(0.0, 2.0, (n, 3))
        self.acc: F8 = quat_rotate(quat_conj(self.quat), self.free + np.array([0.0, 0.0, 9.81]))

    def euler_deg(self) -> F8:
        """Roll, pitch, yaw: turned about z, then the new y, then the new x."""
        w, x, y, z = self.quat.T
        return np.degrees(
            np.stack(
                [
                    np.arctan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y)),
                    np.arcsin(np.clip(2.0 * (w * y - z * x), -1.0, 1.0)),
                    np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)),
                ],
                axis=1,
            )
        )


def ticks(n: int, start: int = 0) -> NDArray[np.int64]:
    return (start + np.round(np.arange(n) * 1e6 / RATE_HZ).astype(np.int64)) % WRAP


def export(
    path: Path, header: str, columns: F8, us: NDArray[np.int64], tag: str, *about: str, mark: str = ","
) -> None:
    """A file as the app writes it."""
    lines = [
        f"sep={mark}",
        f"DeviceTag:,{tag}",
        "FirmwareVersion:,2.0.0",
        "AppVersion:,2021.0",
        *about,
        "StartTime: ,2021-08-30_17:05:05_250 GMT+8",
        "© Xsens Technologies B. V. 2005-2021",
        "",
        header,
        *(
            f"{k},{t}," + ",".join(f"{v:.14f}" for v in row)
            for k, (t, row) in enumerate(zip(us, columns, strict=True))
        ),
    ]
    path.write_text("\n".join(line.replace(",", mark) for line in lines) + "\n", encoding="utf-8")


def rates_of(m: Motion) -> F8:
    return np.column_stack([m.euler_deg(), m.acc, np.degrees(m.gyr)])


def folder_of_three(
    folder: Path, starts: tuple[int, int, int] = (0, 0, 0), *about: str
) -> dict[Segment, Motion]:
    motions = {segment: Motion(seed=k) for k, segment in enumerate(SEGMENTS)}
    for (segment, m), start in zip(motions.items(), starts, strict=True):
        path = folder / f"dot_{segment.value}_20210830.csv"
        export(path, RATES, rates_of(m), ticks(len(m.acc), start), NAMES[segment], *about)
    return motions


def test_three_files_become_one_run_on_one_clock_across_the_wrap(tmp_path: Path) -> None:
    folder = tmp_path / "sunday.run"
    folder.mkdir()
    motions = folder_of_three(folder, (WRAP - 500_000, WRAP - 100_000, 400_000), "SyncStatus:,Synced")
    streams, header = import_file("dot", folder, athlete="ann")
    assert (header.run, header.athlete) == ("sunday.run", "ann")
    # 2021-08-30 09:05:05.250 UTC.
    assert header.started_utc_ns == 1_630_314_305_250_000_000
    assert "firmware 2.0.0" in header.extra["pelvis"]
    assert "acceleration and turning rate" in header.extra["pelvis"]
    starts = {Segment.PELVIS: 0.0, Segment.LEFT_THIGH: 0.4, Segment.RIGHT_THIGH: 0.9}
    for segment, m in motions.items():
        s = streams[segment]
        np.testing.assert_allclose(s.t, starts[segment] + np.arange(len(s.t)) / RATE_HZ, atol=1e-6)
        np.testing.assert_allclose(s.acc, m.acc, atol=1e-9)
        np.testing.assert_allclose(s.gyr, m.gyr, atol=1e-9)
    out = import_to_recording("dot", folder, tmp_path / "run.mcap")
    with Recording.open(out) as recording:
        np.testing.assert_array_equal(recording.streams()[Segment.PELVIS].acc, streams[Segment.PELVIS].acc)


def increments(m: Motion) -> tuple[str, F8]:
    before = np.vstack([[1.0, 0.0, 0.0, 0.0], m.quat[:-1]])
    return "dq_W,dq_X,dq_Y,dq_Z,dv[1],dv[2],dv[3]", np.column_stack(
        [quat_multiply(quat_conj(before), m.quat), m.acc / RATE_HZ]
    )


@pytest.mark.parametrize(
    "made",
    [
        increments,
        lambda m: (
            "Quat_W,Quat_X,Quat_Y,Quat_Z,FreeAcc_X,FreeAcc_Y,FreeAcc_Z",
            np.column_stack([m.quat, m.free]),
        ),
        # Either sign is the same orientation.
        lambda m: (
            "Quat_W,Quat_X,Quat_Y,Quat_Z,FreeAcc_X,FreeAcc_Y,FreeAcc_Z",
            np.column_stack([-m.quat, m.free]),
        ),
        lambda m: (
            "Euler_X,Euler_Y,Euler_Z,FreeAcc_X,FreeAcc_Y,FreeAcc_Z",
            np.column_stack([m.euler_deg(), m.free]),
        ),
    ],
    ids=["increments", "quaternions", "negative quaternions", "euler"],
)
def test_what_the_sensor_measured_comes_back_from_what_it_made_of_it(tmp_path: Path, made) -> None:
    m = Motion(seed=4)
    header, columns = made(m)
    path = tmp_path / "pelvis.csv"
    export(path, f"PacketCounter,SampleTimeFine,{header},Status", columns, ticks(len(columns)), "x")
    text = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line + ",0" if line[:1].isdigit() else line for line in text), encoding="utf-8")
    s = import_file("dot", tmp_path)[0][Segment.PELVIS]
    # Times are rounded to a microsecond, steps of 8333 us are 4e-5 off.
    np.testing.assert_allclose(s.gyr[1:], m.gyr[1:], rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(s.acc[1:], m.acc[1:], rtol=2e-4, atol=2e-3)


def test_rows_before_the_first_measurement_are_missing_and_lost_packets_are_holes(tmp_path: Path) -> None:
    m = Motion()
    columns, us = rates_of(m), ticks(len(m.acc))
    columns[0, 3:] = 0.0
    keep = np.r_[0:50, 80 : len(us)]
    export(tmp_path / "pelvis.csv", RATES, columns[keep], us[keep], "pelvis", mark=";")
    s = import_file("dot", tmp_path)[0][Segment.PELVIS]
    assert np.isnan(s.acc[0]).all()
    assert np.isnan(s.gyr[0]).all()
    assert np.isfinite(s.acc[1:]).all()
    assert np.diff(s.t).max() == pytest.approx(31 / RATE_HZ, abs=1e-6)


def refused(folder: Path, kind: type[LatemilesError], *words: str) -> None:
    with pytest.raises(kind) as caught:
        import_file("dot", folder)
    text = str(caught.value)
    assert type(caught.value) is kind
    assert "\n" not in text
    assert text.endswith(".")
    for word in words:
        assert word in text


def test_sensors_that_share_no_clock_are_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    folder_of_three(tmp_path / "a", (0, 90_000_000, 0))
    refused(tmp_path / "a", TimeOrderError, "90 s apart", "Synchronize")
    (tmp_path / "b").mkdir()
    folder_of_three(tmp_path / "b", (0, 0, 0), "SyncStatus:,Unsynced")
    refused(tmp_path / "b", TimeOrderError, "Unsynced", "Synchronize")
    # One by itself needs no other's clock.
    for path in list((tmp_path / "b").iterdir())[1:]:
        path.unlink()
    assert len(import_file("dot", tmp_path / "b")[0]) == 1


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    refused(folder, InputError, "none (run)")
    m = Motion(20)
    columns, us = rates_of(m), ticks(20)
    export(folder / "a.csv", RATES, columns, us, "Dot 7")
    refused(folder, InputError, "'Dot 7'", "a.csv", "left_thigh")
    refused(folder / "a.csv", InputError, "folder")
    export(folder / "a.csv", RATES, columns, us, "pelvis")
    export(folder / "b.csv", RATES, columns, us, "Pelvis 2")
    refused(folder, InputError, "a.csv, b.csv")
    (folder / "b.csv").unlink()
    turned = us.copy()
    turned[10] = turned[8]
    export(folder / "a.csv", RATES, columns, turned, "pelvis")
    refused(folder, TimeOrderError, "lines 19 and 18", "a.csv")
    export(folder / "a.csv", RATES.replace("Gyr_", "Mag_"), columns, us, "pelvis")
    refused(folder, InputError, "FreeAcc_", "a.csv")
    export(folder / "a.csv", RATES, columns[:0], us[:0], "pelvis")
    refused(folder, InputError, "no rows")
    (folder / "a.csv").write_text("Dear runner,\nhere is my file.\n")
    refused(folder, InputError, "SampleTimeFine", "a.csv")
    (folder / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
    refused(folder, InputError, "text file", "a.csv")
    (folder / "a.csv").write_text(f"{RATES}\n0,0,1,2,3,4,5,6,7,8,abc\n")
    refused(folder, InputError, "abc", "line 2")
