"""Time the live magnifier in Chromium: its worker's milliseconds a frame, and the frames it gets through."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from memaa_book import pdf
from numpy.typing import NDArray

from memaa_lib import Clip, figures
from memaa_lib._support.media import write_video

STATIC = Path(__file__).resolve().parents[1] / "book" / "_static"
SECONDS = 6
NUMBERS = re.compile(r"([\d.]+) frames a second, ([\d.]+) ms of work a frame")
COUNT = """() => { const live = document.querySelector("memaa-live"), shown = live.pictures;
  live.count = 0;
  live.pictures = function (told) { this.count++; shown.call(this, told); }; }"""


def live_times(
    clips: dict[float, NDArray[np.uint8]],
) -> Iterator[tuple[float, float, float]]:
    """Yield, for clips by their frame rate, that rate, ms of work a frame, and frames a second got through."""
    from playwright.sync_api import sync_playwright

    chromium = pdf.find_browser()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder, "live.html")
        shown = figures.live({"black": Clip(np.zeros((5, 64, 64, 3), np.uint8), 25)}, words="").data
        script = (STATIC / "live.js").read_text("utf-8")
        page_file.write_text(f"<!doctype html><body>{shown}<script>{script}</script>", "utf-8")
        flags = list(pdf.BROWSER_FLAGS)
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        for fps, frames in clips.items():
            video = Path(folder, f"{fps:g}.mp4")
            write_video(video, frames, fps)
            page = browser.new_page()
            page.goto(page_file.as_uri())
            page.locator("memaa-live input[type=file]").set_input_files(video)
            page.wait_for_timeout(2000)
            page.evaluate(COUNT)
            page.wait_for_timeout(1000 * SECONDS)
            done = page.evaluate("document.querySelector('memaa-live').count") / SECONDS
            found = NUMBERS.search(page.locator("memaa-live .numbers").inner_text())
            yield fps, float(found.group(2)) if found else float("nan"), done
            page.close()
        browser.close()
