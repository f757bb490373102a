"""Whose face is shown: the twin stands in for a real one, unless its owner's licence or eyes allow it."""

import numpy as np
import pytest
from memaa_book.guard import gated_clips

from memaa_lib._support.errors import InputError
from memaa_lib.datasets import ClipRow, examples, load_clip, load_index, rows_of
from memaa_lib.datasets.examples import allow_subjects, example_clip, example_row, may_be_published
from memaa_lib.figures import prose, provenance
from memaa_lib.paper import CLASSES
from tests.fake_releases import fake_renderer, make_twin
from tests.photographs import photographs

__all__ = ["fake_renderer", "make_twin", "photographs"]


@pytest.fixture
def release(photographs, make_twin, monkeypatch):
    """A real CASME II whose root is configured, and a small twin that can stand in."""
    real = photographs("casme2")
    twin = make_twin("casme2", clips=12)
    monkeypatch.setenv("MEMAA_CASME2_ROOT", str(real.root))
    monkeypatch.setattr(examples, "ensure_twin", lambda dataset: twin)
    monkeypatch.setattr(examples, "_glasses", lambda row: False)
    monkeypatch.setattr(
        examples,
        "load_truth",
        lambda row: {"blink": np.zeros(1), "shown_label": np.array(row.label), "peak_px": 1.0},
    )
    for name in (examples.ALLOWED, examples.SHOW_FACES):
        monkeypatch.setenv(name, "")  # so that it is put back after the test
    return real


@pytest.mark.parametrize("label", CLASSES)
def test_the_twin_stands_in_and_its_clip_says_so(release, label):
    index = load_index("casme2")
    assert not index["is_twin"].any()
    clip = example_clip(index, label, crop=False)
    assert clip.is_twin
    assert clip.label == label
    assert clip.title.startswith("CASME II twin (synthetic) sub")
    assert clip.title in provenance("", {}, [clip]).data


def test_an_allowed_subject_is_shown_and_no_other(release):
    index = load_index("casme2")
    shy, seen = sorted(index.loc[index["label"] == "surprise", "subject"].unique())[:2]
    allow_subjects([f"casme2/{seen}"])
    row = example_row(index, "surprise")
    assert (row["subject"], row["is_twin"]) == (seen, False)
    assert load_clip(row).title == f"CASME II {seen}/{row['clip']}"
    published = {row.subject for row in rows_of(index) if may_be_published(row)}
    assert published == {seen}
    gated = gated_clips({"casme2": release.root})
    assert {name.split("/")[1] for name in gated.names} == set(index["subject"]) - {seen}
    assert shy in {name.split("/")[1] for name in gated.names}


def test_a_private_run_shows_faces_that_a_published_page_may_not_hold(release, monkeypatch):
    monkeypatch.setenv(examples.SHOW_FACES, "1")
    index = load_index("casme2")
    row = ClipRow.of(example_row(index, "negative"))
    assert not row.is_twin
    assert not may_be_published(row)
    assert len(gated_clips({"casme2": release.root}).names) == len(index)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("casme2/99", r"casme2/sub99: no such subject; there are sub02, sub06"),
        ("casme2/anna", "'anna' is no subject of casme2"),
        ("fer/01", "allows no subject; expected e.g. casme2/sub01"),
        ("smic/s01", "smic is the synthetic twin, which needs no leave"),
    ],
)
def test_a_subject_that_cannot_be_allowed_is_refused(release, entry, message):
    with pytest.raises(InputError, match=message):
        allow_subjects([entry])


def test_prose_follows_the_data(release):
    real, twin = load_index("casme2"), load_index("casme2", examples.ensure_twin("casme2"))
    sentences = {"twin": "The truth is known.", "real": "These are {data}."}
    assert prose(twin, **sentences).data == "The truth is known."
    assert prose(real, **sentences).data == "These are CASME II: 14 clips of 6 subjects."
