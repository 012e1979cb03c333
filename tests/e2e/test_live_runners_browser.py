"""Several runners on one page, a phone in the coach's hand, and a sound for those who do not look."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from latemiles.web import LiveBoard, LiveBroadcast, create_app
from reference.browser import CHROMIUM, DESK, FLAGS, PHONE, offered, view_of
from reference.page_server import serving

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Chromium; set LATEMILES_CHROMIUM"),
]

# Counts what would be heard; the browser of a test has no loudspeaker.
EARS = """
    window.heard = [];
    AudioContext.prototype.createOscillator = new Proxy(AudioContext.prototype.createOscillator, {
        apply(make, context, args) {
            const tone = Reflect.apply(make, context, args), start = tone.start;
            tone.start = (at) => { window.heard.push('tone'); start.call(tone, at); };
            return tone;
        },
    });
    speechSynthesis.speak = (words) => window.heard.push(words.text);
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


async def opened(chromium, size):
    page = await chromium.new_page(viewport=size)
    page.troubles = []
    page.on("console", lambda m: page.troubles.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: page.troubles.append(str(e)))
    return page


def three_runners():
    return LiveBoard(
        offered("drifting", "r1", "Maya O."),
        offered("steady", "r2", "Jonas K."),
        offered("sensor", "r3", "Priya S."),
    )


async def test_each_runner_has_a_tab_and_each_tab_the_whole_run(chromium):
    page = await opened(chromium, DESK)
    async with serving(create_app(None, three_runners())) as port:
        await page.goto(f"http://127.0.0.1:{port}/coach")
        tabs = page.locator("#who button")
        await expect(tabs).to_have_count(3)
        assert [" ".join(t.split()) for t in await tabs.all_inner_texts()] == [
            "Maya O. drifting, +2.1°",
            "Jonas K. steady" + (await tabs.nth(1).inner_text()).split("steady")[1],
            "Priya S. sensor",
        ]
        await expect(page.locator("#headline")).to_have_text("Clip moved")
        await tabs.first.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#headline")).to_contain_text("further forward than at the start")
        points = "latemiles.chart && document.querySelectorAll('#score .dots').length"
        assert await page.evaluate(points) > 0
        await expect(page.get_by_role("status")).to_have_text("Maya O.: drifting")
        assert await page.evaluate("document.activeElement.dataset.run") == "r1"
        await page.reload()
        await expect(page.locator("#who button[aria-current=true]")).to_contain_text("Maya O.")
    assert page.troubles == []
    await page.close()


async def test_whoever_is_looked_at_is_in_sight_among_more_runners_than_there_is_room_for(chromium):
    board, view = LiveBoard(), view_of("learning")
    for k in range(12):
        board.open().offer(view.state() | {"run": f"run {k}", "athlete": f"Runner {k}"}, view.log)
    async with serving(create_app(None, board)) as port:
        page = await chromium.new_page(viewport=DESK)
        await page.goto(f"http://127.0.0.1:{port}/coach?run=run 11")
        chosen = page.locator('#who [aria-current="true"]')
        await expect(chosen).to_contain_text("Runner 11")
        tab, clock = await chosen.bounding_box(), await page.locator(".clock").bounding_box()
        assert tab["x"] >= 0
        assert tab["x"] + tab["width"] <= clock["x"] + 1
        assert await page.locator("#who[data-more]").count() == 0
        await page.evaluate("document.getElementById('who').scrollTo(0, 0)")
        await expect(page.locator("#who[data-more]")).to_have_count(1)
        await page.close()


async def test_news_of_the_others_come_while_one_is_looked_at(chromium):
    board = three_runners()
    page = await opened(chromium, DESK)
    async with serving(create_app(None, board)) as port:
        await page.goto(f"http://127.0.0.1:{port}/coach?run=r2")
        await expect(page.locator("#who button").first).to_contain_text("drifting")
        view = view_of("watch", "r1")
        board.find("r1").offer(view.state(), view.log)
        await expect(page.locator("#who button").first).to_contain_text("watch", timeout=9000)
        late = board.open()
        late.offer(view_of("learning", "r4", "Tom").state(), view_of("learning", "r4", "Tom").log)
        await expect(page.locator("#who button")).to_have_count(4, timeout=9000)
        await expect(page.locator("#who button[aria-current=true]")).to_contain_text("Jonas K.")
    assert page.troubles == []
    await page.close()


async def test_a_page_that_waits_finds_the_first_run_that_begins(chromium):
    board = LiveBoard()
    page = await opened(chromium, PHONE)
    async with serving(create_app(None, board)) as port:
        await page.goto(f"http://127.0.0.1:{port}/")
        await expect(page.locator("#word")).to_have_text("waiting")
        board.open().offer(view_of("steady").state(), view_of("steady").log)
        await expect(page.locator("#word")).to_have_text("steady")
    await page.close()


async def test_a_phone_shows_the_coach_everything_without_scrolling_sideways(chromium):
    page = await opened(chromium, PHONE)
    marks = []
    async with serving(create_app(None, three_runners(), on_mark=marks.append)) as port:
        await page.goto(f"http://127.0.0.1:{port}/coach?run=r1")
        await expect(page.locator("#headline")).to_contain_text("further forward")
        root = "document.documentElement"
        assert await page.evaluate(f"{root}.scrollWidth <= innerWidth")
        assert await page.locator("#score text.title").count() == 6
        sizes = (
            "[...document.querySelectorAll('#score text')].map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(await page.evaluate(sizes)) >= 12
        await page.locator("#mark").click()
        await expect(page.locator("#mark")).to_contain_text("Marked")
    assert marks == [""]
    assert page.troubles == []
    await page.close()


@pytest.mark.parametrize("size", [(1280, 720), (2560, 1440), (3840, 2160)])
async def test_a_wall_screen_is_filled_and_not_scrolled(chromium, size):
    page = await opened(chromium, {"width": size[0], "height": size[1]})
    async with serving(create_app(None, three_runners())) as port:
        await page.goto(f"http://127.0.0.1:{port}/coach?run=r1")
        await expect(page.locator("#headline")).to_contain_text("further forward")
        fits = (
            "document.documentElement.scrollWidth <= innerWidth"
            " && document.body.getBoundingClientRect().bottom <= innerHeight + 1"
        )
        assert await page.evaluate(fits)
        box = await page.locator("#score svg").bounding_box()
        assert box["height"] > 0.8 * size[1] - 60
        tall = "document.querySelector('#score .title').getBoundingClientRect().height"
        assert await page.evaluate(tall) >= min(15.0, 14.0 * size[1] / 900.0)
    await page.close()


@pytest.mark.parametrize(("mode", "heard"), [("off", 0), ("beep", 2), ("voice", 1)])
async def test_a_cue_is_given_on_entering_a_drift_and_then_not_for_five_minutes(chromium, mode, heard):
    page = await opened(chromium, PHONE)
    await page.add_init_script(EARS)
    await page.clock.install()
    broadcast = LiveBroadcast()

    async def show(state):
        view = view_of(state)
        broadcast.offer(view.state(), view.log)
        await expect(page.locator("#word")).to_have_text(state)

    async with serving(create_app(None, broadcast)) as port:
        await page.goto(f"http://127.0.0.1:{port}/?cue={mode}")
        await show("learning")
        await expect(page.locator("#cue")).to_contain_text({"off": "sound off"}.get(mode, f"sound: {mode}"))
        for state in ("steady", "watch", "drifting", "sensor", "drifting", "watch", "drifting"):
            await show(state)
        assert not await page.locator("#cue").is_visible()
        assert await page.evaluate("heard.length") == heard
        await page.clock.run_for(301_000)
        await show("watch")
        await show("drifting")
        assert await page.evaluate("heard.length") == 2 * heard
        if mode == "voice":
            assert (await page.evaluate("heard[0]")).startswith("Tilt 2.")
    assert page.troubles == []
    await page.close()


async def test_a_page_that_opens_in_a_drift_stays_silent(chromium):
    page = await opened(chromium, PHONE)
    await page.add_init_script(EARS)
    async with serving(create_app(None, offered("drifting"))) as port:
        await page.goto(f"http://127.0.0.1:{port}/?cue=voice")
        await expect(page.locator("#word")).to_have_text("drifting")
        assert await page.evaluate("heard.length") == 0
    await page.close()
