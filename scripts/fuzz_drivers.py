"""Throws bytes at everything that reads a radio: nothing but PacketError may come out.

python scripts/fuzz_drivers.py [seconds]     guided by coverage where atheris is installed, else by chance
"""

from __future__ import annotations

import contextlib
import importlib.util
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

Reader = Callable[[bytes], object]

HEADS = (
    b"",
    b"LMS1",
    b"LMB1\x02",
    b"\x10",
    b"\x11",
    b"\x55\x61",
    b"\x02",
    b"\x03",
    b"\x05",
    b"\x80",
    b"\x01",
)
"""Beginnings that get past the first look of a reader."""
BUDGET_BYTES = 512


def readers() -> dict[str, Reader]:
    """Everything that takes bytes off the air, by name; imported here, so that it may be instrumented."""
    from latemiles.sensors import about, flash_log, protocol
    from latemiles.sensors.drivers import metamotion, polar
    from latemiles.sensors.drivers.bundle import bundled, unbundled
    from latemiles.sensors.profiles import heart_rate, running_speed_cadence, treadmill
    from latemiles.sensors.recipes import RECIPES
    from latemiles.sensors.registry import DRIVERS, driver_named

    found: dict[str, Reader] = {name: driver_named(name).decode for name in sorted(DRIVERS)}
    for name in (polar.NAME, metamotion.NAME):
        # Past the envelope of bundles, where chance would hardly get.
        found[f"{name}, bundled"] = (
            lambda payload, name=name: driver_named(name).decode(  # type: ignore[misc]
                bundled([payload[: len(payload) // 2], payload[len(payload) // 2 :]])
            )
        )
    for name, recipe in RECIPES.items():
        found[f"{name}, joined"] = (
            lambda payload, recipe=recipe: [  # type: ignore[misc]
                joined.feed(part)
                for joined in (recipe.joiner(),)
                for part in (payload[:20], payload[20:], payload)
            ]
        )
    return found | {
        "polar frame": polar.frame,
        "metamotion triples": metamotion.triples,
        "bundle": unbundled,
        "status": about.Status.decode,
        "info": about.Info.decode,
        "advertisement": about.Advert.decode,
        "result": protocol.Result.decode,
        "started": protocol.Started.decode,
        "clock answer": protocol.clock_answer,
        "resend ranges": protocol.resend_ranges,
        "frame head": protocol.frame_head,
        "flash page": lambda payload: flash_log.page_frame(payload, 1),
        "heart rate": heart_rate.decode,
        "running speed and cadence": running_speed_cadence.decode,
        "treadmill": treadmill.decode,
    }


def one(payload: bytes, every: dict[str, Reader]) -> None:
    """Let every reader see some bytes."""
    from latemiles.errors import PacketError

    for name, read in every.items():
        try:
            read(payload)
        except PacketError:
            continue
        except BaseException as error:
            error.add_note(f"Reader '{name}', payload {payload.hex()}")
            raise


def seeds() -> Iterator[bytes]:
    """Payloads that are well formed, for a start."""
    import numpy as np

    from latemiles.sensors import about
    from latemiles.sensors.drivers import latemiles_v1, samples
    from latemiles.sensors.drivers.bundle import bundled

    counts = np.arange(60, dtype="<i2").reshape(10, 6)
    yield latemiles_v1.encode(counts, first_index=7, tick=9)
    yield samples.encode(np.arange(3.0), np.ones((3, 3)), np.ones((3, 3)))
    yield about.Info(serial=5).encode()
    yield about.Status().encode()
    yield b"\x55\x61" + bytes(18)
    yield bytes(28)
    yield b"\x02\x63" + bytes(28)
    polar_acc, polar_gyr = b"\x02" + bytes(8) + b"\x01" + bytes(12), b"\x05" + bytes(8) + b"\x80" + bytes(12)
    yield polar_acc
    yield polar_gyr
    yield bundled([polar_acc, polar_gyr])
    yield bundled([b"\x03\x04" + bytes(18), b"\x13\x05" + bytes(18)])


def by_chance(count: int, seed: int = 0) -> Iterator[bytes]:
    """Random bytes behind likely beginnings, and well-formed payloads with some of their bytes changed."""
    chance, known = random.Random(seed), list(seeds())
    for k in range(count):
        if k % 2:
            yield chance.choice(HEADS) + chance.randbytes(chance.randrange(260))
            continue
        payload = bytearray(chance.choice(known))
        for _ in range(chance.randrange(4)):
            payload[chance.randrange(len(payload))] = chance.randrange(256)
        yield bytes(payload[: chance.randrange(len(payload) + 1)] if chance.random() < 0.3 else payload)


def for_so_long(seconds: float) -> int:
    """Chance for some seconds; how many payloads that were."""
    every, count, end = readers(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for payload in by_chance(500, seed=count):
            one(payload, every)
        count += 500
    return count


def guided(seconds: float) -> None:
    """Let atheris look for bytes that reach further into the readers; does not return."""
    import atheris

    with atheris.instrument_imports(include=["latemiles.sensors"]):
        every = readers()
    corpus = Path(tempfile.mkdtemp(prefix="latemiles-fuzz-"))
    for k, payload in enumerate(seeds()):
        (corpus / f"seed-{k}").write_bytes(payload)
    print(f"{len(every)} readers, guided by coverage for {seconds:.0f} s; what is found lies in {corpus}")
    options = [
        f"-max_total_time={seconds:.0f}",
        f"-max_len={BUDGET_BYTES}",
        f"-artifact_prefix={corpus}/found-",
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], lambda payload: one(payload, every))
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """Fuzz for some seconds."""
    warnings.simplefilter("error", RuntimeWarning)
    seconds = float(arguments[0]) if arguments else 20.0
    if importlib.util.find_spec("atheris") is not None:
        # Fuzz ends the process by itself.
        with contextlib.suppress(KeyboardInterrupt):
            guided(seconds)
        return 0
    print(f"{for_so_long(seconds)} payloads by chance through {len(readers())} readers: only PacketError")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
