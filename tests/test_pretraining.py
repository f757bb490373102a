"""Starting weights and pre-training on further people."""

from dataclasses import replace

import numpy as np
import pytest

from memaa_lib import network, pretraining
from memaa_lib.network import TrainingProfile
from memaa_lib.pretraining import Pretraining
from memaa_lib.storage import InputError

torch = pytest.importorskip("torch")

TINY = TrainingProfile(
    name="tiny",
    image_size=32,
    initialisation="scratch",
    batch_size=4,
    epochs=2,
    precision="float32",
    learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def start():
    return network.scratch_weights(0)


def test_starting_weights_by_profile(tmp_path, start):
    path = network.write_weights(start, tmp_path, "resnet34-further-test")
    pretrained = replace(TINY, initialisation="pretrained")
    found = pretraining.starting_weights(pretrained, weights=path)
    assert path.name in found.name
    assert found.digest == network.weights_file_digest(path)
    assert network.weights_digest(found.state) == network.weights_digest(start)
    assert pretraining.starting_weights(TINY).name == "scratch"
    with pytest.raises(InputError, match="leave the weights file out"):
        pretraining.starting_weights(TINY, weights=path)
    other = network.write_weights({"fc.weight": torch.zeros(3, 4)}, tmp_path, "other")
    with pytest.raises(InputError, match="not the weights of a ResNet-34"):
        pretraining.starting_weights(pretrained, weights=other)


@pytest.mark.parametrize(
    "changes",
    [
        {"identities": 0},
        {"clips_per_class": 1.5},
        {"seconds": (0.5, 0.2)},
        {"strength": (0.0, 2.0)},
    ],
)
def test_impossible_pretraining_is_refused(changes):
    with pytest.raises(InputError, match="pre-training"):
        Pretraining(**changes)


@pytest.mark.slow
def test_pretraining_is_cached_resumed_and_the_same_with_two_processes(tmp_path):
    settings = Pretraining(
        identities=2, clips_per_class=1, seconds=(0.1, 0.12), training=replace(TINY, epochs=1)
    )
    serial = pretraining.pretraining_set(settings, n_jobs=1, cache=tmp_path / "a")
    parallel = pretraining.pretraining_set(settings, n_jobs=2, cache=tmp_path / "b")
    assert np.array_equal(serial[0], parallel[0])
    assert np.array_equal(serial[2], parallel[2])
    assert serial[0].shape == (6, 32, 32, 3)
    assert len(serial[2]) == 6
    assert (np.abs(serial[2]).max(axis=1) > 0).all()  # something moves in every clip
    kept = sorted((tmp_path / "a").glob("*.npz"))
    stamps = [path.stat().st_mtime_ns for path in kept]
    kept[1].unlink()
    again = pretraining.pretraining_set(settings, n_jobs=1, cache=tmp_path / "a")
    assert np.array_equal(serial[0], again[0])
    assert kept[0].stat().st_mtime_ns == stamps[0]
    path = pretraining.pretrained_weights(settings, n_jobs=1, cache=tmp_path / "a")
    stamp = path.stat().st_mtime_ns
    assert pretraining.pretrained_weights(settings, cache=tmp_path / "a") == path
    assert path.stat().st_mtime_ns == stamp
    other = pretraining.pretrained_weights(settings, n_jobs=1, cache=tmp_path / "b")
    assert other.name == path.name
