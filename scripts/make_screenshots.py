"""Make the pictures of docs/images from one simulated half-marathon, through the whole system.

    python scripts/make_screenshots.py [FOLDER]      default: out/screenshots

The run is made three times (``sim.half_marathon``): plain, with pace falling by 8 %, with a clip that slips
by 3 degrees. Each is recorded and analysed; the plain one also goes through the live path, and the live pages
are shown as they were at some of its miles. What FOLDER holds already is not made again: a quarter of an
hour of computing. The first paragraph of each report is printed beside the truth.

The library's pages need more than one run: they show a made-up season of the tests, every number invented.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright, expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from latemiles.pipeline import Pipeline
from latemiles.recording.reader import Recording
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.home import Home
from latemiles.session.library_pages import LibraryPages, problem_page
from latemiles.session.reprocess import AnalyzeOptions, analyze_file
from latemiles.session.settings import load_config
from latemiles.sim.half_marathon import CHANGE_FROM_MILE, STORIES, TILT_DEG, half_marathon
from latemiles.sim.packets import header, records
from latemiles.sim.runner import simulate
from latemiles.store import Store
from latemiles.web import LiveBoard, LiveView, create_app
from latemiles.web.library import create_library_app
from reference.made_up_library import make_library
from reference.page_server import serving

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SEED = 21
STARTED_NS = 1_763_193_720_000_000_000
MILE_M = 1609.344
GAP_MILE = 8.63
RUNNERS = {0.8: "Priya S.", 5.0: "Jonas K.", GAP_MILE: "Tomás R.", 11.2: "Maya O."}
"""At these miles the live page is looked at; each look stands for one of the coach's runners."""
PHONE, DESK, PAGE, WALL = (390, 844), (1440, 900), (900, 1200), (2560, 1440)
LIBRARY = (
    ("library-runs", "/", (1180, 760)),
    ("library-run", "/run/20260918-064000", (1180, 900)),
    ("library-compare", "/compare?run=20260824-064000&run=20260918-064000", (1180, 1080)),
    ("library-trends", "/trends", (1180, 1440)),
    ("library-standing", "/standing", (1180, 900)),
    ("library-exercises", "/exercise", (1180, 820)),
)


def recorded(story: str, folder: Path) -> Path:
    """The recording of one story."""
    path = folder / story / "half-marathon.mcap"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        run = simulate(half_marathon(story), SEED)
        head = replace(header(run, "half-marathon", started_utc_ns=STARTED_NS), athlete="Maya O.")
        part = path.with_suffix(".part")
        with RecordingWriter(part, head) as writer:
            for record in records(run, head):
                if record is not head:
                    writer.append(record)
        part.rename(path)
    return path


def reported(story: str, folder: Path) -> Path:
    """The report of one story."""
    out = folder / story / "results"
    if not (out / "report.html").exists():
        analyze_file(recorded(story, folder), out, AnalyzeOptions(home=folder / "home", units="mile"))
    return out / "report.html"


def live_looks(folder: Path) -> dict[float, dict[str, Any]]:
    """State and log of the live page at some miles of the plain story."""
    kept = folder / "plain" / "live.json"
    if not kept.exists():
        kept.write_text(json.dumps(_looked(recorded("plain", folder), folder), allow_nan=False))
    return {float(mile): look for mile, look in json.loads(kept.read_text()).items()}


def _looked(path: Path, folder: Path) -> dict[float, dict[str, Any]]:
    looks: dict[float, dict[str, Any]] = {}
    waiting = sorted(RUNNERS)
    with Recording.open(path) as recording:
        pipeline = Pipeline(
            recording.header, driver_for, config=load_config(folder / "settings.toml", "mile")
        )
        view = LiveView(recording.header.run, recording.header.athlete)
        still = pipeline.posture
        for record in recording.records():
            events = pipeline.push(record)
            view.hear(record)
            if pipeline.posture is not still:
                still = pipeline.posture
                events = [*events, still]
            looked, state = view.push(events), view.state()
            distance = state["clock"]["distance"]
            # In the gap there is no stride and so no way: its look is told by its words.
            is_due = (
                state["tilt"]["words"] == "pelvis not heard"
                if waiting[0] == GAP_MILE
                else distance is not None and distance >= waiting[0]
            )
            if looked and is_due:
                looks[waiting.pop(0)] = {"state": state, "log": list(view.log)}
            if not waiting:
                break
    return looks


async def shot(browser: Browser, address: str, name: str, size: tuple[int, int], **more: Any) -> None:
    """One picture of one page."""
    scale = more.pop("scale", 1)
    clip = more.pop("clip", None)
    page = await browser.new_page(
        viewport={"width": size[0], "height": size[1]}, device_scale_factor=scale, **more
    )
    await page.goto(address)
    if "run=" in address and "/compare" not in address:
        # The live pages forbid strings as code, so no condition can be waited for by one.
        await expect(page.locator("#word, #headline")).not_to_have_text(re.compile("^(waiting|No run yet)?$"))
    area = {"x": 0, "y": clip[0], "width": size[0], "height": clip[1]} if clip else None
    await page.screenshot(path=IMAGES / f"{name}.png", full_page=clip is not None, clip=area)
    await page.close()


async def live_pictures(browser: Browser, looks: dict[float, dict[str, Any]]) -> None:
    """Runner and coach, light and night."""
    board = LiveBoard()
    broadcasts = {}
    for mile, who in RUNNERS.items():
        look = looks[mile]
        state = look["state"] | {"athlete": who, "run": who}
        broadcasts[who] = board.open()
        broadcasts[who].offer(state, look["log"])
    app = create_app(None, board, on_mark=lambda _: None)
    async with serving(app) as port:
        await _live_shots(browser, f"http://127.0.0.1:{port}")


async def _live_shots(browser: Browser, base: str) -> None:
    for mile, name in ((0.8, "learning"), (5.0, "steady"), (GAP_MILE, "not-heard"), (11.2, "drifting")):
        await shot(browser, f"{base}/?theme=light&run={RUNNERS[mile]}", f"runner-{name}", PHONE)
    await shot(browser, f"{base}/?theme=night&run=Maya O.", "runner-night", PHONE)
    await shot(browser, f"{base}/coach?theme=light&run=Maya O.", "coach", DESK)
    await shot(browser, f"{base}/coach?theme=dark&run=Tomás R.", "coach-gap-dark", DESK)
    await shot(browser, f"{base}/coach?theme=light&run=Maya O.", "coach-phone", PHONE)
    await shot(browser, f"{base}/coach?theme=dark&run=Maya O.", "coach-wall", WALL, scale=0.5)


async def report_pictures(browser: Browser, folder: Path) -> None:
    """The report's parts, and the answers of the three stories."""
    plain = reported("plain", folder).resolve().as_uri()
    await shot(browser, plain, "report", PAGE, clip=(0, 1180))
    await shot(browser, plain, "report-stride", PAGE, clip=(1240, 1420))
    await shot(browser, plain, "report-phone", PHONE, clip=(0, 1400))
    for story in ("slowing", "slip"):
        await shot(
            browser, reported(story, folder).resolve().as_uri(), f"report-{story}", PAGE, clip=(0, 960)
        )


async def library_pictures(browser: Browser) -> None:
    """Runs, one run, two runs, run to run, standing, exercises, of a made-up season."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        make_library(home)
        with Store(home.store) as store:
            pages = LibraryPages(home, store)
            app = create_library_app(pages.pages, pages.actions, problem_page=problem_page)
            async with serving(app) as port:
                base = f"http://127.0.0.1:{port}"
                for name, path, size in LIBRARY:
                    await shot(browser, base + path, name, size)
                await shot(browser, f"{base}/trends", "library-trends-phone", PHONE, clip=(0, 1700))
                await shot(browser, f"{base}/trends", "library-trends-dark", (1180, 860), color_scheme="dark")


async def pictures(folder: Path) -> None:
    """All pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        await live_pictures(browser, live_looks(folder))
        await report_pictures(browser, folder)
        await library_pictures(browser)
        await browser.close()
    total = sum(path.stat().st_size for path in IMAGES.glob("*.png"))
    print(f"{len(list(IMAGES.glob('*.png')))} pictures, {total / 1e6:.2f} MB, in {IMAGES}")


def main(folder: Path) -> None:
    """Make everything and print what the reports say."""
    print(f"True: the pelvis tips {TILT_DEG:.1f} degrees forward from mile {CHANGE_FROM_MILE}.")
    for story in STORIES:
        answer = json.loads((reported(story, folder).parent / "summary.json").read_text())["answer"]
        print(f"\n{story}: {answer['headline']}\n  " + "\n  ".join(answer["lead"]))
    asyncio.run(pictures(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out/screenshots"))
