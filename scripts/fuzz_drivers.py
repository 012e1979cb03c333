"""Throws bytes at everything that reads a radio: nothing but PacketError may come out.

python scripts/fuzz_drivers.py [seconds]     guided by coverage where atheris is installed, else by chance
"""

from __future__ import annotations

import importlib.util
import random
import sys
import time
import warnings
from collections.abc import Callable

from latemiles.errors import PacketError
from latemiles.sensors import about, flash_log, protocol
from latemiles.sensors.drivers import metamotion, polar
from latemiles.sensors.drivers.bundle import bundled, unbundled
from latemiles.sensors.profiles import heart_rate, running_speed_cadence, treadmill
from latemiles.sensors.registry import DRIVERS, driver_named

READERS: tuple[Callable[[bytes], object], ...] = (
    *(driver_named(name).decode for name in sorted(DRIVERS)),
    # Past the envelope of bundles, where chance would hardly get.
    *(
        lambda payload, name=name: driver_named(name).decode(
            bundled([payload[: len(payload) // 2], payload[len(payload) // 2 :]])
        )
        for name in (polar.NAME, metamotion.NAME)
    ),
    polar.frame,
    metamotion.triples,
    unbundled,
    about.Status.decode,
    about.Info.decode,
    protocol.Result.decode,
    protocol.Started.decode,
    about.Advert.decode,
    protocol.clock_answer,
    protocol.resend_ranges,
    protocol.frame_head,
    lambda payload: flash_log.page_frame(payload, 1),
    heart_rate.decode,
    running_speed_cadence.decode,
    treadmill.decode,
)
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


def one(payload: bytes) -> None:
    """Let every reader see some bytes."""
    for read in READERS:
        try:
            read(payload)
        except PacketError:
            continue


def by_chance(seconds: float) -> int:
    """Random bytes behind likely beginnings, for so long; how many."""
    chance, count, end = random.Random(0), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        one(chance.choice(HEADS) + chance.randbytes(chance.randrange(260)))
        count += 1
    return count


def main(arguments: list[str]) -> int:
    """Fuzz for some seconds."""
    warnings.simplefilter("error")
    seconds = float(arguments[0]) if arguments else 20.0
    if importlib.util.find_spec("atheris") is None:
        print(f"{by_chance(seconds)} payloads by chance through {len(READERS)} readers: only PacketError")
        return 0
    import atheris

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds:.0f}", "-max_len=512"], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
