"""Training from a pack: the lone script gives what the library gives."""

import json
import runpy
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from memaa_lib import network, protocol
from memaa_lib._support.errors import InputError
from memaa_lib._support.weights import write_weights
from tests.conftest import ROOT, TINY, make_index
from tools.pack_avatars import write_pack
from tools.train_packed import read_pack

SMALL = replace(TINY, name="small", batch_size=8, halve_every=1)


@pytest.fixture
def data():
    """Avatars, index and folds."""
    index = make_index({"smic": ("s0", "s1")})
    avatars = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32, 3), np.uint8)
    avatars[0] = avatars[0, ..., :1]  # a gray clip
    return avatars, index, protocol.leave_one_subject_out(index)


@pytest.fixture
def train_packed(monkeypatch, capsys):
    """Run the lone script's lines in this process, which has PyTorch loaded; return exit code and output."""

    def run(pack, folder, *options):
        arguments = ["train_packed", str(pack), str(folder), *options]
        monkeypatch.setattr(sys, "argv", arguments)
        code = 0
        try:
            runpy.run_path(str(ROOT / "tools/train_packed.py"), run_name="__main__")
        except SystemExit as ended:
            code = ended.code
        return code, capsys.readouterr().out

    return run


def on_its_own(pack, folder, *options):
    """Run the lone script as a process."""
    command = [sys.executable, "-m", "tools.train_packed", str(pack), str(folder), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("initialisation", ["scratch", "pretrained"])
def test_the_lone_script_gives_the_files_of_the_library(
    initialisation, data, tmp_path, train_packed, request
):
    given, options = {}, []
    if initialisation == "pretrained":
        request.getfixturevalue("shallow_network")  # all of it runs in this process
        given["weights"] = write_weights(network.scratch_weights(3), tmp_path, "start")
        options = ["--weights", str(given["weights"])]
    system = protocol.Memaa(replace(SMALL, initialisation=initialisation), **given)
    pack = tmp_path / "pack.npz"
    write_pack(pack, *data, system)
    ours = protocol.evaluate(*data, system, out=tmp_path / "ours", n_jobs=1)
    assert train_packed(pack, tmp_path / "theirs", *options, "--time-limit", "0")[0] == 3
    summary = tmp_path / "rates.json"
    started = on_its_own if initialisation == "scratch" else train_packed
    code, said = started(pack, tmp_path / "theirs", *options, "--summary", str(summary))
    assert code == 0, said
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
    theirs = protocol.evaluate(*data, system, out=tmp_path / "theirs", n_jobs=1)
    assert theirs.digest == ours.digest
    assert train_packed(pack, tmp_path / "theirs") == (0, "2 folds, 0 to do\n")


@pytest.mark.slow
def test_other_starting_weights_are_refused(data, tmp_path, train_packed, shallow_network):
    weights = [write_weights(network.scratch_weights(seed), tmp_path, "start") for seed in (3, 5)]
    profile = replace(SMALL, initialisation="pretrained")
    write_pack(tmp_path / "pack.npz", *data, protocol.Memaa(profile, weights=weights[0]))
    said, _ = train_packed(tmp_path / "pack.npz", tmp_path / "folds", "--weights", str(weights[1]))
    assert said.startswith("train_packed: ")  # as an exit code: 1, and the text on standard error
    assert f"the run starts from pretrained ({weights[0].name})" in said


def test_profiles_that_train_features_are_not_packed(data, tmp_path):
    weights = write_weights(network.scratch_weights(3), tmp_path, "start")
    profile = replace(SMALL, initialisation="pretrained", trainable="fc")
    with pytest.raises(InputError, match="whole network"):
        write_pack(tmp_path / "p.npz", *data, protocol.Memaa(profile, weights=weights))


def test_the_pack_holds_the_avatars_bit_for_bit(data, tmp_path):
    write_pack(tmp_path / "pack.npz", *data, protocol.Memaa(SMALL))
    plan, avatars = read_pack(tmp_path / "pack.npz")
    assert np.array_equal(avatars, data[0])
    assert [fold["name"] for fold in plan["folds"]] == ["smic/s0", "smic/s1"]


def test_what_is_no_pack_is_refused(tmp_path):
    (tmp_path / "pack.npz").write_bytes(b"no pack")
    with pytest.raises(InputError, match="no pack of avatars"):
        read_pack(tmp_path / "pack.npz")
