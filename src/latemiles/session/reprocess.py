"""A recording through the pipeline again: analysis, files and the store, for one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latemiles.analysis import analyze
from latemiles.analysis_result import Analysis
from latemiles.errors import InputError
from latemiles.recording.importers import FORMATS, import_to_recording, source_of
from latemiles.recording.reader import Recording
from latemiles.report.files import write_outputs
from latemiles.report.summary import summary_dict
from latemiles.session.home import Home
from latemiles.session.library import keep_result, thighs_swapped
from latemiles.session.season_marks import note_season
from latemiles.session.settings import load_config
from latemiles.store import Store

__all__ = ["AnalyzeOptions", "Outcome", "analyze_file", "finish_run"]


@dataclass(frozen=True, slots=True)
class AnalyzeOptions:
    """What ``analyze`` was asked for; plain values, so that it travels to another process."""

    home: Path
    basis: str = "smoothed"
    units: str = "metric"
    angles: bool = False
    standing: tuple[float, float] | None = None
    movement: tuple[float, float] | None = None
    swap_thighs: bool | None = None
    """Whether the thigh sensors were on each other's legs; None: as the library was told before."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one analysis came to, for the person who asked."""

    run: str
    headline: str
    strides: int
    duration_s: float
    report: Path


def analyze_file(
    path: Path,
    out: Path | None,
    options: AnalyzeOptions,
    progress: Callable[[float], None] | None = None,
) -> Outcome:
    """Analyse one recording, or one file that an importer understands, and write what was found.

    Parameters
    ----------
    path : Path
        A recording (.mcap), or a file whose ending names an import format.
    out : Path or None
        Folder for the results; None: the run's folder in the home, and the run joins the library.
    options : AnalyzeOptions
        What was asked for.
    progress : callable or None
        Called with the share that is done, 0 to 1.

    Returns
    -------
    Outcome
        Headline, counts and where the report is.

    Raises
    ------
    LatemilesError
        If the file cannot be read or used.
    """
    home = Home(options.home)
    source = _as_recording(path, home)
    with Recording.open(source) as recording:
        swap = options.swap_thighs
        if swap is None:
            swap = thighs_swapped(home, recording.header, source)
        analysis = analyze(
            recording,
            standing=options.standing,
            movement=options.movement,
            basis=options.basis,
            angles=options.angles,
            swap_thighs=swap,
            config=load_config(home.settings, options.units),
            progress=progress,
        )
    if out is None:
        # Results that go elsewhere belong to whoever asked for them; the library keeps its own.
        run = keep_result(home, analysis, source, options.units)
        with Store(home.store) as store:
            note_season(store, store.run(run).athlete)
        out = home.run_folder(run)
    return finish_run(analysis, out, options)


def finish_run(analysis: Analysis, out: Path, options: AnalyzeOptions) -> Outcome:
    """Write the files of one analysed run and say what it came to.

    Parameters
    ----------
    analysis : Analysis
        What was found.
    out : Path
        Folder for the results; made if it is not there.
    options : AnalyzeOptions
        Units and whether angles are wanted.

    Returns
    -------
    Outcome
        Headline, counts and where the report is.
    """
    written = write_outputs(analysis, out, angles=options.angles, units=options.units)
    return Outcome(
        run=analysis.header.run,
        headline=str(summary_dict(analysis, units=options.units)["answer"]["headline"]),
        strides=len(analysis.strides),
        duration_s=analysis.quality.duration_s,
        report=written["report.html"],
    )


def _as_recording(path: Path, home: Home) -> Path:
    """The file itself if it is a recording, else a recording made from it in the home folder."""
    ending = path.suffix.lower().lstrip(".")
    if ending in {"mcap", ""}:
        return path
    if ending not in (endings := sorted(name for name, form in FORMATS.items() if not form.is_folder)):
        raise InputError(
            f"a recording (.mcap) or one of {', '.join('.' + name for name in endings)}",
            f"'{path.name}'",
            "Turn it into a recording with 'latemiles import FORMAT PATH' first.",
        )
    target = home.recordings / f"{path.stem}.mcap"
    if target.exists():
        # Imported again each time: the file may have changed since, and the recording is only its copy.
        # A recording that came from elsewhere is the only one there is.
        if Recording.open(target).header.source != source_of(path):
            raise InputError(
                f"a name that no other run has, to import '{path.name}'",
                f"the recording {target}",
                "Rename the file, or import it with 'latemiles import FORMAT PATH --out RECORDING'.",
            )
        target.unlink()
    return import_to_recording(ending, path, target)
