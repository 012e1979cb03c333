"""Command ``replay``: a recording through the live path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latemiles.cli.context import UnitsOption, console, shown_step, state_of, units_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A recording (.mcap).")],
    speed: Annotated[float, typer.Option(min=0.1, help="Times real time.")] = 1.0,
    headless: Annotated[bool, typer.Option("--headless", help="No live page; as fast as it goes.")] = False,
    port: Annotated[int, typer.Option(help="Port of the live page, on this machine only.")] = 8765,
    units: UnitsOption = None,
    over_radio: Annotated[
        bool,
        typer.Option(
            "--over-radio",
            help="Let virtual sensors measure it again, through the real bleak client.",
        ),
    ] = False,
) -> None:
    """Play a recording through the live path: the live page moves as it did, and the report is made."""
    from latemiles.recording.reader import Recording
    from latemiles.session.play import PlayOptions, play

    home = state_of(context).find_home()
    with Recording.open(file) as recording:
        options = PlayOptions(
            home=home,
            speed=None if headless else speed,
            port=None if headless else port,
            units=units_of(home, units),
        )
        if over_radio:
            from latemiles.session.demo import replay_over_radio

            header, source = replay_over_radio(recording, speed=options.speed)
            outcome = play(
                source.records(header),
                header,
                options,
                recording=None,
                say=console().print,
                beside=source.attach,
                step=shown_step,
            )
        else:
            outcome = play(
                recording.records(),
                recording.header,
                options,
                recording=file,
                say=console().print,
                step=shown_step,
            )
    console().print(outcome.headline)
    console().print(f"  report: {outcome.report}")
