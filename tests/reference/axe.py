"""What axe-core finds wrong with a page: labels, roles, contrast, order, keyboard."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT

GRAVE = ("serious", "critical")


async def grave_findings(page: Any, *, contrast: bool = False) -> list[str]:
    """Serious and critical findings on a page of playwright's async interface, each as one line.

    Contrast is left out unless it is asked for: axe hit-tests every word, which takes seconds on a chart,
    and the palette tests prove it by numbers.
    """
    await page.evaluate(AXE_SCRIPT)
    return _told(await page.evaluate(_call(contrast)))


def grave_findings_sync(page: Any, *, contrast: bool = False) -> list[str]:
    """The same for the sync interface."""
    page.evaluate(AXE_SCRIPT)
    return _told(page.evaluate(_call(contrast)))


def _call(contrast: bool) -> str:
    rules = f"{{'color-contrast': {{enabled: {str(contrast).lower()}}}}}"
    return f"() => axe.run(document, {{resultTypes: ['violations'], rules: {rules}}})"


def _told(results: dict[str, Any]) -> list[str]:
    return [
        f"{found['id']} ({found['impact']}): {', '.join(str(node['target']) for node in found['nodes'])}"
        for found in results["violations"]
        if found["impact"] in GRAVE
    ]
