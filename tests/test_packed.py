"""Training from a pack: the lone script gives what the library gives."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memaa_lib import network, protocol
from memaa_lib._support.errors import InputError
from memaa_lib._support.weights import write_weights
from tests.conftest import TINY, make_index
from tools.pack_avatars import write_pack

TOOLS = Path(__file__).resolve().parents[1] / "tools"
SMALL = replace(TINY, name="small", batch_size=8, halve_every=1)
ALPHAS = (5.0, 10.0, 15.0)


@pytest.fixture
def run(tmp_path):
    index = make_index({"smic": ("s0", "s1")})
    avatars = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32, 3), np.uint8)
    avatars[0] = avatars[0, ..., :1]  # a gray clip
    folds = protocol.leave_one_subject_out(index)
    inputs = (avatars, ALPHAS, index, folds, SMALL)
    pack = tmp_path / "pack.npz"
    write_pack(pack, *inputs, device="cpu")
    return inputs, pack


def train_packed(pack, folder, *options):
    command = [sys.executable, str(TOOLS / "train_packed.py"), str(pack), str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_lone_script_gives_the_files_of_the_library(run, tmp_path):
    inputs, pack = run
    ours = protocol.evaluate(*inputs, out=tmp_path / "ours", n_jobs=1)
    stopped = train_packed(pack, tmp_path / "theirs", "--time-limit", "0")
    assert stopped.returncode == 3, stopped.stderr
    summary = tmp_path / "rates.json"
    done = train_packed(pack, tmp_path / "theirs", "--summary", str(summary))
    assert done.returncode == 0, done.stderr
    assert json.loads(summary.read_text("utf-8"))["folds"] == 2
    names = {path.name for path in (tmp_path / "theirs").iterdir()}
    assert names == {path.name for path in (tmp_path / "ours").iterdir()}
    for name in names:
        one, two = (
            json.loads((tmp_path / who / name).read_text("utf-8")) for who in ("ours", "theirs")
        )
        del one["seconds"], two["seconds"]
        assert one == two  # predictions, losses and the digest of every weight
    # the library reads them and has nothing left to train
    theirs = protocol.evaluate(*inputs, out=tmp_path / "theirs", n_jobs=1)
    assert theirs.digest == ours.digest
    assert "0 to do" in train_packed(pack, tmp_path / "theirs").stdout


@pytest.mark.slow
def test_other_starting_weights_are_refused(run, tmp_path):
    _, pack = run
    other = write_weights(network.scratch_weights(5), tmp_path, "other")
    done = train_packed(pack, tmp_path / "folds", "--weights", str(other))
    assert done.returncode == 1
    assert "the run starts from scratch" in done.stderr


def test_profiles_that_train_features_are_not_packed(run, tmp_path):
    inputs, _ = run
    profile = replace(SMALL, initialisation="pretrained", trainable="fc")
    with pytest.raises(InputError, match="whole network"):
        write_pack(tmp_path / "p.npz", *inputs[:4], profile)


def test_the_pack_holds_the_avatars_bit_for_bit(run):
    from tools.train_packed import read_pack

    (avatars, *_), pack = run
    plan, images = read_pack(pack)
    assert np.array_equal(images.numpy(), np.moveaxis(avatars, -1, -3))
    assert [fold["name"] for fold in plan["folds"]] == ["smic/s0", "smic/s1"]
