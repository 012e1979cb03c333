"""Every error the package raises on purpose, under one root.

    LatemilesError
    +-- InputError            what was handed in cannot be used
    |   +-- ShapeError        an array has the wrong shape
    |   +-- UnitError         numbers that cannot be in the unit asked for
    |   +-- TimeOrderError    time stamps that do not increase
    |   +-- UnknownName       nothing has that name; a KeyError too
    +-- ConfigError           a setting that cannot be used
    +-- PacketError           bytes from a sensor that do not follow its protocol
    +-- RecordingError        a recording that cannot be read
    |   +-- TornRecording     it ends in the middle; ``recover`` saves what it holds
    +-- StoreError            the store of runs cannot be used
    +-- EnvironmentMissing    something the machine lacks (adapter, extra, browser)
    +-- LinkFailed            a sensor could not be reached, or its link ended

A message says what was expected, what came, and ends with what to do. Facts are attributes, so that a
caller never has to read the text.
"""

from __future__ import annotations


class LatemilesError(Exception):
    """Root of every error that the package raises on purpose."""

    exit_status: int = 1
    """What the command line returns: 1 the work failed, 2 wrong use."""

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes whole; the default would call the class with the message alone."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(
    kind: type[LatemilesError], args: tuple[object, ...], facts: dict[str, object]
) -> LatemilesError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(facts)
    return error


class InputError(LatemilesError):
    """What was handed in cannot be used; the message says what was expected, what came and what to do.

    Parameters
    ----------
    expected : str
        What would have been right.
    got : str
        What came.
    advice : str
        What to do next; the last sentence.
    """

    def __init__(self, expected: str, got: str, advice: str) -> None:
        super().__init__(f"Expected {expected}, got {got}. {advice}")
        self.expected = expected
        self.got = got
        self.advice = advice


class ShapeError(InputError):
    """An array has the wrong shape."""


class UnitError(InputError):
    """Numbers that cannot be in the unit asked for, such as acceleration at rest far from 9.81."""


class TimeOrderError(InputError):
    """Time stamps that do not strictly increase."""


class UnknownName(InputError, KeyError):
    """Nothing has that name; a KeyError too, so that ``in`` and ``get`` work on mappings."""

    def __str__(self) -> str:
        # KeyError would put the sentence in quotes.
        return str(self.args[0])


class ConfigError(LatemilesError):
    """A setting that cannot be used.

    Parameters
    ----------
    name : str
        The setting.
    problem : str
        What is wrong with it and what to do.
    """

    exit_status = 2

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"Setting '{name}': {problem}")
        self.name = name


class PacketError(LatemilesError):
    """Bytes from a sensor that do not follow its protocol; counted, never fatal to a run."""


class RecordingError(LatemilesError):
    """A recording that cannot be read.

    Parameters
    ----------
    path : str
        The file.
    problem : str
        What is wrong with it and what to do.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class TornRecording(RecordingError):
    """A recording that ends in the middle of a record; ``latemiles recover`` saves what it holds."""


class StoreError(LatemilesError):
    """The store of runs cannot be used."""


class EnvironmentMissing(LatemilesError):
    """Something the machine lacks: an adapter, an optional package, a browser."""


class LinkFailed(LatemilesError):
    """A sensor could not be reached, or its link ended and was not asked to.

    Parameters
    ----------
    reason : str
        One of ``sensors.ble.LinkReason``: what to decide by.
    problem : str
        What happened and what to do, for a person.
    """

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason
