"""The line that closes every report, and what the numbers were made with."""

from __future__ import annotations

from latemiles.report.page import Page
from latemiles.report.svg import esc
from latemiles.report.words import basis_words

__all__ = ["DISCLAIMER", "render"]

DISCLAIMER = "Measures movement for training. Not a medical device, not a diagnosis."
CLINICIAN = "Pain, numbness, or a sudden change: see a clinician."


def render(page: Page) -> str:
    """Disclaimer, conventions, versions, and where the data came from."""
    analysis = page.analysis
    versions = ", ".join(f"{name} {value}" for name, value in sorted(analysis.provenance.items()))
    zero = f"Angles relative to {page.reference_words}"
    lines = [
        f"{versions}." if versions else "",
        f"{zero}; pelvis as rotation, obliquity, tilt; {basis_words(page)}.",
        f"Samples: {analysis.header.source}." if analysis.header.source else "",
    ]
    return (
        f"<footer><b>{DISCLAIMER}</b> {CLINICIAN}<br>{' '.join(esc(line) for line in lines if line)}</footer>"
    )
