"""On a small twin: the page of the avatar by plain papermill, the clips that are shown, the probes."""

import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from memaa_lib.datasets import load_index, load_truth
from memaa_lib.datasets.examples import describe, example_clip, example_row, may_be_shown
from memaa_lib.experiments.probes import probe_features

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def test_papermill_by_hand_leaves_a_clean_notebook(tiny_twin, tmp_path):
    out = tmp_path / "out.ipynb"
    parameters = ["-p", "dataset", "smic", "-p", "root", str(tiny_twin)]
    command = [sys.executable, "-m", "papermill", "05_emotion_avatar.ipynb", str(out), *parameters]
    done = subprocess.run(command, cwd=ROOT / "notebooks", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    notebook = nbformat.read(out, 4)
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    printed = "".join(o.get("text", "") for o in outputs)
    assert "SMIC twin (synthetic): 6 clips" in printed
    assert "difficulty" not in printed, "once, in the box at the end"
    boxes = "".join(o.get("data", {}).get("text/html", "") for o in outputs)
    assert boxes.count("SMIC twin (synthetic, seed 0, difficulty 0.5): 6 clips") == 1
    markdown = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert "@" not in markdown, "a placeholder was left"


def test_examples_are_typical_calm_and_may_be_shown(tiny_twin):
    index = load_index("smic", tiny_twin)
    assert describe(index).startswith("SMIC twin (synthetic, seed 0")
    assert describe(index, briefly=True) == describe(index).replace(", seed 0, difficulty 0.5", "")
    for label in index["label"].unique():
        row = example_row(index, label)
        assert may_be_shown(row)
        some = [load_truth(r) for _, r in index[index["label"] == label].iterrows()]
        plain = [t for t in some if t["shown_label"] == label and not t["blink"].any()]
        truth = load_truth(row)
        assert not plain or (truth["shown_label"] == label and not truth["blink"].any())
        assert example_clip(index, label).name == row["clip"]


def test_probe_features_see_what_they_say(tiny_twin):
    index = load_index("smic", tiny_twin)
    onset, flow = probe_features(index)
    assert onset.shape == (len(index), 168)
    assert flow.shape == (len(index), 336)
    assert np.allclose(onset.mean(axis=1), 0, atol=1e-3)
    # the head's own movement is taken off, so most of the face stands still
    assert np.median(np.abs(flow)) < 0.5
