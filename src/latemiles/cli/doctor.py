"""Command ``doctor``: is this machine ready for a run."""

from __future__ import annotations

import platform
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from latemiles.cli.context import console, state_of
from latemiles.session.home import Home

if TYPE_CHECKING:
    from latemiles.session.air import Desk

__all__ = ["Finding", "register", "told"]

_ENOUGH_BYTES = 500_000_000
"""Room for about ten hours of three sensors, bytes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's answer."""

    what: str
    good: bool
    words: str
    needed: bool = True
    """False for what only some uses need."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(context: typer.Context) -> None:
    """Check Python, folders, compiled kernels, Bluetooth and servers; advice for what is not ready."""
    state = state_of(context)
    home = state.find_home()
    checks: tuple[Callable[[Home], Finding], ...] = (_python, _home, _kernels)
    out = console()
    findings = [*(check(home) for check in checks), *_bluetooth(state.desk), *_servers(home)]
    for f in findings:
        # A file or another program gets one line a finding.
        out.print(told(f, out.width if out.is_terminal else 0))
    if not all(f.good for f in findings if f.needed):
        raise typer.Exit(1)


def told(finding: Finding, width: int = 0) -> str:
    """A finding as it is printed; what does not fit into ``width`` goes on under its own words.

    Parameters
    ----------
    finding : Finding
        What was found.
    width : int
        Characters of a line; 0: one line, however long.
    """
    head = f"{'ok  ' if finding.good else 'look'}  {finding.what:<18} "
    if not width:
        return head + finding.words
    parts = textwrap.wrap(
        finding.words, max(width - len(head), 30), break_long_words=False, break_on_hyphens=False
    )
    return head + f"\n{' ' * len(head)}".join(parts)


def _python(_home: Home) -> Finding:
    good = sys.version_info >= (3, 11)
    advice = "" if good else " Install Python 3.11 or newer."
    return Finding("Python", good, f"{platform.python_version()} on {platform.system()}.{advice}")


def _home(home: Home) -> Finding:
    free = shutil.disk_usage(home.recordings).free
    good = free > _ENOUGH_BYTES
    advice = "" if good else " Make room, or choose another folder with --home."
    return Finding("home folder", good, f"{home.root}, {free / 1e9:.1f} GB free.{advice}")


def _kernels(_home: Home) -> Finding:
    import os

    import numpy as np

    from latemiles.estimators.orientation import orientation

    still = np.tile([0.0, 0.0, 9.81], (200, 1))
    quat = orientation(np.zeros((200, 3)), still, 100.0).quat
    good = bool(abs(quat[-1, 0]) > 0.999)
    where = os.environ.get("NUMBA_CACHE_DIR", "beside the package")
    return Finding("compiled kernels", good, f"work; kept in {where}.")


def _servers(home: Home) -> list[Finding]:
    """Broker, database and dashboards, where the settings name them; a run needs none of them."""
    from latemiles.session.server_check import ask_servers

    return [Finding(a.name, a.good, a.words, needed=False) for a in ask_servers(home)]


def _bluetooth(desk: Desk) -> list[Finding]:
    from latemiles.cli.doctor_bluetooth import bluetooth_lines

    return [Finding(line.what, line.good, line.words, needed=False) for line in desk.ask(bluetooth_lines)]
