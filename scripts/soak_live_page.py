"""The live pages at ten looks a second for some minutes: nothing grows, nothing is wrong, what it costs.

    python scripts/soak_live_page.py [MINUTES]      default: 5

Runner and coach page stand open in a real Chromium, an hour into a made-up run. Prints nodes, heap after a
collection and the page's own processor time each minute; fails if any of them grows.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from playwright.async_api import CDPSession, Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from latemiles.web import LiveBroadcast, LiveView, create_app
from reference.browser import CHROMIUM, DESK, FLAGS, PHONE
from reference.made_up_run import STATES, made_up_events
from reference.page_server import serving

BEGIN_S = 3600.0
LOOKS_HZ = 10.0
MOST_NODES = 40
"""Nodes may come and go with a mark or a word."""
MOST_HEAP_MB = 1.5
"""The log itself grows by about 0.1 MB in five minutes."""


async def measure(page: Page, session: CDPSession) -> dict[str, float]:
    """Nodes, heap after a collection in MB, and processor seconds of the page's main thread."""
    await session.send("HeapProfiler.collectGarbage")
    told = {m["name"]: m["value"] for m in (await session.send("Performance.getMetrics"))["metrics"]}
    nodes = float(await page.evaluate("document.querySelectorAll('*').length"))
    return {"nodes": nodes, "heap_mb": told["JSHeapUsedSize"] / 1e6, "cpu_s": told["ThreadTime"]}


async def feed(broadcast: LiveBroadcast, seconds: float) -> None:
    """Show a run as it goes on, ten looks a second, at its own pace."""
    view = LiveView("soak", "Maya O.")
    started = None
    for event in made_up_events(STATES["half_marathon"]):
        view.push([event])
        if event.t_s < BEGIN_S:
            continue
        started = time.perf_counter() if started is None else started
        now = event.t_s - BEGIN_S
        while time.perf_counter() - started < now:
            broadcast.offer(view.state() | {"t": event.t_s}, view.log)
            await asyncio.sleep(1.0 / LOOKS_HZ)
        if now > seconds:
            return


async def main(minutes: float) -> int:
    """Print the table; 1 if something grew or was wrong."""
    troubles: list[str] = []
    broadcast = LiveBroadcast()
    async with async_playwright() as driver, serving(create_app(None, broadcast)) as port:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        pages: dict[str, Page] = {}
        sessions: dict[str, CDPSession] = {}
        feeding = asyncio.create_task(feed(broadcast, 60.0 * minutes))
        for name, path, size in (("runner", "", PHONE), ("coach", "coach", DESK)):
            page = pages[name] = await browser.new_page(viewport=size)
            page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
            page.on("pageerror", lambda e: troubles.append(str(e)))
            sessions[name] = await page.context.new_cdp_session(page)
            await sessions[name].send("Performance.enable")
            await page.goto(f"http://127.0.0.1:{port}/{path}")
        seen: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
        print(f"{'min':>5} {'page':<8}{'nodes':>7}{'heap MB':>9}{'cpu s':>8}{'cpu %':>7}", flush=True)
        parts = max(4, round(minutes))
        for part in range(parts + 1):
            for name, page in pages.items():
                now = await measure(page, sessions[name])
                share = (
                    0.0
                    if not seen[name]
                    else (now["cpu_s"] - seen[name][-1]["cpu_s"]) * parts / minutes / 0.6
                )
                seen[name].append(now)
                print(
                    f"{part * minutes / parts:>5.1f} {name:<8}{now['nodes']:>7.0f}{now['heap_mb']:>9.2f}"
                    f"{now['cpu_s']:>8.2f}{share:>7.1f}",
                    flush=True,
                )
            if part < parts:
                await asyncio.sleep(60.0 * minutes / parts)
        feeding.cancel()
        await asyncio.wait({feeding})
        await browser.close()
    for name, looks in seen.items():
        # The first look still loads.
        if looks[-1]["nodes"] > looks[1]["nodes"] + MOST_NODES:
            troubles.append(f"{name}: nodes grew from {looks[1]['nodes']:.0f} to {looks[-1]['nodes']:.0f}")
        if looks[-1]["heap_mb"] > looks[1]["heap_mb"] + MOST_HEAP_MB:
            troubles.append(
                f"{name}: heap grew from {looks[1]['heap_mb']:.2f} to {looks[-1]['heap_mb']:.2f} MB"
            )
    print("\n".join(troubles) or "Nothing grew, no error.")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)))
