"""Hand-damaged releases: each damage is named, known holes stand apart."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest
from PIL import Image

from memaa_lib._support.errors import InputError
from memaa_lib.clips import frame_number, write_image
from memaa_lib.datasets import check, list_datasets, load_index
from tests.fake_releases import fake_renderer, make_twin, no_roots, trees

__all__ = ["fake_renderer", "make_twin", "no_roots", "trees"]


def first_clip(root: Path, dataset: str) -> Path:
    """Folder of the first clip of a release."""
    return Path(load_index(dataset, root)["path"].iloc[0])


def frames_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.[bj][mp]*"), key=lambda path: frame_number(path) or 0)


def change_cell(root: Path, column: str, value: object, row: int = 2) -> None:
    """Change a cell of the 2014 coding."""
    path = root / "CASME2-coding-20140508.xlsx"
    book = openpyxl.load_workbook(path)
    names = [cell.value for cell in book.active[1]]
    book.active.cell(row, names.index(column) + 1).value = value
    book.save(path)


def remove_clip(root):
    for file in (folder := first_clip(root, "casme2")).iterdir():
        file.unlink()
    folder.rmdir()


def empty_clip(root):
    for file in first_clip(root, "casme2").iterdir():
        file.unlink()


def lose_frame(root):
    frames_of(first_clip(root, "casme2"))[4].unlink()


def lose_first_frame(root):
    frames_of(first_clip(root, "casme2"))[0].unlink()


def extra_frame(root):
    frame = frames_of(first_clip(root, "casme2"))[0]
    (frame.parent / "reg_img9999.jpg").write_bytes(frame.read_bytes())


def garbage(root):
    frames_of(first_clip(root, "casme2"))[3].write_bytes(b"no image at all")


def empty_file(root):
    frames_of(first_clip(root, "casme2"))[3].write_bytes(b"")


def cut_short(root):
    frame = frames_of(first_clip(root, "casme2"))[3]
    frame.write_bytes(frame.read_bytes()[:-4])


def link_to_nowhere(root):
    frame = frames_of(first_clip(root, "casme2"))[3]
    frame.unlink()
    frame.symlink_to("gone.jpg")


def sixteen_bits(root):
    frame = frames_of(first_clip(root, "casme2"))[0]
    cv2.imwrite(str(frame.with_suffix(".png")), cv2.imread(str(frame)).astype(np.uint16) * 257)
    frame.unlink()


def lies_on_its_side(root):
    frame = frames_of(first_clip(root, "casme2"))[3]
    notes = Image.Exif()
    notes[0x0112] = 6
    with Image.open(frame) as image:
        image.save(frame, exif=notes)


def other_size(root):
    write_image(frames_of(first_clip(root, "casme2"))[3], np.zeros((9, 7, 3), np.uint8))


def all_gray(root):
    for frame in frames_of(first_clip(root, "casme2")):
        write_image(frame, np.zeros((8, 6), np.uint8))


def wrong_apex(root):
    change_cell(root, "ApexFrame", 5000)


def unknown_emotion(root):
    change_cell(root, "Estimated Emotion", "boredom")


def onset_is_text(root):
    change_cell(root, "OnsetFrame", "soon")


def offset_before_onset(root):
    change_cell(root, "OffsetFrame", 0)


def apex_is_text(root):
    change_cell(root, "ApexFrame", "46?")


def unknown_subject(root):
    change_cell(root, "Subject", "Smith")


def row_twice(root):
    path = root / "CASME2-coding-20140508.xlsx"
    book = openpyxl.load_workbook(path)
    book.active.append([cell.value for cell in book.active[2]])
    book.save(path)


def frame_twice(root):
    frame = frames_of(first_clip(root, "casme2"))[0]
    frame.with_suffix(".jpeg").write_bytes(frame.read_bytes())


def raw_among_cropped(root):
    frame = frames_of(first_clip(root, "casme2"))[2]
    frame.with_name(frame.name.removeprefix("reg_")).write_bytes(frame.read_bytes())


def stray_file(root):
    (first_clip(root, "casme2") / "notes.txt").write_text("x")


def clip_without_row(root):
    folder = first_clip(root, "casme2")
    other = folder.parent / "EP99_01"
    other.mkdir()
    for frame in folder.iterdir():
        (other / frame.name).write_bytes(frame.read_bytes())


def clip_twice(root):
    folder = first_clip(root, "casme2")
    other = folder.parent / "copy" / folder.name
    other.mkdir(parents=True)
    for frame in folder.iterdir():
        (other / frame.name).write_bytes(frame.read_bytes())


DAMAGES = {
    remove_clip: ("missing clip", "no frame is on disk"),
    empty_clip: ("missing clip", "no frame is on disk"),
    lose_frame: ("missing frames", "1 of"),
    lose_first_frame: ("missing frames", "1 of"),
    extra_frame: ("extra frames", "9999"),
    garbage: ("unreadable image", "not a readable image"),
    empty_file: ("unreadable image", ""),
    cut_short: ("unreadable image", "cut short"),
    link_to_nowhere: ("unreadable image", "cannot be read"),
    sixteen_bits: ("unreadable image", "8"),
    lies_on_its_side: ("size change", "but the clip's first frame is"),
    other_size: ("size change", "7x9"),
    all_gray: ("wrong colour", "gray, expected colour"),
    wrong_apex: ("apex out of range", "apex 5000 is not in"),
    unknown_emotion: ("unknown emotion", "'boredom'"),
    onset_is_text: ("bad row", "'soon'"),
    offset_before_onset: ("bad row", "offset 0"),
    apex_is_text: ("bad row", "'46?'"),
    unknown_subject: ("bad row", "'Smith'"),
    row_twice: ("duplicate row", "second time"),
    frame_twice: ("duplicate frame", "second file"),
    raw_among_cropped: ("uncertain order", "differ in more than the number at their end"),
    stray_file: ("stray file", "no numbered image"),
    clip_without_row: ("extra clip", "without annotation"),
    clip_twice: ("duplicate clip", "two folders"),
}
# what a damage brings with it
ALSO = {
    "uncertain order": {"duplicate frame"},
    "bad row": {"extra clip", "missing clip"},
    "missing clip": {"stray file"},
}


@pytest.mark.parametrize("decode", [False, True], ids=["headers", "decode"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damage_is_named(make_twin, damage, decode):
    root = make_twin("casme2", clips=3)
    assert check("casme2", root).problems == ()
    damage(root)
    report = check("casme2", root, decode=decode)
    kind, words = DAMAGES[damage]
    assert not report.ok
    named = [problem for problem in report.problems if problem.kind == kind]
    assert named
    assert words in named[0].message
    others = {problem.kind for problem in report.problems} - {kind}
    assert others <= ALSO.get(kind, set())
    assert kind in report.to_frame().kind.tolist()


def test_a_folder_that_may_not_be_read_does_not_end_the_check(make_twin, monkeypatch):
    root = make_twin("casme2", clips=3)
    locked = sorted(folder for folder in root.glob("Cropped/*/*"))[-1]
    listed = os.scandir

    def scandir(path):
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr("os.scandir", scandir)
    report = check("casme2", root)
    kinds = {problem.kind: problem for problem in report.problems}
    assert set(kinds) == {"unreadable folder", "missing clip"}
    assert kinds["unreadable folder"].message.startswith("cannot be read (Permission denied)")
    assert kinds["unreadable folder"].file == str(locked)


def test_several_damages_are_all_named(make_twin):
    root = make_twin("casme2", clips=6)
    for damage in (garbage, wrong_apex, stray_file, extra_frame, lose_frame):
        damage(root)
    kinds = {problem.kind for problem in check("casme2", root).problems}
    assert kinds >= {
        "unreadable image",
        "apex out of range",
        "stray file",
        "extra frames",
        "missing frames",
    }


def test_smic_damages(make_twin):
    root = make_twin("smic", clips=6)
    assert check("smic", root).ok
    paths = [Path(path) for path in load_index("smic", root)["path"]]
    frames_of(paths[0])[-1].unlink()  # the truth file tells
    frames_of(paths[1])[2].unlink()
    target = "positive" if paths[2].parent.name != "positive" else "negative"
    wrong = paths[2].parent.parent / target
    wrong.mkdir(exist_ok=True)
    paths[2].rename(wrong / paths[2].name)
    for file in paths[3].iterdir():
        file.unlink()
    first = frames_of(paths[4])[0]
    first.write_bytes(first.read_bytes()[:60])
    problems = {(p.kind, p.clip) for p in check("smic", root).problems}
    names = load_index("smic", root, "all")["clip"].tolist()
    assert {kind for kind, _ in problems} == {
        "missing frames",
        "label mismatch",
        "missing clip",
        "unreadable image",
    }
    assert ("missing frames", names[0]) in problems
    assert ("missing frames", names[1]) in problems
    assert ("label mismatch", names[2]) in problems


def test_a_real_smic_release_lacks_named_clips(trees, tmp_path):
    report = check("smic", trees.smic(tmp_path / "r"))
    missing = {problem.clip for problem in report.problems if problem.kind == "missing clip"}
    assert len(missing) == 164 - 3 - 1
    assert [problem.clip for problem in report.known] == ["s18_sur_03"]
    assert not report.is_twin
    counts = report.counts.set_index("what")
    assert (counts.expected["clips"], counts.found["clips"]) == (164, 3)


def test_too_long_clip(trees, tmp_path):
    root = trees.smic(tmp_path / "r")
    clip = root / "SMIC_all_cropped/HS/s1/micro/negative/s1_ne_02"
    trees.write_frames(clip, "reg_image{:06d}.bmp", range(1000, 1120))
    kinds = {(problem.kind, problem.clip) for problem in check("smic", root).problems}
    assert ("clip too long", "s01_ne_02") in kinds


def test_samm_apexes_are_known(trees, tmp_path):
    report = check("samm", trees.samm(tmp_path / "r"))
    assert {(p.kind, p.clip) for p in report.known} == {
        ("apex out of range", "028_4_1"),
        ("apex out of range", "032_3_1"),
    }
    assert {p.kind for p in report.problems} == {"count"}


def test_whole_recordings_are_no_extra_frames(trees, tmp_path):
    root = trees.casme2(tmp_path / "r", folder="CASME2-RAW", template="img{}.jpg")
    for clip in (root / "CASME2-RAW").glob("*/*"):
        trees.write_frames(clip, "img{}.jpg", range(1, 300))
    assert {problem.kind for problem in check("casme2", root).problems} == {"count"}


def test_report_as_json(make_twin):
    root = make_twin("casme2", clips=3)
    garbage(root)
    content = json.loads(check("casme2", root).to_json())
    assert content["ok"] is False
    assert content["problems"][0]["kind"] == "unreadable image"
    assert {row["what"] for row in content["counts"]} >= {"clips", "subjects", "negative"}


def test_report_as_text(make_twin):
    root = make_twin("casme2", clips=3)
    assert "no problems\nno known holes" in check("casme2", root).to_text()
    garbage(root)
    text = check("casme2", root).to_text()
    assert "1 problem\n  unreadable image: sub01/" in text
    assert "synthetic twin, cropped frames, coding 2014" in text


def test_composite_is_checked_by_its_members():
    with pytest.raises(InputError, match="one by one"):
        check("composite")


def test_list_of_data_sets(trees, tmp_path, monkeypatch, make_twin):
    monkeypatch.setenv("MEMAA_SMIC_ROOT", str(trees.smic(tmp_path / "r")))
    monkeypatch.setenv("MEMAA_SAMM_ROOT", str(make_twin("samm", clips=3)))
    table = list_datasets().set_index("dataset")
    assert table.source.to_dict() == {
        "smic": "real",
        "casme2": "twin, not made",
        "samm": "twin",
        "further": "twin, not made",
        "composite": "mixed",
    }
    assert table.clips["composite"] == 442
    monkeypatch.setenv("MEMAA_SMIC_ROOT", str(tmp_path / "gone"))
    table = list_datasets().set_index("dataset")
    assert list(table.source[["smic", "composite"]]) == ["problem", "problem"]
    assert "no such folder (MEMAA_SMIC_ROOT)" in table.root["smic"]
