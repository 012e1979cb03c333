"""The live page in a real Chromium: what is seen, what is asked for, and that it comes back."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from functools import cache

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from latemiles.signals.events import Marked
from latemiles.signals.records import RunHeader
from latemiles.store import Store
from latemiles.web import LiveBroadcast, LivePage, LiveView, create_app
from reference.made_up_run import STATES, made_up_events
from reference.page_server import serving

CHROMIUM = os.environ.get("LATEMILES_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(
        not os.path.exists(CHROMIUM) and not os.environ.get("CI"),
        reason="needs Chromium: apt-get install chromium, or set LATEMILES_CHROMIUM",
    ),
]


@cache
def view_of(name):
    view = LiveView(name, "Maya O.")
    view.push(made_up_events(STATES[name]))
    return view


def offered(name):
    broadcast = LiveBroadcast()
    view = view_of(name)
    broadcast.offer(view.state(), view.log)
    return broadcast


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def browser_page(chromium):
    @asynccontextmanager
    async def opened(size, **more):
        """A page, and the list of all that went wrong in it or left this machine."""
        troubles = []
        context = await chromium.new_context(viewport=size, **more)
        page = await context.new_page()
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("request", lambda r: troubles.append(r.url) if "//127.0.0.1:" not in r.url else None)
        try:
            yield page, troubles
        finally:
            await context.close()

    return opened


async def text(page, selector):
    return (await page.inner_text(selector)).strip()


EXPECTED = {
    "learning": ("learning", "", "measuring your start"),
    "steady": ("steady", "0.0", "no clear change"),
    "watch": ("watch", "1.0", "forward?"),
    "drifting": ("drifting", "2.1", "forward"),
    "sensor": ("sensor", "", "clip moved"),
    "not_heard": ("sensor", "", "pelvis not heard"),
    "thigh": ("drifting", "2.0", "forward"),
}


async def test_the_runner_reads_each_state_as_a_word_and_a_number(browser_page):
    broadcast = LiveBroadcast()
    async with serving(create_app(None, broadcast)) as port, browser_page(PHONE) as (page, troubles):
        await page.goto(f"http://127.0.0.1:{port}/")
        assert await text(page, "#word") == "waiting"
        for name, (word, number, words) in EXPECTED.items():
            view = view_of(name)
            broadcast.offer(view.state(), view.log)
            await expect(page.locator("#word")).to_have_text(word)
            await expect(page.locator("#way-words")).to_have_text(words)
            digits = await text(page, "#digits")
            assert digits == number or abs(float(digits) - float(number)) < 0.25
        root = "document.documentElement"
        assert await page.evaluate(f"{root}.scrollWidth <= innerWidth && {root}.scrollHeight <= innerHeight")
    assert troubles == []


@pytest.mark.parametrize("width", [320, 390, 430])
async def test_nothing_leaves_its_place_on_any_phone(browser_page, width):
    size = {"width": width, "height": round(width * 2.1)}
    async with serving(create_app(None, offered("drifting"))) as port, browser_page(size) as (page, _):
        await page.goto(f"http://127.0.0.1:{port}/")
        await expect(page.locator("#word")).to_have_text("drifting")
        for part in ("#word", "#number", "#clock", "#way"):
            box = await page.locator(part).bounding_box()
            assert box["x"] + box["width"] <= width + 1


async def test_state_is_a_status_for_screen_readers_and_charts_have_a_sentence(browser_page):
    async with serving(create_app(None, offered("drifting"))) as port, browser_page(PHONE) as (page, _):
        await page.goto(f"http://127.0.0.1:{port}/")
        await expect(page.get_by_role("status")).to_have_text("drifting")
        labels = await page.locator("svg[role=img]").evaluate_all(
            "all => all.map(e => e.getAttribute('aria-label'))"
        )
        assert len(labels) == 3
        assert all(labels)


async def test_night_is_taken_from_the_system(browser_page):
    async with (
        serving(create_app(None, offered("watch"))) as port,
        browser_page(PHONE, color_scheme="dark") as (page, _),
    ):
        await page.goto(f"http://127.0.0.1:{port}/")
        assert await page.evaluate("document.documentElement.dataset.theme") == "night"
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"


async def test_the_coach_sees_rows_sensors_and_marks(browser_page):
    marks = []
    app = create_app(None, offered("half_marathon"), on_mark=marks.append)
    async with serving(app) as port, browser_page(DESK) as (page, troubles):
        await page.goto(f"http://127.0.0.1:{port}/coach")
        await expect(page.locator("#headline")).to_contain_text("further forward than at the start")
        rows = await page.locator("#score text.title").all_text_contents()
        assert rows[0] == "pelvic tilt"
        assert len(rows) == 6
        assert await page.locator("#sensors tr").count() == 4
        assert await page.locator("#marks li").count() == 5
        sizes = (
            "[...document.querySelectorAll('#score text')].map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(await page.evaluate(sizes)) >= 12
        await page.keyboard.press("m")
        await expect(page.locator("#mark")).to_contain_text("Marked")
        assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert troubles == []
    assert marks == [""]


async def test_a_stored_run_is_opened_by_its_name(browser_page, tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        run = store.begin_run(RunHeader("maya 1/2", athlete="Maya"))
        store.commit(run, list(made_up_events(STATES["steady"])))
        app = create_app(store, LiveBroadcast())
        async with serving(app) as port, browser_page(DESK) as (page, troubles):
            await page.goto(f"http://127.0.0.1:{port}/coach?run=maya%201%2F2")
            await expect(page.locator("#headline")).to_have_text("No change of tilt beyond the band")
            await expect(page.locator("#run-label")).to_have_text("ended")
    assert troubles == []


async def test_words_of_a_person_are_shown_as_words(browser_page):
    broadcast = LiveBroadcast()
    page_sink = LivePage(LiveView("r", "<img src=x onerror=alert(1)>"), broadcast)
    page_sink.take([Marked(1.0, "<b>gel</b>"), Marked(9.0, "water")])
    async with serving(create_app(None, broadcast)) as port, browser_page(DESK) as (page, troubles):
        await page.goto(f"http://127.0.0.1:{port}/coach")
        await expect(page.locator("#marks li").last).to_contain_text("<b>gel</b>")
        await expect(page.locator("#who")).to_contain_text("<img")
    assert troubles == []


@pytest.mark.parametrize("path", ["", "coach"])
async def test_a_page_comes_back_with_the_whole_run_after_a_restart(browser_page, path):
    broadcast = offered("steady")
    async with browser_page(PHONE if not path else DESK) as (page, _):
        async with serving(create_app(None, broadcast)) as port:
            await page.goto(f"http://127.0.0.1:{port}/{path}")
            await expect(page.locator("h1")).not_to_have_text("")
            before = await page.locator("h1").inner_text()
        view = view_of("drifting")
        broadcast.offer(view.state(), view.log)
        async with serving(create_app(None, broadcast), port):
            await expect(page.locator("h1")).to_contain_text(
                "drifting" if not path else "further forward", timeout=9000
            )
            assert await page.locator("h1").inner_text() != before


async def test_a_page_without_its_server_does_not_look_alive(browser_page):
    async with browser_page(PHONE) as (page, _):
        # The page's own clock is moved, so that nobody waits for it.
        await page.clock.install()
        async with serving(create_app(None, offered("drifting"))) as port:
            await page.goto(f"http://127.0.0.1:{port}/")
            await expect(page.locator("#word")).to_have_text("drifting")
        await page.clock.run_for(20_000)
        await expect(page.locator("#word")).to_have_text("lost")
        assert await text(page, "#digits") == ""
        assert "last good" in await text(page, "#note")
        assert await text(page, "#pace") == "–"  # noqa: RUF001 - an unknown is a dash


@pytest.mark.parametrize("path", ["", "coach"])
async def test_the_page_does_not_grow_over_many_updates(browser_page, path):
    broadcast = LiveBroadcast()
    view = LiveView("r", "Maya")
    events = list(made_up_events(STATES["steady"]))
    view.push(events[:2400])
    broadcast.offer(view.state(), view.log)
    count = "document.querySelectorAll('*').length"
    async with serving(create_app(None, broadcast)) as port, browser_page(DESK) as (page, troubles):
        await page.clock.install()
        await page.goto(f"http://127.0.0.1:{port}/{path}")
        await expect(page.locator("h1")).not_to_have_text("")
        nodes = []
        for k in range(2400, 2400 + 40 * 40, 40):
            if view.push(events[k : k + 40]):
                broadcast.offer(view.state(), view.log)
                await page.clock.run_for(2100)
                nodes.append(await page.evaluate(count))
        assert len(nodes) > 30
        assert max(nodes[len(nodes) // 2 :]) <= max(nodes[: len(nodes) // 2]) + 12
    assert troubles == []
