"""The built book in a browser: offline, no errors, no overflow, players that move.

These tests look at ``_build/html``, which ``make book`` makes; without it, or without Chromium, they
are skipped and say so.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from memaa_lib.publish import published_runs, read_toc, toc_pages

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PAGES = list(toc_pages(read_toc()))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MODES = {
    "desktop": {"viewport": {"width": 1360, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "dark": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
}
PAGE_LIMIT = 3_000_000  # bytes of HTML; images stand inside the page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HTML.is_dir(), reason="NO BOOK TO TEST: run make book first"),
]


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("NO BROWSER TESTS: Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield instance
        instance.close()


def visit(page, name: str) -> list[str]:
    """Open a page from disk; return what went wrong while it loaded."""
    complaints: list[str] = []
    page.on(
        "request",
        lambda request: (
            complaints.append(f"asks for {request.url}")
            if not request.url.startswith(("file:", "data:", "blob:"))
            else None
        ),
    )
    page.on("requestfailed", lambda request: complaints.append(f"misses {request.url[-80:]}"))
    page.on("pageerror", lambda error: complaints.append(f"throws {error}"))
    page.on(
        "console",
        lambda message: (
            complaints.append(f"{message.type}: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.goto((HTML / f"{name}.html").as_uri(), wait_until="load")
    page.wait_for_timeout(300)
    return complaints


@pytest.mark.parametrize("mode", MODES)
def test_pages_need_no_network_and_raise_no_error(browser, mode):
    wrong = {}
    for name in PAGES:
        context = browser.new_context(**MODES[mode])
        page = context.new_page()
        complaints = visit(page, name)
        wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        if wide:
            complaints.append("is wider than the window")
        if complaints:
            wrong[name] = complaints
        context.close()
    assert wrong == {}


def test_images_have_alternative_texts(browser):
    page = browser.new_page()
    wrong = {}
    for name in PAGES:
        visit(page, name)
        script = "[...document.images].filter(i => !i.alt.trim()).map(i => i.src.slice(-60))"
        if missing := page.evaluate(script):
            wrong[name] = missing
    assert wrong == {}


def test_a_scrubber_moves_by_keyboard(browser):
    page = browser.new_page()
    moved = 0
    for run in published_runs():
        if "<memaa-scrubber" not in (HTML / f"{run.page}.html").read_text("utf-8"):
            continue
        visit(page, run.page)
        image, slider = (page.locator(f"memaa-scrubber {tag}").first for tag in ("img", "input"))
        before = image.get_attribute("src")
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        if image.get_attribute("src") == before:  # it stood at its end
            page.keyboard.press("Home")
        assert image.get_attribute("src") != before, run
        assert slider.get_attribute("aria-valuetext")
        moved += 1
    assert moved > 0


def test_a_wiper_moves_by_keyboard(browser):
    page = browser.new_page()
    visit(page, "book/runs/casme2/05_emotion_avatar")
    page.locator("memaa-compare input").first.focus()
    page.keyboard.press("End")
    style = page.locator("memaa-compare .stack").first.get_attribute("style")
    assert "100%" in style


def test_videos_play(browser):
    page = browser.new_page()
    visit(page, "book/runs/common/11_your_own_clip")
    script = """async () => {
        const video = document.querySelector("video");
        await video.play();
        await new Promise(done => setTimeout(done, 500));
        return [video.videoWidth, video.currentTime];
    }"""
    width, seconds = page.evaluate(script)
    assert width > 0
    assert seconds > 0


def test_search_finds_pages_from_disk(browser):
    page = browser.new_page()
    page.goto((HTML / "search.html").as_uri() + "?q=magnification")
    page.wait_for_selector("ul.search li", timeout=10_000)
    assert page.locator("ul.search li").count() > 2


def test_equations_show_the_papers_numbers():
    page = (HTML / "book/runs/common/01_motion_magnification.html").read_text("utf-8")
    found = re.findall(r'class="eqno">\((\d+)\)', page)
    assert [number for number in found if number in "12345"] == ["1", "2", "3", "4", "5"]


def test_no_page_is_heavy():
    heavy = {
        name: size
        for name in PAGES
        if (size := (HTML / f"{name}.html").stat().st_size) > PAGE_LIMIT
    }
    assert heavy == {}


def test_executed_notebooks_are_clean():
    import nbformat

    for run in published_runs():
        for cell in nbformat.read(run.target, 4).cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error", run
                assert output.get("name") != "stderr", (run, output.text)
