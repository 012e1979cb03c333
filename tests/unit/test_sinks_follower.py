"""The follower: every row arrives, in order, whatever the other side does; and a person hears one line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from latemiles.sinks.follower import Backoff, Follower
from latemiles.sinks.outbox import SinkRefused
from reference.sink_rows import Notebook, filled_store, outage, strides, until

FAST = {"first_s": 0.001, "longest_s": 0.004}


def follower_of(store, sink, said=None, **more) -> Follower:
    """A follower that does not wait long."""
    words = [] if said is None else said
    return Follower(store, sink, words.append, Backoff(**FAST), poll_s=0.01, **more)


async def test_waits_double_up_to_the_cap_and_are_jittered():
    backoff = Backoff(1.0, 8.0)
    waits = [backoff.next_s() for _ in range(40)]
    assert all(0.5 * full <= w <= full for w, full in zip(waits, [1.0, 2.0, 4.0, *[8.0] * 37], strict=True))
    assert len({round(w, 6) for w in waits}) > 35
    backoff.reset()
    assert backoff.next_s() <= 1.0


async def test_an_outage_is_said_once_and_its_end_once(tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 30) as store:
        sink, said = Notebook(), []
        sink.failures = [outage() for _ in range(6)]
        follower = follower_of(store, sink, said)
        follower.finish()
        await follower.run()
        assert len(sink.got) == 35
        assert [line.partition(".")[0] for line in said] == [
            "The notebook does not answer",
            "The notebook takes rows again; what waited is being sent",
        ]


async def test_a_single_missed_answer_is_no_news(tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 30) as store:
        sink, said = Notebook(), []
        sink.failures = [outage()]
        follower = follower_of(store, sink, said)
        follower.finish()
        await follower.run()
        assert len(sink.got) == 35
        assert said == []


async def test_a_refusal_during_an_outage_is_said_too_because_a_person_must_mend_it(tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 3) as store:
        sink, said = Notebook(), []
        refused = SinkRefused("The notebook refuses the token. Give another.")
        sink.failures = [outage(), outage(), refused, refused, outage(), refused]
        follower = follower_of(store, sink, said)
        follower.finish()
        await follower.run()
        assert sum("refuses the token" in line for line in said) == 1
        assert len(said) == 3


async def test_memory_is_one_batch_however_much_waits(tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 400) as store:
        sink = Notebook()
        follower = follower_of(store, sink, batch=50)
        follower.finish()
        await follower.run()
        assert max(sink.batches) == 50
        assert sink.order == sorted(sink.order)
        assert len(sink.got) == 405


async def test_rows_that_are_refused_are_kept_aside_with_the_reason_and_the_rest_goes_on(tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 20) as store:
        sink, said = Notebook(), []
        sink.bad = {7, 11}
        follower = follower_of(store, sink, said)
        follower.finish()
        await follower.run()
        assert len(sink.got) == 23
        assert [(bad.id, bad.kind, bad.problem) for bad in store.rows_set_aside("notebook")] == [
            (7, "stride", "no."),
            (11, "stride", "no."),
        ]
        assert len(said) == 1
        assert store.waiting("notebook") == 0
        store.delete_run("run-1")
        assert store.rows_set_aside("notebook") == []


async def test_new_rows_are_delivered_at_once_when_somebody_wakes_it(tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 2) as store:
        sink = Notebook()
        follower = Follower(store, sink, lambda _: None, Backoff(**FAST), poll_s=60.0)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(follower.run())
            for k in range(2, 6):
                await until(lambda: not store.waiting("notebook"))
                store.commit("run-1", strides(k, k + 1))
                follower.wake()
            follower.finish()
        assert len(sink.got) == 11


async def test_drain_delivers_what_waits_and_gives_up_at_trouble(tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 100) as store:
        sink, seen = Notebook(), []
        await follower_of(store, sink, batch=40).drain(seen.append)
        assert seen == [40, 80, 105]
        store.commit("run-1", strides(100, 101))
        sink.failures = [SinkRefused("No. Mend it.")]
        with pytest.raises(SinkRefused):
            await follower_of(store, sink).drain()
        assert not sink.is_open
