"""Twins: contents, quirks, holes, resuming, and the same bytes for any number of processes."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import memaa_lib.synthetic
from memaa_lib._support.errors import InputError
from memaa_lib.datasets import check, explain_exclusions, load_clip, load_index, rows_of
from memaa_lib.datasets.manifests import load_composite, load_manifest
from memaa_lib.datasets.truth import clip_truth_path, read_clip_truth, read_truth
from memaa_lib.datasets.twins import release
from memaa_lib.datasets.twins.annotation import unit_text, write_spreadsheets
from memaa_lib.datasets.twins.contents import choose_some, plan_release
from memaa_lib.datasets.twins.release import (
    TwinSettings,
    ensure_twin,
    generator_signature,
    rebuild_clip,
    shown_class,
    twin_cache_path,
    write_twin,
)
from tests.fake_releases import fake_renderer, make_twin, no_roots

__all__ = ["fake_renderer", "make_twin", "no_roots"]
SETS = ("smic", "casme2", "samm")


def digests(root: Path) -> dict[str, str]:
    """Fingerprint of every file of a folder."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("dataset", SETS)
def test_plan_has_the_real_counts(dataset):
    manifest = load_manifest(dataset)
    planned = plan_release(dataset)
    inside = [clip for clip in planned if clip.outside is None]
    per_subject = {
        subject: tuple(
            sum(clip.subject == subject and clip.label == label for clip in inside)
            for label in ("negative", "positive", "surprise")
        )
        for subject in sorted({clip.subject for clip in inside})
    }
    assert per_subject == dict(sorted(manifest.twin.per_subject.items()))
    assert Counter(clip.emotion for clip in planned) == Counter(manifest.annotated)
    assert len({clip.key for clip in planned}) == len(planned)
    assert all(manifest.subject_id(clip.subject) == clip.subject for clip in planned)
    assert all(manifest.clip_id(clip.clip) == clip.clip for clip in planned)


def test_plans_together_are_the_composite():
    inside = [c for name in SETS for c in plan_release(name) if c.outside is None]
    counts = load_composite().counts
    labels = Counter(clip.label for clip in inside)
    assert len(inside) == counts.clips == 442
    assert labels == {"negative": 250, "positive": 109, "surprise": 83}
    keys = {(name, c.subject) for name in SETS for c in plan_release(name) if c.outside is None}
    assert len(keys) == counts.subjects == 68


@pytest.mark.parametrize("dataset", SETS)
def test_lengths_and_apexes_follow_the_quantiles(dataset):
    figures = load_manifest(dataset).twin
    inside = [clip for clip in plan_release(dataset) if clip.outside is None]
    lengths = [clip.n_frames for clip in inside]
    apexes = [(clip.apex - clip.onset) / (clip.n_frames - 1) for clip in inside]
    for level in (0.25, 0.5, 0.75):
        assert abs(np.quantile(lengths, level) - figures.n_frames_quantiles[level]) < 4
        assert abs(np.quantile(apexes, level) - figures.apex_position_quantiles[level]) < 0.05
    assert min(lengths) >= figures.n_frames_quantiles[0.0]
    assert max(lengths) <= figures.n_frames_quantiles[1.0]
    # length and apex say nothing about the class
    labels = np.array([clip.label for clip in inside])
    means = [np.mean(np.array(lengths)[labels == label]) for label in set(labels)]
    assert np.ptp(means) < 12


def test_plan_keeps_what_is_known_of_the_release():
    casme2 = {clip.key: clip for clip in plan_release("casme2")}
    assert casme2["sub04/EP12_01f"].written_apex is None
    assert casme2["sub05/EP09_05f"].outside == "the apex is not after the onset"
    assert {"sub03/EP01_2", "sub03/EP08_1", "sub07/EP06_02_01", "sub09/EP09f"} <= set(casme2)
    names = Counter(key.split("/")[1] for key in casme2)
    assert max(names.values()) > 1  # names are unique within a subject only
    samm = {clip.key: clip for clip in plan_release("samm")}
    assert (samm["028/028_4_1"].onset, samm["028/028_4_1"].offset) == (1071, 1134)
    assert {clip.digits for clip in samm.values()} == {4, 5}
    assert samm["006/006_1_2"].digits == 5
    assert all(clip.offset < 10**clip.digits for clip in samm.values())


def test_another_seed_gives_other_clips():
    assert plan_release("casme2", 0) == plan_release("casme2", 0)
    assert plan_release("casme2", 0) != plan_release("casme2", 1)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.sampled_from(SETS), st.integers(1, 200))
def test_chosen_clips_are_spread_and_nested(dataset, clips):
    planned = plan_release(dataset)
    some = choose_some(planned, clips)
    inside = [clip for clip in planned if clip.outside is None]
    assert len(some) == min(clips, len(inside))
    assert set(choose_some(planned, clips + 1)) >= set(some)
    labels = Counter(clip.label for clip in some)
    if clips <= 45:
        assert max(labels.values()) - min([*labels.values(), clips if len(labels) == 3 else 0]) <= 1
    if clips <= 10:
        assert len({clip.subject for clip in some}) == clips


@pytest.mark.parametrize("clips", [1, 2, 3, 6, 7, 13])
def test_further_identities_are_balanced(clips):
    planned = plan_release("further", 0, clips)
    labels = Counter(clip.label for clip in planned)
    assert len(planned) == clips
    assert max(labels.values()) - min(labels.values(), default=0) <= 1 or clips < 3
    assert len({clip.key for clip in planned}) == clips
    assert all(clip.subject.startswith("f") for clip in planned)


@pytest.mark.parametrize("dataset", [*SETS, "further"])
def test_small_twin_is_clean_and_readable(make_twin, dataset):
    root = make_twin(dataset, clips=6)
    report = check(dataset, root, decode=True)
    assert report.problems == ()
    assert report.known == ()
    assert report.is_twin
    index = load_index(dataset, root)
    assert index.label.value_counts().to_dict() == {"negative": 2, "positive": 2, "surprise": 2}
    truth = read_truth(root)
    assert truth["complete"]
    planned = {(c["subject"], c["clip"]): c for c in truth["clips"]}
    for row in index.itertuples():
        clip = planned[row.subject, row.clip]
        assert (clip["onset"], clip["offset"]) == (row.onset, row.offset)
        assert (root / clip["folder"]) == Path(row.path)
        assert load_clip(row, crop=False).n_frames == row.n_frames == row.offset - row.onset + 1
        marks = read_clip_truth(root, row.subject, row.clip)
        assert marks["landmarks"].shape == (row.n_frames, 68, 2)
        assert marks["frame_numbers"][0] == row.onset
        assert int(marks["onset"]) < int(marks["apex"]) < int(marks["offset"])


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("smic", "SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image{:06d}.bmp"),
        ("casme2", "Cropped/sub01/EP16_03f/reg_img{}.jpg"),
        ("samm", "SAMM/006/006_1_2/006_{:05d}.jpg"),
    ],
)
def test_names_are_the_releases_own(make_twin, dataset, name):
    root = make_twin(dataset, clips=3)
    row = load_index(dataset, root).iloc[0]
    if dataset == "casme2":
        name = name.replace("EP16_03f", row["clip"])
    assert (root / name.format(row["onset"])).is_file()
    assert (root / name.format(row["offset"])).is_file()


@pytest.mark.parametrize(
    ("dataset", "variant", "folder"),
    [
        ("smic", "raw", "SMIC_all_raw/HS/s1/micro"),
        ("casme2", "raw", "CASME2_RAW_selected/CASME2_RAW_selected/sub01"),
    ],
)
def test_raw_variant(make_twin, dataset, variant, folder):
    root = make_twin(dataset, clips=3, variant=variant)
    assert (root / folder).is_dir()
    assert check(dataset, root).variant == "raw"
    assert check(dataset, root).ok


def test_both_codings_of_a_twin_agree(make_twin):
    root = make_twin("casme2", clips=12)
    old, new = (load_index("casme2", root, coding=c) for c in ("2014", "2019"))
    assert len(old) == 12
    assert old.equals(new)


def test_casme2_sheet_has_the_quirks(tmp_path):
    root = tmp_path
    planned = plan_release("casme2")
    units = {planned[0].key: ("AU4L", "AU10R")}
    write_spreadsheets(root, load_manifest("casme2"), planned, units, defects=False)
    sheet = openpyxl.load_workbook(root / "CASME2-coding-20140508.xlsx").active
    header = [cell.value for cell in sheet[1]]
    assert header == [
        "Subject",
        "Filename",
        None,
        "OnsetFrame",
        "ApexFrame",
        "OffsetFrame",
        None,
        "Action Units",
        "Estimated Emotion",
    ]
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    assert len(rows) == 255
    assert all(isinstance(row[0], str) and len(row[0]) == 2 for row in rows)
    assert [row[:2] for row in rows if row[4] == "/"] == [("04", "EP12_01f")]
    assert {type(row[7]) for row in rows} == {int, str}
    newer = openpyxl.load_workbook(root / "CASME2-coding-20190701.xlsx").active
    emotions = {row[:2]: row[8] for row in newer.iter_rows(min_row=2, values_only=True)}
    changed = {row[:2] for row in rows if emotions[row[:2]] != row[8]}
    assert changed == {("24", "EP07_01"), ("24", "EP07_04f"), ("24", "EP10_03")}


@pytest.mark.slow
def test_whole_twin(make_twin):
    root = make_twin("casme2")
    # the whole twin: counts, both codings, what is out and why
    report = check("casme2", root)
    assert report.ok
    assert {p.kind for p in report.known} == {"missing clip"}
    assert len(report.known) == 110
    for coding in ("2014", "2019"):
        assert load_index("casme2", root, coding=coding).label.value_counts().to_dict() == {
            "negative": 88,
            "positive": 32,
            "surprise": 25,
        }
    assert len(load_index("casme2", root, "all")) == 255
    reasons = explain_exclusions("casme2", root).reason.value_counts()
    assert reasons["no apex is annotated"] == reasons["the apex is not after the onset"] == 1
    assert reasons["emotion 'others' has no class in the composite"] == 99
    assert len(explain_exclusions("casme2", root, coding="2019")) == 110


def test_samm_sheet_has_the_quirks(make_twin):
    root = make_twin("samm", clips=6)
    sheet = openpyxl.load_workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx")["MICRO_ONLY"]
    assert [cell.value for cell in sheet[14]][:3] == ["Subject", "Filename", "Inducement Code"]
    row = [cell.value for cell in sheet[15]]
    assert row[0] == "006"
    assert row[6] == "=SUM(F15-D15)+1"
    assert row[9] == row[9].capitalize()


@pytest.mark.parametrize("dataset", SETS)
def test_defects_are_listed_as_known_and_nothing_else(make_twin, dataset):
    root = make_twin(dataset, clips=3, defects=True)
    report = check(dataset, root)
    assert report.problems == ()
    found = {(problem.subject, problem.clip, problem.kind) for problem in report.known}
    injected = {(d["subject"], d["clip"], d["kind"]) for d in read_truth(root)["known_defects"]}
    assert found == injected
    assert len(found) == {"smic": 5, "casme2": 1, "samm": 2}[dataset]
    clean = make_twin(dataset, "clean", clips=3)
    assert check(dataset, clean).known == ()
    if dataset == "casme2":
        folder = root / "Cropped/sub16/EP01_08"
        assert {path.stem for path in folder.iterdir()} == {f"reg_img{n}" for n in range(73, 97)}


def test_a_hole_that_grows_is_a_problem(make_twin):
    root = make_twin("smic", clips=3, defects=True)
    folder = root / "SMIC_all_cropped/HS/s3/micro/positive/s3_po_08"
    sorted(folder.iterdir())[3].unlink()
    problems = check("smic", root).problems
    assert [(p.kind, p.clip) for p in problems] == [("missing frames", "s03_po_08")]


def test_resume_keeps_finished_clips(make_twin, fake_renderer, monkeypatch):
    real = memaa_lib.synthetic.render_clip

    def stop_after_four(rig, plan):
        if len(fake_renderer) == 4:
            raise KeyboardInterrupt
        return real(rig, plan)

    monkeypatch.setattr(memaa_lib.synthetic, "render_clip", stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        make_twin("smic", clips=9)
    monkeypatch.setattr(memaa_lib.synthetic, "render_clip", real)
    root = make_twin("smic", clips=9)
    assert len(fake_renderer) == 9
    assert check("smic", root).ok
    assert digests(root) == digests(make_twin("smic", "again", clips=9))


def test_a_half_written_clip_is_written_again(make_twin, fake_renderer):
    root = make_twin("smic", clips=3)
    before = digests(root)
    row = load_index("smic", root).iloc[0]
    clip_truth_path(root, row["subject"], row["clip"]).unlink()
    next(Path(row["path"]).iterdir()).write_bytes(b"half")
    make_twin("smic", clips=3)
    assert len(fake_renderer) == 4
    assert digests(root) == before


def test_a_small_twin_grows(make_twin, fake_renderer):
    make_twin("smic", clips=3)
    root = make_twin("smic", clips=6)
    assert len(fake_renderer) == 6
    assert len(load_index("smic", root)) == 6
    with pytest.raises(InputError, match="larger twin"):
        make_twin("smic", clips=3)


def test_nothing_else_is_overwritten(make_twin, tmp_path, monkeypatch):
    root = make_twin("smic", clips=3)
    for change in ({"seed": 1}, {"difficulty": 0.2}, {"defects": True}, {"variant": "raw"}):
        with pytest.raises(InputError, match="name another folder"):
            write_twin("smic", root, clips=3, n_jobs=1, **change)
    with monkeypatch.context() as patch:
        patch.setattr(release, "_source_signature", lambda: "newer")
        with pytest.raises(InputError, match="another version of the generator"):
            write_twin("smic", root, clips=3, n_jobs=1)
        with pytest.raises(InputError, match="another version of the generator"):
            rebuild_clip(root, "s01", "s01_ne_01")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        write_twin("smic", tmp_path / "mine", clips=3, n_jobs=1)
    (root / "_memaa_truth" / "truth.json").unlink()
    with pytest.raises(InputError, match="not empty"):
        write_twin("smic", root, clips=3, n_jobs=1)


@pytest.mark.parametrize("there", [[], [".truth-0a1b2c3d.json"]])
def test_what_another_run_has_that_begins_now_is_no_obstacle(make_twin, tmp_path, there):
    begun = tmp_path / "begun" / "_memaa_truth"
    begun.mkdir(parents=True)
    for name in there:
        (begun / name).touch()
    assert write_twin("smic", begun.parent, clips=3, n_jobs=1) == begun.parent
    assert len(load_index("smic", begun.parent)) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"clips": 0},
        {"clips": -3},
        {"clips": 2.5},
        {"seed": -1},
        {"seed": 1.5},
        {"difficulty": 1.5},
        {"difficulty": float("nan")},
        {"difficulty": "hard"},
        {"variant": "small"},
        {"n_jobs": 0},
    ],
)
def test_bad_settings_are_refused(tmp_path, change):
    with pytest.raises(InputError):
        write_twin("smic", tmp_path / "x", **{"clips": 3, "n_jobs": 1} | change)
    assert not (tmp_path / "x").exists()
    with pytest.raises(InputError, match="no data set"):
        write_twin("fer", tmp_path / "x")


def test_full_twin_renders_what_the_composite_leaves_out(tmp_path):
    kinds = {shown_class(clip) for clip in plan_release("casme2") if clip.emotion == "others"}
    assert kinds == {"negative", "positive", "surprise"}
    assert TwinSettings("casme2", "cropped", full=True).full


def test_cache_is_keyed_by_settings(fake_renderer, no_roots, monkeypatch):
    assert len({twin_cache_path(dataset) for dataset in SETS}) == 3
    few = plan_release("further", 0, 6)
    monkeypatch.setattr(release, "plan_release", lambda *_: few)
    root = ensure_twin("further", n_jobs=1)
    assert root == twin_cache_path("further")
    assert len(fake_renderer) == 6
    assert ensure_twin("further", n_jobs=1) == root
    assert len(fake_renderer) == 6
    index = load_index("further")
    assert index.is_twin.all()
    assert index.label.value_counts().to_dict() == dict.fromkeys(
        ("negative", "positive", "surprise"), 2
    )


def test_spreadsheets_carry_no_time(make_twin):
    root = make_twin("samm", clips=3)
    with zipfile.ZipFile(root / "SAMM_Micro_FACS_Codes_v2.xlsx") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2019-01-01T00:00:00Z" in archive.read("docProps/core.xml")


def test_damaged_truth_is_refused(make_twin):
    root = make_twin("smic", clips=3)
    file = root / "_memaa_truth" / "truth.json"
    for content in ("{", json.dumps([1]), json.dumps({"a": 1})):
        file.write_text(content)
        with pytest.raises(InputError, match=r"truth\.json"):
            read_truth(root)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("AU12L", "AU12R"), "12"),
        (("AU12L",), "L12"),
        (("AU4L", "AU4R", "AU10R", "AU17"), "4+R10+17"),
        (("AU45L", "AU45R", "AU1R"), "R1"),
        ((), "6+12"),
    ],
)
def test_action_units_as_written(names, text):
    assert unit_text(names, "happiness") == text


def test_signature_is_stable():
    assert generator_signature("smic") == generator_signature("smic")
    assert generator_signature("smic") != generator_signature("samm")


@pytest.mark.slow
def test_same_bytes_with_one_and_two_processes(tiny_twin, tmp_path):
    one = tiny_twin
    two = shutil.copytree(one, tmp_path / "two")
    for row in rows_of(load_index("smic", two))[::2]:  # three people are rendered anew
        shutil.rmtree(row.path)
        clip_truth_path(two, row.subject, row.clip).unlink()
    assert write_twin("smic", two, clips=6, n_jobs=2) == two
    assert digests(one) == digests(two)
    row = load_index("smic", one).iloc[0]
    rig, plan = rebuild_clip(one, row["subject"], row["clip"])
    again = memaa_lib.synthetic.render_clip(rig, plan)
    assert np.array_equal(again.frames, load_clip(row, crop=False).frames)  # .bmp keeps every bit
