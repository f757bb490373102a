"""Small fake releases: tiny images in each released layout, and a renderer that costs nothing."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openpyxl
import pytest

import memaa_lib.synthetic
from memaa_lib.clips import write_image
from memaa_lib.datasets.twins.annotation import _same_bytes
from memaa_lib.datasets.twins.release import write_twin

CASME2_HEADER = (
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
)
SAMM_HEADER = (
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
    "Micro",
    "Action Units",
    "Estimated Emotion",
    "Objective Classes",
    "Notes",
)
# subject, clip, onset, apex, offset, action units, emotion
CASME2_ROWS = (
    ("01", "EP02_01f", 46, 50, 52, "4+L10", "happiness"),
    ("01", "EP19_05f", 98, 100, 103, 4, "disgust"),
    ("02", "EP02_01f", 9, 11, 12, "1+2", "surprise"),
    ("04", "EP12_01f", 261, "/", 264, "?", "disgust"),
    ("05", "EP09_05f", 69, 69, 72, 4, "disgust"),
    ("07", "EP06_02_01", 5, 7, 9, 4, "repression"),
    ("09", "EP09f", 5, 7, 9, 12, "happiness"),
    ("10", "EP01_2", 5, 7, 9, 12, "others"),
    ("24", "EP07_01", 5, 7, 9, 12, "sadness"),
)
SAMM_ROWS = (
    ("006", "006_1_2", 5562, 5564, 5566, "4+7", "Anger"),
    ("007", "007_6_1", 83, 85, 87, "25 or 26", "Happiness"),
    ("025", "025_2_1", 300, 302, 303, 12, "Other"),
    ("028", "028_4_1", 1071, 1143, 1134, "12+15 ", "Contempt"),
    ("032", "032_3_1", 4896, 1930, 4970, 4, "Sadness"),
)
SMIC_CLIPS = (
    ("1", "ne_01", "negative", 559700, 4),
    ("1", "po_01", "positive", 76532, 3),
    ("2", "sur_01", "surprise", 1695798, 5),
)


def tiny(colour: bool, value: int = 90, size: tuple[int, int] = (8, 6)) -> np.ndarray:
    """One small image."""
    return np.full((*size, 3) if colour else size, value, np.uint8)


def write_frames(folder: Path, template: str, numbers: range, colour: bool = True) -> None:
    """Numbered tiny frames, e.g. ``reg_img{}.jpg``; the gray value is the position."""
    for position, number in enumerate(numbers):
        write_image(folder / template.format(number), tiny(colour, 20 + position % 230))


def copied_elsewhere(release: Path, clips: Iterable[str]) -> list[str]:
    """Copy a release, so that its files have other paths and times; its clips' folders there."""
    copy = release.with_name("elsewhere")
    shutil.copytree(release, copy, copy_function=shutil.copyfile)
    return [str(copy / Path(clip).relative_to(release)) for clip in clips]


def write_sheet(path: Path, header: tuple, rows: list[tuple], preamble: int = 0) -> None:
    """A spreadsheet with a preamble, a header and rows; the same bytes on every call."""
    book = openpyxl.Workbook()
    sheet = book.active
    for number in range(preamble):
        sheet.cell(number + 1, 1, f"note {number}")
    for row, cells in enumerate([header, *rows], start=preamble + 1):
        for column, value in enumerate(cells, start=1):
            if value is not None:
                sheet.cell(row, column, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_same_bytes(book))


def casme2_cells(rows: tuple = CASME2_ROWS) -> list[tuple]:
    """Rows as the spreadsheet has them, with its two columns without header."""
    return [(s, c, None, on, ap, off, None, au, em) for s, c, on, ap, off, au, em in rows]


def samm_cells(rows: tuple = SAMM_ROWS) -> list[tuple]:
    """Rows as the spreadsheet has them, with the formula without a value."""
    return [
        (s, c, int(c.split("_")[1]), on, ap, off, "=SUM(F-D)+1", "Micro - 1/2", au, em, 3, None)
        for s, c, on, ap, off, au, em in rows
    ]


def casme2_tree(
    root: Path,
    folder: str = "Cropped",
    template: str = "reg_img{}.jpg",
    sheet: str = "CASME2-coding-20140508.xlsx",
    subject: str = "sub{}",
) -> Path:
    """A small CASME II release."""
    for s, clip, onset, _, offset, _, _ in CASME2_ROWS:
        write_frames(root / folder / subject.format(s) / clip, template, range(onset, offset + 1))
    if sheet:
        write_sheet(root / sheet, CASME2_HEADER, casme2_cells())
    return root


def samm_tree(root: Path, folder: str = "SAMM") -> Path:
    """A small SAMM release: five digits in recording 006_1, four in the others."""
    for subject, clip, onset, _, offset, _, _ in SAMM_ROWS:
        template = subject + ("_{:05d}.jpg" if clip == "006_1_2" else "_{:04d}.jpg")
        numbers = range(onset, offset + 1)
        write_frames(root / folder / subject / clip, template, numbers, colour=False)
    write_sheet(root / "SAMM_Micro_FACS_Codes_v2.xlsx", SAMM_HEADER, samm_cells(), preamble=13)
    return root


def smic_tree(
    root: Path,
    folder: str = "SMIC_all_cropped/HS",
    template: str = "reg_image{:06d}.bmp",
    layout: str = "s{0}/micro/{2}/s{0}_{1}",
) -> Path:
    """A small SMIC release."""
    for subject, name, label, first, count in SMIC_CLIPS:
        clip = layout.format(subject, name, label, subject.zfill(2))
        write_frames(root / folder / clip, template, range(first, first + count))
    return root


@dataclasses.dataclass
class _Rendered:
    frames: np.ndarray
    landmarks: np.ndarray
    action_unit_weights: np.ndarray
    action_units: tuple[str, ...]
    active_units: tuple[str, ...]
    peak_px: float
    label: str
    emotion: str


@pytest.fixture
def fake_renderer(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the renderer; the list holds the clips that were rendered."""
    return replace_renderer(monkeypatch)


def replace_renderer(patch: pytest.MonkeyPatch, seconds: float = 0) -> list[str]:
    """Put in the renderer's place one that waits for each clip; return the list of those it rendered."""
    done: list[str] = []

    def make_rig(identity, camera):
        return SimpleNamespace(identity=identity, gray=camera.gray)

    def plan(rig, label, *, n_frames, apex, clip, seed, difficulty):
        assert 1 <= apex < n_frames
        return SimpleNamespace(label=label, n=n_frames, clip=clip, seed=seed)

    def render(rig, plan):
        done.append(plan.clip)
        time.sleep(seconds)
        size = (plan.n, 8, 6) if rig.gray else (plan.n, 8, 6, 3)
        shade = np.arange(plan.n, dtype=np.uint8).reshape((plan.n,) + (1,) * (len(size) - 1))
        marks = np.arange(plan.n, dtype=np.float32)[:, None, None] + np.zeros(
            (1, 68, 2), np.float32
        )
        units = ("AU4L", "AU4R", "AU10L")
        weights = np.zeros((plan.n, 3))
        frames = np.zeros(size, np.uint8) + shade
        return _Rendered(frames, marks, weights, units, units, 1.0, plan.label, "joy")

    patch.setattr(memaa_lib.synthetic, "sample_identity", lambda *parts: parts)
    patch.setattr(memaa_lib.synthetic, "FaceRig", make_rig)
    patch.setattr(memaa_lib.synthetic, "plan_clip", plan)
    patch.setattr(memaa_lib.synthetic, "render_clip", render)
    return done


@pytest.fixture
def make_twin(fake_renderer: list[str], tmp_path: Path):
    """Write a twin with the fake renderer in this process."""

    def make(dataset: str, name: str = "twin", **settings) -> Path:
        return write_twin(dataset, tmp_path / name / dataset, n_jobs=1, **settings)

    return make


@pytest.fixture(autouse=True)
def no_roots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration file is near and the cache is empty; that no root is set holds for every test."""
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def trees() -> SimpleNamespace:
    """The builders of small releases."""
    return SimpleNamespace(
        smic=smic_tree,
        casme2=casme2_tree,
        samm=samm_tree,
        write_frames=write_frames,
        write_sheet=write_sheet,
        tiny=tiny,
        casme2_header=CASME2_HEADER,
        casme2_rows=CASME2_ROWS,
        casme2_cells=casme2_cells,
        samm_header=SAMM_HEADER,
        samm_rows=SAMM_ROWS,
        samm_cells=samm_cells,
    )
