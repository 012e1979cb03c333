"""A recorded run as a file of another program."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from latemiles.analysis import analyze
from latemiles.errors import ConfigError, InputError, StoreError
from latemiles.exports import ANGLES, FORMATS, Format
from latemiles.exports.spool import AngleSpool
from latemiles.recording.reader import Recording
from latemiles.session.home import Home
from latemiles.session.library import thighs_swapped
from latemiles.session.settings import load_config
from latemiles.sinks.messages import safe_name

__all__ = ["ExportPlan", "export_run"]


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What ``export`` was asked for."""

    home: Home
    format_name: str
    out: Path | None = None
    """File to write, or a folder to write it into; None: the run's folder in the home."""
    rows: str | None = None
    """What a row is, where the format leaves a choice; None: the format's usual."""
    basis: str = "smoothed"
    units: str = "metric"


def export_run(
    recording_path: Path, plan: ExportPlan, progress: Callable[[float], None] | None = None
) -> Path:
    """Analyse a recording and write it as another program's file.

    Parameters
    ----------
    recording_path : Path
        A recording.
    plan : ExportPlan
        What was asked for.
    progress : callable or None
        Called with the share that is done, 0 to 1.

    Returns
    -------
    Path
        What was made; a file of that name is replaced, at once and only when the new one is whole.

    Raises
    ------
    ConfigError
        If the format, or rows of that kind in it, are not known.
    EnvironmentMissing
        If the format's library is not installed.
    LatemilesError
        If the recording cannot be used, or the place cannot be written.
    """
    format_, rows = _chosen(plan)
    config = load_config(plan.home.settings, plan.units)
    with Recording.open(recording_path) as recording, AngleSpool() as spool:
        target = _target(plan, format_, recording.header.run, rows)
        with _in_our_words(target):
            # Before the work, which takes a while.
            target.parent.mkdir(parents=True, exist_ok=True)
            if format_.is_folder:
                _refuse_foreign(target, format_)
        wants_angles = rows == ANGLES
        analysis = analyze(
            recording,
            basis=plan.basis,
            angles=False,
            watch=spool if wants_angles else None,
            config=config,
            swap_thighs=thighs_swapped(plan.home, recording.header, recording_path),
            progress=progress,
        )
        if wants_angles:
            analysis = spool.filled(analysis)
        with _in_our_words(target):
            _put(format_, target, lambda part: format_.write(analysis, part, rows))
    return target


@contextmanager
def _in_our_words(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise StoreError(
            f"{target} cannot be written ({problem.strerror}). Choose another place with --out."
        ) from problem


def _chosen(plan: ExportPlan) -> tuple[Format, str]:
    format_ = FORMATS.get(plan.format_name)
    if format_ is None:
        raise ConfigError("--format", f"'{plan.format_name}' is not known. Known are: {', '.join(FORMATS)}.")
    rows = plan.rows or format_.rows[0]
    if rows not in format_.rows:
        raise ConfigError(
            "--rows",
            f"{format_.name} holds {' or '.join(format_.rows)}, not '{rows}'. Choose another format.",
        )
    return format_, rows


def _target(plan: ExportPlan, format_: Format, run: str, rows: str) -> Path:
    # A run's name may hold what a file's must not.
    name = safe_name(run)
    stem = name if rows == format_.rows[0] else f"{name}.{rows}"
    if plan.out is None:
        return plan.home.run_folder(run) / f"{stem}{format_.suffix or '.' + format_.name}"
    if not format_.is_folder and plan.out.is_dir():
        return plan.out / f"{stem}{format_.suffix}"
    return plan.out


def _put(format_: Format, target: Path, write: Callable[[Path], None]) -> None:
    """Write beside the target and swap, so that nobody ever sees half a file."""
    workshop = Path(tempfile.mkdtemp(prefix=f".{target.stem}.", dir=target.parent))
    try:
        part = workshop / target.name
        write(part)
        if format_.is_folder:
            _refuse_foreign(target, format_)
            shutil.rmtree(target, ignore_errors=True)
            part.replace(target)
            return
        # A run that is longer than its format allows is several files.
        for made in sorted(workshop.iterdir()):
            _sync(made)
            made.replace(target.with_name(made.name))
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _refuse_foreign(target: Path, format_: Format) -> None:
    """An earlier export of the same place is replaced; anything else that is there is not ours to remove."""
    mark = target / "dataset_description.json"
    is_ours = mark.is_file() and '"latemiles"' in mark.read_text("utf-8", errors="replace")
    if target.exists() and not is_ours and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(
            f"a new folder for {format_.name}",
            f"'{target}', which holds something else",
            "Name another with --out.",
        )


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
