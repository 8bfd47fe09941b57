"""The page in a real browser: Debian's Chromium, driven by Playwright.

`SCREENSHOT=engine/monitor/screenshot.jpg pytest tests/engine/monitor/test_browser.py -k picture_of`
renews the README's picture.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from ..scripted_monitor import Running, running_monitor
from .test_serve import serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
TOKEN = "a-token-that-is-long-enough"
# A picture's content, as a number that changes with it.
PIXELS = """() => {
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [160, 120];
    const context = copy.getContext('2d', { willReadFrequently: true });
    context.drawImage(document.getElementById('picture'), 0, 0, 160, 120);
    const data = context.getImageData(0, 0, 160, 120).data;
    let sum = 0;
    for (let i = 0; i < data.length; i += 97) sum = (31 * sum + data[i]) % 1000003;
    return sum;
}"""
# Whether the picture has the same colour at two places.
ALIKE = """(places) => {
    const colours = places.map(([x, y]) => {
        const copy = document.createElement('canvas');
        [copy.width, copy.height] = [1, 1];
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(document.getElementById('picture'), Math.round(x), Math.round(y), 1, 1,
            0, 0, 1, 1);
        return context.getImageData(0, 0, 1, 1).data.join();
    });
    return colours[0] === colours[1];
}"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: apt-get install chromium fonts-noto-cjk"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A monitor that plays the demo; a rule speaks after two seconds."""
    folder = tmp_path_factory.mktemp("browser")
    rules = folder / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "glad"\nlevel = "high"\nfor_s = 2\n'
        'text.en = "Glad for two seconds."\ntext.zh = "高兴了两秒。"\n'
    )
    with running_monitor(folder, rules=str(rules)) as one:
        one.streams.add("demo")
        yield one


class Visit:
    """A page and everything that went wrong in it."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        values = {"viewport": {"width": 1280, "height": 720}, "locale": "en-GB", **options}
        self.context = browser.new_context(**values)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._hear)
        self.page.goto(url)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.problems == []


def start_again(running: Running) -> None:
    """Play the demo from its beginning, as long tests may have come to its end."""
    (status,) = running.streams.sources
    running.streams.halt(status.source)
    running.streams.start(status.source)


def wait_for_another_picture(page: Page) -> None:
    page.wait_for_function(f"before => ({PIXELS})() !== before", arg=page.evaluate(PIXELS))


def test_the_picture_changes_and_a_face_appears(browser: Browser, running: Running) -> None:
    start_again(running)
    with Visit(browser, running.url) as page:
        wait_for_another_picture(page)
        expect(page.locator("#faces button")).to_have_count(1)
        expect(page.locator("#expression")).to_have_text("happy")
        expect(page.locator("#level")).to_have_text("high")
        expect(page.locator("#bars li")).to_have_count(7)
        expect(page.locator("#bars li", has_text="happy")).to_contain_text("40 %")
        expect(page.locator("#badge-age")).to_have_text(re.compile(r"\d+ ms old"))
        expect(page.get_by_role("img", name=re.compile("In view: 1 happy 40%"))).to_be_visible()
        expect(page.locator("#timeline-text")).to_have_text("Face 1: happy 100 %")
        expect(page.get_by_role("log")).to_contain_text("Glad for two seconds.", timeout=10_000)
        expect(page.get_by_text("Ask the people you film.")).to_be_visible()


def test_pause_holds_the_picture_and_start_goes_on(browser: Browser, running: Running) -> None:
    start_again(running)
    with Visit(browser, running.url) as page:
        wait_for_another_picture(page)
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#badge-state")).to_have_text("paused")
        page.wait_for_timeout(200)
        held = page.evaluate(PIXELS)
        page.wait_for_timeout(300)
        assert page.evaluate(PIXELS) == held
        page.get_by_role("button", name="Start").click()
        wait_for_another_picture(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#badge-state")).to_have_text("stopped")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#badge-state")).to_have_text("running")


def test_settings_change_while_it_runs(browser: Browser, running: Running) -> None:
    start_again(running)
    with Visit(browser, running.url) as page:
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("Detect every").fill("3")
        page.get_by_label("Smooth expressions").fill("1.5")
        page.get_by_label("Least score").fill("0.95")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_text("No face in view.")).to_be_visible()
        assert running.streams.config.detect_every == 3
        assert running.streams.config.smooth_s == 1.5
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("Least score").fill("0.5")
        page.keyboard.press("Enter")
        expect(page.locator("#faces button")).to_have_count(1)
        page.get_by_label("Mirror").check()
        page.get_by_label("Blur faces").check()
        page.wait_for_function(
            "() => fetch('api/v1/settings').then(a => a.json()).then(s => s.blur)"
        )
        assert running.monitor.view.mirror
        page.get_by_label("Mirror").uncheck()
        page.get_by_label("Blur faces").uncheck()


def test_landmarks_are_drawn_and_can_be_switched_off(browser: Browser, running: Running) -> None:
    start_again(running)
    # The scripted face rests where it is: its nose, and its box's edge, which has its colour.
    x, y, w, h = 0.35 * 640, 0.25 * 480, 0.25 * 640, 0.4 * 480
    places = [[x + 0.5 * w, y + 0.6 * h], [x, y + h / 2]]
    with Visit(browser, running.url) as page:
        expect(page.locator("#faces button")).to_have_count(1)
        page.wait_for_function(f"places => ({ALIKE})(places)", arg=places)
        page.get_by_label("Landmarks").uncheck()
        page.wait_for_function(f"places => !({ALIKE})(places)", arg=places)
        page.get_by_label("Landmarks").check()
        page.wait_for_function(f"places => ({ALIKE})(places)", arg=places)
        # A dot would give away what blur hides.
        page.get_by_label("Blur faces").check()
        page.wait_for_function(f"places => !({ALIKE})(places)", arg=places)
        page.get_by_label("Blur faces").uncheck()
        page.wait_for_function(f"places => ({ALIKE})(places)", arg=places)


def test_language_and_theme_are_chosen_and_remembered(browser: Browser, running: Running) -> None:
    with Visit(browser, running.url) as page:
        page.get_by_label("Language").select_option("zh")
        expect(page.get_by_role("heading", name="人脸", exact=True)).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", "zh")
        expect(page.get_by_role("log")).to_contain_text("高兴了两秒。", timeout=10_000)
        page.get_by_role("button", name="深色").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.reload()
        expect(page.get_by_role("heading", name="人脸", exact=True)).to_be_visible()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_browsers_own_language_and_theme_come_first(browser: Browser, running: Running) -> None:
    with Visit(browser, running.url, locale="zh-CN", color_scheme="dark") as page:
        expect(page.get_by_role("heading", name="来源", exact=True)).to_be_visible()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_history_is_shown_by_hour_and_session(browser: Browser, running: Running) -> None:
    start_again(running)
    while not running.monitor.history.days():
        pass
    with Visit(browser, f"{running.url}/history") as page:
        expect(page.locator("#summary")).to_contain_text("happy 100 %")
        expect(page.get_by_role("row", name=re.compile(r"^\d\d:00"))).to_have_count(1)
        expect(page.locator(".session").first).to_contain_text("demo")
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        assert Path(download.value.path()).read_text().startswith("time,session,source")
        page.emulate_media(media="print")
        expect(page.get_by_role("button", name="Print")).to_be_hidden()
        expect(page.locator(".session").first).to_be_visible()


def test_sources_are_added_fail_visibly_and_are_removed(browser: Browser, running: Running) -> None:
    start_again(running)
    with Visit(browser, running.url) as page:
        page.get_by_label("Source", exact=True).fill("rtsp://me:secret@127.0.0.1:9/live")
        page.get_by_role("button", name="Add", exact=True).click()
        item = page.locator("#sources li", has_text="127.0.0.1:9/live")
        expect(item).to_contain_text("failed", timeout=10_000)
        expect(item).to_contain_text("no stream")
        expect(page.locator("body")).not_to_contain_text("secret")
        page.get_by_role("button", name=re.compile("Remove rtsp")).click()
        expect(item).to_have_count(0)
        # The demo was left alone.
        expect(page.locator("#badge-state")).to_have_text("running")
        wait_for_another_picture(page)


def test_no_source_is_sent_before_the_page_can_send_it(browser: Browser, running: Running) -> None:
    context = browser.new_context(locale="en-GB")
    page, held = context.new_page(), list[Route]()

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/languages", hold)
    with page.expect_request("**/languages"):
        page.goto(running.url, wait_until="commit")
    source = page.get_by_label("Source", exact=True)
    source.fill("rtsp://me:secret@127.0.0.1:9/live")
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_disabled()
    source.press("Enter")
    page.wait_for_timeout(200)
    assert "secret" not in page.url
    expect(source).to_have_value("rtsp://me:secret@127.0.0.1:9/live")
    held[0].continue_()
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_enabled()
    context.close()


def test_a_refused_source_is_explained(browser: Browser, running: Running) -> None:
    visit = Visit(browser, running.url)
    with visit as page:
        page.get_by_label("Source", exact=True).fill("/etc/passwd")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("not in a folder given with --media")
        # The browser notes the refusal too.
        assert all("403" in problem for problem in visit.problems)
        visit.problems.clear()


def test_everything_can_be_done_from_the_keyboard_and_has_a_name(
    browser: Browser, running: Running
) -> None:
    start_again(running)
    with Visit(browser, running.url) as page:
        expect(page.locator("#faces button")).to_have_count(1)
        reached = []
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate("document.activeElement.id || document.activeElement.className")
            )
            if reached[-1] == "pause":
                page.keyboard.press("Enter")
                expect(page.locator("#badge-state")).to_have_text("paused")
                page.locator("#start").click()
                page.locator("#pause").focus()
        order = ["skip", "settings-open", "language", "theme", "pause", "stop", "blur", "uri"]
        places = [reached.index(name) for name in order]
        assert places == sorted(places)
        # Faces that come and go take their buttons with them.
        page.locator("#pause").click()
        expect(page.locator("#badge-state")).to_have_text("paused")
        for role in ("button", "link", "textbox", "combobox", "checkbox"):
            for element in page.get_by_role(role).all():  # type: ignore[arg-type]
                snapshot = element.aria_snapshot()
                assert re.search(r'"[^"]+"|: \S|: $', snapshot), snapshot


def test_a_slow_viewer_gets_fewer_pictures_and_costs_the_other_nothing(
    browser: Browser, running: Running
) -> None:
    start_again(running)
    count = """slow => {
        window.seen = [];
        document.getElementById('picture').addEventListener('picture', (event) => {
            window.seen.push([event.detail.number, event.detail.age_ms]);
            const until = performance.now() + slow;
            while (performance.now() < until);
        });
    }"""
    with Visit(browser, running.url) as fast, Visit(browser, running.url) as slow:
        for page, delay_ms in ((fast, 0), (slow, 400)):
            expect(page.locator("#faces button")).to_have_count(1)
            page.evaluate(count, delay_ms)
        fast.wait_for_function("() => window.seen.length > 40")
        seen = {"fast": fast.evaluate("window.seen"), "slow": slow.evaluate("window.seen")}
    numbers = {name: [number for number, _ in rows] for name, rows in seen.items()}
    assert 1 <= len(numbers["slow"]) < len(numbers["fast"]) / 2
    for one in numbers.values():
        assert one == sorted(set(one))
    # What the slow one got was new when it was sent: it skipped, nothing queued up.
    gaps = [b - a for a, b in zip(numbers["slow"], numbers["slow"][1:], strict=False)]
    assert not gaps or max(gaps) > 2


def test_wrong_and_right_token(browser: Browser, tmp_path: Path) -> None:
    with running_monitor(tmp_path, token=TOKEN) as closed:
        closed.streams.add("demo")
        visit = Visit(browser, f"{closed.url}/?token=wrong-token-again")
        with visit as page:
            expect(page.get_by_text("This monitor asks for a token")).to_be_visible()
            page.get_by_label("Token").fill("wrong-token-again")
            page.get_by_role("button", name="OK").click()
            expect(page.get_by_text("This monitor asks for a token")).to_be_visible()
            page.get_by_label("Token").fill(TOKEN)
            page.get_by_role("button", name="OK").click()
            expect(page.locator("#faces button")).to_have_count(1)
            assert TOKEN not in page.url
            assert TOKEN not in page.evaluate("document.cookie")
            # The cookie opens the other pages.
            page.get_by_role("link", name="History").click()
            expect(page.get_by_role("heading", name="Sessions")).to_be_visible()
            assert all("401" in problem for problem in visit.problems)
            visit.problems.clear()


@pytest.mark.parametrize("path", ["/", "/history"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_scrolls_sideways(
    browser: Browser, running: Running, path: str, width: int
) -> None:
    viewport = {"width": width, "height": 844}
    with Visit(browser, running.url + path, viewport=viewport) as page:
        expect(page.locator("#language")).to_have_value("en")
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_picture_of_the_page(browser: Browser, tmp_path: Path) -> None:
    path = Path(os.environ.get("SCREENSHOT", tmp_path / "screenshot.jpg"))
    # With the shipped models, as people will see it.
    with serving(tmp_path, "--source", "demo") as (_, url), Visit(browser, url) as page:
        expect(page.locator("#timeline-text")).to_contain_text("happy", timeout=20_000)
        if "SCREENSHOT" in os.environ:
            page.wait_for_timeout(12_000)
        page.screenshot(path=path, type="jpeg", quality=82)
        # The picture, the faces and the notice, all without scrolling.
        for part in ("#picture", "#bars", "#uri", "footer"):
            expect(page.locator(part)).to_be_in_viewport()
    image = cv2.imread(str(path))
    assert image is not None
    assert image.shape == (720, 1280, 3)
    assert path.stat().st_size < 200_000
