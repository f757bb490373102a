"""Releases as users have them give the same index."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage.data import astronaut

from memaa_lib._support.errors import InputError
from memaa_lib.clips import write_image
from memaa_lib.datasets import (
    ClipRow,
    explain_exclusions,
    find_root,
    load_clip,
    load_index,
    load_truth,
    load_truth_landmarks,
    rows_of,
    subject_key,
)
from memaa_lib.datasets.manifests import load_manifest
from memaa_lib.datasets.twins.annotation import write_spreadsheets
from memaa_lib.datasets.twins.contents import plan_release
from memaa_lib.datasets.twins.release import clip_folder, frame_name
from memaa_lib.registration import crop_clip
from tests.fake_releases import fake_renderer, make_twin, no_roots, trees

__all__ = ["fake_renderer", "make_twin", "no_roots", "trees"]

KEYS = [
    "subject",
    "clip",
    "onset",
    "apex",
    "offset",
    "label",
    "emotion",
    "action_units",
    "n_frames",
]
CASME2_INSIDE = [
    ("sub01", "EP02_01f", "positive"),
    ("sub01", "EP19_05f", "negative"),
    ("sub02", "EP02_01f", "surprise"),
    ("sub07", "EP06_02_01", "negative"),
    ("sub09", "EP09f", "positive"),
]


def listed(index: pd.DataFrame) -> list[tuple]:
    return list(index[["subject", "clip", "label"]].itertuples(index=False, name=None))


def test_casme2_cropped(trees, tmp_path):
    index = load_index("casme2", trees.casme2(tmp_path / "r"))
    assert listed(index) == CASME2_INSIDE
    first = index.iloc[0]
    assert (first["onset"], first["apex"], first["offset"], first["n_frames"]) == (46, 50, 52, 7)
    assert (first["fps"], first["action_units"], first["emotion"]) == (200.0, "4+L10", "happiness")
    assert first["path"].endswith("Cropped/sub01/EP02_01f")
    assert not first["is_twin"]
    assert index.iloc[1]["action_units"] == "4"
    assert not index.duplicated(["dataset", "subject", "clip"]).any()


@pytest.mark.parametrize(
    "layout",
    [
        {"folder": "Cropped/Cropped"},
        {"folder": "CASME2_preprocessed_Li Xiaobai/Cropped"},
        {"folder": "CASME2_RAW_selected/CASME2_RAW_selected", "template": "img{}.jpg"},
        {"folder": "CASME2-RAW", "template": "img{}.JPG"},
        {"folder": "Cropped", "template": "reg_img{}.PNG"},
        {"folder": "a/b/c/Cropped", "sheet": "a/CASME2-coding-20140508.xlsx"},
        {"folder": ".", "sheet": "CASME2-coding-20140508.xlsx"},
        {"folder": "Cropped", "subject": "{}"},
        {"folder": "Cropped", "subject": "Sub{}"},
        {"folder": "Cropped", "sheet": "CASME2-coding-20190701.xlsx"},
    ],
)
def test_casme2_variants_agree(trees, tmp_path, layout):
    usual = load_index("casme2", trees.casme2(tmp_path / "usual"), "all")
    other = load_index("casme2", trees.casme2(tmp_path / "other", **layout), "all")
    pd.testing.assert_frame_equal(usual[KEYS], other[KEYS])


CHANGES = [str.upper, str.lower, str.title, str.swapcase]


@pytest.mark.parametrize("dataset", ["smic", "casme2", "samm"])
@pytest.mark.parametrize("part", ["subject", "clip"])
@pytest.mark.parametrize("change", CHANGES)
def test_folders_in_any_case_agree(trees, tmp_path, caplog, dataset, part, change):
    usual = load_index(dataset, getattr(trees, dataset)(tmp_path / "usual"), "all")
    root = getattr(trees, dataset)(tmp_path / "other")
    caplog.clear()
    for folder in {Path(path).parent for path in load_index(dataset, root, "all").path}:
        for clip in sorted(folder.iterdir()) if part == "clip" else ():
            clip.rename(clip.with_name(change(clip.name)))
    if part == "subject":
        tree = next(root.glob("*/HS")) if dataset == "smic" else next(root.glob("[CS]*/"))
        for folder in sorted(tree.iterdir()):
            folder.rename(folder.with_name(change(folder.name)))
    said = [record.message for record in caplog.records]
    caplog.clear()
    pd.testing.assert_frame_equal(load_index(dataset, root, "all")[KEYS], usual[KEYS])
    assert [record.message for record in caplog.records] == said


@pytest.mark.parametrize("dataset", ["casme2", "samm"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_sheet_in_any_case_agrees(trees, tmp_path, dataset, change):
    root = getattr(trees, dataset)(tmp_path / "r")
    usual = load_index(dataset, root)
    path = next(root.glob("*.xlsx"))
    header, cells = getattr(trees, f"{dataset}_header"), getattr(trees, f"{dataset}_cells")()
    cells = [(change(f"sub{row[0]}" if dataset == "casme2" else row[0]), *row[1:]) for row in cells]
    cells = [
        tuple(change(c) if i in (1, 8, 9) and isinstance(c, str) else c for i, c in enumerate(row))
        for row in cells
    ]
    trees.write_sheet(path, tuple(name and change(name) for name in header), cells)
    keys = [key for key in KEYS if key != "action_units"]
    pd.testing.assert_frame_equal(load_index(dataset, root)[keys], usual[keys])


def test_folders_that_differ_in_case_alone_are_named(trees, tmp_path, caplog):
    root = trees.casme2(tmp_path / "r")
    trees.write_frames(root / "Cropped/SUB01/ep02_01F", "reg_img{}.jpg", range(46, 53))
    assert listed(load_index("casme2", root)) == CASME2_INSIDE
    assert "1 x duplicate clip, e.g. sub01/EP02_01f: two folders hold this clip" in caplog.text


def test_clips_without_frames_do_not_go_without_a_word(trees, tmp_path, caplog):
    root = trees.casme2(tmp_path / "r")
    load_index("casme2", root)
    assert not caplog.records
    for folder in (root / "Cropped").glob("*/*"):
        folder.rename(folder.with_name("EP19_19"))
        if folder.parent.name == "sub01":
            break
    assert len(load_index("casme2", root)) < len(CASME2_INSIDE)
    assert "of 5 clips of the composite have no frame on disk, e.g. sub0" in caplog.text
    caplog.clear()
    cells = [(*row[:8], "others") for row in trees.casme2_cells()]
    trees.write_sheet(root / "CASME2-coding-20140508.xlsx", trees.casme2_header, cells)
    assert load_index("casme2", root).empty
    assert "casme2: none of 9 clips is of the composite" in caplog.text


def test_root_may_be_the_inner_folder(trees, tmp_path):
    root = trees.casme2(tmp_path / "r", folder="Cropped/Cropped")
    usual = load_index("casme2", root)
    inner = load_index("casme2", root / "Cropped" / "Cropped")
    pd.testing.assert_frame_equal(usual[KEYS], inner[KEYS])


def test_variant_can_be_chosen(trees, tmp_path):
    root = trees.casme2(tmp_path / "r")
    trees.casme2(root, folder="CASME2_RAW_selected", template="img{}.jpg", sheet="")
    assert "Cropped" in load_index("casme2", root).path[0]
    assert "CASME2_RAW_selected" in load_index("casme2", root, variant="raw").path[0]
    with pytest.raises(InputError, match="choose one"):
        load_index("casme2", root, variant="small")
    with pytest.raises(InputError, match="no raw frames found, only cropped"):
        load_index("casme2", trees.casme2(tmp_path / "c"), variant="raw")


def test_both_codings_give_the_same_composite(trees, tmp_path):
    root = trees.casme2(tmp_path / "r")
    rows = [
        (*row[:6], "surprise") if row[:2] == ("24", "EP07_01") else row for row in trees.casme2_rows
    ]
    cells = [(*row, 3) for row in trees.casme2_cells(rows)]
    trees.write_sheet(
        root / "CASME2-coding-20190701.xlsx", (*trees.casme2_header, "Objective Classes"), cells
    )
    old, new = (load_index("casme2", root, coding=coding) for coding in ("2014", "2019"))
    pd.testing.assert_frame_equal(old, new)
    reasons = explain_exclusions("casme2", root, coding="2019").set_index("clip").reason
    assert "relabelled" in reasons["EP07_01"]
    assert "no class" in explain_exclusions("casme2", root).set_index("clip").reason["EP07_01"]
    with pytest.raises(InputError, match="no such coding"):
        load_index("casme2", root, coding="2016")


def test_exclusions_are_explained(trees, tmp_path):
    table = explain_exclusions("casme2", trees.casme2(tmp_path / "r"))
    reasons = {f"{row.subject}/{row.clip}": row.reason for row in table.itertuples()}
    assert reasons == {
        "sub04/EP12_01f": "no apex is annotated",
        "sub05/EP09_05f": "the apex is not after the onset",
        "sub10/EP01_2": "emotion 'others' has no class in the composite",
        "sub24/EP07_01": "emotion 'sadness' has no class in the composite",
    }


def test_slash_apex_is_missing(trees, tmp_path):
    index = load_index("casme2", trees.casme2(tmp_path / "r"), "all").set_index("clip")
    assert pd.isna(index.loc["EP12_01f", "apex"])
    assert index.loc["EP12_01f", "apex_or_middle"] == 262


def test_samm(trees, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    index = load_index("samm", trees.samm(tmp_path / "r"))
    assert listed(index) == [
        ("006", "006_1_2", "negative"),
        ("007", "007_6_1", "positive"),
        ("028", "028_4_1", "negative"),
        ("032", "032_3_1", "negative"),
    ]
    assert index["apex"].tolist() == [5564, 85, 1103, 4930]
    assert "apex 1143 is wrong, using 1103" in caplog.text
    assert index.action_units.tolist() == ["4+7", "25 or 26", "12+15", "4"]
    assert index.n_frames.tolist() == [5, 5, 64, 75]
    assert load_clip(index.iloc[0], crop=False).frames.shape == (5, 8, 6)
    assert load_index("samm", tmp_path / "r", "all")["clip"].tolist()[2] == "025_2_1"


@pytest.mark.parametrize("preamble", [0, 1, 13, 40])
def test_samm_header_is_searched(trees, tmp_path, preamble):
    root = trees.samm(tmp_path / "r")
    path = root / "SAMM_Micro_FACS_Codes_v2.xlsx"
    trees.write_sheet(path, trees.samm_header, trees.samm_cells(), preamble)
    assert len(load_index("samm", root)) == 4


def test_subject_ids_stay_text(trees, tmp_path):
    root = trees.samm(tmp_path / "r")
    cells = [(int(row[0]), *row[1:]) for row in trees.samm_cells()]  # as a spreadsheet saved anew
    trees.write_sheet(root / "SAMM_Micro_FACS_Codes_v2.xlsx", trees.samm_header, cells, 13)
    for name, tree in (("samm", root), ("casme2", trees.casme2(tmp_path / "c"))):
        subjects = load_index(name, tree, "all")["subject"]
        assert subjects.dtype == "str"
        assert all(isinstance(subject, str) for subject in subjects)
    assert load_index("samm", root)["subject"].tolist() == ["006", "007", "028", "032"]


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"folder": "SMIC_all_raw/HS", "template": "image{:06d}.bmp"},
        {"folder": "HS/HS"},
        {"layout": "s{3}/micro/{2}/s{3}_{1}"},
        {"layout": "s{3}/s{3}_{1}"},
        {"layout": "s{0}/{2}/s{0}_{1}"},
        {"layout": "s{3}/micro/{2}/s{0}_{1}", "template": "reg_image{:06d}.jpg"},
    ],
)
def test_smic_variants_agree(trees, tmp_path, layout):
    index = load_index("smic", trees.smic(tmp_path / "r", **layout))
    assert listed(index) == [
        ("s01", "s01_ne_01", "negative"),
        ("s01", "s01_po_01", "positive"),
        ("s02", "s02_sur_01", "surprise"),
    ]
    assert index.onset.tolist() == [559700, 76532, 1695798]
    assert index.offset.tolist() == [559703, 76534, 1695802]
    assert index.apex.isna().all()
    assert index.apex_or_middle.tolist() == [559701, 76533, 1695800]
    assert (index.fps == 100).all()


def test_smic_ignores_what_is_not_meant(trees, tmp_path):
    root = trees.smic(tmp_path / "r")
    trees.smic(root, folder="SMIC_all_cropped/VIS")
    trees.smic(root, folder="SMIC_all_cropped/NIR")
    trees.write_frames(root / "SMIC_all_cropped/HS/s1/non_micro/s1_n1", "reg_image{}.bmp", range(3))
    clip = root / "SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01"
    for name in ("._reg_image559700.bmp", "Thumbs.db", ".DS_Store"):
        (clip / name).write_bytes(b"x")
    index = load_index("smic", root)
    assert len(index) == 3
    assert index.path.str.contains("HS").all()
    assert index.n_frames.tolist() == [4, 3, 5]


def test_smic_other_cameras_are_refused(trees, tmp_path):
    with pytest.raises(InputError, match="near-infrared"):
        load_index("smic", trees.smic(tmp_path / "r", folder="SMIC_all_cropped/NIR"))


def test_smic_e_is_refused(trees, tmp_path):
    clip = tmp_path / "r" / "HS" / "s01" / "s1_ne_01"
    trees.write_frames(clip, "image{:06d}.jpg", range(559000, 559130))
    with pytest.raises(InputError, match="SMIC-E"):
        load_index("smic", tmp_path / "r")


def test_coding_means_nothing_for_smic(trees, tmp_path):
    with pytest.raises(InputError, match="leave it out"):
        load_index("smic", trees.smic(tmp_path / "r"), coding="2014")


def test_xls_is_refused_with_the_remedy(trees, tmp_path):
    root = trees.casme2(tmp_path / "r", sheet="")
    with pytest.raises(InputError, match="no annotation file of CASME II"):
        load_index("casme2", root)
    (root / "CASME2_label_Ver_2.xls").write_bytes(b"x")
    with pytest.raises(InputError, match=r"save it as \.xlsx"):
        load_index("casme2", root)


def test_damaged_spreadsheets_are_refused(trees, tmp_path):
    root = trees.casme2(tmp_path / "r")
    path = root / "CASME2-coding-20140508.xlsx"
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"not a readable \.xlsx"):
            load_index("casme2", root)
    trees.write_sheet(path, ("Person", "Film"), [("01", "EP02_01f")])
    with pytest.raises(InputError, match="no header found"):
        load_index("casme2", root)
    trees.write_sheet(path, trees.casme2_header[:5], trees.casme2_cells())
    with pytest.raises(InputError, match="no column Estimated Emotion, OffsetFrame"):
        load_index("casme2", root)


def test_frames_are_read_in_time_order(trees, tmp_path):
    index = load_index("casme2", trees.casme2(tmp_path / "r"))
    clip = load_clip(index.iloc[1], crop=False)  # 98 to 103: as text, 100 comes before 98
    assert abs(clip.frames[:, 0, 0, 0].astype(int) - range(20, 26)).max() <= 2
    assert (clip.onset, clip.apex, clip.offset) == (0, 2, 5)
    assert (clip.dataset, clip.subject, clip.name) == ("casme2", "sub01", "EP19_05f")
    assert clip.label == "negative"
    assert clip.fps == 200.0


def test_frames_beyond_onset_and_offset_are_left_out(trees, tmp_path):
    root = trees.casme2(tmp_path / "r")
    trees.write_frames(root / "Cropped/sub01/EP02_01f", "reg_img{}.jpg", range(1, 90))
    row = load_index("casme2", root).iloc[0]
    assert row["n_frames"] == 7
    clip = load_clip(row, crop=False)
    assert clip.n_frames == 7
    assert abs(int(clip.frames[0, 0, 0, 0]) - (20 + 45)) <= 2


@pytest.mark.parametrize("kind", ["series", "dict", "tuple"])
def test_rows_of_any_kind(trees, tmp_path, kind):
    index = load_index("smic", trees.smic(tmp_path / "r"))
    row = index.iloc[0]
    row = {"series": row, "dict": row.to_dict(), "tuple": next(index.itertuples())}[kind]
    clip = load_clip(row, crop=False)
    assert (clip.n_frames, clip.apex, clip.offset) == (4, None, 3)
    assert subject_key(row) == "smic/s01"


def test_a_row_has_the_columns_of_the_index(trees, tmp_path):
    index = load_index("smic", trees.smic(tmp_path / "r"))
    assert ClipRow._fields == tuple(index.columns)
    (first, *_) = rows_of(index)
    assert first == ClipRow.of(index.iloc[0]) == ClipRow.of(next(index.itertuples()))
    assert first.apex is None and first.onset == index.onset[0]


def test_faces_are_cropped_unless_told_not_to(tmp_path):
    for number in (1, 2):
        write_image(tmp_path / f"img{number}.png", np.ascontiguousarray(astronaut()[:300]))
    row = {"path": str(tmp_path), "onset": 1, "offset": 2, "fps": 100.0}
    recorded = load_clip(row, crop=False)
    assert (recorded.width, recorded.height, recorded.box) == (512, 300, None)
    clip = load_clip(row)
    assert clip.width < clip.height < 300 and clip.box is not None
    assert (clip.frames == crop_clip(recorded).frames).all()


def test_missing_frames_are_skipped_and_logged(trees, tmp_path, caplog):
    root = trees.casme2(tmp_path / "r")
    folder = root / "Cropped/sub01/EP02_01f"
    for number in (47, 50):
        (folder / f"reg_img{number}.jpg").unlink()
    row = load_index("casme2", root).iloc[0]
    assert row["n_frames"] == 5
    clip = load_clip(row, crop=False)
    assert "2 of 7 frames missing" in caplog.text
    assert "no apex frame 50; 49 stands for it" in caplog.text
    assert (clip.n_frames, clip.apex, clip.offset) == (5, 2, 4)


def test_clip_without_frames(trees, tmp_path):
    root = trees.casme2(tmp_path / "r")
    folder = root / "Cropped/sub01/EP02_01f"
    for file in folder.iterdir():
        file.unlink()
    assert len(load_index("casme2", root)) == 4
    row = load_index("casme2", root, "all").iloc[0]
    assert row["n_frames"] == 0
    with pytest.raises(InputError, match="no frame from 46 to 52"):
        load_clip(row, crop=False)
    folder.rmdir()
    with pytest.raises(InputError, match="leave out rows with n_frames 0"):
        load_clip(load_index("casme2", root, "all").iloc[0], crop=False)
    reasons = explain_exclusions("casme2", root).set_index(["subject", "clip"]).reason
    assert reasons["sub01", "EP02_01f"] == "no frame of it is on disk"


def test_unknown_names_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match="no data set"):
        load_index("fer", tmp_path)
    with pytest.raises(InputError, match="clips"):
        load_index("smic", tmp_path, "megc2018")  # type: ignore[arg-type]
    for name in ("smic", "casme2", "samm"):
        with pytest.raises(InputError, match="frames found"):
            load_index(name, tmp_path)


def test_roots(trees, tmp_path, monkeypatch, fake_renderer, caplog):
    caplog.set_level(logging.INFO)
    root = trees.smic(tmp_path / "r")
    (Path.cwd().parent / "memaa.toml").write_text('[roots]\nsmic = "r"\n[cluster]\nx = 1\n')
    assert find_root("smic").path.resolve() == root.resolve()
    monkeypatch.setenv("MEMAA_SMIC_ROOT", str(tmp_path / "cwd"))
    assert find_root("smic").path == tmp_path / "cwd"
    assert find_root("smic", root).path == root
    with pytest.raises(InputError, match="no such folder"):
        find_root("smic", tmp_path / "gone")
    monkeypatch.setenv("MEMAA_SMIC_ROOT", str(tmp_path / "gone"))
    with pytest.raises(InputError, match="MEMAA_SMIC_ROOT"):
        find_root("smic")
    monkeypatch.delenv("MEMAA_SMIC_ROOT")
    for text, message in (
        ("[roots", "TOML"),
        ("roots = 3", "table"),
        ("[roots]\nsmick = 'r'", "smick"),
        ("[roots]\nsmic = 'gone'", "no such folder"),
    ):
        (Path.cwd().parent / "memaa.toml").write_text(text)
        with pytest.raises(InputError, match=message):
            find_root("smic")


def test_to_find_a_twin_is_not_to_make_it(no_roots, fake_renderer, monkeypatch, tmp_path):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "cache"))
    found = find_root("further")
    assert found.is_twin
    assert not (tmp_path / "cache").exists()
    found.path.mkdir(parents=True)
    (found.path / "damaged.bmp").write_bytes(b"x")
    assert find_root("further") == found
    assert [file.name for file in found.path.iterdir()] == ["damaged.bmp"]
    assert fake_renderer == []


def test_composite_never_mixes(trees, tmp_path, make_twin):
    twins = {name: make_twin(name, clips=3) for name in ("smic", "casme2", "samm")}
    index = load_index("composite", twins)
    assert index.dataset.tolist() == ["smic"] * 3 + ["casme2"] * 3 + ["samm"] * 3
    assert index.is_twin.all()
    by_parent = load_index("composite", tmp_path / "twin")
    pd.testing.assert_frame_equal(index, by_parent)
    mixed = {**twins, "smic": trees.smic(tmp_path / "real")}
    with pytest.raises(InputError, match="smic real but casme2, samm synthetic"):
        load_index("composite", mixed)
    index = load_index("composite", mixed, allow_mixed=True)
    assert index.groupby("dataset").is_twin.all().to_dict() == {
        "smic": False,
        "casme2": True,
        "samm": True,
    }
    assert index.onset.dtype == "Int64"
    with pytest.raises(InputError, match="no such folder"):
        load_index("composite", tmp_path)
    with pytest.raises(InputError, match="expected some of"):
        load_index("composite", {"casme": tmp_path})


def test_truth_of_twins(make_twin, trees, tmp_path):
    root = make_twin("samm", clips=3)
    row = load_index("samm", root).iloc[0]
    clip, landmarks = load_clip(row, crop=False), load_truth_landmarks(row)
    assert landmarks.shape == (clip.n_frames, 68, 2)
    assert landmarks.dtype == "float32"
    Path(row["path"], sorted(path.name for path in Path(row["path"]).iterdir())[1]).unlink()
    assert load_truth_landmarks(row)[:3, 0, 0].tolist() == [0, 2, 3]  # follows load_clip
    assert int(load_truth(row)["apex"]) == row["apex"]
    inner = load_index("samm", root / "SAMM")
    assert inner.is_twin.all()
    real = load_index("smic", trees.smic(tmp_path / "real")).iloc[0]
    with pytest.raises(InputError, match="real data have no true landmarks"):
        load_truth_landmarks(real)


def test_a_twin_below_real_data_is_not_read(make_twin, trees, tmp_path):
    root = trees.smic(tmp_path / "twin")  # the twin will lie at twin/smic
    make_twin("smic", clips=3)
    index = load_index("smic", root)
    assert len(index) == 3
    assert not index.is_twin.any()
    assert index.onset.tolist() == [559700, 76532, 1695798]


def test_whole_composite(tmp_path, trees):
    """All annotated clips of the three sets, laid out as released, two frames a clip."""
    for name in ("smic", "casme2", "samm"):
        manifest, planned = load_manifest(name), plan_release(name)
        variant = manifest.twin.default_variant
        image = trees.tiny(manifest.variants[variant].colour)
        write_image(tmp_path / f"frame{name}.bmp", image)
        content = (tmp_path / f"frame{name}.bmp").read_bytes()
        for clip in planned:
            folder = tmp_path / name / clip_folder(manifest, variant, clip)
            folder.mkdir(parents=True)
            for number in (clip.onset, clip.offset):
                (folder / frame_name(manifest, variant, clip, number)).write_bytes(content)
        write_spreadsheets(tmp_path / name, manifest, planned, {}, defects=True)
    index = load_index("composite", tmp_path)
    assert len(index) == 442
    assert index.label.value_counts().to_dict() == {
        "negative": 250,
        "positive": 109,
        "surprise": 83,
    }
    groups = index.apply(subject_key, axis=1)
    assert groups.nunique() == 68
    assert index.groupby("dataset").size().to_dict() == {"smic": 164, "casme2": 145, "samm": 133}
    subjects = index.groupby("dataset").subject.nunique().to_dict()
    assert subjects == {"smic": 16, "casme2": 24, "samm": 28}
    assert not index.duplicated(["dataset", "subject", "clip"]).any()
    assert index.equals(load_index("composite", tmp_path, coding="2019"))
    assert len(load_index("composite", tmp_path, "all")) == 164 + 255 + 159
    inside = index["apex"].isna() | index["apex"].between(index["onset"], index["offset"])
    assert inside.all()  # the two wrong ones are overridden
    out = explain_exclusions("composite", tmp_path, coding="2019")
    assert out.groupby("dataset").size().to_dict() == {"casme2": 110, "samm": 26}
    assert out.reason.str.contains("relabelled").sum() == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("img47.jpg", "reg_img46.jpg and .*img47.jpg differ in more than|img47.jpg and reg_img"),
        ("reg_img47.jpeg", "reg_img47.jpe?g: a second file for one frame"),
    ],
)
def test_a_second_file_for_a_frame_is_not_taken_by_chance(trees, tmp_path, name, message):
    root = trees.casme2(tmp_path / "r")
    row = load_index("casme2", root).iloc[0]
    frame = Path(row["path"], "reg_img47.jpg")
    frame.with_name(name).write_bytes(frame.read_bytes())
    row = load_index("casme2", root).iloc[0]
    with pytest.raises(InputError, match=message):
        load_clip(row, crop=False)


def test_files_of_another_series_outside_of_a_clip_do_not_matter(trees, tmp_path):
    root = trees.casme2(tmp_path / "r")
    row = load_index("casme2", root).iloc[0]
    frame = Path(row["path"], "reg_img47.jpg")
    frame.with_name("cover1.jpg").write_bytes(frame.read_bytes())
    assert load_clip(row, crop=False).n_frames == row["offset"] - row["onset"] + 1
