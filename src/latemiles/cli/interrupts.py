"""Ctrl-C that is not forgotten, whoever it interrupts."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interrupts"]


class Interrupts:
    """Remembers Ctrl-C while in use; use with ``with``, in the main thread.

    A ``KeyboardInterrupt`` that is raised where Python or a library can hand it to nobody, as in the clearing
    away of an object, is lost. ``check`` raises it again.
    """

    def __init__(self) -> None:
        self._is_heard = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._is_heard = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Go on only if nobody has interrupted.

        Raises
        ------
        KeyboardInterrupt
            If somebody has.
        """
        if self._is_heard:
            raise KeyboardInterrupt
