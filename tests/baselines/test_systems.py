"""All systems through one interface: kept features, folds, resuming, the log."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.baselines import SYSTEMS, FaceClip, cost_per_clip, make_features
from memaa_lib.baselines.bi_woof import bi_woof
from memaa_lib.baselines.flow import onset_to_apex
from memaa_lib.baselines.flow_images import flow_image
from memaa_lib.datasets import rows_of
from memaa_lib.metrics import read_megc_log, write_megc_log
from memaa_lib.protocol import Results, evaluate, leave_one_subject_out, system_named
from tests.baselines.conftest import write_clips
from tests.fake_releases import copied_elsewhere

pytestmark = pytest.mark.xdist_group("systems")
LENGTHS = {
    "lbp_top": 1200, "bi_woof": 200, "off_apexnet": 2352, "ststnet": 2352, "hog3d": 800,
    "apex": 1475, "evm_lbp_top": 10800, "sssnet": 3 * 64 * 64, "rcn_a": 3 * 60 * 60,
    "dual_inception": 2352, "elrcn_se": 4 * 9 * 28 * 28, "elrcn_te": 4 * 9 * 28 * 28,
    "dtscnn": 2 * 128 * 28 * 28,
}  # fmt: skip
SUMMED = {"lbp_top": 75, "apex": 25}


def run(features, index, folds, method, out=None, n_jobs=1) -> Results:
    return evaluate(features[method], index, folds, system_named(method)(), out=out, n_jobs=n_jobs)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache that holds the features of clips like those of each test: they take seconds."""
    place = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMAA_CACHE", str(place / "cache"))
        make_features(write_clips(place / "release"), list(SYSTEMS), n_jobs=1)
    return place / "cache"


@pytest.fixture
def features(index, filled, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMAA_CACHE", str(shutil.copytree(filled, tmp_path / "cache")))
    return make_features(index, list(SYSTEMS), n_jobs=1)


def test_every_system_has_features_of_its_length(index, features):
    assert {name: features[name].shape for name in LENGTHS} == {
        name: (len(index), length) for name, length in LENGTHS.items()
    }
    for name, part in features.items():  # of further systems, too
        assert part.dtype in (np.float32, np.float16), name
        assert np.isfinite(part).all(), name
    for name, total in SUMMED.items():
        assert np.allclose(features[name].sum(axis=1), total, atol=1e-2)
    assert np.array_equal(features["off_apexnet"], features["ststnet"])


def test_the_systems_of_table_3_come_first_and_cost_no_torch():
    code = "import sys; from memaa_lib.baselines import SYSTEMS as s; print(*s, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *names, torch = done.stdout.split()
    assert names[:3] == ["lbp_top", "bi_woof", "off_apexnet"]
    assert set(names) >= set(LENGTHS)
    assert torch == "False"


@pytest.mark.parametrize("damage", ["other", "cut", "one bit"])
def test_features_are_read_from_disk_and_made_again_if_damaged(
    damage, index, features, tmp_path, monkeypatch
):
    damaged = sorted((tmp_path / "cache" / "features" / "bi_woof").iterdir())[0]
    content = bytearray(damaged.read_bytes())
    if damage == "other":
        content = bytearray(b"not an array")
    elif damage == "cut":
        content = content[:-30]
    else:
        content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    calls = []
    monkeypatch.setattr(
        "memaa_lib.baselines.bi_woof.bi_woof", lambda flow: calls.append(1) or np.zeros(200)
    )
    again = make_features(index, ["bi_woof", "lbp_top"], n_jobs=1)
    assert len(calls) == 1
    assert np.array_equal(again["lbp_top"], features["lbp_top"])


def test_the_paper_profile_takes_the_published_flow_and_changes_nothing_else(index, features):
    few = index.head(3)
    published = make_features(few, list(SYSTEMS), "paper", n_jobs=1)
    changed = [name for name in SYSTEMS if not np.array_equal(published[name], features[name][:3])]
    has_published = [name for name, system in SYSTEMS.items() if system.published]
    assert changed == has_published
    assert {"bi_woof", "off_apexnet", "ststnet"} < set(changed)
    flow = onset_to_apex(FaceClip(rows_of(index)[0]), "tvl1")
    assert np.array_equal(published["bi_woof"][0], bi_woof(flow))
    assert np.array_equal(published["ststnet"][0], flow_image(flow).ravel())


def test_a_copied_cache_serves_copied_clips(index, features, tmp_path, monkeypatch):
    copy = shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    monkeypatch.setenv("MEMAA_CACHE", str(copy))
    index["path"] = copied_elsewhere(tmp_path / "release", index["path"])
    monkeypatch.setattr(FaceClip, "_read", lambda *_: pytest.fail("made again"))
    again = make_features(index, list(SYSTEMS), n_jobs=1)
    assert all(np.array_equal(again[name], features[name]) for name in SYSTEMS)


def test_a_clip_that_cannot_be_read_is_named(index):
    broken = index.copy()
    broken["offset"] = 0
    with pytest.raises(InputError, match="clip0"):
        make_features(broken, ["bi_woof"], n_jobs=1)


@pytest.mark.parametrize("method", ["lbp_top", "bi_woof"])
def test_runs_resume_and_do_not_depend_on_processes(index, features, tmp_path, method):
    folds = leave_one_subject_out(index)
    out = tmp_path / "folds"
    one = run(features, index, folds, method, out)
    assert one.complete
    assert len(list(out.iterdir())) == 3
    kept = sorted(out.iterdir())
    before = kept[1].stat().st_mtime_ns
    kept[0].unlink()
    two = run(features, index, folds, method, out, n_jobs=2)
    assert two.digest == one.digest
    assert kept[1].stat().st_mtime_ns == before
    log = tmp_path / "log.txt"
    write_megc_log(one.predictions, log)
    assert read_megc_log(log)["prediction"].tolist() == one.predictions["prediction"].tolist()


def test_folds_go_into_the_cache_if_no_folder_is_given(index, features, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    folds = leave_one_subject_out(index)
    results = run(features, index, folds, "bi_woof")
    assert results.folder == tmp_path / "folds"
    assert len(list(results.folder.iterdir())) == len(folds)


def test_labels_of_the_test_clips_do_not_matter(index, features, tmp_path):
    fold = leave_one_subject_out(index)[:1]
    changed = index.copy()
    changed.loc[fold[0].test, "label"] = "negative"
    runs = [
        run(features, data, fold, "bi_woof", tmp_path / str(i))
        for i, data in enumerate((index, changed))
    ]
    assert runs[0].folds["weights_digest"].tolist() == runs[1].folds["weights_digest"].tolist()
    assert runs[0].predictions["prediction"].tolist() == runs[1].predictions["prediction"].tolist()


def test_a_motion_that_goes_with_the_class_is_learned(index, features, tmp_path):
    folds = leave_one_subject_out(index)
    results = run(features, index, folds, "bi_woof", tmp_path)
    assert results.scores(None).loc["all", "uar"] > 0.6
    assert (results.method, results.profile) == ("bi_woof", "laptop")


def test_wrong_input_is_named(index, features):
    folds = leave_one_subject_out(index)
    with pytest.raises(InputError, match="no such method; there are memaa, lbp_top"):
        system_named("eulerian")
    with pytest.raises(InputError, match="unknown profile"):
        system_named("apex")("paper-pretrained")
    with pytest.raises(InputError, match="one row for 9 clips"):
        run({"apex": features["apex"][:4]}, index, folds, "apex")
    with pytest.raises(InputError, match="no compared system"):
        make_features(index, ["memaa"])
    with pytest.raises(InputError, match="no clip"):
        make_features(index.iloc[:0], ["apex"])


def test_cost_says_what_is_read(index):
    table = cost_per_clip(index.head(2), ["bi_woof", "lbp_top"])
    assert table["frames"].to_dict() == {"bi_woof": "two", "lbp_top": "all"}
    assert (table["ms"] >= 0).all()
