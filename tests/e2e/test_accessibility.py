"""Every page, in every theme it has, holds before axe-core and can be used with keys alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from latemiles.report import render_report
from latemiles.signals.events import ThighsDoubted
from latemiles.web import LiveBoard, LiveBroadcast, LiveView, create_app
from reference.axe import grave_findings
from reference.browser import CHROMIUM, DESK, FLAGS, PHONE, offered, view_of
from reference.made_up_analysis import made_up_run
from reference.made_up_run import STATES, shown_to
from reference.page_server import serving

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Chromium; set LATEMILES_CHROMIUM"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


async def test_the_harness_finds_what_is_wrong(chromium):
    page = await chromium.new_page()
    await page.set_content("<html><body><img src='data:,'><button></button></body></html>")
    found = await grave_findings(page)
    assert any(line.startswith("image-alt") for line in found)
    assert any(line.startswith("button-name") for line in found)
    await page.close()


@pytest.mark.parametrize("theme", ["light", "night"])
async def test_the_runner_page_has_no_grave_finding_in_any_state(chromium, theme):
    page = await chromium.new_page(viewport=PHONE)
    broadcast = LiveBroadcast()
    async with serving(create_app(None, broadcast)) as port:
        await page.goto(f"http://127.0.0.1:{port}/?theme={theme}")
        assert await grave_findings(page) == []
        for state in ("learning", "steady", "watch", "drifting", "sensor"):
            view = view_of(state)
            broadcast.offer(view.state(), view.log)
            await expect(page.locator("#word")).to_have_text(state, timeout=60_000)
            assert await grave_findings(page, contrast=state in ("watch", "drifting")) == []
        view = LiveView("swapped", "Maya O.")
        shown_to(view, STATES["steady"])
        view.push([ThighsDoubted(view.state()["t"])])
        view.finish()
        broadcast.offer(view.state(), view.log)
        await expect(page.locator("#drop")).to_contain_text("sides swapped?")
        await expect(page.locator("#sensors")).to_contain_text("swapped?")
        assert await grave_findings(page) == []
    await page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_coach_page_has_no_grave_finding(chromium, theme):
    page = await chromium.new_page(viewport=DESK)
    board = LiveBoard(offered("thigh", athlete="Jonas K."), offered("half_marathon"))
    async with serving(create_app(None, board, on_mark=lambda _: None)) as port:
        await page.goto(f"http://127.0.0.1:{port}/coach?theme={theme}")
        await expect(page.locator("#headline")).to_contain_text("further forward", timeout=60_000)
        assert await grave_findings(page, contrast=theme == "dark") == []
    await page.close()


@pytest.mark.parametrize("name", ["half_marathon", "too_short", "no_thigh"])
async def test_the_report_has_no_grave_finding(chromium, name):
    page = await chromium.new_page(viewport=DESK, color_scheme="dark")
    await page.set_content(render_report(made_up_run(name), units="mile"))
    assert await grave_findings(page, contrast=name == "too_short") == []
    await page.close()
