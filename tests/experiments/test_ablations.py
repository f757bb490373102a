"""Arms: each changes what its name says, and differences are paired."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.avatar import AvatarSettings, emotion_avatar
from memaa_lib.clips import Clip, write_image
from memaa_lib.experiments import ablations
from memaa_lib.experiments.ablations import (
    ARMS,
    QUICK,
    Arm,
    arm_names,
    clip_pictures,
    compare_arms,
    make_pictures,
    matching_reference,
    pooled_reference,
)
from memaa_lib.experiments.reference_runs import Reference
from memaa_lib.magnification import Magnification, magnify
from memaa_lib.paper import DATASETS
from memaa_lib.profiles import profile_named
from memaa_lib.texture import Scoring, keep_frames


class FakeResults:
    """Results with given predictions."""

    def __init__(self, wrong: int) -> None:
        rows = [("smic", f"s{i % 6:02d}", f"c{i}", i % 3, (i + (i < wrong)) % 3) for i in range(30)]
        columns = ["dataset", "subject", "clip", "label", "prediction"]
        self.predictions = pd.DataFrame(rows, columns=columns)


@pytest.fixture
def clip(grating) -> Clip:
    upright = grating.swapaxes(1, 2)  # a face is higher than wide
    return Clip(np.repeat(upright[..., None], 3, axis=3), fps=100, name="grating")


def test_quick_arms_share_the_avatars_of_the_full_method():
    assert QUICK[0] == "full method"
    assert all(ARMS[name].settings == AvatarSettings() for name in QUICK)
    assert any(arm.needs_own_avatars for arm in ARMS.values())
    assert arm_names("one") == ("full method",)
    assert arm_names("quick") == QUICK
    assert arm_names("all") == tuple(ARMS)
    with pytest.raises(InputError, match="'quick' or 'all'"):
        arm_names("some")


def test_each_arm_changes_one_thing():
    full = ARMS["full method"]
    for arm in ARMS.values():
        changed = [
            arm.settings != full.settings,
            arm.picture != full.picture,
            (sorted(arm.train_alphas), arm.test_alpha)
            != (sorted(full.train_alphas), full.test_alpha),
            arm.class_weights != full.class_weights,
        ]
        # a picture of unmagnified frames is one change, though it changes the factors too
        assert sum(changed) == (arm.name != full.name) or arm.picture in (
            "plain mean",
            "original avatar",
        )
        assert arm.part or arm is full


def test_the_reference_differs_from_itself_by_nothing():
    table = compare_arms({"full method": FakeResults(0), "worse": FakeResults(9).predictions})
    assert table.loc["full method", "difference"] == 0
    assert table.loc["full method", "uf1"] == table.loc["full method", "uar"] == 1
    assert table.loc["worse", "difference"] == pytest.approx(table.loc["worse", "uf1"] - 1)
    assert table.loc["worse", "difference_high"] < 0


def test_plain_mean_is_the_mean_of_the_frames(clip):
    pictures = clip_pictures(clip, [0.0, 5.0], ARMS["mean of the clip as it is"], apex=0)
    assert np.array_equal(pictures[0], emotion_avatar(clip))
    assert np.array_equal(pictures[0], pictures[1])


def test_a_late_start_halves_what_the_first_frame_s_noise_leaves_and_spares_a_still_clip(clip):
    arm, settings = ARMS["started from the mean of five frames"], AvatarSettings()
    still = replace(clip, frames=np.repeat(clip.frames[:1], clip.n_frames, axis=0))
    (magnified,) = ablations._magnified_from_the_mean(still, [10.0], settings)
    assert np.array_equal(magnified.frames, still.frames)
    generator = np.random.default_rng(0)
    noisy = np.clip(still.frames + generator.normal(0, 3, still.frames.shape).round(), 0, 255)
    noisy = replace(still, frames=noisy.astype(np.uint8))
    (late,) = ablations._magnified_from_the_mean(noisy, [10.0], settings)
    usual = magnify(noisy, 10.0)
    left = [np.std(one.frames.mean(axis=0) - noisy.frames.mean(axis=0)) for one in (late, usual)]
    assert left[0] < left[1] / 1.5
    assert arm.picture == "late start"


def test_a_jittered_clip_is_cut_a_tenth_off_and_always_alike(clip):
    moved = ablations._jittered(clip)
    assert moved.frames.shape == clip.frames.shape
    assert np.array_equal(moved.frames, ablations._jittered(clip).frames)
    assert not np.array_equal(moved.frames, clip.frames)


def test_rarer_classes_get_more_copies(monkeypatch):
    from memaa_lib import network

    seen = {}

    def trained(images, labels, *rest, **options):
        seen["images"], seen["labels"] = images[:, 0].tolist(), labels.tolist()
        return network.Trained({}, (0.0,), "")

    monkeypatch.setattr(network, "train", trained)
    profile = profile_named("laptop", train_alphas=(10.0, 5.0, 15.0))
    inputs = np.arange(7)[:, None, None] * 100 + np.array([5, 10, 15])[None, :, None]
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    network.AvatarNetwork(profile, {}).fit(inputs, labels, seed=0)
    assert seen["labels"] == np.repeat(labels, 3).tolist()
    by_class = replace(profile, class_weights="copies")
    network.AvatarNetwork(by_class, {}).fit(inputs, labels, seed=0)
    assert seen["labels"] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert seen["images"] == [10, 110, 210, 310, 410, 405, 510, 505, 610, 605, 615]


def test_apex_frame_is_the_magnified_one(clip):
    pictures = clip_pictures(clip, [0.0, 10.0], ARMS["apex frame"], apex=7)
    seventh = np.arange(clip.n_frames) == 7
    assert np.array_equal(pictures[0], emotion_avatar(clip[seventh]))
    assert np.array_equal(pictures[1], emotion_avatar(magnify(clip, 10.0)[seventh]))


def test_no_registration_averages_the_kept_frames_where_they_are(clip):
    picture = clip_pictures(clip, [10.0], ARMS["no registration"], apex=0)[0]
    assert np.array_equal(picture, emotion_avatar(keep_frames(magnify(clip, 10.0))))


def test_pictures_are_made_with_all_settings_of_the_arm(clip):
    """Every one of them stands in the name of the kept file."""
    settings = {
        "exaggeration": AvatarSettings(Magnification(exaggeration=1.0)),
        "clamp_gains": AvatarSettings(Magnification(cutoff_wavelength=80, clamp_gains=False)),
        "per_frame_r": AvatarSettings(Magnification(per_frame_r=(0.4, 0.05))),
        "order": AvatarSettings(Magnification(temporal="butterworth", order=2)),
        "scoring": AvatarSettings(scoring=Scoring(window=5, cutoff=3)),
        "remove_frames": AvatarSettings(remove_frames=False),
    }
    usual = clip_pictures(clip, [10.0], ARMS["no registration"], apex=0)
    for name, other in settings.items():
        changed = Arm("other", settings=other, picture="unaligned")
        assert (clip_pictures(clip, [10.0], changed, apex=0) != usual).any(), name


@pytest.mark.parametrize("name", ["apex frame", "original avatar"])
def test_pictures_are_kept_on_disk(tmp_path, clip, name, monkeypatch):
    for t, frame in enumerate(clip.frames):
        write_image(tmp_path / "c" / f"img{t + 1}.png", frame)
    row = {"dataset": "smic", "subject": "s01", "clip": "c", "label": "negative", "onset": 1}
    row |= {"apex": pd.NA, "apex_or_middle": 10, "offset": 20, "fps": 100.0, "n_frames": 20}
    index = pd.DataFrame([row | {"path": str(tmp_path / "c")}])
    first = make_pictures(index, [0.0, 5.0], ARMS[name], n_jobs=1)
    assert first.shape == (1, 2, 224, 224, 3)
    assert first.any()
    monkeypatch.setattr(ablations, "load_clip", lambda row: pytest.fail("made again"))
    assert np.array_equal(make_pictures(index, [0.0, 5.0], ARMS[name], n_jobs=1), first)


def test_an_unknown_picture_is_refused():
    with pytest.raises(InputError, match="expected one of avatar"):
        Arm("x", picture="portrait")


def test_the_reference_run_of_the_same_data_is_found(monkeypatch):
    given = {"data": "twin", "protocol": "loso", "profile": "laptop"}
    runs = {
        f"{arm} | {start}": FakeResults(wrong + start).predictions
        for start in range(2)
        for arm, wrong in (("full method", 0), ("apex frame", 9))
    }
    monkeypatch.setattr(ablations, "read_reference", lambda name: Reference(given, runs, {}))
    kept = matching_reference("twin", "smic", "loso", "laptop")
    assert {arm: len(tables) for arm, tables in kept.items()} == {"full method": 2, "apex frame": 2}
    assert kept["apex frame"][1] is runs["apex frame | 1"]
    for other in (("real", "loso", "laptop"), ("twin", "kfold", "laptop"), ("twin", "loso", "x")):
        assert matching_reference(other[0], "smic", *other[1:]) == {}


def test_several_starts_widen_the_interval_and_their_scores_are_averaged():
    one, other = FakeResults(3).predictions, FakeResults(15).predictions
    table = compare_arms({"full method": [one, other], "same": [one, one], "apex": [other, one]})
    alone = compare_arms({"full method": one, "other": other})
    assert table.loc["full method", "uf1"] == pytest.approx(alone["uf1"].mean())
    assert table.loc["apex", "difference"] == pytest.approx(0)
    assert table.loc["apex", "difference_low"] < 0 < table.loc["apex", "difference_high"]
    width = table["high"] - table["low"]
    assert width["full method"] > width["same"]


def test_the_pooled_reference_runs_bear_out_what_page_10_says():
    kept = pooled_reference()
    assert list(kept) == list(ARMS)
    assert all(len(tables) == ablations.ARM_STARTS for tables in kept.values())
    clips = kept["full method"][0].groupby("dataset").size()
    assert clips.to_dict() == {"smic": 164, "casme2": 145, "samm": 133}
    table = compare_arms(kept)
    worse, better = table["difference_high"] < 0, table["difference_low"] > 0
    lose = {
        "no magnification",
        "B: ideal 0.4-3 Hz, a band that is often empty",
        "C: ideal 5-25 Hz, faster than the movement",
        "F: ideal 0.5-10 Hz",
        "F, no frame removed",
        "mean of the clip as it is",
        "original avatar",
        "no frame removed",
    }
    assert set(table.index[worse]) - {"alpha 5 only"} == lose
    assert abs(table.loc["alpha 5 only", "difference_high"]) < 0.01  # "at the edge of losing"
    assert list(table.index[better]) == ["apex frame"]
    # the scorecard: one factor does as well, and nothing loses more than doing without magnification
    assert abs(table.loc["alpha 10 only", "difference"]) < 0.01
    small = table.loc[table["difference"] < -0.12]
    assert all("magnif" in name or "as it is" in name for name in small.index)
    unmagnified = table.loc["no magnification", "uf1"]
    assert table.loc["F, no frame removed", "uf1"] == pytest.approx(unmagnified, abs=0.01)


@pytest.fixture(scope="module")
def each_set() -> dict[str, pd.DataFrame]:
    return {name: compare_arms(pooled_reference([name])) for name in DATASETS}


def test_removing_frames_helps_most_where_the_ends_of_a_clip_go(each_set):
    lost = {name: table.loc["no frame removed", "difference"] for name, table in each_set.items()}
    assert min(lost, key=lost.get) == "casme2"


def test_no_arm_on_imbalance_differs_in_every_set(each_set):
    arms = ["cut out less exactly", "loss not weighted", "loss not weighted, copies by class"]
    told = [
        (table.loc[arms, "difference_low"] > 0) | (table.loc[arms, "difference_high"] < 0)
        for table in each_set.values()
    ]
    assert not pd.concat(told, axis=1).all(axis=1).any()


def test_runs_that_differ_are_not_pooled(monkeypatch):
    def read(name):
        given = {"protocol": "loso", "profile": "laptop", "seed": int("samm" in name), "start": "x"}
        return Reference(given, {"full method | 0": FakeResults(0).predictions}, {})

    monkeypatch.setattr(ablations, "read_reference", read)
    assert [len(one) for one in pooled_reference(["smic", "casme2"])["full method"]] == [60]
    with pytest.raises(InputError, match="arms/samm: seed is 1, that of arms/smic 0; run 'memaa"):
        pooled_reference(["smic", "samm"])


def test_without_a_reference_run_there_is_none(monkeypatch):
    def none(name):
        raise InputError("no such reference run")

    monkeypatch.setattr(ablations, "read_reference", none)
    assert matching_reference("twin", "smic", "loso", "laptop") == {}


def test_an_arm_trains_and_tests_on_the_factors_it_names(monkeypatch):
    seen = {}

    def pictures(index, alphas, arm, n_jobs):
        seen["alphas"] = alphas
        return "pictures"

    def evaluated(pictures, index, folds, system, *, n_jobs):
        assert (pictures, index, folds, system.seed) == ("pictures", "index", "folds", 4)
        return system.profile

    monkeypatch.setattr(ablations, "load_members", lambda *_, **__: "index")
    monkeypatch.setattr(ablations, "make_folds", lambda index, protocol, seed: "folds")
    monkeypatch.setattr(ablations, "make_pictures", pictures)
    monkeypatch.setattr(ablations, "evaluate", evaluated)
    for name, arm in ARMS.items():
        profile = ablations.run_arm(name, "smic", seed=4, n_jobs=1)
        assert (profile.train_alphas, profile.test_alpha) == (arm.train_alphas, arm.test_alpha)
        assert seen["alphas"] == sorted({*arm.train_alphas, arm.test_alpha})
    with pytest.raises(InputError, match="no such"):
        ablations.run_arm("no such arm", "smic")
