"""What every command is given: the home folder, and how to show progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from latemiles.session.air import Air, Desk
    from latemiles.session.home import Home

__all__ = [
    "State",
    "UnitsOption",
    "console",
    "print_table",
    "progress_bar",
    "shown_step",
    "state_of",
    "units_of",
]

UnitsOption = Annotated[
    str | None, typer.Option(help="metric or mile. Default: units in settings.toml, else metric.")
]
"""What distances are counted in and how long a split is, of every command that has any."""

_WIDE: Final = 200
"""Characters of a line that nobody folds."""

VIRTUAL: Final = "virtual"
"""Folder in the home folder where all of the sensors of ``--virtual`` goes."""


@dataclass(frozen=True, slots=True)
class State:
    """Global options."""

    home: Path | None
    debug: bool
    air: Air | None = None
    """Where runs listen; None: to the system's Bluetooth."""
    is_virtual: bool = False
    """Whether ``--virtual`` asked for simulated sensors: their places and runs are kept apart."""

    @property
    def desk(self) -> Desk:
        """Where sensors are asked outside a run."""
        from latemiles.session.air import Desk

        return self.air.desk if self.air is not None else Desk()

    def find_home(self) -> Home:
        """Return the home folder that was asked for; a simulated runner has one of her own."""
        from latemiles.session.home import Home

        home = Home.find(self.home)
        return Home(home.root / VIRTUAL) if self.is_virtual else home


def state_of(context: typer.Context) -> State:
    """Global options of a command's context."""
    state = context.find_object(State)
    return state if state is not None else State(home=None, debug=False)


def units_of(home: Home, asked: str | None) -> str:
    """``metric`` or ``mile``: as asked, else as the settings say."""
    from latemiles.session.settings import UNITS, chosen_units

    if asked is not None and asked not in UNITS:
        raise typer.BadParameter(f"--units takes {' or '.join(UNITS)}, got '{asked}'.")
    return chosen_units(home.settings, asked)


def console() -> Console:
    """Where results are printed; plain text when it is not a terminal."""
    from rich.console import Console

    # Settings are named [influx] and the like: brackets are text, not markup.
    return Console(highlight=False, soft_wrap=True, markup=False)


def print_table(table: Table) -> None:
    """Print a table: as wide as the terminal, and whole where it goes to a file or another program."""
    from rich.console import Console

    out = console()
    (out if out.is_terminal else Console(highlight=False, markup=False, width=_WIDE)).print(table)


@contextmanager
def progress_bar(label: str, total: float | None) -> Iterator[tuple[Progress, TaskID]]:
    """Progress bar on standard error; silent when that is not a terminal.

    Parameters
    ----------
    label : str
        What is going on.
    total : float or None
        Amount of work in any unit; None when it is not known.

    Yields
    ------
    tuple of Progress and TaskID
        The bar and the id of its one task.
    """
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        yield bar, bar.add_task(label, total=total)


@contextmanager
def shown_step(label: str) -> Iterator[Callable[[float], None]]:
    """Progress bar of one step of the work.

    Parameters
    ----------
    label : str
        What is going on.

    Yields
    ------
    callable
        Told the share that is done, 0 to 1.
    """
    with progress_bar(label, 1.0) as (bar, task):
        yield lambda share: bar.update(task, completed=share)
