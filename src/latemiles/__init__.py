"""latemiles: what happens to the pelvis in the later miles.

    import latemiles as lm
    analysis = lm.analyze({"pelvis": s0, "left_thigh": s1, "right_thigh": s2})

Names are imported when they are first used, so that the command line answers before numba is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latemiles.analysis import analyze
    from latemiles.analysis_result import Analysis
    from latemiles.config import Config
    from latemiles.errors import InputError, LatemilesError
    from latemiles.estimators.orientation import Orientation, OrientationFilter, orientation
    from latemiles.pipeline import Pipeline
    from latemiles.recording.reader import Recording
    from latemiles.signals.blocks import ImuStream
    from latemiles.signals.frames import Segment, Side

__version__ = "0.1.0"

__all__ = [
    "Analysis",
    "Config",
    "ImuStream",
    "InputError",
    "LatemilesError",
    "Orientation",
    "OrientationFilter",
    "Pipeline",
    "Recording",
    "Segment",
    "Side",
    "__version__",
    "analyze",
    "orientation",
]

_HOME = {
    "Analysis": "latemiles.analysis_result",
    "Config": "latemiles.config",
    "ImuStream": "latemiles.signals.blocks",
    "InputError": "latemiles.errors",
    "LatemilesError": "latemiles.errors",
    "Orientation": "latemiles.estimators.orientation",
    "OrientationFilter": "latemiles.estimators.orientation",
    "Pipeline": "latemiles.pipeline",
    "Recording": "latemiles.recording.reader",
    "Segment": "latemiles.signals.frames",
    "Side": "latemiles.signals.frames",
    "analyze": "latemiles.analysis",
    "orientation": "latemiles.estimators.orientation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'latemiles' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
