"""The command ``latemiles``: global options, the commands, and how errors reach a person.

Exit status: 0 done, 1 the work failed, 2 wrong use. An error is one line on standard error that ends in
advice; ``--debug`` adds the traceback. Commands import what they need when they run, so that ``--help``
answers at once.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from latemiles import __version__
from latemiles.cli import (
    analyze,
    athlete,
    demo,
    doctor,
    export,
    files,
    gateway,
    live,
    replay,
    report,
    runs,
    sensor,
    sensors,
    serve,
    standing,
    sync,
    trends,
)
from latemiles.cli.context import State
from latemiles.errors import LatemilesError

if TYPE_CHECKING:
    from latemiles.session.air import Air

__all__ = ["app", "main", "run"]

COMPUTING = frozenset(
    {"analyze", "calibrate", "demo", "export", "import", "live", "refresh", "replay", "report", "serve"}
    | {"standing", "swap-thighs"}
)
"""Commands that need compiled kernels."""

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells have it."""

app = typer.Typer(
    name="latemiles",
    help="What happens to the pelvis in the later miles. Measures movement for training, no medical device.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"latemiles {__version__}\n")
        raise typer.Exit


@app.callback()
def _global(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of runs, recordings and settings.", file_okay=False)
    ] = None,
    is_virtual: Annotated[
        bool,
        typer.Option(
            "--virtual",
            help="Three simulated sensors on a virtual radio in place of real ones: to look around.",
        ),
    ] = False,
    debug: Annotated[bool, typer.Option(help="Show tracebacks and debug messages.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    if is_virtual and context.obj is None:
        from latemiles.session.demo import virtual_runner

        context.obj = virtual_runner()
    context.obj = State(home=home, debug=debug, air=context.obj, is_virtual=is_virtual)
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(message)s")
    if not debug:
        # bleak warns that it cannot ask bluetoothctl for a version, which changes nothing.
        logging.getLogger("bleak").setLevel(logging.ERROR)


for module in (
    demo,
    sensors,
    sensor,
    live,
    replay,
    analyze,
    report,
    runs,
    trends,
    export,
    files,
    sync,
    gateway,
    serve,
    standing,
    athlete,
    doctor,
):
    module.register(app)


def main(arguments: list[str], air: Air | None = None) -> int:
    """Run one command and turn every failure into one line and an exit status.

    Parameters
    ----------
    arguments : list of str
        The command line without the program's name.
    air : Air or None
        Where runs listen, in place of the system's Bluetooth.

    Returns
    -------
    int
        0 done, 1 the work failed, 2 wrong use, 130 interrupted.
    """
    debug = "--debug" in arguments
    try:
        result = app(args=arguments or ["--help"], prog_name="latemiles", standalone_mode=False, obj=air)
    except typer.TyperException as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "latemiles")
        what = error.format_message().rstrip()
        _say(f"{what}{'' if what.endswith(('.', '?', '!')) else '.'} See '{command} --help'.")
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        result = INTERRUPTED
    except typer.Exit as stop:
        return stop.exit_code
    except LatemilesError as error:
        if debug:
            raise
        _say(str(error))
        return error.exit_status
    except BrokenPipeError:
        return 1
    except OSError as error:
        if debug:
            raise
        what = f"{error.filename or 'The system'}: {error.strerror or error}"
        _say(f"{what}. Check the path, its permissions and free space.")
        return 1
    if result == INTERRUPTED:
        # typer gives the status back instead of raising, without a word.
        _say("Interrupted. Nothing that was already written is lost; run the same command again.")
    if not arguments:
        return 2
    return result if isinstance(result, int) else 0


def _say(line: str) -> None:
    sys.stderr.write("latemiles: " + " ".join(line.split()) + "\n")


def run() -> None:
    """Entry point of the console script."""
    from latemiles.compiled import use_fresh_cache
    from latemiles.session.home import Home

    is_new = use_fresh_cache(Home.find().numba_cache)
    # Said to a person only: a program that reads standard error wants errors there and nothing else.
    if is_new and sys.stderr.isatty() and not COMPUTING.isdisjoint(sys.argv):
        _say("First use of this version: compiling the kernels takes a few minutes, once.")
    sys.exit(main(sys.argv[1:]))
