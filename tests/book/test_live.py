"""The live magnifier in a browser: bundled clip, chosen video, camera; each held against the library.

Decoders differ, so the page hands out the frames that it has read, and the library gets those.
"""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest
from memaa_book import pdf
from numpy.typing import NDArray

from memaa_lib import Clip, magnify
from memaa_lib._support.media import write_video
from memaa_lib.figures import grating
from tests.book.test_pages import CHROMIUM, HTML, address, visit

PAGE = "book/pages/17_live_magnifier"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HTML.is_dir(), reason="NO BOOK TO TEST: run make book first"),
    pytest.mark.skipif(not CHROMIUM, reason="NO BROWSER TESTS: Chromium is not installed"),
]
CAMERA = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--use-file-for-fake-video-capture={}",
]
EXPORT = """() => new Promise((done) => {
  const live = document.querySelector("memaa-live");
  live.addEventListener("exported", ({ detail }) => {
    live.save(new Blob(detail.frames.flat()), "frames");
    const { width, height } = live.views.filmed;
    done({ width, height, settings: detail.settings });
  }, { once: true });
  live.worker.postMessage({ kind: "export" });
})"""


@pytest.fixture(scope="module")
def start():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = []

        def begin(*flags: str):
            flags = (*pdf.BROWSER_FLAGS, *flags)
            opened.append(playwright.chromium.launch(executable_path=CHROMIUM, args=list(flags)))
            return opened[-1]

        yield begin
        for one in opened:
            one.close()


@pytest.fixture(scope="module")
def browser(start):
    return start()


@pytest.fixture
def page(browser):
    page = browser.new_page()
    assert visit(page, PAGE) == []
    yield page
    page.close()


def swinging(height: int, width: int, n_frames: int = 24) -> NDArray[np.uint8]:
    """Coloured stripes that swing a little, with noise, over and over."""
    shift = 0.3 * np.sin(2 * np.pi * np.arange(12) / 12)
    gray = grating(shift, 40, size=max(height, width))[:, :height, :width].astype(float)
    noise = np.random.default_rng(0).normal(0, 2, (*gray.shape, 3))
    once = np.clip(gray[..., None] * (1, 0.8, 0.6) + noise, 0, 255).astype(np.uint8)
    return np.tile(once, (n_frames // 12, 1, 1, 1))


def slide(page, name: str, value: float) -> None:
    control = page.locator("memaa-live .controls label", has_text=name).locator("input")
    control.evaluate(
        "(one, value) => { one.value = value; one.dispatchEvent(new Event('input', { bubbles: true })) }",
        str(value),
    )


def recorded(page) -> tuple[dict, NDArray[np.uint8], NDArray[np.uint8]]:
    """Record, and return what was recorded."""
    page.locator("memaa-live button", has_text="Record").click()
    page.wait_for_function(
        "document.querySelector('memaa-live .status').textContent.startsWith('Recorded')",
        timeout=60_000,
    )
    return exported(page)


def exported(page) -> tuple[dict, NDArray[np.uint8], NDArray[np.uint8]]:
    """The settings of the recording, and its frames as read and as magnified."""
    with page.expect_download() as download:
        told = page.evaluate(EXPORT)
    pairs = np.fromfile(download.value.path(), np.uint8)
    pairs = pairs.reshape(-1, 2, told["height"], told["width"], 4)[..., :3]
    return told["settings"], pairs[:, 0], pairs[:, 1]


def assert_as_the_library(settings: dict, filmed, magnified) -> None:
    assert len(filmed) >= 8
    clip = Clip(np.ascontiguousarray(filmed), fps=settings["fps"])
    expected = magnify(
        clip,
        settings["alpha"],
        band_hz=(settings["low"], settings["high"]),
        temporal=settings["filter"],
        chroma=settings["chroma"],
    ).frames
    differ = np.maximum(expected, magnified) - np.minimum(expected, magnified)
    assert differ.max() <= 1
    assert np.mean(differ > 0) < 3e-4
    assert np.any(expected != filmed), "nothing was magnified"


def test_the_bundled_clip_is_magnified_as_the_library_does(page):
    settings, filmed, magnified = recorded(page)
    assert settings["fps"] == 200
    assert_as_the_library(settings, filmed, magnified)
    slide(page, "amplification", 30)
    assert exported(page)[0] == settings, "a recording keeps the settings that it was made with"


RECORD_AT_THE_FIRST_FRAME = """() => {
  const live = document.querySelector("memaa-live");
  live.filmedFrame = (frame) => {
    Object.getPrototypeOf(live).filmedFrame.call(live, frame);
    if (frame.mediaTime !== 0) return;
    delete live.filmedFrame;
    live.record();
    live.filmedFrame({ mediaTime: 1 / 12 });
  };
}"""


def test_a_recording_is_whole_although_a_frame_comes_late(page, tmp_path):
    write_video(tmp_path / "mine.mp4", swinging(60, 80), fps=12)
    page.locator("memaa-live input[type=file]").set_input_files(tmp_path / "mine.mp4")
    page.wait_for_function("document.querySelector('memaa-live').name === 'mine.mp4'")
    page.evaluate(RECORD_AT_THE_FIRST_FRAME)
    page.wait_for_function(
        "document.querySelector('memaa-live .status').textContent.startsWith('Recorded')"
    )
    assert len(exported(page)[1]) >= 8


@pytest.mark.parametrize(
    ("size", "shown", "sliders", "kind"),
    [
        ((98, 130), (98, 130), {"amplification": 20}, "iir"),
        ((722, 1280), (361, 640), {"color": 1, "to": 6}, "iir"),
        ((610, 326), (610, 326), {"amplification": 5}, "onset"),
        ((1280, 610), (640, 305), {"from": 2}, "iir"),
    ],
)
def test_a_video_of_one_s_own_is_magnified_as_the_library_does(
    page, tmp_path, size, shown, sliders, kind
):
    path = tmp_path / "mine.mp4"
    write_video(path, swinging(*size), fps=12)
    page.locator("memaa-live input[type=file]").set_input_files(path)
    for name, value in sliders.items():
        slide(page, name, value)
    page.locator("memaa-live select").first.select_option(kind)
    page.wait_for_function("document.querySelector('memaa-live').name === 'mine.mp4'")
    page.wait_for_timeout(1500)
    settings, filmed, magnified = recorded(page)
    assert filmed.shape[1:3] == shown
    assert settings["filter"] == kind
    assert 8 < settings["fps"] < 15
    assert_as_the_library(settings, filmed, magnified)


def test_a_camera_is_magnified_as_the_library_does(start, tmp_path):
    path = tmp_path / "camera.mjpeg"
    pictures = (cv2.imencode(".jpg", frame)[1] for frame in swinging(480, 640, 12))
    path.write_bytes(b"".join(picture.tobytes() for picture in pictures))
    browser = start(*(flag.format(path) for flag in CAMERA))
    page = browser.new_page()
    assert visit(page, PAGE) == []
    page.locator("memaa-live button", has_text="Camera").click()
    page.wait_for_function(
        "document.querySelector('memaa-live .status').textContent.startsWith('Your camera')"
    )
    page.wait_for_timeout(1500)
    settings, filmed, magnified = recorded(page)
    assert filmed.shape[1:3] == (480, 640)
    assert_as_the_library(settings, filmed, magnified)
    page.close()


def test_a_camera_that_is_refused_is_told_in_words(page):
    page.locator("memaa-live button", has_text="Camera").click()
    page.wait_for_function(
        "/No camera: (it was not allowed|there is none)/.test("
        "document.querySelector('memaa-live .status').textContent)"
    )
    page.wait_for_timeout(500)
    assert page.evaluate("!document.querySelector('memaa-live video')"), "the clip goes on"


def test_something_that_is_no_video_is_told_in_words(page, tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    page.locator("memaa-live input[type=file]").set_input_files(path)
    page.wait_for_function(
        "document.querySelector('memaa-live .status').textContent.startsWith('notes.mp4: this browser')"
    )


def test_it_can_be_stopped_stepped_and_scrubbed_by_keyboard(page):
    live = page.locator("memaa-live")
    live.locator("button", has_text="Freeze").focus()
    page.keyboard.press("Enter")
    assert live.locator("button", has_text="Go on").count() == 1
    before = page.evaluate("document.querySelector('memaa-live').video.currentTime")
    live.locator("button", has_text="Step").focus()
    page.keyboard.press("Enter")
    after = page.evaluate("document.querySelector('memaa-live').video.currentTime")
    assert after == pytest.approx(before + 1 / 200, abs=1e-4)
    recorded(page)
    slider = live.locator(".scrub input")
    slider.focus()
    last = slider.input_value()
    page.keyboard.press("ArrowLeft")
    assert int(slider.input_value()) == int(last) - 1


def test_means_of_all_and_of_the_middle_half_are_means_of_those_frames(page):
    for choice, part in (("all", slice(None)), ("middle", None)):
        page.locator("memaa-live select").nth(1).select_option(choice)
        _, filmed, magnified = recorded(page)
        n = len(filmed)
        frames = slice(n // 4, n - n // 4) if part is None else part
        for name, stack in (("plain", filmed), ("strong", magnified)):
            shown = page.evaluate(
                "name => document.querySelector('memaa-live').views[name].toDataURL().split(',')[1]",
                name,
            )
            png = np.frombuffer(base64.b64decode(shown), np.uint8)
            shown = cv2.imdecode(png, cv2.IMREAD_COLOR_RGB)
            assert np.abs(stack[frames].mean(axis=0) - shown).max() < 0.51


def test_it_stands_still_for_who_prefers_that(browser):
    with browser.new_page(reduced_motion="reduce") as page:
        page.goto(address(PAGE))
        page.wait_for_timeout(1500)
        assert page.evaluate("document.querySelector('memaa-live').video.paused")


def test_the_curve_falls_with_the_factor(page):
    page.locator("memaa-live input[type=checkbox]").check()
    page.wait_for_selector("memaa-live polyline", timeout=10_000)
    words = page.locator("memaa-live svg").get_attribute("aria-label")
    values = [float(part.split(" dB")[0].split()[-1]) for part in words.split(",")]
    assert len(values) == 8
    assert values == sorted(values, reverse=True)


def test_nothing_of_the_page_asks_for_a_network_or_a_file():
    script = Path(HTML, "_static", "live.js").read_text("utf-8")
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "import("):
        assert word not in script
