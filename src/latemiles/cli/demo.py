"""Command ``demo``: the whole system on a simulated runner who tires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from latemiles.cli.context import UnitsOption, console, shown_step, state_of, units_of
from latemiles.errors import EnvironmentMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from latemiles.session.live import LiveSession
    from latemiles.signals.records import Record, RunHeader

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    speed: Annotated[float, typer.Option(min=0.1, help="Times real time.")] = 30.0,
    duration: Annotated[
        float, typer.Option(min=1.0, metavar="MIN", help="Length of the run, minutes.")
    ] = 25.0,
    headless: Annotated[bool, typer.Option("--headless", help="No live page; as fast as it goes.")] = False,
    port: Annotated[int, typer.Option(help="Port of the live page, on this machine only.")] = 8765,
    seed: Annotated[int, typer.Option(help="Another runner for each number.")] = 1,
    radio: Annotated[
        bool, typer.Option("--radio/--no-radio", help="Over the virtual radio and the real bleak client.")
    ] = True,
    units: UnitsOption = None,
) -> None:
    """Three simulated sensors on a simulated runner who tires: live page, recording, report.

    Through a virtual radio and the same Bluetooth code as a real run, where the extra 'sim' is installed.
    """
    from latemiles.session.play import PlayOptions, play

    home = state_of(context).find_home()
    out = console()
    pace = None if headless else speed
    header, records, beside = _run(duration, seed, pace, radio=radio, say=out.print)
    out.print(
        f"A simulated runner, {duration:g} minutes at "
        f"{'full speed' if headless else f'{speed:g} times real time'}. Nothing here is a real person."
    )
    options = PlayOptions(home=home, speed=pace, port=None if headless else port, units=units_of(home, units))
    outcome = play(records, header, options, recording=None, say=out.print, beside=beside, step=shown_step)
    out.print(outcome.headline)
    out.print(f"  report:    {outcome.report}")
    out.print(f"  recording: {outcome.recording}")
    out.print("Open the report in a browser; play the recording again with 'latemiles replay'.")


def _run(
    duration: float, seed: int, pace: float | None, *, radio: bool, say: Callable[[str], None]
) -> tuple[RunHeader, Iterator[Record] | AsyncIterator[Record], Callable[[LiveSession], None] | None]:
    """The run, over the radio if that is possible and wanted."""
    from latemiles.session.demo import demo_over_radio, demo_records

    if radio:
        try:
            header, source = demo_over_radio(duration_min=duration, seed=seed, speed=pace)
        except EnvironmentMissing as missing:
            say(f"{missing} Until then the simulated packets go straight to the session.")
        else:
            say("Three virtual sensors are linked over a virtual radio, through the real Bluetooth code.")
            return header, source.records(header), source.attach
    return *demo_records(duration_min=duration, seed=seed), None
