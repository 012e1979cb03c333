"""The real Chromium of the browser tests, and made-up runs to show in it."""

from __future__ import annotations

import os
import shutil
from functools import cache

from latemiles.web import LiveBroadcast, LiveView
from reference.made_up_run import STATES, shown_to

CHROMIUM = os.environ.get("LATEMILES_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


@cache
def view_of(name: str, run: str = "", athlete: str = "Maya O.") -> LiveView:
    """A whole made-up run as the live page knows it; shared, so not to be pushed further."""
    view = LiveView(run or name, athlete)
    shown_to(view, STATES[name])
    return view


def offered(name: str, run: str = "", athlete: str = "Maya O.") -> LiveBroadcast:
    """A broadcast that shows it."""
    broadcast = LiveBroadcast()
    view = view_of(name, run, athlete)
    broadcast.offer(view.state(), view.log)
    return broadcast
