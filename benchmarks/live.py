"""Time the live magnifier in Chromium: its worker's milliseconds a frame, and the frames it gets through.

Without a graphics card a browser does not hand over every frame of a video, so those are counted, too.
"""

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
COUNT = """() => { const live = document.querySelector("memaa-live"), { filmedFrame, pictures } = live;
  Object.assign(live, { handed: 0, shown: 0 });
  live.filmedFrame = function (frame) { this.handed++; filmedFrame.call(this, frame); };
  live.pictures = function (told) { this.shown++; pictures.call(this, told); }; }"""


def live_times(
    clips: dict[float, NDArray[np.uint8]],
) -> Iterator[tuple[float, float, float, float]]:
    """Yield, for clips by frame rate, that rate, ms of work a frame, frames a second handed over and shown."""
    from playwright.sync_api import sync_playwright

    chromium = pdf.find_browser()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder, "live.html")
        player = figures.live(
            {"black": Clip(np.zeros((5, 64, 64, 3), np.uint8), 25)}, words=""
        ).data
        script = (STATIC / "live.js").read_text("utf-8")
        page_file.write_text(f"<!doctype html><body>{player}<script>{script}</script>", "utf-8")
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
            counts = page.evaluate(
                "(({handed, shown}) => [handed, shown])(document.querySelector('memaa-live'))"
            )
            handed, shown = (count / SECONDS for count in counts)
            found = NUMBERS.search(page.locator("memaa-live .numbers").inner_text())
            yield fps, float(found.group(2)) if found else float("nan"), handed, shown
            page.close()
        browser.close()
