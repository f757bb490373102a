"""Manifests: the facts are there, add up, and a typing error in a file is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from memaa_lib._support.errors import InputError
from memaa_lib.datasets.manifests import (
    CompositeManifest,
    DatasetManifest,
    load_composite,
    load_manifest,
    manifests_folder,
    read_manifest,
)
from memaa_lib.paper import CLASSES, DATASETS
from memaa_lib.synthetic.planning import KINDS

TABLE_2 = {  # negative, positive, surprise as the paper prints them
    "smic": (70, 51, 43),
    "casme2": (88, 32, 25),
    "samm": (92, 26, 15),
}


@pytest.mark.parametrize("dataset", DATASETS)
def test_counts_are_those_of_the_paper(dataset):
    counts = load_manifest(dataset).counts
    assert (counts.negative, counts.positive, counts.surprise) == TABLE_2[dataset]
    assert load_composite().members_counts[dataset] == (counts.clips, counts.subjects)


def test_composite_is_the_sum_of_its_members():
    counts = load_composite().counts
    members = [load_manifest(name).counts for name in load_composite().members]
    for name in ("clips", "subjects", "negative", "positive", "surprise"):
        assert getattr(counts, name) == sum(getattr(member, name) for member in members)


@pytest.mark.parametrize("dataset", DATASETS)
def test_nobodys_face_may_be_shown_by_default(dataset):
    access = load_manifest(dataset).access
    assert access.publishable_subjects == ()
    assert access.where.startswith("http")
    assert "agreement" in access.licence


@pytest.mark.parametrize("dataset", [*DATASETS, "further"])
def test_every_hole_and_override_has_a_reason(dataset):
    manifest = load_manifest(dataset)
    for item in (*manifest.known_holes, *manifest.apex_overrides):
        assert item.reason
        assert item.provenance
        assert manifest.subject_id(item.subject) == item.subject
        assert manifest.clip_id(item.clip) == item.clip


@pytest.mark.parametrize(
    ("dataset", "text", "subject"),
    [
        ("smic", "s1", "s01"),
        ("smic", "s01", "s01"),
        ("smic", "S20", "s20"),
        ("smic", "sub01", None),
        ("casme2", "01", "sub01"),
        ("casme2", 1, "sub01"),
        ("casme2", 1.0, "sub01"),
        ("casme2", " sub26 ", "sub26"),
        ("casme2", "Cropped", None),
        ("samm", "006", "006"),
        ("samm", 6, "006"),
        ("samm", "SAMM", None),
        ("samm", None, None),
    ],
)
def test_subject_ids(dataset, text, subject):
    assert load_manifest(dataset).subject_id(text) == subject


@pytest.mark.parametrize(
    ("dataset", "text", "clip"),
    [
        ("smic", "s1_ne_01", "s01_ne_01"),
        ("smic", "s01_sur_3", "s01_sur_03"),
        ("smic", "s1_n1", None),
        ("casme2", "EP02_01f", "EP02_01f"),
        ("casme2", "EP06_02_01 ", "EP06_02_01"),
        ("casme2", "EP09f", "EP09f"),
        ("casme2", "EP01_2", "EP01_2"),
        ("casme2", "sub01", None),
        ("samm", "006_1_2", "006_1_2"),
        ("samm", "006_5_10", "006_5_10"),
        ("samm", "006", None),
    ],
)
def test_clip_ids(dataset, text, clip):
    assert load_manifest(dataset).clip_id(text) == clip


@pytest.mark.parametrize(
    ("dataset", "emotion", "label"),
    [
        ("casme2", "Disgust", "negative"),
        ("casme2", "sadness", None),
        ("casme2", "fear", None),
        ("samm", "Sadness", "negative"),
        ("samm", "Other", None),
        ("smic", "surprise", "surprise"),
    ],
)
def test_labels(dataset, emotion, label):
    assert load_manifest(dataset).label_of(emotion) == label


def change(content: dict, key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        content = content[parent]
    content[last] = value


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("colour", "red", "colour: Extra inputs"),
        ("access.licens", "free", "access.licens: Extra inputs"),
        ("fps", "fast", "fps"),
        ("fps", -1, "fps"),
        ("counts.clips", 163, "counts"),
        (
            "counts",
            {"clips": 3, "subjects": 1, "negative": 1, "positive": 1, "surprise": 1},
            "sums",
        ),
        ("naming.subject", "s(", "not a regular expression"),
        ("label_map", {"happy": ["joy"]}, "label_map"),
        ("twin.default_variant", "small", "default_variant"),
    ],
)
def test_mistakes_are_found(tmp_path, key, value, message):
    content = yaml.safe_load((manifests_folder() / "smic.yaml").read_text(encoding="utf-8"))
    change(content, key, value)
    path = tmp_path / "smic.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=message):
        read_manifest(path, DatasetManifest)


def test_unreadable_files(tmp_path, monkeypatch):
    path = tmp_path / "smic.yaml"
    path.write_text("a: [")
    with pytest.raises(InputError, match="YAML"):
        read_manifest(path, DatasetManifest)
    path.write_text("just text")
    with pytest.raises(InputError, match=r"smic\.yaml"):
        read_manifest(path, CompositeManifest)
    monkeypatch.setenv("MEMAA_MANIFESTS", str(tmp_path / "gone"))
    with pytest.raises(InputError, match="MEMAA_MANIFESTS"):
        load_manifest("smic")
    monkeypatch.setenv("MEMAA_MANIFESTS", str(tmp_path))
    assert manifests_folder() == Path(tmp_path)
    with pytest.raises(InputError, match="YAML"):
        path.write_text("a: [")
        load_manifest("smic")


def test_nothing_is_executed(tmp_path):
    path = tmp_path / "smic.yaml"
    path.write_text("!!python/object/apply:os.system ['touch /tmp/never']")
    with pytest.raises(InputError):
        read_manifest(path, DatasetManifest)


def test_the_renderer_shows_the_classes_of_the_paper():
    assert KINDS == CLASSES


@pytest.mark.parametrize("text", ["EP02_01f", "EP09f", "EP06_02_01", "EP01_2"])
@pytest.mark.parametrize("spelled", [str, str.upper, str.lower, str.swapcase, str.title])
def test_a_clip_has_one_spelling_whatever_the_case(text, spelled):
    assert load_manifest("casme2").clip_id(spelled(text)) == text


def test_a_long_name_takes_no_time_to_spell():
    naming = load_manifest("casme2").naming.model_copy(update={"clip": r"(?:[a-z]\d)+"})
    manifest = load_manifest("casme2").model_copy(update={"naming": naming})
    assert manifest.clip_id("A1" * 200) == "A1" * 200  # too many to try
    assert manifest.clip_id("A1B2") == "a1b2"
