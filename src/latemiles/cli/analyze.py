"""Command ``analyze``: recordings to strides, splits, numbers and a report."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latemiles.cli.context import UnitsOption, console, progress_bar, state_of, units_of
from latemiles.cli.interrupts import Interrupts
from latemiles.errors import EnvironmentMissing, LatemilesError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

    from latemiles.session.reprocess import AnalyzeOptions, Outcome

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(analyze)


def analyze(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...", exists=True, dir_okay=False, help="Recordings, or .csv/.npz files."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder for the results; several inputs get a folder each in it."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs analysed side by side.")] = 1,
    cluster: Annotated[str | None, typer.Option(help="Dask scheduler, such as tcp://host:8786.")] = None,
    basis: Annotated[
        str, typer.Option(help="smoothed, or causal: only what was knowable at the time.")
    ] = "smoothed",
    angles: Annotated[bool, typer.Option("--angles", help="Also write angles.csv, every sample.")] = False,
    units: UnitsOption = None,
    standing: Annotated[str | None, typer.Option(metavar="START:END", help="Quiet stance, s.")] = None,
    movement: Annotated[
        str | None, typer.Option(metavar="START:END", help="Squats, hinges or a march, s.")
    ] = None,
    swap_thighs: Annotated[
        bool | None,
        typer.Option(
            "--swap-thighs/--no-swap-thighs",
            help="The thigh sensors were on each other's legs, or were not after all; kept with the run.",
        ),
    ] = None,
) -> None:
    """Find strides, form drift and asymmetry; write strides.csv, splits.csv, summary.json, report.html."""
    from latemiles.session.reprocess import AnalyzeOptions

    if cluster is not None:
        raise EnvironmentMissing(
            "Analysis on a cluster is not part of this version. Leave --cluster away and use --jobs N."
        )
    home = state_of(context).find_home()
    options = AnalyzeOptions(
        home=home.root,
        basis=_one_of("--basis", basis, ("smoothed", "causal")),
        units=units_of(home, units),
        angles=angles,
        standing=_window("--standing", standing),
        movement=_window("--movement", movement),
        swap_thighs=swap_thighs,
    )
    _refuse_one_name_twice(inputs)
    targets = {path: _target(path, out, len(inputs)) for path in inputs}
    statuses = _run_all(targets, options, jobs, debug=state_of(context).debug) - {0}
    if statuses:
        raise typer.Exit(min(statuses))


def _refuse_one_name_twice(inputs: list[Path]) -> None:
    """Results go into a folder named after the input: two of one name would overwrite each other."""
    stems = [path.stem for path in inputs]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise typer.BadParameter(
            f"several inputs are named '{twice[0]}' and would write into one folder; analyse them one by one."
        )


def _target(path: Path, out: Path | None, count: int) -> Path | None:
    if out is None:
        return None
    return out if count == 1 else out / path.stem


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise typer.BadParameter(f"{option} takes {' or '.join(allowed)}, got '{value}'.")
    return value


def _window(option: str, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    start, _, end = text.partition(":")
    try:
        window = float(start), float(end)
    except ValueError:
        window = (0.0, 0.0)
    if not window[0] < window[1]:
        raise typer.BadParameter(f"{option} takes START:END in seconds, such as 3:12, got '{text}'.")
    return window


def _run_all(
    targets: dict[Path, Path | None], options: AnalyzeOptions, jobs: int, *, debug: bool
) -> set[int]:
    """Exit statuses of the inputs; they are told of as they are done."""
    from latemiles.session.reprocess import analyze_file

    work: Callable[..., Outcome] = partial(analyze_file, options=options)
    statuses: set[int] = set()
    if len(targets) > 1 and jobs > 1:
        with progress_bar("analysing", len(targets)) as (bar, task), ProcessPoolExecutor(jobs) as pool:
            waiting = {pool.submit(work, path, target): path for path, target in targets.items()}
            for done in as_completed(waiting):
                statuses.add(_tell(waiting[done], done.result, debug=debug))
                bar.advance(task)
        return statuses
    with Interrupts() as interrupts, progress_bar("analysing", 1.0) as (bar, task):
        for path, target in targets.items():
            interrupts.check()
            bar.update(task, description=path.name, completed=0.0)
            advance = partial(_show, bar, task)
            statuses.add(_tell(path, partial(work, path, target, progress=advance), debug=debug))
    return statuses


def _show(bar: Progress, task: TaskID, share: float) -> None:
    bar.update(task, completed=share)


def _tell(path: Path, result: Callable[[], Outcome], *, debug: bool) -> int:
    """Print one outcome, return its exit status; one bad file does not stop the others."""
    try:
        outcome = result()
    except (LatemilesError, OSError, BrokenProcessPool) as error:
        if debug:
            raise
        what = str(error)
        if isinstance(error, BrokenProcessPool):
            what = "Its process was ended from outside, perhaps for want of memory. Try fewer --jobs."
        if isinstance(error, OSError):
            place = error.filename or "The system"
            what = f"{place}: {error.strerror}. Check the path, its permissions and free space."
        typer.echo(f"latemiles: {path.name}: {' '.join(what.split())}", err=True)
        return error.exit_status if isinstance(error, LatemilesError) else 1
    text = console()
    text.print(f"{path.name}: {outcome.headline}")
    text.print(f"  {outcome.strides} strides, {outcome.duration_s / 60:.1f} min -> {outcome.report}")
    return 0
