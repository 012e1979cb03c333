"""JSON lines: whole lines, none twice, whatever tore the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latemiles.sinks.follower import Follower
from latemiles.sinks.jsonl import JsonlSettings, JsonlSink
from latemiles.sinks.outbox import SinkUnavailable
from reference.sink_rows import filled_store, header, strides


async def drained(store, folder: Path) -> None:
    await Follower(store, JsonlSink(JsonlSettings(folder)), lambda _: None).drain()


async def test_every_kind_of_row_is_a_line_with_null_for_what_is_missing(tmp_path: Path):
    with filled_store(tmp_path / "s", 8) as store:
        await drained(store, tmp_path / "out")
    lines = (tmp_path / "out/me/run-1.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    assert [t["kind"] for t in told] == ["link"] * 3 + ["mark", "form_drift"] + ["stride"] * 8
    assert told[-1]["hip_flexion_rom_deg"] is None
    assert all(t["schema"] == f"latemiles/{t['kind']}/1" for t in told)
    assert not any("NaN" in line for line in lines)


async def test_a_torn_line_is_mended_and_nothing_is_written_twice(tmp_path: Path):
    path = tmp_path / "out/me/run-1.jsonl"
    with filled_store(tmp_path / "s", 20) as store:
        await drained(store, tmp_path / "out")
        whole = path.read_bytes()
        # The process died inside the last line, before it could note anything.
        path.write_bytes(whole[:-17])
        store._db.execute("DELETE FROM cursors")
        await drained(store, tmp_path / "out")
        assert path.read_bytes() == whole


async def test_a_replaced_run_begins_its_file_anew_wherever_the_batch_is_cut(tmp_path: Path):
    with filled_store(tmp_path / "s", 20) as store:
        await drained(store, tmp_path / "out")
        store.begin_run(header(), replace=True)
        store.commit("run-1", strides(5, 12))
        for batch in (3, 500):
            store._db.execute("UPDATE cursors SET id = 25")
            await Follower(
                store, JsonlSink(JsonlSettings(tmp_path / "out")), lambda _: None, batch=batch
            ).drain()
            lines = (tmp_path / "out/me/run-1.jsonl").read_text().splitlines()
            told = [json.loads(line) for line in lines]
            assert [t["kind"] for t in told] == ["replaced"] + ["stride"] * 7
            assert [t["index"] for t in told[1:]] == list(range(5, 12))


async def test_each_run_has_a_file_and_names_cannot_leave_the_folder(tmp_path: Path):
    with filled_store(tmp_path / "s", 2) as store:
        store.begin_run(header("../../evil", ".."))
        store.commit("../../evil", strides(0, 1))
        await drained(store, tmp_path / "out")
    files = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.jsonl"))
    assert files == ["%2E%2E/..%2F..%2Fevil.jsonl", "me/run-1.jsonl"]


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "out").write_text("a file")
    refused = pytest.raises(SinkUnavailable, match=r"cannot be written.*folder of \[jsonl\]")
    with filled_store(tmp_path / "s", 2) as store, refused:
        await drained(store, tmp_path / "out")
    with pytest.raises(SinkUnavailable, match="cannot be made"):
        await JsonlSink(JsonlSettings(tmp_path / "out")).check()
