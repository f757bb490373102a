"""Photographed faces in the official layouts, as a licensee has them, are read, checked and learned from."""

import json
from pathlib import Path

import numpy as np
import pytest
from memaa_book import guard

from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.flow import optical_flow
from memaa_lib.clips import list_frames, read_image, to_gray
from memaa_lib.datasets import load_clip, load_index, rows_of
from memaa_lib.datasets.examples import may_be_shown
from memaa_lib.paper import CLASSES, DATASETS
from memaa_lib.registration import EYE_ROW, crop_clip, find_landmarks, is_uncropped
from memaa_lib.synthetic import CAMERAS, FaceRig, plan_clip, render_clip, sample_identity
from tests.photographs import SUBJECTS, photographs, write_photographs

__all__ = ["photographs"]
pytestmark = pytest.mark.xdist_group("photographs")
each_set = pytest.mark.parametrize("dataset", DATASETS)


@pytest.fixture
def beside(memaa, monkeypatch):
    """Run a command line as somebody who has a release."""

    def run(release, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv(f"MEMAA_{release.dataset.upper()}_ROOT", str(release.root))
        return memaa(*arguments)

    return run


def test_the_same_bytes_are_written_on_every_call(photographs, tmp_path):
    first = photographs("casme2").root
    again = write_photographs("casme2", tmp_path / "again").root
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((first / file).read_bytes() == (again / file).read_bytes() for file in files)


@each_set
def test_clips_are_read_as_real_ones_with_the_times_and_classes_as_written(photographs, dataset):
    release = photographs(dataset)
    rows = {(row.subject, row.clip): row for row in rows_of(load_index(dataset, release.root))}
    assert set(rows) == {(clip.plan.subject, clip.plan.clip) for clip in release.clips}
    for clip in release.clips:
        plan, row = clip.plan, rows[clip.plan.subject, clip.plan.clip]
        assert (row.onset, row.offset, row.label) == (plan.onset, plan.offset, plan.label)
        assert row.apex == (None if dataset == "smic" else plan.apex)
        assert row.n_frames == plan.n_frames
        assert Path(row.path or "") == clip.folder
        assert not row.is_twin
        assert not may_be_shown(row)
    per_subject = {
        s: {c.plan.label for c in release.clips if c.plan.subject == s} for s in SUBJECTS[dataset]
    }
    complete = [subject for subject, labels in per_subject.items() if labels == set(CLASSES)]
    assert 2 * len(complete) >= len(per_subject) > len(complete)


@each_set
def test_dlib_finds_each_face_where_a_release_has_it(photographs, dataset):
    for row in rows_of(load_index(dataset, photographs(dataset).root)):
        clip = load_clip(row, crop=False)[np.arange(row.n_frames) == 0]
        assert is_uncropped(clip) == (dataset == "samm")
        face = crop_clip(clip)
        landmarks = find_landmarks(face)[0] / (face.width, face.height)
        eyes, mouth, chin = (
            landmarks[part].mean(axis=0) for part in ([*range(36, 48)], [*range(48, 68)], [8])
        )
        assert abs(eyes[1] - EYE_ROW) < 0.06, row.name
        assert eyes[1] + 0.2 < mouth[1] < chin[1] < 1, row.name
        assert abs(eyes[0] - 0.5) < 0.12, row.name


@each_set
def test_optical_flow_recovers_the_movement(photographs, dataset):
    shares = []
    for clip in photographs(dataset).clips:
        length = np.linalg.norm(clip.motion, axis=2)
        assert np.isclose(length.max(), clip.peak_px, rtol=1e-3)
        files = list_frames(clip.folder)
        assert len(files) == clip.plan.n_frames
        onset, apex = to_gray(
            np.stack([read_image(files[t]) for t in (0, clip.plan.apex - clip.plan.onset)])
        )
        moved = length > 0.6 * clip.peak_px
        found, truth = optical_flow(onset, apex)[moved], clip.motion[moved]
        shares.append((found * truth).sum() / (truth**2).sum())
    assert abs(np.median(shares) - 1) < 0.15
    # smooth skin in frames of 146 x 178 px under noise shows little of a movement of 1 px
    assert np.all(np.abs(np.array(shares) - 1) < 0.4), shares


def test_clips_rise_and_fall_and_differ_in_strength(photographs):
    release = photographs("casme2")
    peaks = {round(clip.peak_px, 2) for clip in release.clips}
    assert len(peaks) > 5
    assert min(peaks) >= 0.5
    assert max(peaks) <= 2
    strong = max(release.clips, key=lambda clip: clip.peak_px)
    (row,) = (
        r for r in rows_of(load_index("casme2", release.root)) if r.path == str(strong.folder)
    )
    faces = FaceClip(row).faces.astype(float)
    change = np.abs(faces - faces[0]).mean(axis=(1, 2))
    assert change.argmax() in range(row.apex - row.onset - 1, row.apex - row.onset + 2)
    assert change[-1] < 0.7 * change.max()


@each_set
def test_the_check_names_the_missing_clips_and_nothing_else(beside, photographs, dataset):
    release = photographs(dataset)
    code, out, err = beside(release, "data", "check", dataset, "--decode", "--json")
    assert code == 1, err
    report = json.loads(out)
    assert not report["is_twin"]
    assert {problem["kind"] for problem in report["problems"] + report["known"]} == {"missing clip"}
    named = {(p["subject"], p["clip"]) for p in report["problems"] + report["known"]}
    there = {(clip.plan.subject, clip.plan.clip) for clip in release.clips}
    assert named | there == {(clip.subject, clip.clip) for clip in release.annotated}
    assert not named & there


@each_set
def test_the_guard_tells_such_a_face_from_a_rendered_one(photographs, dataset):
    release = photographs(dataset)
    gated = guard.gated_clips({dataset: release.root})
    assert len(gated.names) >= len(release.clips)
    clip = release.clips[0]
    last = read_image(list_frames(clip.folder)[-1])
    picture = np.full((800, 1100, 3), 255, np.uint8)
    picture[50 : 50 + last.shape[0], 60 : 60 + last.shape[1]] = np.atleast_3d(last)
    assert str(guard.find_clip(picture, gated)).startswith(f"{dataset}/")
    rig = FaceRig(sample_identity(dataset, clip.plan.subject), CAMERAS[dataset])
    plan = plan_clip(rig, "surprise", n_frames=8, apex=4, clip="one")
    assert guard.find_clip(render_clip(rig, plan).frames[0], gated) is None


@pytest.mark.parametrize(
    "asked",
    [("--method", "bi_woof"), ("--method", "bi_woof", "--protocol", "kfold"), ()],
    ids=["bi_woof", "bi_woof, kfold", "default"],
)
def test_what_is_trained_learns_from_it_through_the_command_line(
    beside, photographs, asked, tmp_path
):
    log = tmp_path / "predictions.txt"
    release = photographs("casme2")
    options = (*asked, "--jobs", "1", "--log", str(log))
    code, out, err = beside(release, "train", "casme2", *options)
    assert code == 0, err
    assert "CASME II: 14 clips of 6 subjects (real)" in out
    scores = json.loads(beside(release, "score", str(log), "--json")[1])["all"]
    assert scores["uf1_low"] > scores["majority_uf1"]
    assert scores["subjects"] == 6
